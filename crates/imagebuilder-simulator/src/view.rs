//! What an execution looks like at one moment, with every member the service's answers have.
//!
//! Made by `World`; turned into JSON by `answer` and into the exporter's own types here.

mod catalog;

use imagebuilder_model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, StepTotals,
    Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

use super::scenario::WorkflowKind;

pub(super) use catalog::build_type;
pub use catalog::{ComponentView, FailureView, ImageVersionView, ImageView, PipelineView};

/// What stands in the inputs and outputs of every simulated step: where a test finds it in a
/// metric, a log or a page, something leaks that can hold secrets.
pub const PLANTED_SECRET: &str = "planted-secret-that-must-not-leak";

/// A step execution at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    pub id: StepExecutionId,
    pub workflow_execution_id: WorkflowExecutionId,
    pub workflow_arn: String,
    pub image_arn: String,
    pub name: String,
    pub action: String,
    pub description: Option<String>,
    pub status: StepStatus,
    pub rollback_status: Option<RollbackStatus>,
    pub message: Option<String>,
    /// JSON in a string.
    pub inputs: String,
    pub outputs: Option<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub on_failure: OnFailure,
    /// Compressed like every duration; 0 is none.
    pub timeout_seconds: u32,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
}

impl StepView {
    /// What the exporter is to make of `GetWorkflowStepExecution`'s answer.
    pub fn to_model(&self) -> StepExecution {
        StepExecution {
            status: self.status.clone(),
            rollback_status: self.rollback_status.clone(),
            name: Some(self.name.clone()),
            action: Some(self.action.clone()),
            on_failure: Some(self.on_failure.clone()),
            workflow_execution_id: Some(self.workflow_execution_id),
            workflow: WorkflowArn::parse(&self.workflow_arn),
            image: ImageArn::parse(&self.image_arn),
            start: self.start,
            end: self.end,
            timeout_seconds: (self.timeout_seconds > 0).then_some(self.timeout_seconds),
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            message: self.message.clone(),
        }
    }
}

/// A workflow execution at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowView {
    pub id: WorkflowExecutionId,
    pub workflow_arn: String,
    pub image_arn: String,
    pub kind: WorkflowKind,
    pub status: WorkflowStatus,
    pub message: Option<String>,
    pub total_steps: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub parallel_group: Option<String>,
    /// A retry of the build superseded it.
    pub retried: bool,
}

impl WorkflowView {
    /// What the exporter is to make of `GetWorkflowExecution`'s answer.
    pub fn to_model(&self) -> WorkflowExecution {
        WorkflowExecution {
            workflow: WorkflowArn::parse(&self.workflow_arn),
            image: ImageArn::parse(&self.image_arn),
            start: self.start,
            end: self.end,
            totals: (self.total_steps > 0).then_some(StepTotals {
                planned: self.total_steps,
                succeeded: self.succeeded,
                failed: self.failed,
                skipped: self.skipped,
            }),
            parallel_group: self.parallel_group.clone(),
            ..WorkflowExecution::with_status(self.status.clone())
        }
    }
}
