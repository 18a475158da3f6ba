//! Accepts connections, serves them, and drains them at the stop.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::accept::Acceptor;
use super::body::Sending;
use super::connections::{Connection, Connections, Opened};
use super::exporter::Exporter;
use super::limits::{Limits, MAX_HEAD};
use super::routes::{Routes, refuse};
use super::stream::Watched;
use crate::clock::Clock;
use crate::status::Site;

/// The server, bound and not yet running.
pub struct Server<E> {
    pub listeners: Vec<TcpListener>,
    pub exporter: Arc<E>,
    /// The paths of the metrics and the status page.
    pub site: Site,
    pub limits: Limits,
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
        let routes = Arc::new(Routes::new(self.exporter, self.site));
        let connections = Arc::new(Connections::new(self.clock, self.limits));
        let graceful = GracefulShutdown::new();
        // Connections are tasks of this set, so that none outlives it.
        let mut tasks = JoinSet::new();
        let mut acceptor = Acceptor::new(self.listeners, self.clock);
        let mut stop = pin!(stop);
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = acceptor.accept(|| connections.close_longest_idle()) => accepted,
                Some(_) = tasks.join_next() => continue,
            };
            let opened = connections.open();
            // A closed connection keeps its file descriptor until its task has ended.
            while tasks.len() >= self.limits.connections && tasks.join_next().await.is_some() {}
            let connection = connection(
                stream,
                Arc::clone(&opened),
                connections.clone(),
                routes.clone(),
            );
            tasks.spawn(serve(graceful.watch(connection), opened, peer));
        }
        drop(acceptor);
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
async fn serve(
    connection: impl Future<Output = hyper::Result<()>>,
    opened: Opened,
    peer: SocketAddr,
) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection closed before the response was complete");
        },
        () = opened.must_close() => {
            tracing::debug!(%peer, "connection closed, because there are too many");
        }
    }
}

fn connection<E: Exporter>(
    stream: TcpStream,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
    routes: Arc<Routes<E>>,
) -> http1::Connection<
    TokioIo<Watched>,
    impl hyper::service::HttpService<
        hyper::body::Incoming,
        ResBody = Sending,
        Error = Infallible,
        Future: Send,
    >,
> {
    // A scrape's last bytes shall not wait for the reader to acknowledge the ones before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = Watched::new(stream, connection.clone(), connections.limits);
    let service = service_fn(move |request| {
        let is_limited = !routes.is_health(&request);
        let begun = connections.begin(&connection, is_limited).map(Arc::new);
        let (routes, max) = (routes.clone(), connections.limits.requests);
        async move {
            let response = match &begun {
                Some(begun) => routes.respond(&request, begun).await,
                None => refuse(max),
            };
            Ok::<Response<Sending>, Infallible>(response.map(|body| Sending::new(body, begun)))
        }
    });
    http1::Builder::new()
        // The stream has a deadline.
        .header_read_timeout(None)
        // Also bounds the written bytes that wait.
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}
