//! Implements [`ImageBuilder`] with `aws-sdk-imagebuilder`, over HTTPS or, for such an
//! `endpoint_url`, over HTTP.
//!
//! Owns the clients and their credentials. The SDK's own retries are off: each call is one attempt,
//! so that the caller can take one token for it and count it.

mod body;
mod credentials;
mod date;
mod error;
mod processes;
mod proxy;
mod response;
mod secrets;
mod shapes;

use std::error::Error;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_imagebuilder::Client;
use aws_sdk_imagebuilder::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::http::Response;
use date::DateListener;
pub use processes::end_credential_processes;
pub use proxy::BadProxy;
use secrets::Secrets;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{
    ApiError, ApiFuture, Caller, ErrorKind, ImageBuilder, ListPage, Page, Parsed, ServiceClock,
    StepPage, WorkflowPage,
};
use crate::config::{Polling, Target};
use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

/// Credentials are renewed so long before they expire. It is longer than a call may take.
const RENEWAL_MARGIN: Duration = Duration::from_secs(120);

/// Settings that all clients of the process share.
#[derive(Clone, Debug)]
pub struct Aws {
    http_client: SharedHttpClient,
    /// Replaces the SDK's default chain for targets without a profile.
    credentials: Option<SharedCredentialsProvider>,
    /// Replaces the regions' own endpoints for all services, STS included.
    endpoint_url: Option<String>,
    secrets: Secrets,
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            http_client: proxy::client(None),
            credentials: None,
            endpoint_url: None,
            secrets: Secrets::default(),
        }
    }
}

impl Aws {
    /// Returns the settings of the environment: calls over HTTPS go through the proxy that
    /// `HTTPS_PROXY` and `NO_PROXY` select, if any.
    pub fn of_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        Ok(Self {
            http_client: proxy::client(proxy::from_environment(environment)?),
            secrets: Secrets::of_environment(environment),
            ..Self::default()
        })
    }

    /// Returns settings for the simulator, with fixed credentials in place of the default chain.
    ///
    /// The simulator accepts any credentials, and roles are assumed there too. A target's
    /// `endpoint_url` applies to Image Builder alone.
    pub fn simulated(url: String, credentials: Credentials) -> Self {
        Self {
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            endpoint_url: Some(url),
            ..Self::default()
        }
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
        let (built, client) = watch::channel(None);
        let (aws, target, region) = (self.clone(), target.clone(), region.to_owned());
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let building = aws.build(&target, &region, request_timeout, clock);
            built.send_replace(Some(runtime.block_on(building)));
        });
        AwsImageBuilder {
            client,
            patience: credentials::patience(request_timeout),
            failure_details: polling.failure_details,
        }
    }

    async fn build(
        &self,
        target: &Target,
        region: &str,
        request_timeout: Duration,
        clock: ServiceClock,
    ) -> BuiltClient {
        let shared = self.shared_config(target, region).await;
        let fixed = self.credentials.clone();
        let credentials =
            credentials::provider(target, &shared, fixed, request_timeout, &self.secrets).await;
        let cache = IdentityCache::lazy()
            .buffer_time(RENEWAL_MARGIN)
            .load_timeout(request_timeout)
            .build();
        let access = shared
            .into_builder()
            .credentials_provider(credentials)
            .identity_cache(cache)
            .build();
        let mut config =
            aws_sdk_imagebuilder::config::Builder::from(&access).interceptor(DateListener(clock));
        if let Some(url) = &target.endpoint_url {
            config = config.endpoint_url(url);
        }
        BuiltClient {
            client: Client::from_conf(config.build()),
            region: region.to_owned(),
            access,
            secrets: self.secrets.clone(),
        }
    }

    /// Returns the settings that the client and the calls for its credentials share.
    async fn shared_config(&self, target: &Target, region: &str) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.to_owned()))
            .http_client(self.http_client.clone())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(profile) = &target.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &self.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        loader.load().await
    }
}

#[derive(Clone, Debug)]
struct BuiltClient {
    client: Client,
    region: String,
    /// Configures clients of other services with the same credentials.
    access: SdkConfig,
    secrets: Secrets,
}

impl BuiltClient {
    /// Returns the kind and the text of a failed call, without credentials.
    fn classify<E>(&self, failure: &SdkError<E, Response>) -> ApiError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        error::classify(failure, &self.secrets)
    }
}

/// Calls the Image Builder API of one account and region through the SDK.
#[derive(Clone, Debug)]
pub struct AwsImageBuilder {
    /// `None` until it is built.
    client: watch::Receiver<Option<BuiltClient>>,
    /// The longest time that a call waits for the client.
    patience: Duration,
    /// Whether `outputs` of steps may be read.
    failure_details: bool,
}

impl AwsImageBuilder {
    /// Waits until the client is built, at most until `until`. Without it, the first calls spend
    /// part of their timeout on this.
    pub async fn wait_until_built(&self, until: Instant) {
        let mut client = self.client.clone();
        let _ = tokio::time::timeout_at(until, client.wait_for(Option::is_some)).await;
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

    async fn built_client(mut self) -> Result<BuiltClient, ApiError> {
        let built = self.client.wait_for(Option::is_some);
        let built = tokio::time::timeout(self.patience, built).await;
        let built = built.ok().and_then(|built| built.ok()?.clone());
        built.ok_or_else(|| {
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

    fn list_image_build_versions(&self, page: Page) -> ApiFuture<ListPage<Image>> {
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
