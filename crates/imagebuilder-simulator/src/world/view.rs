//! Resources at one moment, with every member of the service's responses.
//!
//! Made by `World`; `service::members` turns them into JSON.

use std::collections::BTreeMap;

use imagebuilder_model::{
    Ami, Image, ImageArn, ImageFailure, ImageStatus, OnFailure, Pipeline, PipelineArn,
    RegionFailure, RollbackStatus, StepExecution, StepExecutionId, StepOutputs, StepStatus,
    StepTotals, Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
    resource_name,
};

use crate::scenario::{ImageKind, Platform, WorkflowKind};

/// The secret in the inputs and outputs of every simulated step. A test that finds it in a metric,
/// a log or a page has found a leak.
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
    /// The values of `outputs` that a client may read.
    pub readable: StepOutputs,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub on_failure: OnFailure,
    /// Compressed like every duration; 0 is none.
    pub timeout_seconds: u32,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
}

impl StepView {
    /// Returns what a client should read from `GetWorkflowStepExecution`.
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
            outputs: (self.readable != StepOutputs::default()).then(|| self.readable.clone()),
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
    /// Returns what a client should read from `GetWorkflowExecution`.
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
            message: self.message.clone(),
            ..WorkflowExecution::with_status(self.status.clone())
        }
    }
}

/// An image build version at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageView {
    pub arn: String,
    /// The display name, not the name in the ARN.
    pub name: String,
    /// `1.0.0/1`
    pub version: String,
    pub account: String,
    pub kind: ImageKind,
    pub platform: Platform,
    pub os_version: String,
    pub status: ImageStatus,
    pub reason: Option<String>,
    /// While it is FAILED.
    pub failure: Option<FailureView>,
    /// `None` before its build begins.
    pub created: Option<Timestamp>,
    /// Of the pipeline that built it.
    pub pipeline_arn: Option<String>,
    /// `None` for an imported image.
    pub recipe_arn: Option<String>,
    pub infrastructure_arn: Option<String>,
    /// The instance of a failed build stays.
    pub keeps_instance: bool,
    /// `BuildType` of the service's model.
    pub build_type: &'static str,
    pub log_group: Option<String>,
    pub enhanced_metadata: bool,
    pub tags: BTreeMap<String, String>,
    /// The AMI's id or the container image's URI, once the image was made.
    pub output: Option<String>,
    /// By region and account, once the image was made.
    pub amis: Vec<Ami>,
}

impl ImageView {
    /// Returns what a client should read from `GetImage`; `None` where the ARN is malformed.
    pub fn to_model(&self) -> Option<Image> {
        Some(Image {
            arn: ImageArn::parse(&self.arn)?,
            status: self.status.clone(),
            created: self.created,
            name: Some(self.name.clone()),
            failure: self.failure.as_ref().map(FailureView::to_model),
            log_group: self.log_group.clone(),
            amis: self.amis.iter().cloned().collect(),
            platform: Some(self.platform.as_str().to_owned()),
            kind: Some(self.kind.as_str().to_owned()),
            build_type: Some(self.build_type.to_owned()),
            pipeline: self.pipeline_arn.as_deref().and_then(PipelineArn::parse),
            tags: self.tags.clone(),
        })
    }
}

/// Why and where a build failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureView {
    /// The image's status before it failed.
    pub stage: ImageStatus,
    pub reason: String,
    /// `None` where no step of a workflow failed.
    pub step: Option<FailedStepView>,
    /// The regions and accounts that the distribution did not reach.
    pub regions: Vec<RegionFailure>,
}

/// The step that failed the build.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedStepView {
    pub workflow_execution_id: WorkflowExecutionId,
    pub workflow_arn: String,
    pub step_execution_id: StepExecutionId,
    pub name: String,
    pub component: Option<ComponentView>,
}

impl FailureView {
    /// Returns the component that failed.
    pub fn component(&self) -> Option<&ComponentView> {
        self.step.as_ref()?.component.as_ref()
    }

    /// The error of the distribution, with that of each region.
    pub(crate) fn distribution_error(&self) -> Option<String> {
        let errors = self.regions.iter().map(|failure| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (region, error) = (text(&failure.region), text(&failure.error));
            format!("In region '{region}' - '{error}'")
        });
        let errors: Vec<String> = errors.collect();
        (!errors.is_empty()).then(|| errors.join(", "))
    }

    fn to_model(&self) -> ImageFailure {
        let component = self.component();
        let text = |part: fn(&ComponentView) -> &String| component.map(part).cloned();
        let step = self.step.as_ref();
        ImageFailure {
            reason: Some(self.reason.clone()),
            stage: Some(self.stage.as_str().to_owned()),
            step: step.map(|step| step.name.clone()),
            step_execution_id: step.map(|step| step.step_execution_id),
            component: component
                .and_then(|component| resource_name(&component.arn, &["component"]))
                .map(str::to_owned),
            phase: text(|component| &component.phase),
            component_step: text(|component| &component.step),
            component_action: text(|component| &component.action),
            component_error: text(|component| &component.error),
            distribution_error: self.distribution_error(),
            regions: self.regions.clone(),
        }
    }
}

/// The place in a component's document where a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentView {
    pub arn: String,
    pub phase: String,
    pub step: String,
    pub action: String,
    pub error: String,
}

/// A semantic version of an image, with all its builds.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageVersionView {
    pub arn: String,
    pub name: String,
    /// `1.0.0`
    pub version: String,
    pub account: String,
    pub kind: ImageKind,
    pub platform: Platform,
    pub os_version: String,
    pub created: Timestamp,
    /// `BuildType` of the service's model.
    pub build_type: &'static str,
}

/// A pipeline at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineView {
    pub arn: String,
    /// The display name, not the name in the ARN.
    pub name: String,
    pub description: Option<String>,
    pub platform: Platform,
    pub kind: ImageKind,
    pub recipe_arn: String,
    pub infrastructure_arn: String,
    pub distribution_arn: String,
    /// `None` where users start its builds.
    pub schedule: Option<String>,
    pub timezone: Option<String>,
    pub enabled: bool,
    pub enhanced_metadata: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub last_run: Option<Timestamp>,
    pub last_run_status: Option<ImageStatus>,
    pub next_run: Option<Timestamp>,
    /// Of its scheduled builds.
    pub consecutive_failures: u32,
    pub tags: BTreeMap<String, String>,
    pub image_tags: BTreeMap<String, String>,
}

impl PipelineView {
    /// Returns what a client should read from an entry of `ListImagePipelines`; `None` where the
    /// ARN is malformed.
    pub fn to_model(&self) -> Option<Pipeline> {
        let recipe = resource_name(&self.recipe_arn, &["image-recipe", "container-recipe"]);
        Some(Pipeline {
            arn: PipelineArn::parse(&self.arn)?,
            enabled: Some(self.enabled),
            platform: Some(self.platform.as_str().to_owned()),
            schedule: self.schedule.clone(),
            last_run_status: self.last_run_status.clone(),
            last_run: self.last_run,
            next_run: self.next_run,
            consecutive_failures: Some(self.consecutive_failures),
            recipe: recipe.map(str::to_owned),
            tags: self.tags.clone(),
        })
    }

    /// Returns the `PipelineStatus` of the service's model.
    pub fn status(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }
}
