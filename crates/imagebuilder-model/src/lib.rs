//! What the service says, parsed once, at the edge: ids, ARNs, statuses, times and the answers
//! the exporter lives on: [`StepExecution`], [`WorkflowExecution`], [`Image`] and [`Pipeline`].
//!
//! Owns the meaning of the service's words; knows nothing of the SDK, of polling or of metrics.
//! Fed by `config` (ids) and `api` (answers); everything later in the flow reads it.

mod arn;
mod duration;
mod id;
pub mod identifier;
mod status;
mod time;

use std::collections::BTreeMap;

pub use arn::{ImageArn, PipelineArn, WorkflowArn, resource_name};
pub use duration::{DurationFault, format_duration, parse_duration};
pub use id::{StepExecutionId, WorkflowExecutionId};
pub use status::{ImageStatus, OnFailure, RollbackStatus, StepStatus, WorkflowStatus};
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

/// One workflow execution, as one answer of `GetWorkflowExecution` or one entry of
/// `ListWorkflowExecutions` told it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowExecution {
    pub status: WorkflowStatus,
    pub workflow: Option<WorkflowArn>,
    pub image: Option<ImageArn>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub totals: Option<StepTotals>,
    /// The group of test workflows it runs with at the same time.
    pub parallel_group: Option<String>,
    /// Whether a retry of the image's build superseded it; only the list can tell.
    pub retried: Option<bool>,
}

impl WorkflowExecution {
    /// An answer that holds a status and nothing else.
    pub fn with_status(status: WorkflowStatus) -> Self {
        Self {
            status,
            workflow: None,
            image: None,
            start: None,
            end: None,
            totals: None,
            parallel_group: None,
            retried: None,
        }
    }
}

/// How many steps a workflow execution has, and how many of them came to which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTotals {
    /// Never 0: the service's 0 says that it does not know yet.
    pub planned: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
}

/// One image build version, as `GetImage` or an entry of `ListImageBuildVersions` told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub arn: ImageArn,
    pub status: ImageStatus,
    pub created: Option<Timestamp>,
    /// Why it FAILED, as far as told.
    pub failure: Option<ImageFailure>,
    /// `Linux`
    pub platform: Option<String>,
    /// `AMI` or `DOCKER`
    pub kind: Option<String>,
    /// `SCHEDULED`
    pub build_type: Option<String>,
    /// The pipeline that built it; only `GetImage` can tell.
    pub pipeline: Option<PipelineArn>,
    pub tags: Tags,
}

impl Image {
    /// An answer that holds an ARN, a status and nothing else.
    pub fn with_status(arn: ImageArn, status: ImageStatus) -> Self {
        Self {
            arn,
            status,
            created: None,
            failure: None,
            platform: None,
            kind: None,
            build_type: None,
            pipeline: None,
            tags: Tags::default(),
        }
    }
}

/// Where the build of an image failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFailure {
    pub step: Option<String>,
    pub step_execution_id: Option<StepExecutionId>,
    /// The component's name as it stands in its ARN.
    pub component: Option<String>,
    pub phase: Option<String>,
    pub component_step: Option<String>,
    pub component_action: Option<String>,
}

/// One pipeline, as an entry of `ListImagePipelines` told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    pub arn: PipelineArn,
    pub enabled: Option<bool>,
    pub platform: Option<String>,
    /// `cron(0 10 * * ? *)`
    pub schedule: Option<String>,
    /// What the image of its last run is, or was when that ended.
    pub last_run_status: Option<ImageStatus>,
    pub last_run: Option<Timestamp>,
    pub next_run: Option<Timestamp>,
    pub consecutive_failures: Option<u32>,
    /// The recipe's name as it stands in its ARN: the name of the images it builds now.
    pub recipe: Option<String>,
    pub tags: Tags,
}

impl Pipeline {
    /// An answer that holds an ARN and nothing else.
    pub fn with_arn(arn: PipelineArn) -> Self {
        Self {
            arn,
            enabled: None,
            platform: None,
            schedule: None,
            last_run_status: None,
            last_run: None,
            next_run: None,
            consecutive_failures: None,
            recipe: None,
            tags: Tags::default(),
        }
    }
}

/// A resource's tags.
pub type Tags = BTreeMap<String, String>;
