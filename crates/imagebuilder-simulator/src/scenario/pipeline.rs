//! Pipelines, and the images that they build.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::destination::{Destination, Import, Integration};
use super::span::Span;
use super::workflow::Workflow;

/// Builds of one image, again and again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pipeline {
    /// The name in the pipeline's ARN; the image's too, unless `image` is given.
    pub(crate) name: String,
    /// The display name, which the service makes the ARN's from; `name` if absent.
    #[serde(default)]
    pub(crate) display_name: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) image: Option<String>,
    /// The image's display name.
    #[serde(default)]
    pub(crate) image_display_name: Option<String>,
    #[serde(default = "default::version")]
    pub(crate) version: String,
    #[serde(default = "default::partition")]
    pub(crate) partition: String,
    pub(crate) account: String,
    pub(crate) region: String,
    #[serde(default)]
    pub(crate) platform: Platform,
    /// The platform's if absent.
    #[serde(default)]
    pub(crate) os_version: Option<String>,
    #[serde(default, rename = "type")]
    pub(crate) kind: ImageKind,
    /// There is no pipeline: users build the images one by one.
    #[serde(default)]
    pub(crate) without_pipeline: bool,
    /// The pipeline has no schedule: users start its builds.
    #[serde(default)]
    pub(crate) manual: bool,
    /// The expression of the schedule; `rate(...)` of `every` if absent.
    #[serde(default)]
    pub(crate) schedule: Option<String>,
    #[serde(default)]
    pub(crate) timezone: Option<String>,
    #[serde(default = "default::enhanced_metadata")]
    pub(crate) enhanced_metadata: bool,
    /// The pipeline's, and its images' unless `image_tags` says others.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) image_tags: Option<BTreeMap<String, String>>,
    /// From the begin of one build to that of the next.
    #[serde(default = "default::every")]
    pub(crate) every: Span,
    /// When the first build begins, counted from the simulator's start; negative is before it.
    #[serde(default)]
    pub(crate) first: Span,
    /// How many builds there are; without end if absent.
    #[serde(default)]
    pub(crate) builds: Option<u32>,
    /// How often a build that fails or is cancelled while it is tested or distributed is resumed under
    /// the same build version.
    #[serde(default)]
    pub(crate) retries: u8,
    #[serde(default = "default::retry_after")]
    pub(crate) retry_after: Span,
    /// When the pipeline is created, counted like `first`; long before it if absent.
    #[serde(default)]
    pub(crate) created_at: Option<Span>,
    /// When it becomes DISABLED and begins no more builds.
    #[serde(default)]
    pub(crate) disabled_at: Option<Span>,
    /// When it is deleted; its images stay.
    #[serde(default)]
    pub(crate) deleted_at: Option<Span>,
    /// The statuses of an image after it became AVAILABLE.
    #[serde(default)]
    pub(crate) lifecycle: Vec<Lifecycle>,
    /// Where the image is distributed to without a workflow: its own region and account if empty.
    #[serde(default)]
    pub(crate) distribution: Vec<Destination>,
    #[serde(default)]
    pub(crate) integration: Option<Integration>,
    /// The image is imported: it has neither recipe nor workflows.
    #[serde(default)]
    pub(crate) import: Option<Import>,
    /// The CloudWatch Logs group, where it is not the service's default.
    #[serde(default)]
    pub(crate) log_group: Option<String>,
    /// `terminateInstanceOnFailure` is false: the instance of a failed build stays.
    #[serde(default)]
    pub(crate) keep_instance: bool,
    #[serde(default)]
    pub(crate) workflows: Vec<Workflow>,
}

impl Pipeline {
    pub(crate) fn image_name(&self) -> &str {
        self.image.as_deref().unwrap_or(&self.name)
    }

    /// When it begins its last build at the latest.
    pub(crate) fn stops_at(&self) -> Option<Span> {
        [self.disabled_at, self.deleted_at]
            .into_iter()
            .flatten()
            .min()
    }
}

/// The operating system of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Platform {
    /// `Linux`
    #[default]
    Linux,
    /// `Windows`
    Windows,
}

impl Platform {
    /// Returns the platform as the service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
        }
    }
}

/// The type of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ImageKind {
    /// An AMI.
    #[default]
    Ami,
    /// A container image.
    Docker,
}

impl ImageKind {
    /// Returns the type as the service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ami => "AMI",
            Self::Docker => "DOCKER",
        }
    }
}

/// A status that an image gets this long after it became AVAILABLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lifecycle {
    pub(crate) after: Span,
    pub(crate) status: LifecycleStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LifecycleStatus {
    Deprecated,
    Disabled,
    Deleted,
}

mod default {
    use super::Span;

    pub(crate) fn version() -> String {
        "1.0.0".to_owned()
    }

    pub(crate) fn partition() -> String {
        "aws".to_owned()
    }

    pub(crate) fn enhanced_metadata() -> bool {
        true
    }

    pub(crate) fn every() -> Span {
        Span::from_secs(24 * 3600)
    }

    pub(crate) fn retry_after() -> Span {
        Span::from_secs(5 * 60)
    }
}
