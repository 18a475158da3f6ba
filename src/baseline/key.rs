//! What identifies the step whose durations are known.

use std::hash::{Hash, Hasher};

use crate::labels::{LabelText, names};
use crate::snapshot::Observation;

/// The step. A retry takes another time than a first attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineKey {
    /// Of the text, kept because scrapes look up each RUNNING step.
    hash: u64,
    /// `account_id`, `region`, `image`, `workflow`.
    pub(super) subject: LabelText,
    /// `step`.
    pub(super) step: LabelText,
    pub(super) is_retry: bool,
}

impl Hash for BaselineKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.hash, self.is_retry).hash(state);
    }
}

impl BaselineKey {
    pub(super) fn of(observed: &Observation) -> Self {
        let Observation {
            subject,
            definition,
            values,
            ..
        } = observed;
        Self {
            hash: subject.identity_hash.rotate_left(32) ^ definition.identity_hash,
            subject: subject.identity.clone(),
            step: definition.identity.clone(),
            is_retry: values.attempt.is_some_and(|attempt| attempt > 1),
        }
    }

    /// `step`, `workflow` and `image`, which the globs of the configuration match.
    pub(super) fn names(&self) -> [String; 3] {
        [
            self.step.value(names::STEP),
            self.subject.value(names::WORKFLOW),
            self.subject.value(names::IMAGE),
        ]
    }

    pub(super) fn text(&self) -> (&str, &str, bool) {
        (self.subject.as_str(), self.step.as_str(), self.is_retry)
    }
}
