//! What one target polls in one region, as a configuration says.

use std::sync::Arc;

use super::budget::Budgets;
use super::labels::Labels;
use super::listed::Listed;
use super::pace::Pace;
use super::selection::Selection;
use crate::config::{BaselineSettings, Config, Metrics, Polling, Target};
use crate::model::{ImageArn, WorkflowExecutionId};

/// See the module. A reload gives a tracker another one of the same target and region.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub target: Target,
    /// The target's place in the file.
    pub rank: usize,
    pub region: String,
    pub polling: Polling,
    pub metrics: Metrics,
    pub baselines: BaselineSettings,
    pub budgets: Arc<Budgets>,
    /// What is listed one by one, for whatever target.
    pub listed: Arc<Listed>,
}

impl Assignment {
    /// One for each target and region of a configuration, in its order.
    pub fn all(config: &Config) -> Vec<Self> {
        let budgets = Arc::new(Budgets::new(&config.duration_budgets));
        let listed = Arc::new(Listed::of(config));
        let targets = config.targets.iter().enumerate();
        let assignments = targets.flat_map(|(rank, target)| {
            let (budgets, listed) = (&budgets, &listed);
            target.regions.iter().map(move |region| Self {
                target: target.clone(),
                rank,
                region: region.clone(),
                polling: config.polling.clone(),
                metrics: config.metrics.clone(),
                baselines: config.baselines.clone(),
                budgets: budgets.clone(),
                listed: listed.clone(),
            })
        });
        assignments.collect()
    }

    pub(super) fn selection(&self) -> Selection {
        Selection::new(&self.target, &self.region)
    }

    pub(super) fn labels(&self) -> Labels {
        let tags = &self.metrics.tag_labels;
        Labels::new(&self.target, &self.region, tags, &self.budgets)
    }

    pub(super) fn pace(&self) -> Pace {
        Pace {
            interval: self.polling.interval,
            discovery_interval: self.polling.discovery_interval,
            retention: self.metrics.retention,
            retention_failed: self.metrics.retention_failed,
        }
    }

    /// The images of this region that the target names.
    pub(super) fn named_images(&self) -> Vec<ImageArn> {
        let named = self.target.image_build_versions.iter();
        let here = named.filter(|arn| arn.region() == self.region);
        here.cloned().collect()
    }

    /// Whether the target names the resource with this id or ARN.
    pub(super) fn names(&self, id: &str) -> bool {
        let images = &self.target.image_build_versions;
        let executions = &self.target.workflow_executions;
        images.iter().any(|arn| arn.as_str() == id)
            || executions.iter().any(|named| named.to_string() == id)
    }

    /// Whether another target names the image.
    pub(super) fn leaves_image(&self, arn: &ImageArn) -> bool {
        self.listed.has_image(arn) && !self.target.image_build_versions.contains(arn)
    }

    /// Whether another target names the workflow execution.
    pub(super) fn leaves_execution(&self, id: &WorkflowExecutionId) -> bool {
        self.listed.has_execution(id) && !self.target.workflow_executions.contains(id)
    }
}
