//! Accepts connections, serves them, and drains them at the stop.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::accept::Acceptor;
use super::body::Sending;
use super::connections::{Connection, Connections, Opened};
use super::exporter::Exporter;
use super::limits::{Limits, MAX_HEAD};
use super::routes::Routes;
use super::service::Service;
use super::stream::Watched;
use super::tls;
use super::web::WebFile;
use crate::clock::Clock;
use crate::status::Site;

/// The part of the connections by which their limit is exceeded by those that are about to close.
const CLOSING_PART: usize = 8;

/// The server, bound and not yet running.
pub struct Server<E> {
    pub listeners: Vec<TcpListener>,
    pub exporter: Arc<E>,
    /// The paths of the metrics and the status page.
    pub site: Site,
    pub limits: Limits,
    /// `None` for plain HTTP without passwords.
    pub web: Option<Arc<WebFile>>,
    pub clock: Clock,
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
        let connections = Arc::new(Connections::new(self.clock, self.limits));
        let exporter = self.exporter.clone();
        // A panic in the middle of a body can only end its connection.
        let count_panic = |ended: &Result<(), JoinError>| {
            if ended.is_err() {
                exporter.panicked();
            }
        };
        let service = Arc::new(Service {
            routes: Routes::new(self.exporter, self.site),
            web: self.web,
            connections: connections.clone(),
        });
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        // Connections are tasks of this set, so that none outlives it.
        let mut tasks = JoinSet::new();
        let mut acceptor = Acceptor::new(self.listeners, self.clock);
        let mut stop = pin!(stop);
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = acceptor.accept(|| connections.close_longest_idle()) => accepted,
                Some(ended) = tasks.join_next() => {
                    count_panic(&ended);
                    continue;
                }
            };
            let opened = connections.open();
            // A closed connection keeps its file descriptor until its task has ended. Some may be
            // about to end, as waiting for each would delay the next connection.
            let most = self.limits.connections + self.limits.connections / CLOSING_PART;
            while tasks.len() >= most
                && let Some(ended) = tasks.join_next().await
            {
                count_panic(&ended);
            }
            let watcher = graceful.watcher();
            tasks.spawn(serve(
                service.clone(),
                stream,
                peer,
                opened,
                watcher,
                stopped.clone(),
            ));
        }
        drop(acceptor);
        stopping.send_replace(true);
        let open = connections.count();
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

/// Serves a connection to its end, or until it must close.
async fn serve<E: Exporter>(
    service: Arc<Service<E>>,
    stream: TcpStream,
    peer: SocketAddr,
    opened: Opened,
    watcher: Watcher,
    mut stopped: watch::Receiver<bool>,
) {
    // A scrape's last bytes shall not wait for the reader to acknowledge the ones before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let connection = Arc::clone(&opened);
    let limits = service.connections.limits;
    let serving = async {
        let tls = service.tls().await;
        let stream = Watched::new(stream, connection.clone(), limits);
        let Some(tls) = tls else {
            return watcher
                .watch(http(service, connection, stream))
                .await
                .map_err(Closed::Http);
        };
        let stream = tokio::select! {
            stream = tls::accept(tls, stream, limits.head_timeout) => stream.map_err(Closed::Tls)?,
            // Nothing is in flight.
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        };
        watcher
            .watch(http(service, connection, stream))
            .await
            .map_err(Closed::Http)
    };
    tokio::select! {
        ended = serving => match ended {
            Ok(()) => {}
            Err(Closed::Http(error)) => {
                tracing::debug!(%peer, %error, "connection closed before the response was complete");
            }
            Err(Closed::Tls(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        },
        () = opened.must_close() => {
            tracing::debug!(%peer, "connection closed, because there are too many");
        }
    }
}

/// Why a connection did not end well.
enum Closed {
    Http(hyper::Error),
    Tls(io::Error),
}

fn http<E: Exporter, S: AsyncRead + AsyncWrite + Unpin>(
    service: Arc<Service<E>>,
    connection: Arc<Connection>,
    stream: S,
) -> http1::Connection<
    TokioIo<S>,
    impl hyper::service::HttpService<Incoming, ResBody = Sending, Error = Infallible, Future: Send>
    + use<E, S>,
> {
    let service = service_fn(move |request| {
        let service = service.clone();
        let begun = Arc::new(service.connections.begin(&connection));
        async move {
            let response = service.respond(&request, &begun).await;
            let response = response.map(|body| Sending::new(body, begun));
            Ok::<Response<Sending>, Infallible>(response)
        }
    });
    http1::Builder::new()
        // The stream has a deadline.
        .header_read_timeout(None)
        // Also bounds the written bytes that wait.
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}
