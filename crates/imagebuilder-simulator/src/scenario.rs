//! The script of a simulated world, as `config/scenarios/README.md` documents it.
//!
//! Owns the keys of the file, their defaults and every mistake that the file alone shows. Only
//! `file` knows YAML. Read by `world` and by the server.

mod check;
mod destination;
mod fault;
mod file;
pub(crate) mod managed;
mod pipeline;
mod root;
mod span;
mod step;
mod workflow;

pub use file::{DEMO_SEED, DEMO_SPEED, ScenarioError};
pub use pipeline::{ImageKind, Platform};
pub(crate) use pipeline::{LifecycleStatus, Pipeline};
pub use root::Scenario;
pub(crate) use root::{Pages, RateLimit, Role};
pub(crate) use span::{Range, Span};
pub(crate) use step::{Attempts, Component, Failure, Outcome, RollbackOutcome, Step};
pub use workflow::WorkflowKind;
pub(crate) use workflow::{RollbackMode, Workflow};
