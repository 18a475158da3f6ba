//! Prometheus exporter for EC2 Image Builder: pipelines, image builds and the steps of their workflows.
//!
//! It discovers what the configuration selects, polls what can still change, and exposes what it
//! knows on `/metrics`. Data flows one way, and nothing imports from a later stage:
//!
//! ```text
//! config -> app -> poller -> aws (EC2 Image Builder)
//!                  |    ^
//!            calls |    | responses
//!                  v    |
//!                 tracker -> Changes -> log, finished, self_metrics
//!                       \--> Snapshot -> exposition, status -> http
//! ```
//!
//! A scrape reads a snapshot: it makes no call, waits for no poll and changes nothing.
//!
//! In reading order:
//!
//! 1. [`model`] is what the service says, parsed; [`api`] the calls and errors as data; [`clock`] the
//!    only place where time is read.
//! 2. [`config`] turns the file into a configuration in which nothing invalid exists; [`shard`] says
//!    which part of it this process polls where several share it.
//! 3. [`tracker`] is the core, a state machine without I/O: it holds all that is known of one target
//!    and region, and decides what to call next.
//! 4. [`poller`] drives a tracker: tokens, deadlines, calls through [`aws`], and what their responses
//!    change.
//! 5. [`snapshot`] is the published view: records of each step, workflow execution, image and pipeline,
//!    whose [`labels`] are escaped once. [`health`] says whether a target can be polled;
//!    [`finished`] counts the steps that have finished.
//! 6. [`exposition`] renders a snapshot into text while it is sent; [`self_metrics`] and [`family`]
//!    are the exporter's own metrics.
//! 7. [`status`] makes a page, and its JSON, of the same snapshot for a person.
//! 8. [`http`] serves both, and [`app`] is the one part that knows every other: it builds, binds,
//!    runs, reloads and drains.
//!
//! [`doctor`] asks beforehand what all this will need. [`cli`] and [`logging`] are how people use the
//! program. [`simulator`] stands in for the service, for [`demo`], [`simulate`] and the tests, and for
//! nothing else.

pub use imagebuilder_model as model;
pub use imagebuilder_simulator as simulator;

pub mod api;
pub mod app;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
#[cfg(test)]
mod docs;
pub mod doctor;
pub mod exposition;
pub mod family;
pub mod finished;
pub mod health;
pub mod http;
pub mod labels;
pub mod logging;
pub mod poller;
pub mod self_metrics;
pub mod shard;
pub mod simulate;
pub mod snapshot;
pub mod status;
pub mod tracker;
