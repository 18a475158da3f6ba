//! What the tests of the whole program stand on.

mod client;
mod endless;
mod exporter;
mod files;
mod port;
mod scrape;
mod simulated;

use std::time::Duration;

pub use client::{Client, Response, parse};
pub use endless::Endless;
pub use exporter::{Ended, Exporter, Setup};
pub use files::Files;
pub use port::Port;
pub use scrape::Scrape;
pub use simulated::{Simulated, error, now};

/// How long anything may take that is waited for: only a test that fails comes near it, also on a
/// busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often something that is waited for is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);
