//! Bounds what clients can use: connections, requests, time and memory.

use std::time::Duration;

/// Most connections at once. Each takes some tens of kilobytes, so that all of them stay under 32 MiB.
const MAX_CONNECTIONS: usize = 512;

/// Fewest connections at once, however few file descriptors the process may have: a scraper, its
/// replica, the probes and a browser.
const MIN_CONNECTIONS: usize = 8;

/// Most requests at once, except those to the health paths: as in other Prometheus exporters.
pub const MAX_REQUESTS: usize = 40;

/// Most bytes of a request's head. Browsers send up to 8 KiB of cookies.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// A client sends a head at once, even over a slow network.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Twice the usual scrape interval, so that scrapers keep their connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// A scrape times out long before.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// A scraper that waits for the data reads sooner. Until then, clients that do not read can make others
/// wait.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Bounds of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections at once. One more closes the one that has been idle for longest.
    pub connections: usize,
    /// Most requests at once; 0 for no limit.
    pub requests: usize,
    /// Time for the head of a request: of the first one from the opening of the connection, which
    /// includes the TLS handshake, of each later one from its first byte.
    pub head_timeout: Duration,
    /// Time without a request after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time without progress after which a response is given up.
    pub write_timeout: Duration,
    /// Time without progress after which a response gives way to another request, if there are as
    /// many as the limit allows.
    pub stalled_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            requests: MAX_REQUESTS,
            head_timeout: HEAD_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            stalled_after: STALLED_AFTER,
        }
    }
}

impl Limits {
    /// Returns the limits for this process, whose calls to AWS need file descriptors too.
    pub fn of_process(requests: usize) -> Self {
        Self {
            connections: connections(descriptors()),
            requests,
            ..Self::default()
        }
    }
}

/// Returns the most connections at once for this number of file descriptors: half of them, because
/// calls to AWS and files need the others.
fn connections(descriptors: u64) -> usize {
    let half = usize::try_from(descriptors / 2).unwrap_or(usize::MAX);
    half.clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

/// Returns how many file descriptors the process may have.
#[cfg(target_os = "linux")]
fn descriptors() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

#[cfg(not(target_os = "linux"))]
fn descriptors() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_half_of_the_descriptors_for_calls() {
        assert_eq!(connections(u64::MAX), 512);
        assert_eq!(connections(1024), 512);
        assert_eq!(connections(1000), 500);
        assert_eq!(connections(64), 32);
        assert_eq!(connections(0), 8);
    }
}
