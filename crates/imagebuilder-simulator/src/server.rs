//! The simulator's sockets: accepting, serving, resetting, stopping.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::header::{DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use imagebuilder_model::Timestamp;

use crate::fault::{Fault, Faults};
use crate::service::{Calls, HttpResponse, Reply, Service};
use crate::world::World;

/// The Image Builder API, and STS, of a [`World`] on a socket.
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    clock: ServiceClock,
}

impl Simulator {
    /// Binds `address`; port 0 picks a free one. `clock` returns the machine's time.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        world: impl Into<Arc<World>>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::over(TcpListener::bind(address).await?, world, clock)
    }

    /// Serves on a socket that is bound already. The scenario's faults count from the world's
    /// start.
    ///
    /// # Errors
    ///
    /// The socket has no address.
    pub fn over(
        listener: TcpListener,
        world: impl Into<Arc<World>>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let world = world.into();
        let scripts = world.scenario().faults.iter();
        let faults: Result<Vec<Fault>, String> = scripts.map(|fault| fault.build()).collect();
        let faults = faults.map_err(|wrong| io::Error::new(io::ErrorKind::InvalidInput, wrong))?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            clock: ServiceClock {
                machine: Arc::new(clock),
                ahead: world.scenario().clock_skew.millis(),
            },
            service: Arc::new(Service::new(
                Arc::clone(&world),
                Faults::new(world.seed(), faults),
            )),
        })
    }

    /// Returns the address that is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What clients are to be told as `endpoint_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns what is simulated, to compare with what a client saw.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.service.world)
    }

    /// The rules of what goes wrong, to be changed while it runs.
    pub fn faults(&self) -> Faults {
        self.service.faults.clone()
    }

    /// What has been asked so far, to be read while it runs.
    pub fn calls(&self) -> Calls {
        self.service.calls.clone()
    }

    /// Serves until `shutdown`; then every connection is cut and every task has ended.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (service, clock) = (Arc::clone(&self.service), self.clock.clone());
                        connections.spawn(serve(stream, service, clock));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "simulator cannot accept a connection");
                        tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
                    }
                },
            }
        }
        connections.shutdown().await;
    }
}

/// Out of file descriptors is the likely reason, and trying on at once would only burn time.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

async fn serve(stream: TcpStream, service: Arc<Service>, clock: ServiceClock) {
    let reset = Arc::new(AtomicBool::new(false));
    let socket = Socket {
        stream,
        reset: Arc::clone(&reset),
    };
    let answers = service_fn(move |request| {
        let (service, reset) = (Arc::clone(&service), Arc::clone(&reset));
        let clock = clock.clone();
        async move {
            match service.reply(request, clock.now()).await {
                Reply::Response(response) => Ok(dated(response, clock.now())),
                Reply::Reset => {
                    reset.store(true, Ordering::Relaxed);
                    Err(io::Error::from(io::ErrorKind::ConnectionReset))
                }
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), answers);
    // A connection that breaks is its client's doing, or a scripted fault.
    let _ = connection.await;
}

/// Returns the time at the service, which the scenario may have ahead of the machine's or behind.
#[derive(Clone)]
struct ServiceClock {
    machine: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Milliseconds.
    ahead: i64,
}

impl ServiceClock {
    fn now(&self) -> Timestamp {
        (self.machine)().plus_millis(self.ahead)
    }
}

impl fmt::Debug for ServiceClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClock")
            .field("ahead", &self.ahead)
            .finish_non_exhaustive()
    }
}

fn dated(mut response: HttpResponse, now: Timestamp) -> HttpResponse {
    if let Ok(date) = HeaderValue::from_str(&now.to_http()) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// A connection that can be made to end in a reset. hyper drops it when a call fails, and whether
/// that sends FIN or RST is the socket's linger time.
struct Socket {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Without it the client sees an ordinary end, which is a failed call as well.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
