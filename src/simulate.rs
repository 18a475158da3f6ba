//! The `simulate` subcommand: a scenario, a socket, and nothing else.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::clock::Clock;
use crate::simulator::{Scenario, ScenarioError, Simulator, World};

/// Why the simulator does not run.
#[derive(Debug)]
pub enum Error {
    Scenario(ScenarioError),
    /// The simulator checks no signatures, so it only listens on loopback addresses.
    NotLoopback(SocketAddr),
    Speed(f64),
    Bind(SocketAddr, std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(error) => error.fmt(f),
            Self::NotLoopback(address) => write!(
                f,
                "the simulator does not listen on {address}: it checks no signatures and so serves \
                 this machine alone; use 127.0.0.1:{port} or [::1]:{port}",
                port = address.port()
            ),
            Self::Speed(speed) => write!(f, "speed {speed} is not a number over 0; 1 is real time"),
            Self::Bind(address, error) => {
                write!(f, "the simulator cannot listen on {address}: {error}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Runs a scenario, the demo's without a file, until `shutdown`.
///
/// # Errors
///
/// See [`Error`]; nothing has been served then.
pub async fn run(
    listen: SocketAddr,
    scenario: Option<PathBuf>,
    speed: f64,
    seed: u64,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    if !listen.ip().is_loopback() {
        return Err(Error::NotLoopback(listen));
    }
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Error::Speed(speed));
    }
    let scenario = match scenario {
        Some(path) => Scenario::load(&path).map_err(Error::Scenario)?,
        None => Scenario::demo(),
    };
    let now = || Clock::System.now().time;
    let world = World::new(scenario, seed, speed, now());
    let simulator = Simulator::bind(listen, world, now)
        .await
        .map_err(|error| Error::Bind(listen, error))?;
    tracing::info!(address = %simulator.local_addr(), speed, seed, "simulator listening");
    simulator.run(shutdown).await;
    Ok(())
}
