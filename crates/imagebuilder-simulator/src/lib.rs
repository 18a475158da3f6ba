//! Simulates the EC2 Image Builder API: a scripted world, and a server for its API.
//!
//! The README shows how to use it. Three layers import one way:
//!
//! 1. `scenario` is the script: the keys of its file, their defaults and its mistakes.
//! 2. `world` has the resources at a moment: a pure function of scenario, seed, speed and time.
//! 3. `service` turns a request into a response; `server` has the sockets, and takes a clock.
//!
//! [`Fault`]s decide which calls go wrong. Nothing in a client falls back to the simulator: only an
//! explicit `endpoint_url` reaches it.

#![warn(missing_docs)]

mod error;
mod fault;
mod random;
mod scenario;
mod server;
mod service;
mod world;

pub use imagebuilder_model as model;

pub use error::{ErrorForm, ErrorResponse};
pub use fault::{Effect, Fault, Faults};
pub use scenario::{
    DEMO_SEED, DEMO_SPEED, ImageKind, Platform, Scenario, ScenarioError, WorkflowKind,
};
pub use server::Simulator;
pub use service::{Calls, LoggedCall};
pub use world::{
    ComponentView, FailedStepView, FailureView, ImageVersionView, ImageView, PLANTED_SECRET,
    PipelineView, PlannedStep, StepView, WorkflowView, World,
};

/// Runs the examples of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
