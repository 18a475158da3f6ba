//! What the configuration lists one by one, for whatever target: it belongs to the one that lists it.

use std::collections::HashSet;

use crate::config::Config;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

/// The step executions, workflow executions and images that some target of a configuration lists.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The numbers of the ids, in ascending order; empty if there is one target, as a tracker knows the
    /// steps of its own.
    steps: Box<[[u8; 16]]>,
    executions: HashSet<WorkflowExecutionId>,
    images: HashSet<ImageArn>,
}

impl Listed {
    pub fn of(config: &Config) -> Self {
        let mut listed = Self::default();
        let mut steps = Vec::new();
        let are_several = config.targets.len() > 1;
        for target in &config.targets {
            let of_target = target.step_executions.iter().filter(|_| are_several);
            steps.extend(of_target.map(|step| step.id.number()));
            listed.executions.extend(&target.workflow_executions);
            listed.images.extend(target.image_build_versions.clone());
        }
        steps.sort_unstable();
        listed.steps = steps.into();
        listed
    }

    /// Whether a step or a workflow execution is listed here and not in `next`.
    pub(super) fn has_more_than(&self, next: &Self) -> bool {
        !self.steps.iter().all(|id| next.has_number(id))
            || !self.executions.is_subset(&next.executions)
    }

    pub(super) fn has_step(&self, id: &StepExecutionId) -> bool {
        self.has_number(&id.number())
    }

    fn has_number(&self, id: &[u8; 16]) -> bool {
        self.steps.binary_search(id).is_ok()
    }

    pub(super) fn has_execution(&self, id: &WorkflowExecutionId) -> bool {
        self.executions.contains(id)
    }

    pub(super) fn has_image(&self, arn: &ImageArn) -> bool {
        self.images.contains(arn)
    }
}
