//! What the configuration lists one by one, for whatever target: it belongs to the one that lists it.

use std::collections::HashSet;

use crate::config::Config;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

/// The step executions, workflow executions and images that stand anywhere in a configuration.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    steps: HashSet<StepExecutionId>,
    executions: HashSet<WorkflowExecutionId>,
    images: HashSet<ImageArn>,
}

impl Listed {
    pub fn of(config: &Config) -> Self {
        let mut listed = Self::default();
        for target in &config.targets {
            let steps = target.step_executions.iter().map(|step| step.id);
            listed.steps.extend(steps);
            listed.executions.extend(&target.workflow_executions);
            listed.images.extend(target.image_build_versions.clone());
        }
        listed
    }

    /// Whether a step or a workflow execution is listed here and not in `next`.
    pub(super) fn has_more_than(&self, next: &Self) -> bool {
        !self.steps.is_subset(&next.steps) || !self.executions.is_subset(&next.executions)
    }

    pub(super) fn has_step(&self, id: &StepExecutionId) -> bool {
        self.steps.contains(id)
    }

    pub(super) fn has_execution(&self, id: &WorkflowExecutionId) -> bool {
        self.executions.contains(id)
    }

    pub(super) fn has_image(&self, arn: &ImageArn) -> bool {
        self.images.contains(arn)
    }
}
