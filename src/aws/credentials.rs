//! Loads a target's credentials through a chain of steps. A failure names its step.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as CredentialsResult, SharedCredentialsProvider, future,
};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;
use tracing::warn;

use super::processes::end_older_than;
use super::profiles::SharedFiles;
use super::quiet::logged_if;
use super::renewal::{Load, Loads};
use super::secrets::Secrets;
use super::threads;
use crate::clock::Clock;
use crate::config::Target;

/// Time before a failed step of the chain is retried. Without it, a target with thousands of steps
/// would call STS as often as it polls.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What the credentials of one target and region come from.
pub(super) struct Sources<'a> {
    pub target: &'a Target,
    /// Settings of the calls for credentials.
    pub shared: &'a SdkConfig,
    pub files: &'a SharedFiles,
    /// Replace the default chain.
    pub fixed: Option<SharedCredentialsProvider>,
    pub request_timeout: Duration,
    pub secrets: &'a Secrets,
    pub loads: &'a Loads,
    /// Whether the SDK logs what it ignores in the files.
    pub is_logged: bool,
}

impl Sources<'_> {
    /// Returns the credentials provider of the target: the default chain, the fixed credentials or its
    /// profile, and above them the role that it assumes.
    pub(super) async fn provider(self) -> SharedCredentialsProvider {
        let patience = patience(self.request_timeout);
        let profile = self.target.profile.as_deref();
        let (name, base) = match (profile, self.fixed.clone()) {
            (Some(profile), _) => (format!("profile {profile:?}"), self.profile(profile)),
            (None, Some(fixed)) => ("fixed credentials".to_owned(), fixed),
            (None, None) => (
                "the default credentials chain".to_owned(),
                self.default_chain(),
            ),
        };
        // The role waits for what it is assumed with, and must not lose patience first: then it would
        // be named for the failure of the step below it.
        let base_patience = match &self.target.assume_role {
            Some(_) => patience.mul_f64(0.75),
            None => patience,
        };
        let base = Aside::new(base, self.loads, self.is_logged);
        let base = SharedCredentialsProvider::new(base);
        let base = ChainStep::new(name, base, base_patience, self.secrets);
        let base = SharedCredentialsProvider::new(base);
        let Some(role) = &self.target.assume_role else {
            return base;
        };
        let mut builder = AssumeRoleProvider::builder(&role.role_arn)
            .configure(self.shared)
            .session_name(&role.session_name);
        if let Some(external_id) = &role.external_id {
            self.secrets.add(external_id);
            builder = builder.external_id(external_id);
        }
        let assumed = builder.build_from_provider(base).await;
        SharedCredentialsProvider::new(ChainStep::new(
            format!("assuming role {}", role.role_arn),
            SharedCredentialsProvider::new(assumed),
            patience,
            self.secrets,
        ))
    }

    /// Returns the provider of a profile alone. The default chain prefers credentials in the
    /// environment, which may be of another account.
    fn profile(&self, name: &str) -> SharedCredentialsProvider {
        let config = self.provider_config();
        SharedCredentialsProvider::new(self.files.provider(Some(name), &config))
    }

    /// Returns the SDK's default chain, with the profiles of [`SharedFiles`].
    fn default_chain(&self) -> SharedCredentialsProvider {
        let config = self.provider_config();
        let environment = EnvironmentVariableCredentialsProvider::new();
        let profile = self.files.provider(None, &config);
        let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config);
        let container = EcsCredentialsProvider::builder().configure(&config);
        let instance = ImdsCredentialsProvider::builder().configure(&config);
        let chain = CredentialsProviderChain::first_try("Environment", environment)
            .or_else("Profile", profile)
            .or_else("WebIdentityToken", web_identity.build())
            .or_else("EcsContainer", container.build())
            .or_else("Ec2InstanceMetadata", instance.build());
        SharedCredentialsProvider::new(chain)
    }

    fn provider_config(&self) -> ProviderConfig {
        let mut config = ProviderConfig::without_region()
            .with_region(self.shared.region().cloned())
            .with_behavior_version(self.shared.behavior_version())
            .with_use_fips(self.shared.use_fips())
            .with_use_dual_stack(self.shared.use_dual_stack())
            .with_retry_config(RetryConfig::disabled());
        if let Some(client) = self.shared.http_client() {
            config = config.with_http_client(client);
        }
        config
    }
}

/// Returns the timeout for credentials. It is shorter than the request's, so that the failure is
/// classified as one of the credentials.
pub(super) fn patience(request_timeout: Duration) -> Duration {
    request_timeout.mul_f64(0.8)
}

/// Timeout for loading credentials, for example by a process. It is longer than a call waits: a later
/// call uses the result.
const LONGEST_LOAD: Duration = Duration::from_secs(60);

