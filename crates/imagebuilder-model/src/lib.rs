//! The types of EC2 Image Builder: ids, ARNs, statuses, times and the resources that its responses
//! describe: [`StepExecution`], [`WorkflowExecution`], [`Image`] and [`Pipeline`].
//!
//! Text is parsed once, at the edge, into these types. They know nothing of the SDK, of polling or
//! of metrics. The exporter parses the configuration and the responses into them, the simulator its
//! requests. [`identifier`] and the durations serve both.

mod arn;
mod duration;
mod failure;
mod id;
pub mod identifier;
mod status;
mod time;

use std::collections::{BTreeMap, BTreeSet};

pub use arn::{ImageArn, PipelineArn, WorkflowArn, resource_name};
pub use duration::{DurationFault, format_duration, parse_duration};
pub use failure::{Ami, ImageFailure, RegionFailure, StepOutputs};
pub use id::{StepExecutionId, WorkflowExecutionId};
pub use status::{ImageStatus, OnFailure, RollbackStatus, StepStatus, WorkflowStatus};
pub use time::Timestamp;

/// A step execution, from one response of `GetWorkflowStepExecution`.
///
/// Every member of the response but the status may be missing.
/// `inputs` can hold secrets and is not read. Of `outputs`, only the values of [`StepOutputs`] are.
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
    /// The timeout in seconds, never 0: the service sends 0 for a step without a timeout.
    pub timeout_seconds: Option<u32>,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
    /// Free text from components and other services: untrusted.
    pub message: Option<String>,
    /// Present if `outputs` has one of these values and may be read.
    pub outputs: Option<StepOutputs>,
}

impl StepExecution {
    /// Returns a response with a status and nothing else.
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
            outputs: None,
        }
    }
}

/// A workflow execution, from one response of `GetWorkflowExecution` or one entry of
/// `ListWorkflowExecutions`.
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
    /// Whether a retry of the image's build superseded it; only the list has this member.
    pub retried: Option<bool>,
    /// Free text about its end: untrusted.
    pub message: Option<String>,
}

impl WorkflowExecution {
    /// Returns a response with a status and nothing else.
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
            message: None,
        }
    }
}

/// Numbers of the steps of a workflow execution: all of them, and those of each final status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTotals {
    /// Never 0: the service sends 0 while it does not know the number.
    pub planned: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
}

/// An image build version, from `GetImage` or an entry of `ListImageBuildVersions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub arn: ImageArn,
    pub status: ImageStatus,
    pub created: Option<Timestamp>,
    /// The name in its original case; the ARN has it in lower case.
    pub name: Option<String>,
    /// Why and where its build failed; present while it is FAILED, as far as known.
    pub failure: Option<ImageFailure>,
    /// The CloudWatch Logs group of its build, where it is not the default one.
    pub log_group: Option<String>,
    pub amis: BTreeSet<Ami>,
    /// `Linux`
    pub platform: Option<String>,
    /// `AMI` or `DOCKER`
    pub kind: Option<String>,
    /// `SCHEDULED`
    pub build_type: Option<String>,
    /// The pipeline that built it; only `GetImage` has this member.
    pub pipeline: Option<PipelineArn>,
    pub tags: Tags,
}

impl Image {
    /// Returns a response with an ARN, a status and nothing else.
    pub fn with_status(arn: ImageArn, status: ImageStatus) -> Self {
        Self {
            arn,
            status,
            created: None,
            name: None,
            failure: None,
            log_group: None,
            amis: BTreeSet::new(),
            platform: None,
            kind: None,
            build_type: None,
            pipeline: None,
            tags: Tags::default(),
        }
    }
}

/// A pipeline, from an entry of `ListImagePipelines`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    pub arn: PipelineArn,
    pub enabled: Option<bool>,
    pub platform: Option<String>,
    /// `cron(0 10 * * ? *)`
    pub schedule: Option<String>,
    /// The status of the image of its last run.
    pub last_run_status: Option<ImageStatus>,
    pub last_run: Option<Timestamp>,
    pub next_run: Option<Timestamp>,
    pub consecutive_failures: Option<u32>,
    /// The recipe's name in its ARN: the name of the images that the pipeline builds now.
    pub recipe: Option<String>,
    pub tags: Tags,
}

impl Pipeline {
    /// Returns a response with an ARN and nothing else.
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
