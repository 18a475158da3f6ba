//! Accepts connections, serves them, and drains them at the stop.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::body::Body;
use super::exporter::Exporter;
use super::routes::Routes;
use crate::exposition::FRAME_SIZE;
use crate::status::Site;

/// Timeout for the head of a request, from the opening of the connection or the last response. It
/// also limits how long an idle connection stays open. Twice the usual scrape interval.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Maximum number of bytes that are buffered for a slow reader.
const WRITE_AHEAD: usize = 4 * FRAME_SIZE;

/// Wait after the system refused another connection, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// The server, bound and not yet running.
pub struct Server<E> {
    pub listeners: Vec<TcpListener>,
    pub exporter: Arc<E>,
    /// The paths of the metrics and the status page.
    pub site: Site,
    /// Maximum time for responses in flight after the stop.
    pub drain_timeout: Duration,
}

impl<E> fmt::Debug for Server<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl<E: Exporter> Server<E> {
    /// Serves until `stop` ends. Then closes idle connections, completes the responses in flight
    /// within the drain timeout, and closes the remaining connections.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let routes = Arc::new(Routes::new(self.exporter, self.site));
        let graceful = GracefulShutdown::new();
        // Connections are tasks of this set, so that none outlives it.
        let mut connections = JoinSet::new();
        let mut acceptor = Acceptor::new(self.listeners);
        let mut stop = pin!(stop);
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = acceptor.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let connection = graceful.watch(connection(stream, routes.clone()));
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%peer, %error, "connection closed before the response was complete");
                }
            });
        }
        drop(acceptor);
        let open = connections.len();
        let drained = tokio::time::timeout(self.drain_timeout, graceful.shutdown()).await;
        if drained.is_err() {
            tracing::warn!(
                open,
                drain_timeout = ?self.drain_timeout,
                "drain timeout expired; closing the connections that are still open"
            );
        }
    }
}

fn connection<E: Exporter>(
    stream: TcpStream,
    routes: Arc<Routes<E>>,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<
        hyper::body::Incoming,
        ResBody = Body,
        Error = std::convert::Infallible,
        Future: Send,
    >,
> {
    // A scrape's last bytes shall not wait for the reader to acknowledge the ones before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let routes = routes.clone();
        async move { Ok(routes.respond(&request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(WRITE_AHEAD)
        .serve_connection(TokioIo::new(stream), service)
}

/// Takes connections from several listeners.
struct Acceptor {
    listeners: Vec<TcpListener>,
    /// The index of the listener that is polled first. It rotates, so that a busy listener does not
    /// block the others.
    first: usize,
    /// Whether the last attempt failed; a lasting failure is logged once.
    failing: bool,
}

impl Acceptor {
    fn new(listeners: Vec<TcpListener>) -> Self {
        Self {
            listeners,
            first: 0,
            failing: false,
        }
    }

    /// The next connection. May be dropped at any time without losing one.
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match std::future::poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => {
                    self.failing = false;
                    return accepted;
                }
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
                    if !self.failing {
                        tracing::error!(%error, "cannot accept connections; retrying");
                        self.failing = true;
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn poll_accept(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
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
