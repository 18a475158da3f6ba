//! The script of a simulated world, as `config/scenarios/README.md` documents it.
//!
//! Owns the scenario file's words, their defaults and every mistake that can be told from the file
//! alone. Only `scenario/file.rs` knows YAML. Fed by files and by tests that fill the fields
//! themselves; read by `World` and the server.

mod check;
mod file;
mod pipeline;
mod span;

use std::collections::BTreeMap;

use serde::Deserialize;

use imagebuilder_model::{OnFailure, StepStatus};

pub use file::{DEMO_SEED, DEMO_SPEED, ScenarioError};
pub use pipeline::{ImageKind, Lifecycle, LifecycleStatus, Pipeline, Platform};
pub use span::{Range, Span};

use super::faults::FaultScript;

/// Everything that happens in a simulated world. Times are those of the real service; the
/// simulator's speed compresses them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// How long before it begins a build can be asked for, all PENDING.
    pub announce: Span,
    /// How long after its end a build can be asked for.
    pub keep: Span,
    /// How long after its begin an image is in the lists, longer than its executions are known.
    pub keep_images: Span,
    /// How long after its begin an image is not yet in the lists, drawn for each.
    pub listed_after: Range,
    /// How far the service's clock is ahead of the machine's; negative where it is behind.
    pub clock_skew: Span,
    pub pages: Pages,
    /// The service's own limit per account and region; none if absent.
    pub rate_limit: Option<RateLimit>,
    /// Which account a static access key belongs to. A key that is not here sees every account.
    pub access_keys: BTreeMap<String, String>,
    /// What STS lets in; with an empty list, every role.
    pub roles: Vec<Role>,
    pub pipelines: Vec<Pipeline>,
    pub faults: Vec<FaultScript>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            announce: Span::ZERO,
            keep: Span::from_secs(14 * 24 * 3600),
            keep_images: Span::from_secs(30 * 24 * 3600),
            listed_after: Range::between(Span::ZERO, Span::from_secs(120)),
            clock_skew: Span::ZERO,
            pages: Pages::default(),
            rate_limit: None,
            access_keys: BTreeMap::new(),
            roles: Vec::new(),
            pipelines: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// How lists are cut into pages.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pages {
    /// The most `maxResults` may ask for; more is an `InvalidRequestException`.
    pub max_size: u32,
    /// Pages hold less than was asked for and still have a token.
    pub short: bool,
    /// Every other page holds nothing and still has a token.
    pub empty: bool,
    /// How long a token is good, in real time; for ever if absent.
    pub token_lifetime: Option<Span>,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            max_size: 100,
            short: false,
            empty: false,
            token_lifetime: None,
        }
    }
}

/// A token bucket, in real time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub requests_per_second: f64,
    pub burst: u32,
}

/// A role that STS knows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub arn: String,
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub denied: bool,
    /// How long its credentials are good, in real time; else as long as the caller asks.
    #[serde(default)]
    pub lifetime: Option<Span>,
}

/// One workflow of a pipeline: a managed one, whose steps can be scripted by name, or an own one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workflow {
    pub managed: Option<Managed>,
    /// An own workflow's name.
    pub name: Option<String>,
    /// An own workflow's type, `build` if absent.
    #[serde(rename = "type")]
    pub kind: Option<WorkflowKind>,
    pub version: Option<String>,
    /// Neighbours of the same group run at the same time.
    pub parallel_group: Option<String>,
    /// `Continue` lets the build go on when this workflow fails.
    pub on_failure: Failure,
    pub rollback: RollbackMode,
    /// What becomes of the steps after the one that failed.
    pub later: Later,
    pub steps: Vec<Step>,
}

/// Amazon's own workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Managed {
    BuildImage,
    TestImage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkflowKind {
    #[default]
    Build,
    Test,
    Distribution,
}

impl WorkflowKind {
    /// As it stands in an ARN.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Distribution => "distribution",
        }
    }
}

/// What the service does when something fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Failure {
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackMode {
    /// ROLLBACK_IN_PROGRESS, then ROLLBACK_COMPLETED.
    #[default]
    Announced,
    /// The workflow says FAILED from the start while its steps are still rolled back.
    WhileFailed,
    /// FAILED, and nothing is rolled back.
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Later {
    /// PENDING for ever.
    #[default]
    Pending,
    Cancelled,
}

/// One step; of a managed workflow's, only what differs from Amazon's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    pub name: String,
    pub action: Option<String>,
    pub description: Option<String>,
    /// How long one attempt takes, drawn from the range for each.
    pub duration: Option<Range>,
    /// 0 is none. At most 12 h; the action's default if absent.
    pub timeout: Option<Span>,
    pub on_failure: Option<Failure>,
    pub outcome: Option<Outcome>,
    /// Outcomes and their weights, drawn for each build.
    pub chances: BTreeMap<Outcome, f64>,
    /// Outcomes of one build after the other, from the first again after the last.
    pub in_turn: Vec<Outcome>,
    /// The outcome when the build is retried; completed if absent.
    pub retry_outcome: Option<Outcome>,
    pub attempts: Option<Attempts>,
    /// What the service tells when the step does not complete.
    pub message: Option<String>,
    /// What fails in a step that runs components, where it fails.
    pub component: Option<Component>,
    pub rollback: Option<RollbackOutcome>,
    pub rollback_duration: Option<Range>,
    /// What the status says while the step runs: the guide has WAITING for `WaitForAction`, which
    /// the service's model does not know.
    pub running_status: Option<String>,
}

impl Step {
    pub(super) fn running(&self) -> StepStatus {
        self.running_status
            .as_deref()
            .map_or(StepStatus::Running, StepStatus::parse)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    #[default]
    Completed,
    Failed,
    /// Runs until its timeout, then FAILED.
    Hang,
    /// Waits for somebody for its duration, then COMPLETED.
    Wait,
    /// Not run; start and end are the same.
    Skipped,
    /// Somebody cancels the build while it runs.
    Cancelled,
}

/// The place in a component's document where a step fails that runs components.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Component {
    /// As it stands in the component's ARN.
    pub name: String,
    pub version: String,
    /// The workflow's type if absent.
    pub phase: Option<String>,
    pub step: String,
    pub action: String,
    pub error: String,
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

/// A step that is tried again when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    pub max: u32,
    /// How many attempts fail before the outcome counts.
    #[serde(default)]
    pub fails: u32,
    /// How long it says FAILED before the next attempt.
    #[serde(default = "default::pause")]
    pub pause: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackOutcome {
    Completed,
    Failed,
    Skipped,
    /// The answer has no `rollbackStatus`.
    None,
}

mod default {
    use super::Span;

    pub fn pause() -> Span {
        Span::from_secs(30)
    }
}
