//! Loads a target's credentials through a chain of steps. A failure names its step.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as CredentialsResult, SharedCredentialsProvider, future,
};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use super::processes::end_older_than;
use super::secrets::Secrets;
use crate::clock::Clock;
use crate::config::Target;

/// Time before a failed step of the chain is retried. Without it, a target with thousands of steps
/// would call STS as often as it polls.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Returns the credentials provider of a target: the default chain, `fixed` credentials or its
/// profile, and above them the role that it assumes.
pub(super) async fn provider(
    target: &Target,
    shared: &SdkConfig,
    fixed: Option<SharedCredentialsProvider>,
    request_timeout: Duration,
    secrets: &Secrets,
) -> SharedCredentialsProvider {
    let patience = patience(request_timeout);
    let (name, base) = match (&target.profile, fixed) {
        (Some(profile), _) => (
            format!("profile {profile:?}"),
            Some(from_profile(profile, shared)),
        ),
        (None, Some(fixed)) => ("fixed credentials".to_owned(), Some(fixed)),
        (None, None) => (
            "the default credentials chain".to_owned(),
            shared.credentials_provider(),
        ),
    };
    let base =
        base.expect("the loader always sets a provider, the default chain where none is named");
    // The role waits for what it is assumed with, and must not lose patience first: then it would
    // be named for the failure of the step below it.
    let base_patience = match &target.assume_role {
        Some(_) => patience.mul_f64(0.75),
        None => patience,
    };
    let base = SharedCredentialsProvider::new(Aside::new(base));
    let base = SharedCredentialsProvider::new(ChainStep::new(name, base, base_patience, secrets));
    let Some(role) = &target.assume_role else {
        return base;
    };
    let mut builder = AssumeRoleProvider::builder(&role.role_arn)
        .configure(shared)
        .session_name(&role.session_name);
    if let Some(external_id) = &role.external_id {
        builder = builder.external_id(external_id);
    }
    let assumed = builder.build_from_provider(base).await;
    SharedCredentialsProvider::new(ChainStep::new(
        format!("assuming role {}", role.role_arn),
        SharedCredentialsProvider::new(assumed),
        patience,
        secrets,
    ))
}

/// Returns the timeout for credentials. It is shorter than the request's, so that the failure is
/// classified as one of the credentials.
pub(super) fn patience(request_timeout: Duration) -> Duration {
    request_timeout.mul_f64(0.8)
}

/// Returns the provider of a profile alone. The default chain prefers credentials in the
/// environment, which may be of another account.
fn from_profile(name: &str, shared: &SdkConfig) -> SharedCredentialsProvider {
    let mut config = ProviderConfig::without_region()
        .with_region(shared.region().cloned())
        .with_behavior_version(shared.behavior_version())
        .with_retry_config(RetryConfig::disabled());
    if let Some(client) = shared.http_client() {
        config = config.with_http_client(client);
    }
    let profile = ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(name);
    SharedCredentialsProvider::new(profile.build())
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
    loading: Mutex<Option<JoinHandle<CredentialsResult>>>,
    /// Whether it was logged that a load does not end.
    logged: Arc<AtomicBool>,
}

impl Aside {
    fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            loading: Mutex::default(),
            logged: Arc::default(),
        }
    }

    async fn credentials(&self) -> CredentialsResult {
        let mut loading = self.loading.lock().await;
        let thread = loading.get_or_insert_with(|| {
            let (provider, logged) = (self.provider.clone(), self.logged.clone());
            let runtime = Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(load(provider, &logged)))
        });
        let loaded = thread.await;
        *loading = None;
        match loaded {
            Ok(result) => result,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }
}

/// Loads credentials, and ends a process that does not respond in time.
async fn load(provider: SharedCredentialsProvider, logged: &AtomicBool) -> CredentialsResult {
    let loading = provider.provide_credentials();
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
