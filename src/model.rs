//! What the service says, parsed once, at the edge: ids, ARNs, statuses, times and the two answers
//! the exporter lives on, [`StepExecution`] and [`WorkflowExecution`].
//!
//! Owns the meaning of the service's words; knows nothing of the SDK, of polling or of metrics.
//! Fed by `config` (ids) and `api` (answers); everything later in the flow reads it.

mod arn;
mod id;
mod status;
mod time;

pub use arn::{ImageArn, WorkflowArn};
pub use id::{StepExecutionId, WorkflowExecutionId};
pub use status::{OnFailure, RollbackStatus, StepStatus, WorkflowStatus};
pub use time::Timestamp;

/// One step execution as one answer of `GetWorkflowStepExecution` told it.
///
/// Every member of the service's answer may be missing; only an answer without a status is no answer.
/// `inputs` and `outputs` can hold secrets and never come this far.
#[derive(Clone, Debug, PartialEq)]
pub struct StepExecution {
    pub status: StepStatus,
    pub rollback_status: Option<RollbackStatus>,
    /// The step's name in its workflow, `ApplyBuildComponents`.
    pub name: Option<String>,
    /// The action it runs, `ExecuteComponents`.
    pub action: Option<String>,
    pub on_failure: Option<OnFailure>,
    pub workflow_execution_id: Option<WorkflowExecutionId>,
    pub workflow: Option<WorkflowArn>,
    pub image: Option<ImageArn>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// Seconds, never 0: the service's 0 says that there is no timeout.
    pub timeout_seconds: Option<u32>,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
    /// Free text from components and other services: untrusted.
    pub message: Option<String>,
}

impl StepExecution {
    /// An answer that holds a status and nothing else.
    pub fn with_status(status: StepStatus) -> Self {
        Self {
            status,
            rollback_status: None,
            name: None,
            action: None,
            on_failure: None,
            workflow_execution_id: None,
            workflow: None,
            image: None,
            start: None,
            end: None,
            timeout_seconds: None,
            attempt: None,
            max_attempts: None,
            message: None,
        }
    }
}

/// One workflow execution as one answer of `GetWorkflowExecution` told it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowExecution {
    pub status: WorkflowStatus,
    pub end: Option<Timestamp>,
}
