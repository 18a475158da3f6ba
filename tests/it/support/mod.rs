//! What several test modules share: a scripted API, and the exporter's core on tokio's clock.

pub mod exposition;
pub mod fleet;
pub mod poller;
pub mod scripted;
pub mod simulation;
pub mod world;
