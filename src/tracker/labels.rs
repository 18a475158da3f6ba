//! The labels and budgets that an assignment gives to what is observed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::Budgets;
use crate::config::{ListedStep, TagLabel, Target};
use crate::labels::LabelText;
use crate::model::Tags;
use crate::snapshot::Observation;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    target: LabelText,
    region: String,
    tag_labels: Vec<TagLabel>,
    budgets: Arc<Budgets>,
}

impl Labels {
    pub(super) fn new(
        target: &Target,
        region: &str,
        tag_labels: &[TagLabel],
        budgets: &Arc<Budgets>,
    ) -> Self {
        Self {
            target: own_labels(target, None),
            region: region.to_owned(),
            tag_labels: tag_labels.to_vec(),
            budgets: budgets.clone(),
        }
    }

    /// The target's own labels.
    pub(super) fn target(&self) -> LabelText {
        self.target.clone()
    }

    /// The own labels of a listed step, which most share with the target.
    pub(super) fn of_listed(&self, target: &Target, step: &ListedStep) -> LabelText {
        match step.labels.as_deref() {
            None => self.target(),
            labels => own_labels(target, labels),
        }
    }

    /// The region that is polled.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The tags that are labels of info series.
    pub(super) fn tags(&self, tags: &Tags) -> LabelText {
        LabelText::new(
            self.tag_labels
                .iter()
                .filter_map(|TagLabel { key, label }| {
                    let value = tags.get(key)?;
                    Some((label.as_str(), value.as_str()))
                }),
        )
    }

    pub(super) fn budget_millis(&self, observed: &Observation) -> Option<i64> {
        self.budgets.millis(observed)
    }
}

/// The labels of a target's series, with a listed step's on top.
pub fn own_labels(target: &Target, step: Option<&BTreeMap<String, String>>) -> LabelText {
    let mut labels = target.labels.clone();
    if let Some(step) = step {
        labels.extend(step.clone());
    }
    let pairs = labels.iter();
    LabelText::new(pairs.map(|(name, value)| (name.as_str(), value.as_str())))
}
