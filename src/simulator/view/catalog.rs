//! What an image and a pipeline look like at one moment.

use std::collections::BTreeMap;

use crate::model::{StepExecutionId, Timestamp, WorkflowExecutionId};
use crate::simulator::scenario::{ImageKind, Platform};

/// `ImageStatus` of the service's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStatus {
    Pending,
    Creating,
    Building,
    Testing,
    Distributing,
    Integrating,
    Available,
    Cancelled,
    Failed,
    Deprecated,
    Deleted,
    Disabled,
}

impl ImageStatus {
    /// The value as the service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Creating => "CREATING",
            Self::Building => "BUILDING",
            Self::Testing => "TESTING",
            Self::Distributing => "DISTRIBUTING",
            Self::Integrating => "INTEGRATING",
            Self::Available => "AVAILABLE",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
            Self::Deprecated => "DEPRECATED",
            Self::Deleted => "DELETED",
            Self::Disabled => "DISABLED",
        }
    }

    /// Whether its build is under way.
    pub fn is_moving(self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::Creating
                | Self::Building
                | Self::Testing
                | Self::Distributing
                | Self::Integrating
        )
    }
}

/// An image build version at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageView {
    pub arn: String,
    /// As people gave it, not as it stands in the ARN.
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
    pub recipe_arn: String,
    /// Built by the pipeline's schedule, not because somebody asked for it.
    pub scheduled: bool,
    pub enhanced_metadata: bool,
    pub tags: BTreeMap<String, String>,
    /// The AMI's id or the container image's URI, once the image was made.
    pub output: Option<String>,
}

/// Where a build failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureView {
    /// What the image was when it failed.
    pub stage: ImageStatus,
    pub workflow_execution_id: WorkflowExecutionId,
    pub workflow_arn: String,
    pub step_execution_id: StepExecutionId,
    pub step: String,
    pub timed_out: bool,
    pub message: String,
    pub component: Option<ComponentView>,
}

/// Where in a component's document.
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
    pub scheduled: bool,
}

/// A pipeline at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineView {
    pub arn: String,
    /// As people gave it, not as it stands in the ARN.
    pub name: String,
    pub description: Option<String>,
    pub platform: Platform,
    pub kind: ImageKind,
    pub recipe_arn: String,
    pub infrastructure_arn: String,
    pub distribution_arn: String,
    /// `None` where somebody starts its builds.
    pub schedule: Option<String>,
    pub timezone: Option<String>,
    pub enabled: bool,
    pub enhanced_metadata: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub last_run: Option<Timestamp>,
    pub last_run_status: Option<ImageStatus>,
    pub next_run: Option<Timestamp>,
    /// Of its scheduled builds, the last ones.
    pub consecutive_failures: u32,
    pub tags: BTreeMap<String, String>,
    pub image_tags: BTreeMap<String, String>,
}

impl PipelineView {
    /// `PipelineStatus` of the service's model.
    pub fn status(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }
}
