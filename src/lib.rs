//! Prometheus exporter for EC2 Image Builder: pipelines, image builds and the steps of their workflows.
//!
//! It discovers the resources that the configuration selects, polls those that can still change,
//! and exposes their state on `/metrics`. Data flows one way, and no module imports from a later
//! stage:
//!
//! ```text
//! config -> app -> poller -> aws (EC2 Image Builder)
//!                  |    ^
//!            calls |    | responses
//!                  v    |
//!                 tracker -> Changes -> log, finished, baseline, self_metrics
//!                       \--> Snapshot -> exposition, status -> http
//! ```
//!
//! A scrape reads a snapshot. It makes no API call, waits for no poll and changes no state.
//!
//! In reading order:
//!
//! 1. [`model`] has the parsed types of the service; [`api`] has its calls and errors as data.
//!    [`clock`] is the only module that reads the time.
//! 2. [`config`] parses and validates the file. [`shard`] selects the part of the configuration that
//!    this process polls if several share it.
//! 3. [`tracker`] is the core, a state machine without I/O. It owns the state of one target and
//!    region, and decides which call is next.
//! 4. [`poller`] drives a tracker: it takes tokens, makes calls through [`aws`], and applies the
//!    changes from their responses.
//! 5. [`snapshot`] is the published view: records of each step, workflow execution, image and
//!    pipeline. [`labels`] escapes their label text once, and [`pieces`] keeps their compressed text.
//!    [`health`] judges whether a target can be polled; [`finished`] counts finished steps.
//!    [`baseline`] knows how long steps usually take.
//! 6. [`exposition`] renders a snapshot into text while it is sent. [`self_metrics`] and [`family`]
//!    define the exporter's own metrics.
//! 7. [`status`] renders the same snapshot as a status page and as JSON.
//! 8. [`http`] serves both. [`app`] is the one module that knows every other: it builds, binds, runs,
//!    reloads and drains.
//!
//! [`doctor`] tests a configuration on AWS before it is used. [`cli`] and [`logging`] define the flags
//! and the log; [`signals`] handles the signals of the system. [`simulator`] replaces the service for
//! [`demo`], [`simulate`] and the tests only.

pub use imagebuilder_model as model;
pub use imagebuilder_simulator as simulator;

pub mod api;
pub mod app;
pub mod aws;
pub mod baseline;
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
pub mod pieces;
pub mod poller;
pub mod self_metrics;
pub mod shard;
pub mod signals;
pub mod simulate;
pub mod snapshot;
pub mod status;
pub mod tracker;
