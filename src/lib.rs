//! Prometheus exporter for EC2 Image Builder: pipelines, image builds and the steps of their workflows.
//!
//! It looks for what the configuration chooses, polls what moves of it, and shows what it knows on
//! `/metrics`. The data goes one way, and nothing imports from a later stage:
//!
//! ```text
//! config -> schedule -> api (EC2 Image Builder) -> store -> exposition, status -> http
//!              ^                                     |
//!              +-- what is there, what is settled ---+
//! ```
//!
//! A scrape only reads the store: it calls nobody, waits for no poll and changes nothing.
//!
//! To read it in the order of the flow:
//!
//! 1. [`model`] is what the service says, parsed; [`clock`] the only place where time is read.
//! 2. [`config`] turns the file into a configuration in which nothing invalid exists; [`shard`] says
//!    what of it this process polls where several share it.
//! 3. [`schedule`] decides what to follow, what is due, settled and gone, and calls through [`api`].
//! 4. [`store`] keeps a record of each step, workflow execution, image and pipeline, whose [`labels`]
//!    are escaped once; [`finished`] counts the steps that have come to their end.
//! 5. [`exposition`] renders the records into text while it is sent; [`self_metrics`] and
//!    [`family`] are what the exporter tells about itself.
//! 6. [`status`] makes a page, and its JSON, of the records for a person.
//! 7. [`http`] answers, and [`app`] is the one part that knows every other: it builds, binds, runs,
//!    reloads and drains.
//!
//! [`doctor`] asks beforehand what all this will need. [`cli`] and [`logging`] are how people speak
//! with the program. [`simulator`] stands in for the service, for [`demo`], [`simulate`] and the tests,
//! and for nothing else.

pub use imagebuilder_model as model;
pub use imagebuilder_simulator as simulator;

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
#[expect(
    unreachable_pub,
    reason = "what is not public is marked so as the module is rewritten"
)]
pub mod config;
pub mod demo;
#[cfg(test)]
mod docs;
pub mod doctor;
pub mod exposition;
pub mod family;
pub mod finished;
pub mod http;
pub mod labels;
pub mod logging;
#[expect(
    unreachable_pub,
    reason = "what is not public is marked so as the module is rewritten"
)]
pub mod schedule;
pub mod self_metrics;
pub mod shard;
pub mod simulate;
pub mod status;
pub mod store;
