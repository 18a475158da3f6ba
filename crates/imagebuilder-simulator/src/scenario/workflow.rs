//! The workflows that a build runs.

use serde::Deserialize;

use super::step::{Failure, Step};

/// One workflow of a pipeline: a managed one, whose steps can be changed by name, or a custom one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Workflow {
    pub(crate) managed: Option<Managed>,
    /// A custom workflow's name.
    pub(crate) name: Option<String>,
    /// A custom workflow's type, `build` if absent.
    #[serde(rename = "type")]
    pub(crate) kind: Option<WorkflowKind>,
    pub(crate) version: Option<String>,
    /// Of test workflows: neighbours of the same group run at the same time.
    pub(crate) parallel_group: Option<String>,
    /// `Continue` lets the build go on when this workflow fails.
    pub(crate) on_failure: Failure,
    pub(crate) rollback: RollbackMode,
    pub(crate) steps: Vec<Step>,
}

impl Workflow {
    pub(crate) fn kind(&self) -> WorkflowKind {
        match self.managed {
            Some(Managed::BuildImage) => WorkflowKind::Build,
            Some(Managed::TestImage) => WorkflowKind::Test,
            None => self.kind.unwrap_or_default(),
        }
    }
}

/// Amazon's own workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Managed {
    BuildImage,
    TestImage,
}

/// The type of a workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkflowKind {
    /// Builds the image.
    #[default]
    Build,
    /// Tests the image that was built.
    Test,
    /// Distributes the image.
    Distribution,
}

impl WorkflowKind {
    /// Returns the type as ARNs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Distribution => "distribution",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RollbackMode {
    /// ROLLBACK_IN_PROGRESS, then ROLLBACK_COMPLETED.
    #[default]
    Announced,
    /// The workflow says FAILED from the start while its steps are still rolled back.
    WhileFailed,
    /// FAILED, and nothing is rolled back.
    None,
}
