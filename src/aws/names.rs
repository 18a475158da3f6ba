//! Looks up the addresses of hosts, each name on a thread of its own.
//!
//! Names are looked up as the system is configured: `/etc/hosts`, `nsswitch.conf`, search domains.
//! That call blocks its thread, for a minute if name servers do not respond. One lookup of a name runs
//! at a time, and all calls wait for it. So a name that cannot be looked up occupies one thread, and
//! delays nothing else.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use tokio::sync::watch;
use tokio::time::Instant;

use super::threads;
use crate::clock::Clock;

/// The longest time that a call waits for a lookup. It is shorter than the SDK's time for a connection,
/// so that the error names the lookup.
const PATIENCE: Duration = Duration::from_secs(3);

/// The time for which addresses are used. Load balancers of AWS change theirs within a minute.
const KEPT: Duration = Duration::from_secs(10);

/// The time for which a failure is used.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// The largest number of lookups at once.
const MAX_LOOKUPS: usize = 256;

/// Returns the addresses of a name. It may block its thread.
pub type NameLookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

type Addresses = Result<Vec<IpAddr>, String>;

/// See the module. Clones share the lookups.
#[derive(Clone)]
pub(super) struct Names {
    lookup: Arc<NameLookup>,
    lookups: Arc<Mutex<HashMap<String, Started>>>,
}

/// `None` until the lookup has ended.
type Started = watch::Receiver<Option<Ended>>;

#[derive(Clone)]
struct Ended {
    at: Instant,
    addresses: Addresses,
}

impl Default for Names {
    fn default() -> Self {
        Self::new(Arc::new(of_system))
    }
}

/// Looks up a name as the system is configured.
fn of_system(name: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (name, 0).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

impl Names {
    pub(super) fn new(lookup: Arc<NameLookup>) -> Self {
        Self {
            lookup,
            lookups: Arc::default(),
        }
    }

    async fn addresses(&self, name: &str) -> Addresses {
        let mut started = self.started(name)?;
        let ended = started.wait_for(Option::is_some);
        let Ok(ended) = tokio::time::timeout(PATIENCE, ended).await else {
            return Err(format!(
                "the lookup of {name:?} has not ended within {PATIENCE:?}"
            ));
        };
        match ended.ok().and_then(|ended| ended.clone()) {
            Some(ended) => ended.addresses,
            None => Err(format!("the lookup of {name:?} ended without a result")),
        }
    }

    /// Returns the lookup of the name that runs or has ended lately, or a new one.
    fn started(&self, name: &str) -> Result<Started, String> {
        let now = Clock::System.now().instant;
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.retain(|_, started| is_used(started, now));
        if let Some(started) = lookups.get(name) {
            return Ok(started.clone());
        }
        let running = lookups
            .values()
            .filter(|started| started.borrow().is_none());
        if running.count() >= MAX_LOOKUPS {
            return Err(format!(
                "{MAX_LOOKUPS} lookups of other names have not ended"
            ));
        }
        let (ended, started) = watch::channel(None);
        let (lookup, looked_up) = (self.lookup.clone(), name.to_owned());
        threads::start("lookup", move || {
            let addresses = lookup(&looked_up).map_err(|error| error.to_string());
            let at = Clock::System.now().instant;
            ended.send_replace(Some(Ended { at, addresses }));
        });
        lookups.insert(name.to_owned(), started.clone());
        Ok(started)
    }
}

/// Returns whether the lookup runs, or its result is still used.
fn is_used(started: &Started, now: Instant) -> bool {
    match &*started.borrow() {
        // A thread that the system refused has dropped its end.
        None => started.has_changed().is_ok(),
        Some(ended) => {
            let kept = match ended.addresses {
                Ok(_) => KEPT,
                Err(_) => FAILURE_KEPT,
            };
            now.saturating_duration_since(ended.at) < kept
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl ResolveDns for Names {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async { self.addresses(name).await.map_err(ResolveDnsError::new) })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Names whose lookups are counted. That of `dead` never ends; `unknown` has no address.
    fn counted() -> (Names, Arc<AtomicUsize>) {
        let count = Arc::<AtomicUsize>::default();
        let counted = count.clone();
        let lookup = move |name: &str| {
            counted.fetch_add(1, Ordering::Relaxed);
            match name {
                "dead" => loop {
                    std::thread::park();
                },
                "unknown" => Err(io::Error::other("no such name")),
                _ => Ok(vec![IpAddr::from(Ipv4Addr::LOCALHOST)]),
            }
        };
        (Names::new(Arc::new(lookup)), count)
    }

    #[tokio::test]
    async fn name_that_is_never_found_occupies_one_thread_and_delays_no_other() {
        let (names, count) = counted();
        let dead = (0..1_000).map(|_| {
            let names = names.clone();
            tokio::spawn(async move { names.addresses("dead").await })
        });
        let dead: Vec<_> = dead.collect();
        names.addresses("alive").await.unwrap();
        assert!(!dead.iter().any(|waiting| waiting.is_finished()));
        tokio::time::pause();
        for waiting in dead {
            let error = waiting.await.unwrap().unwrap_err();
            assert_eq!(error, "the lookup of \"dead\" has not ended within 3s");
        }
        names.addresses("dead").await.unwrap_err();
        // The thread of a lookup may begin late on a busy machine.
        while count.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn result_is_used_for_a_while() {
        let (names, count) = counted();
        let (alive, unknown) = (names.started("alive"), names.started("unknown"));
        let (alive, unknown) = (alive.unwrap(), unknown.unwrap());
        names.addresses("alive").await.unwrap();
        let error = names.addresses("unknown").await.unwrap_err();
        assert_eq!(error, "no such name");
        assert_eq!(count.load(Ordering::Relaxed), 2);
        tokio::time::pause();
        tokio::time::advance(KEPT / 2).await;
        assert!(names.started("alive").unwrap().same_channel(&alive));
        // A failure is used for less time.
        assert!(!names.started("unknown").unwrap().same_channel(&unknown));
        tokio::time::advance(KEPT / 2).await;
        assert!(!names.started("alive").unwrap().same_channel(&alive));
    }

    #[tokio::test]
    async fn lookups_at_once_are_bounded() {
        let lookup = |_: &str| -> io::Result<_> {
            loop {
                std::thread::park();
            }
        };
        let names = Names::new(Arc::new(lookup));
        for number in 0..MAX_LOOKUPS {
            names.started(&format!("host-{number}")).unwrap();
        }
        names.started("host-0").unwrap();
        let refused = names.addresses("one-more").await.unwrap_err();
        assert_eq!(refused, "256 lookups of other names have not ended");
    }
}
