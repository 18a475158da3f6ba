//! What the configuration names one by one, for whatever target: it belongs to who names it.

use std::collections::HashSet;

use super::plan::Elsewhere;
use crate::config::Config;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

/// The step executions, workflow executions and images that stand anywhere in a configuration.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    steps: HashSet<StepExecutionId>,
    workflows: HashSet<WorkflowExecutionId>,
    images: HashSet<ImageArn>,
}

impl Listed {
    pub fn of(config: &Config) -> Self {
        let mut listed = Self::default();
        for target in &config.targets {
            let steps = target.step_executions.iter().map(|step| step.id);
            listed.steps.extend(steps);
            listed.workflows.extend(&target.workflow_executions);
            listed.images.extend(target.image_build_versions.clone());
        }
        listed
    }
}

impl Elsewhere for Listed {
    fn has_step(&self, id: &StepExecutionId) -> bool {
        self.steps.contains(id)
    }

    fn has_workflow(&self, id: &WorkflowExecutionId) -> bool {
        self.workflows.contains(id)
    }

    fn has_image(&self, arn: &ImageArn) -> bool {
        self.images.contains(arn)
    }
}
