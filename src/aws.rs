//! The real [`ImageBuilder`]: `aws-sdk-imagebuilder` over HTTPS, or over HTTP where an
//! `endpoint_url` says so.
//!
//! Owns the clients and their credentials. The SDK's own retries are off: each call is one attempt,
//! so that the caller can pay for it with a token and count it.

mod answer;
mod credentials;
mod date;
mod error;
mod processes;
mod proxy;

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_imagebuilder::Client;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use date::DateListener;
pub use processes::end_credential_processes;
pub use proxy::BadProxy;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{
    Answer, ApiError, Caller, ErrorKind, ImageBuilder, ListPage, Page, Parsed, ServiceClock,
    StepPage, WorkflowPage,
};
use crate::config::{Polling, Target};
use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

/// How long before their end credentials are renewed: longer than a call may take.
const RENEWAL_MARGIN: Duration = Duration::from_secs(120);

/// What all clients of the process share.
#[derive(Clone, Debug)]
pub struct Aws {
    http_client: SharedHttpClient,
    /// Instead of the SDK's default chain, where a target names no profile.
    credentials: Option<SharedCredentialsProvider>,
    /// Instead of the regions' own endpoints, for all services, STS too.
    endpoint_url: Option<String>,
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            http_client: proxy::client(None),
            credentials: None,
            endpoint_url: None,
        }
    }
}

impl Aws {
    /// Clients whose calls over HTTPS go through the proxy that the environment names, if any, with
    /// `HTTPS_PROXY` and `NO_PROXY`.
    pub fn of_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        Ok(Self {
            http_client: proxy::client(proxy::named(environment)?),
            ..Self::default()
        })
    }

    /// Clients with fixed credentials in place of the default chain, for the simulator, which
    /// takes any. Roles are assumed there too; a target's `endpoint_url` is for Image Builder alone.
    pub fn simulated(url: String, credentials: Credentials) -> Self {
        Self {
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            endpoint_url: Some(url),
            ..Self::default()
        }
    }

    /// A client for one region of a target. Nothing is sent, and no credentials are looked for,
    /// before its first call. Credentials have to load within `polling.request_timeout`. Every answer tells
    /// `clock` what time it is at the service.
    ///
    /// The SDK reads the shared configuration files when a client is made, with a thread that waits
    /// for them, and whoever keeps them may never answer: so it is made by a thread of its own, and
    /// it is the calls that wait for it.
    pub fn client(
        &self,
        target: &Target,
        region: &str,
        polling: &Polling,
        clock: ServiceClock,
    ) -> AwsImageBuilder {
        let request_timeout = polling.request_timeout;
        let (made, client) = watch::channel(None);
        let (aws, target, region) = (self.clone(), target.clone(), region.to_owned());
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let making = aws.make(&target, &region, request_timeout, clock);
            made.send_replace(Some(runtime.block_on(making)));
        });
        AwsImageBuilder {
            client,
            patience: credentials::patience(request_timeout),
            failure_details: polling.failure_details,
        }
    }

    async fn make(
        &self,
        target: &Target,
        region: &str,
        request_timeout: Duration,
        clock: ServiceClock,
    ) -> Made {
        let shared = self.shared_config(target, region).await;
        let credentials =
            credentials::provider(target, &shared, self.credentials.clone(), request_timeout).await;
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
        Made {
            client: Client::from_conf(config.build()),
            access,
        }
    }

    /// What the client, and the calls for its credentials, have in common.
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
struct Made {
    client: Client,
    /// The same credentials, for another service.
    access: SdkConfig,
}

/// One account's Image Builder in one region, through the SDK.
#[derive(Clone, Debug)]
pub struct AwsImageBuilder {
    /// `None` until it is made.
    client: watch::Receiver<Option<Made>>,
    /// How long a call waits for it.
    patience: Duration,
    /// Whether `outputs` of steps may be read.
    failure_details: bool,
}

impl AwsImageBuilder {
    /// Waits until calls need not wait, or until then: the first calls have all their time.
    pub async fn made(&self, until: Instant) {
        let mut client = self.client.clone();
        let _ = tokio::time::timeout_at(until, client.wait_for(Option::is_some)).await;
    }

    /// Whose credentials the calls are made with, as the region's STS says.
    pub fn caller(&self) -> Answer<Caller> {
        let made = self.clone().all();
        Box::pin(async move {
            let sts = aws_sdk_sts::Client::new(&made.await?.access);
            let output = match sts.get_caller_identity().send().await {
                Ok(output) => output,
                Err(failure) => return Err(error::classify(&failure)),
            };
            match (output.account, output.arn) {
                (Some(account), Some(arn)) => Ok(Parsed::from(Caller { account, arn })),
                _ => Err(ApiError::new(
                    ErrorKind::Parse,
                    "the answer has no account or no ARN, so it is not STS's",
                )),
            }
        })
    }

    async fn client(self) -> Result<Client, ApiError> {
        Ok(self.all().await?.client)
    }

    async fn all(mut self) -> Result<Made, ApiError> {
        let made = self.client.wait_for(Option::is_some);
        let made = tokio::time::timeout(self.patience, made).await;
        let made = made.ok().and_then(|made| made.ok()?.clone());
        made.ok_or_else(|| {
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
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> Answer<StepExecution> {
        let failure_details = self.failure_details;
        let client = self.clone().client();
        Box::pin(async move {
            let call = client.await?.get_workflow_step_execution();
            match call.step_execution_id(id.to_string()).send().await {
                Ok(output) => answer::step_execution(output, id, failure_details),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> Answer<WorkflowExecution> {
        let client = self.clone().client();
        Box::pin(async move {
            let call = client.await?.get_workflow_execution();
            match call.workflow_execution_id(id.to_string()).send().await {
                Ok(output) => answer::workflow_execution(output, id),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> Answer<StepPage> {
        let failure_details = self.failure_details;
        let client = self.clone().client();
        Box::pin(async move {
            let call = client
                .await?
                .list_workflow_step_executions()
                .workflow_execution_id(id.to_string())
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => answer::step_page(output, id, failure_details),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }

    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> Answer<WorkflowPage> {
        let client = self.clone().client();
        Box::pin(async move {
            let call = client
                .await?
                .list_workflow_executions()
                .image_build_version_arn(image.as_str())
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => answer::workflow_page(output, &image),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }

    fn list_image_build_versions(&self, page: Page) -> Answer<ListPage<Image>> {
        let client = self.clone().client();
        Box::pin(async move {
            let call = client
                .await?
                .list_image_build_versions()
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => Ok(answer::image_page(output)),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }

    fn list_image_pipelines(&self, page: Page) -> Answer<ListPage<Pipeline>> {
        let client = self.clone().client();
        Box::pin(async move {
            let call = client
                .await?
                .list_image_pipelines()
                .max_results(page.size.into())
                .set_next_token(page.token);
            match call.send().await {
                Ok(output) => Ok(answer::pipeline_page(output)),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }

    fn get_image(&self, image: ImageArn) -> Answer<Image> {
        let client = self.clone().client();
        Box::pin(async move {
            let call = client.await?.get_image();
            match call.image_build_version_arn(image.as_str()).send().await {
                Ok(output) => answer::image(output, &image),
                Err(failure) => Err(error::classify(&failure)),
            }
        })
    }
}
