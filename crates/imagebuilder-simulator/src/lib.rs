//! A simulator of the EC2 Image Builder API: a scripted world, and a server that answers for it.
//!
//! [`World`] is pure: what exists, and how it stands, is a function of scenario, seed, speed and
//! the moment asked about. The server is the only part with a clock and sockets. Nothing of the
//! exporter falls back to it: only `demo`, `simulate` or an explicit `endpoint_url` reaches it.

#![expect(
    unreachable_pub,
    reason = "what is not public is marked so as the modules are rewritten"
)]

mod answer;
mod build;
mod calls;
mod effect;
pub mod faults;
mod filter;
mod find;
mod ids;
mod image;
mod limit;
mod managed;
mod operation;
mod paging;
mod plan;
mod random;
mod request;
mod resource;
pub mod scenario;
mod server;
mod service;
mod sigv4;
mod sts;
mod timeline;
mod view;
mod world;

pub use calls::{Calls, LoggedCall};
pub use faults::{Effect, ErrorAnswer, ErrorForm, Fault, Faults};
pub use imagebuilder_model as model;
pub use scenario::{DEMO_SEED, DEMO_SPEED, Scenario, ScenarioError};
pub use server::Simulator;
pub use view::{
    ComponentView, FailureView, ImageVersionView, ImageView, PLANTED_SECRET, PipelineView,
    StepView, WorkflowView,
};
pub use world::{Owner, PlannedStep, World};
