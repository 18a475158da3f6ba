//! The simulator's sockets: accepting, serving, resetting, stopping.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::header::{DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
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

    /// Serves on a bound socket. The windows of the scenario's faults count from the world's start.
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

    /// Returns the `endpoint_url` for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the world, to compare with what a client saw.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.service.world)
    }

    /// Returns the faults, which a test may replace while the simulator runs.
    pub fn faults(&self) -> Faults {
        self.service.faults.clone()
    }

    /// Returns the counters of the calls, which a test may read while the simulator runs.
    pub fn calls(&self) -> Calls {
        self.service.calls.clone()
    }

    /// Serves until `shutdown` ends; then closes every connection and ends every task.
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

/// The likely reason is a lack of file descriptors, and an immediate retry would fail too.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

async fn serve(stream: TcpStream, service: Arc<Service>, clock: ServiceClock) {
    let reset = AtomicBool::new(false);
    let respond = async |request| match service.reply(request, clock.now()).await {
        Reply::Response(response) => Ok(dated(response, clock.now())),
        Reply::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
    };
    let respond = service_fn(|request| Box::pin(respond(request)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Closing an idle connection can cut off a call that begins at this moment.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), respond);
    // A broken connection is the client's doing, or a scripted fault.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::Relaxed) {
        // The linger time decides whether the end of the connection is a FIN or a RST. A client takes
        // the FIN for a failed call as well.
        let _ = stream.set_zero_linger();
    }
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
