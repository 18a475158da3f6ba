//! Takes connections from several listeners.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::clock::Clock;

/// Wait after the system refused another connection, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// Shortest time between two log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct Acceptor {
    listeners: Vec<TcpListener>,
    /// The index of the listener that is polled first. It rotates, so that a busy listener does not
    /// block the others.
    first: usize,
    clock: Clock,
    failures: Failures,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<TcpListener>, clock: Clock) -> Self {
        Self {
            listeners,
            first: 0,
            clock,
            failures: Failures::default(),
        }
    }

    /// Returns the next connection. May be dropped at any time without losing one. Calls `make_room`
    /// when the system refuses another connection.
    pub(super) async fn accept(&mut self, make_room: impl Fn()) -> (TcpStream, SocketAddr) {
        loop {
            match std::future::poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => return accepted,
                // The client went away before it was its turn.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                    ) => {}
                // No file descriptors or no memory: it stays so for a while, and comes at once
                // again when asked.
                Err(error) => {
                    make_room();
                    if let Some(failures) = self.failures.add(self.clock.now().instant) {
                        tracing::error!(
                            %error,
                            failures,
                            "cannot accept connections; closing the one that is idle for longest and retrying"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        for offset in 0..self.listeners.len() {
            let at = (self.first + offset) % self.listeners.len();
            if let Poll::Ready(accepted) = self.listeners[at].poll_accept(cx) {
                self.first = at + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

/// Attempts that the system refused.
#[derive(Debug, Default)]
struct Failures {
    logged: Option<Instant>,
    /// Attempts since the last log line.
    count: u64,
}

impl Failures {
    /// Counts one, and returns the number to log if it is time for a log line.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self
            .logged
            .is_some_and(|logged| now < logged + LOG_INTERVAL)
        {
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_connections_are_logged_every_half_minute_with_their_number() {
        let start = Clock::System.now().instant;
        let mut failures = Failures::default();
        let mut add = |seconds| failures.add(start + Duration::from_secs(seconds));
        assert_eq!(add(0), Some(1));
        assert_eq!(add(1), None);
        assert_eq!(add(29), None);
        assert_eq!(add(30), Some(3));
        assert_eq!(add(31), None);
        assert_eq!(add(90), Some(2));
    }
}
