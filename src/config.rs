//! The configuration file, read into a [`Config`] in which nothing invalid exists.
//!
//! Owns the file's syntax, its defaults and every mistake that can be told from the file alone.
//! Knows nothing of AWS clients or of what is polled when.
//!
//! A text becomes a tree of values with places, rules read the tree into a [`Config`], and that is
//! written again as the effective configuration. In reading order: `read` (the whole way), `keys` (the
//! table of all keys), `sections`, `targets` and `lists` (what each must hold), `values`, `names`,
//! `labels`, `endpoint` and `limits` (the rules), `step_files` (which other files are read with it),
//! `effective` (the configuration as text), `document`, `section`, `field` and `reading` (the machinery
//! below), `tree`, `node` and `syntax` (from text to values, and what is not even YAML).

pub mod keys;

mod check;
mod document;
mod effective;
mod endpoint;
mod field;
mod labels;
mod limits;
mod lists;
mod names;
mod node;
mod problem;
mod read;
mod reading;
mod section;
mod sections;
mod step_files;
mod substitution;
mod suggestion;
mod syntax;
mod targets;
mod tree;
mod values;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::model::{ImageArn, PipelineArn, StepExecutionId, WorkflowExecutionId};

pub use check::check_config;
pub use labels::RESERVED_LABELS;
pub use limits::LimitKey;
pub use problem::{MISSING_FILE, Problem};
pub use read::{Checked, Origin};
pub use step_files::StepFiles;

/// The effective configuration: defaults filled in, every value checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub polling: Polling,
    pub metrics: Metrics,
    /// First match wins.
    pub duration_budgets: Vec<DurationBudget>,
    /// At least one; names are unique.
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Polling {
    /// A step that may still change is seen at least this often.
    pub interval: Duration,
    /// How often new images and workflow executions are looked for.
    pub discovery_interval: Duration,
    /// One attempt of one API call.
    pub request_timeout: Duration,
    /// Per target and region.
    pub max_concurrent_requests: NonZeroUsize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    pub status_format: StatusFormat,
    /// A discovered execution that settled well leaves `/metrics` this long after it ended.
    pub retention: Duration,
    /// One whose image or workflow failed.
    pub retention_failed: Duration,
    /// A new counter series shows 0 this long before it counts what happened; may be none.
    pub counter_warmup: Duration,
    /// Of the histogram of finished steps: ascending, at least one.
    pub duration_buckets: Vec<Duration>,
    /// The tags that become labels of `_info` series; no two give one label.
    pub tag_labels: Vec<TagLabel>,
    /// Adds `imagebuilder_workflow_step_message_info{message}`.
    pub message_labels: bool,
}

/// A tag, and the label it becomes: `cost-center` and `tag_cost_center`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagLabel {
    pub key: String,
    pub label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFormat {
    /// One series per possible status, 0 or 1.
    Stateset,
    /// Only the current status, always 1.
    Sparse,
}

/// A user's own limit on how long a step may take.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationBudget {
    pub step: globset::Glob,
    pub workflow: globset::Glob,
    pub image: globset::Glob,
    pub max_duration: Duration,
}

/// One set of credentials, and what is followed with it, which at least one of its lists says.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub name: String,
    /// At least one, each once.
    pub regions: Vec<String>,
    pub assume_role: Option<AssumeRole>,
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    pub rate_limit: RateLimit,
    pub labels: BTreeMap<String, String>,
    /// Not empty only where there is exactly one region; no id stands twice in a configuration.
    /// Those of step files stand behind those of the file.
    pub step_executions: Vec<ListedStep>,
    /// Not empty only where there is exactly one region; no id stands twice in a configuration.
    pub workflow_executions: Vec<WorkflowExecutionId>,
    /// Each of a region that the target has; none stands twice in a configuration.
    pub image_build_versions: Vec<ImageArn>,
    pub pipelines: Vec<PipelineSelector>,
    /// Over the names of images.
    pub images: Vec<globset::Glob>,
    /// All must match: the tags of a pipeline that `pipelines` choose, of an image that `images` do.
    pub tags: BTreeMap<String, globset::Glob>,
    pub exclude: Exclude,
}

/// Which pipelines to follow.
#[derive(Clone, Debug, PartialEq)]
pub enum PipelineSelector {
    Name(globset::Glob),
    /// Of a region that the target has; none stands twice in a configuration.
    Arn(PipelineArn),
}

/// What isn't followed although `pipelines` or `images` choose it: whatever any of these matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exclude {
    pub pipelines: Vec<globset::Glob>,
    pub images: Vec<globset::Glob>,
    pub tags: BTreeMap<String, globset::Glob>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    pub role_arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Above 0.
    pub requests_per_second: f64,
    pub burst: NonZeroU32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ListedStep {
    pub id: StepExecutionId,
    /// Its own interval, or the one of [`Polling`].
    pub interval: Duration,
    pub labels: BTreeMap<String, String>,
}
