//! The steps of a workflow: how long each takes, and how it ends.

use std::collections::BTreeMap;

use imagebuilder_model::{OnFailure, StepStatus};
use serde::Deserialize;

use super::span::{Range, Span};

/// One step; for a step of a managed workflow, only the differences from Amazon's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) action: Option<String>,
    pub(crate) description: Option<String>,
    /// How long one attempt takes, drawn from the range for each.
    pub(crate) duration: Option<Range>,
    /// 0 is none. At most 12 h; the action's default if absent.
    pub(crate) timeout: Option<Span>,
    pub(crate) on_failure: Option<Failure>,
    pub(crate) outcome: Option<Outcome>,
    /// Outcomes and their weights, drawn for each build.
    pub(crate) chances: BTreeMap<Outcome, f64>,
    /// Outcomes of one build after the other, from the first again after the last.
    pub(crate) in_turn: Vec<Outcome>,
    /// The outcome when the build is retried; completed if absent.
    pub(crate) retry_outcome: Option<Outcome>,
    pub(crate) attempts: Option<Attempts>,
    /// The step's message when it does not complete.
    pub(crate) message: Option<String>,
    /// The part of a component that fails, where the step runs components and fails.
    pub(crate) component: Option<Component>,
    pub(crate) rollback: Option<RollbackOutcome>,
    pub(crate) rollback_duration: Option<Range>,
    /// The status while the step runs. The user guide has WAITING for `WaitForAction`, which the
    /// service's model does not have.
    pub(crate) running_status: Option<String>,
}

impl Step {
    pub(crate) fn running(&self) -> StepStatus {
        self.running_status
            .as_deref()
            .map_or(StepStatus::Running, StepStatus::parse)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    #[default]
    Completed,
    Failed,
    /// Runs until its timeout, then FAILED.
    Hang,
    /// Waits for a user for its duration, then COMPLETED.
    Wait,
    /// Not run; start and end are the same.
    Skipped,
    /// A user cancels the build while the step runs.
    Cancelled,
}

/// The place in a component's document where a step fails that runs components.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Component {
    /// The name in the component's ARN.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The workflow's type if absent.
    pub(crate) phase: Option<String>,
    pub(crate) step: String,
    pub(crate) action: String,
    pub(crate) error: String,
}

impl Default for Component {
    fn default() -> Self {
        Self {
            name: "install-packages".to_owned(),
            version: "1.0.0/1".to_owned(),
            phase: None,
            step: "InstallPackages".to_owned(),
            action: "ExecuteBash".to_owned(),
            error: "exit status 1".to_owned(),
        }
    }
}

/// The attempts of a step that is retried when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempts {
    pub(crate) max: u32,
    /// How many attempts fail before the outcome counts.
    #[serde(default)]
    pub(crate) fails: u32,
    /// How long it is FAILED before the next attempt.
    #[serde(default = "pause")]
    pub(crate) pause: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RollbackOutcome {
    Completed,
    Failed,
    Skipped,
    /// Responses have no `rollbackStatus`.
    None,
}

fn pause() -> Span {
    Span::from_secs(30)
}

/// What the service does when a step or a workflow fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Failure {
    #[default]
    Abort,
    Continue,
}

impl From<Failure> for OnFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Abort => Self::Abort,
            Failure::Continue => Self::Continue,
        }
    }
}
