//! Implements [`ImageBuilder`] with `aws-sdk-imagebuilder`, over HTTPS or, for such an
//! `endpoint_url`, over HTTP.
//!
//! Owns the clients and their credentials. The SDK's own retries are off: each call is one attempt,
//! so that the caller can take one token for it and count it.

mod body;
mod client;
mod credential_process;
mod credentials;
mod date;
mod error;
mod names;
mod processes;
mod profiles;
mod proxy;
mod quiet;
mod renewal;
mod response;
mod secrets;
mod shapes;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use client::{BuiltClient, ClientSettings, Settings};
pub use names::NameLookup;
use names::Names;
pub use processes::end_credential_processes;
pub use proxy::BadProxy;
use renewal::Renewal;
use secrets::Secrets;
use tokio::time::Instant;

use crate::api::{
    ApiError, ApiFuture, Caller, ErrorKind, ImageBuilder, ImagePage, ListPage, Page, Parsed,
    ServiceClock, StepPage, WorkflowPage,
};
use crate::clock::Clock;
use crate::config::{Polling, Target};
use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

/// Settings that all clients of the process share.
#[derive(Clone, Debug)]
pub struct Aws(Settings);

impl Default for Aws {
    fn default() -> Self {
        Self(Settings {
            http_client: proxy::client(None, Names::default()),
            credentials: None,
            endpoint_url: None,
            secrets: Secrets::default(),
        })
    }
}

impl Aws {
    /// Returns the settings of the environment: calls over HTTPS go through the proxy that
    /// `HTTPS_PROXY` and `NO_PROXY` select, if any.
    pub fn of_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        let proxy = proxy::from_environment(environment)?;
        Ok(Self(Settings {
            http_client: proxy::client(proxy, Names::default()),
            secrets: Secrets::of_environment(environment),
            ..Self::default().0
        }))
    }

    /// Returns the text without credentials that the process has loaded.
    pub fn masked(&self, text: &str) -> String {
        self.0.secrets.masked(text)
    }

    /// Returns settings for the simulator, with fixed credentials in place of the default chain.
    ///
    /// The simulator accepts any credentials, and roles are assumed there too. A target's
    /// `endpoint_url` applies to Image Builder alone.
    pub fn simulated(url: String, credentials: Credentials) -> Self {
        Self(Settings {
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            endpoint_url: Some(url),
            ..Self::default().0
        })
    }

    /// Returns the same settings with another way to look up names, and without a proxy.
    pub fn with_lookup(self, lookup: Arc<NameLookup>) -> Self {
        Self(Settings {
            http_client: proxy::client(None, Names::new(lookup)),
            ..self.0
        })
    }

    /// Returns a client for one region of a target.
    ///
    /// The client sends nothing and loads no credentials before its first call. Credentials must
    /// load within `polling.request_timeout`. Every response updates `clock`.
    ///
    /// The SDK reads the shared configuration files when a client is built, and blocks the thread.
    /// A file system may never respond. So a thread of its own builds the client, and the calls
    /// wait for it.
    pub fn client(
        &self,
        target: &Target,
        region: &str,
        polling: &Polling,
        clock: ServiceClock,
    ) -> AwsImageBuilder {
        let request_timeout = polling.request_timeout;
        let settings = Arc::new(ClientSettings {
            shared: self.0.clone(),
            target: target.clone(),
            region: region.to_owned(),
            request_timeout,
            clock,
        });
        let client = Renewal::start(move |renewal, present: Option<BuiltClient>| {
            let (settings, renewal) = (settings.clone(), renewal.clone());
            Box::pin(async move { settings.build(&renewal, present).await })
        });
        AwsImageBuilder {
            client,
            patience: credentials::patience(request_timeout),
            failure_details: polling.failure_details,
        }
    }
}

/// Calls the Image Builder API of one account and region through the SDK.
#[derive(Clone, Debug)]
pub struct AwsImageBuilder {
    client: Arc<Renewal<BuiltClient>>,
    /// The longest time that a call waits for the client.
    patience: Duration,
    /// Whether `outputs` of steps may be read.
    failure_details: bool,
}

impl AwsImageBuilder {
    /// Waits until the client is built, at most until `until`. Without it, the first calls spend
    /// part of their timeout on this.
    pub async fn wait_until_built(&self, until: Instant) {
        let _ = self.client.client(until).await;
    }

    /// Returns the identity of the credentials, from the region's STS.
    pub fn caller(&self) -> ApiFuture<Caller> {
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let sts = aws_sdk_sts::Client::new(&built.access);
            let output = match sts.get_caller_identity().send().await {
                Ok(output) => output,
                Err(failure) => return Err(built.classify(&failure)),
            };
            match (output.account, output.arn) {
                (Some(account), Some(arn)) => Ok(Parsed::from(Caller { account, arn })),
                _ => Err(ApiError::new(
                    ErrorKind::Parse,
                    "the response has no account or no ARN, so it is not from STS",
                )),
            }
        })
    }

    async fn built_client(self) -> Result<BuiltClient, ApiError> {
        let until = Clock::System.now().instant + self.patience;
        self.client.client(until).await.ok_or_else(|| {
            ApiError::new(
                ErrorKind::Credentials,
                format!(
                    "the shared AWS configuration files could not be read within {:?}",
                    self.patience
                ),
            )
        })
    }
}

impl ImageBuilder for AwsImageBuilder {
    fn renew_credentials(&self) {
        self.client.renew();
    }

    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        let failure_details = self.failure_details;
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built.client.get_workflow_step_execution();
            match call.step_execution_id(id.to_string()).send().await {
                Ok(output) => response::step_execution(output, id, failure_details),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built.client.get_workflow_execution();
            match call.workflow_execution_id(id.to_string()).send().await {
                Ok(output) => response::workflow_execution(output, id),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> ApiFuture<StepPage> {
        let failure_details = self.failure_details;
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built
                .client
                .list_workflow_step_executions()
                .workflow_execution_id(id.to_string())
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => response::step_page(output, id, failure_details),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }

    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> ApiFuture<WorkflowPage> {
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built
                .client
                .list_workflow_executions()
                .image_build_version_arn(image.as_str())
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => response::workflow_page(output, &image),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }

    fn list_image_build_versions(&self, page: Page) -> ApiFuture<ImagePage> {
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built
                .client
                .list_image_build_versions()
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => Ok(response::image_page(output, &built.region)),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }

    fn list_image_pipelines(&self, page: Page) -> ApiFuture<ListPage<Pipeline>> {
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built
                .client
                .list_image_pipelines()
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => Ok(response::pipeline_page(output, &built.region)),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }

    fn get_image(&self, image: ImageArn) -> ApiFuture<Image> {
        let built = self.clone().built_client();
        Box::pin(async move {
            let built = built.await?;
            let call = built.client.get_image();
            match call.image_build_version_arn(image.as_str()).send().await {
                Ok(output) => response::image(output, &image),
                Err(failure) => Err(built.classify(&failure)),
            }
        })
    }
}