/// A provider that loads on a thread of its own.
///
/// The SDK's providers read files on the thread that polls them. A file system that never responds
/// would block everything else on that thread: the server, the signals, all other targets. The
/// thread continues after the timeout of a call, because the process of a `credential_process`
/// would continue too.
struct Aside {
    provider: SharedCredentialsProvider,
    /// The only load in progress: at most one thread is blocked, and one process runs.
    loading: Mutex<Option<Loading>>,
    loads: Loads,
    /// Whether the SDK logs what it ignores in the shared configuration files.
    is_logged: bool,
    /// Whether it was logged that a load does not end.
    logged: Arc<AtomicBool>,
}

/// A load in progress, or its result that no call has used.
struct Loading {
    result: oneshot::Receiver<CredentialsResult>,
    _begun: Load,
}

impl Aside {
    fn new(provider: SharedCredentialsProvider, loads: &Loads, is_logged: bool) -> Self {
        Self {
            provider,
            loading: Mutex::default(),
            loads: loads.clone(),
            is_logged,
            logged: Arc::default(),
        }
    }

    async fn credentials(&self) -> CredentialsResult {
        let mut loading = self.loading.lock().await;
        let present = loading.get_or_insert_with(|| {
            let provider = self.provider.clone();
            let (is_logged, logged) = (self.is_logged, self.logged.clone());
            let (begun, runtime) = (self.loads.begin(), Handle::current());
            let result = threads::start("credentials", move || {
                let _begun = begun;
                runtime.block_on(load(provider, is_logged, &logged))
            });
            Loading {
                result,
                _begun: self.loads.begin(),
            }
        });
        let loaded = (&mut present.result).await;
        *loading = None;
        loaded.unwrap_or_else(|_| {
            let error = "the load of credentials ended without a result";
            Err(CredentialsError::provider_error(error))
        })
    }
}

/// Loads credentials, and ends a process that does not respond in time.
async fn load(
    provider: SharedCredentialsProvider,
    is_logged: bool,
    logged: &AtomicBool,
) -> CredentialsResult {
    let loading = logged_if(is_logged, provider.provide_credentials());
    let Ok(result) = tokio::time::timeout(LONGEST_LOAD, loading).await else {
        // It began a little later than the waiting for it.
        let what = match end_older_than(LONGEST_LOAD - Duration::from_secs(5)) {
            true => "; a credential_process was ended",
            false => "",
        };
        let error = format!("no credentials within {LONGEST_LOAD:?}{what}");
        // The poller logs the first failure of a kind alone, which came before this one.
        if !logged.swap(true, Ordering::Relaxed) {
            warn!("{error}");
        }
        return Err(CredentialsError::provider_error(error));
    };
    logged.store(false, Ordering::Relaxed);
    result
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").finish_non_exhaustive()
    }
}

impl ProvideCredentials for Aside {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// One step of the chain. Its failures contain its name, and it is not retried right after one.
struct ChainStep {
    name: String,
    provider: SharedCredentialsProvider,
    patience: Duration,
    /// Holds the credentials that this step has loaded.
    secrets: Secrets,
    failed: std::sync::Mutex<Option<(Instant, String)>>,
}

impl ChainStep {
    fn new(
        name: String,
        provider: SharedCredentialsProvider,
        patience: Duration,
        secrets: &Secrets,
    ) -> Self {
        Self {
            name,
            provider,
            patience,
            secrets: secrets.clone(),
            failed: std::sync::Mutex::new(None),
        }
    }

    async fn credentials(&self) -> CredentialsResult {
        if let Some(message) = self.resting() {
            return Err(CredentialsError::provider_error(message));
        }
        let loading = self.provider.provide_credentials();
        let failure = match tokio::time::timeout(self.patience, loading).await {
            Ok(Ok(credentials)) => {
                self.secrets.add_credentials(&credentials);
                return Ok(credentials);
            }
            Ok(Err(failure)) => chain_text(&failure),
            Err(_) => format!("no response within {:?}", self.patience),
        };
        let message = format!("{} failed: {failure}", self.name);
        let now = Clock::System.now().instant;
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, message.clone()));
        Err(CredentialsError::provider_error(message))
    }

    fn resting(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, message) = failed.as_ref()?;
        (at.elapsed() < REST_AFTER_FAILURE).then(|| message.clone())
    }
}

impl fmt::Debug for ChainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainStep")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ProvideCredentials for ChainStep {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// An error and everything below it, each text once: the layers of the SDK tend to repeat.
pub(super) fn chain_text(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let layer = error.to_string();
        if !text.contains(&layer) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&layer);
        }
        next = error.source();
    }
    text
}
