//! A simulator of the EC2 Image Builder API: a scripted world, and a server that answers for it.
//!
//! [`World`] is pure: what exists, and how it stands, is a function of scenario, seed, speed and
//! the moment asked about. The server is the only part with a clock and sockets. Nothing of the
//! exporter falls back to it: only `demo`, `simulate` or an explicit `endpoint_url` reaches it.

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
    ComponentView, FailureView, ImageVersionView, ImageView, PLANTED_SECRET, PipelineView,
    PlannedStep, StepView, WorkflowView, World,
};
