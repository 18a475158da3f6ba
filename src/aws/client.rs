//! Builds the SDK's client of one target and region.
//!
//! The SDK's own retries are off. A client keeps the shared configuration files that it was built
//! from: [`Renewal`] builds another one when its credentials are refused.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_imagebuilder::Client;
use aws_sdk_imagebuilder::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::http::Response;

use super::credentials::Sources;
use super::date::DateListener;
use super::error;
use super::profiles::SharedFiles;
use super::quiet::logged_if;
use super::renewal::Renewal;
use super::secrets::Secrets;
use crate::api::{ApiError, ServiceClock};
use crate::config::Target;

/// Credentials are renewed so long before they expire. It is longer than a call may take.
const RENEWAL_MARGIN: Duration = Duration::from_secs(120);

/// Settings that all clients of the process share.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub http_client: SharedHttpClient,
    /// Replaces the SDK's default chain for targets without a profile.
    pub credentials: Option<SharedCredentialsProvider>,
    /// Replaces the regions' own endpoints for all services, STS included.
    pub endpoint_url: Option<String>,
    pub secrets: Secrets,
}

impl Settings {
    /// Returns the settings that the client and the calls for its credentials share.
    async fn sdk_config(&self, target: &Target, region: &str) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.to_owned()))
            .http_client(self.http_client.clone())
            // [`Sources`] provides them.
            .no_credentials()
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

/// What a client is built from.
pub(super) struct ClientSettings {
    pub shared: Settings,
    pub target: Target,
    pub region: String,
    pub request_timeout: Duration,
    pub clock: ServiceClock,
}

impl ClientSettings {
    /// Builds a client, unless the shared configuration files are still those of `present`.
    pub(super) async fn build(
        &self,
        renewal: &Arc<Renewal<BuiltClient>>,
        present: Option<BuiltClient>,
    ) -> Option<BuiltClient> {
        let files = logged_if(false, SharedFiles::read()).await;
        if present.is_some_and(|present| present.files == files) {
            return None;
        }
        let shared = self.shared.sdk_config(&self.target, &self.region).await;
        let sources = Sources {
            target: &self.target,
            shared: &shared,
            files: &files,
            fixed: self.shared.credentials.clone(),
            request_timeout: self.request_timeout,
            secrets: &self.shared.secrets,
            loads: &renewal.loads,
            is_logged: renewal.is_first(),
        };
        let credentials = sources.provider().await;
        let cache = IdentityCache::lazy()
            .buffer_time(RENEWAL_MARGIN)
            .load_timeout(self.request_timeout)
            .build();
        let access = shared
            .into_builder()
            .credentials_provider(credentials)
            .identity_cache(cache)
            .build();
        let mut config = aws_sdk_imagebuilder::config::Builder::from(&access)
            .interceptor(DateListener(self.clock.clone()));
        if let Some(url) = &self.target.endpoint_url {
            config = config.endpoint_url(url);
        }
        Some(BuiltClient {
            client: Client::from_conf(config.build()),
            region: self.region.clone(),
            access,
            files,
            secrets: self.shared.secrets.clone(),
            renewal: Arc::downgrade(renewal),
        })
    }
}

/// A client of one target and region.
#[derive(Clone, Debug)]
pub(super) struct BuiltClient {
    pub client: Client,
    pub region: String,
    /// Configures clients of other services with the same credentials.
    pub access: SdkConfig,
    /// What it was built from.
    files: SharedFiles,
    secrets: Secrets,
    renewal: Weak<Renewal<Self>>,
}

impl BuiltClient {
    /// Returns the kind and the text of a failed call, without credentials. If they were refused, a
    /// new client loads them again.
    pub(super) fn classify<E>(&self, failure: &SdkError<E, Response>) -> ApiError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let error = error::classify(failure, &self.secrets);
        if let Some(renewal) = self.renewal.upgrade() {
            renewal.failed(&error);
        }
        error
    }
}
