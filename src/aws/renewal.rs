//! Builds the client of one target and region, and builds it again when its credentials are refused.
//!
//! The SDK reads the shared configuration files once for a client, and keeps credentials without an
//! expiration for ever. So only a new client uses keys that were rotated in these files. The module
//! decides when to build; its caller says what.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::quiet::logged_if;
use super::threads;
use crate::api::{ApiError, ErrorKind};
use crate::clock::Clock;

/// The shortest time between two renewals of a client whose credentials are refused.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(15);

/// Counts loads of credentials that have not ended, of all clients of one target and region. Each may
/// block a thread, or a later call uses its result.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads(Arc<AtomicUsize>);

/// A load that counts as long as the value lives.
pub(super) struct Load(Loads);

impl Loads {
    pub(super) fn begin(&self) -> Load {
        self.0.fetch_add(1, Ordering::Relaxed);
        Load(self.clone())
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client that is being built; `None` if the present one is up to date.
pub(super) type Building<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

/// Builds a client. It gets the present client if that may stay.
type Build<T> = dyn Fn(&Arc<Renewal<T>>, Option<T>) -> Building<T> + Send + Sync;

/// See the module.
pub(super) struct Renewal<T> {
    build: Box<Build<T>>,
    built: watch::Sender<Option<T>>,
    pub(super) loads: Loads,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last renewal began.
    renewed: Option<Instant>,
    is_building: bool,
    /// The credentials of the present client were refused, or could not be loaded.
    is_refused: bool,
}

impl<T: Clone + Send + Sync + 'static> Renewal<T> {
    /// Starts to build the first client.
    pub(super) fn start(
        build: impl Fn(&Arc<Self>, Option<T>) -> Building<T> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let renewal = Arc::new(Self {
            build: Box::new(build),
            built: watch::Sender::new(None),
            loads: Loads::default(),
            state: Mutex::new(State {
                is_building: true,
                ..State::default()
            }),
        });
        renewal.build(None);
        renewal
    }

    /// Returns the present client, and waits for the first one until `until`. If none is built by then,
    /// another build starts for later calls: the system may have refused a thread for the first one.
    pub(super) async fn client(self: &Arc<Self>, until: Instant) -> Option<T> {
        let mut built = self.built.subscribe();
        let first = tokio::time::timeout_at(until, built.wait_for(Option::is_some)).await;
        let client = first.ok().and_then(|built| built.ok()?.clone());
        if client.is_none() {
            self.renew();
        }
        client
    }

    /// Returns whether this is the first build.
    pub(super) fn is_first(&self) -> bool {
        self.built.borrow().is_none()
    }

    /// Records the error of a call. Builds the client again if its credentials were refused, at most
    /// once in [`RENEWAL_INTERVAL`].
    pub(super) fn failed(self: &Arc<Self>, error: &ApiError) {
        // A new client would not know how far the clock is off.
        let is_about_keys = error.about_operation() == ErrorKind::Credentials;
        if !is_about_keys || error.is_about_time() {
            return;
        }
        let is_due = {
            let mut state = self.state();
            state.is_refused = true;
            { state.renewed }.is_none_or(|renewed| renewed.elapsed() >= RENEWAL_INTERVAL)
        };
        if is_due {
            self.renew();
        }
    }

    /// Builds the client again if its credentials were refused, or if what it was built from has
    /// changed. A load or a build that has not ended may never end: no second one joins it.
    pub(super) fn renew(self: &Arc<Self>) {
        let present = self.built.borrow().clone();
        let is_refused = {
            let mut state = self.state();
            if state.is_building || self.loads.any() {
                return;
            }
            let is_refused = state.is_refused;
            *state = State {
                renewed: Some(Clock::System.now().instant),
                is_building: true,
                is_refused: false,
            };
            is_refused
        };
        self.build(present.filter(|_| !is_refused));
    }

    /// Builds the client on a thread of its own, because a file system may never respond.
    fn build(self: &Arc<Self>, present: Option<T>) {
        let ended = Ended(Arc::downgrade(self));
        let building = (self.build)(self, present);
        let (renewal, runtime) = (self.clone(), Handle::current());
        threads::start("aws-client", move || {
            let _ended = ended;
            // The first build has logged what the SDK ignores in the files.
            let client = runtime.block_on(logged_if(renewal.is_first(), building));
            if let Some(client) = client {
                renewal.built.send_replace(Some(client));
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the end of a build, however it ends.
struct Ended<T>(Weak<Renewal<T>>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        if let Some(renewal) = self.0.upgrade() {
            let state = renewal.state.lock();
            state.unwrap_or_else(PoisonError::into_inner).is_building = false;
        }
    }
}

impl<T> fmt::Debug for Renewal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> ApiError {
        ApiError {
            caller_refused: true,
            ..ApiError::new(ErrorKind::Forbidden, "UnrecognizedClientException")
        }
    }

    /// A renewal whose clients are the numbers of their builds.
    fn numbered() -> (Arc<Renewal<usize>>, Arc<AtomicUsize>) {
        let builds = Arc::<AtomicUsize>::default();
        let counted = builds.clone();
        let renewal = Renewal::start(move |_, present: Option<usize>| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { present.is_none().then_some(number) })
        });
        (renewal, builds)
    }

    /// Waits for the end of a build. Returns the present client.
    async fn client(renewal: &Renewal<usize>) -> usize {
        while renewal.state().is_building {
            tokio::task::yield_now().await;
        }
        renewal.built.borrow().expect("it is built")
    }

    #[tokio::test(start_paused = true)]
    async fn client_is_built_again_once_in_an_interval_while_it_is_refused() {
        let (renewal, builds) = numbered();
        assert_eq!(client(&renewal).await, 0);
        for _ in 0..10 {
            renewal.failed(&refused());
        }
        assert_eq!(client(&renewal).await, 1);
        renewal.failed(&refused());
        assert_eq!(client(&renewal).await, 1);
        tokio::time::advance(RENEWAL_INTERVAL).await;
        renewal.failed(&refused());
        assert_eq!(client(&renewal).await, 2);
        assert_eq!(builds.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn no_client_is_built_while_a_load_has_not_ended_or_for_another_error() {
        let (renewal, builds) = numbered();
        client(&renewal).await;
        let load = renewal.loads.begin();
        renewal.failed(&refused());
        renewal.renew();
        drop(load);
        renewal.failed(&ApiError::new(ErrorKind::Forbidden, "AccessDenied"));
        renewal.failed(&ApiError::new(ErrorKind::Network, "Connection refused"));
        let late = "SignatureDoesNotMatch: Signature expired";
        renewal.failed(&ApiError::new(ErrorKind::Credentials, late));
        assert_eq!(builds.load(Ordering::Relaxed), 1);
        renewal.failed(&ApiError::new(ErrorKind::Credentials, "no credentials"));
        assert_eq!(client(&renewal).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn client_whose_first_build_ended_without_one_is_built_for_later_calls() {
        let builds = AtomicUsize::default();
        let renewal = Renewal::start(move |_, _| {
            let number = builds.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                assert!(number > 0, "as the test says");
                Some(number)
            })
        });
        while renewal.state().is_building {
            tokio::task::yield_now().await;
        }
        let until = || Clock::System.now().instant + Duration::from_secs(5);
        assert_eq!(renewal.client(until()).await, None);
        assert_eq!(client(&renewal).await, 1);
        assert_eq!(renewal.client(until()).await, Some(1));
    }

    #[tokio::test]
    async fn reload_keeps_a_client_that_is_up_to_date_and_was_not_refused() {
        let (renewal, builds) = numbered();
        client(&renewal).await;
        renewal.renew();
        assert_eq!(client(&renewal).await, 0);
        assert_eq!(builds.load(Ordering::Relaxed), 2);
        renewal.failed(&refused());
        renewal.renew();
        assert_eq!(client(&renewal).await, 2);
    }
}
