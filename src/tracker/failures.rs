//! The failed steps and builds of one target and region, and what is remembered of their successes.
//!
//! Owns the memory; `failure_review` decides with it which failures are unresolved.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use super::retention::{Expiring, Retention};
use crate::labels::LabelText;
use crate::model::{ImageArn, StepExecutionId, Timestamp};
use crate::snapshot::{ImageRecord, Observation};

/// The failures of one target and region.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// The tracked steps that FAILED, or whose rollback did, and when each is reviewed although nothing
    /// has happened.
    pub steps: HashMap<StepExecutionId, Option<Instant>>,
    pub histories: HashMap<StepKey, History>,
    /// The number of histories at which those of untracked steps are removed.
    pub sweep_at: usize,
    /// FAILED builds whose failure is neither exposed nor resolved yet.
    pub undecided: BTreeSet<ImageArn>,
    /// Whether the first attempt of every call has ended. Before that, the success that resolved an
    /// old failure may be unknown.
    pub complete: bool,
}

/// All executions of one step in one workflow of one image.
#[derive(Debug, Default)]
pub(super) struct History {
    /// When the newest COMPLETED one started.
    pub completed: Option<Timestamp>,
    pub failed: Vec<StepExecutionId>,
}

/// Account, region, image and workflow; and the step.
pub(super) type StepKey = (LabelText, LabelText);

impl Failures {
    /// Forgets a step that is no longer tracked.
    pub(super) fn forget(&mut self, id: &StepExecutionId, retention: &mut Retention) {
        if let Some(review) = self.steps.remove(id) {
            retention.cancel(&Expiring::Failure(*id), review);
        }
    }

    /// A FAILED build is exposed: its failure is to be reviewed.
    pub(super) fn build_failed(&mut self, image: &ImageRecord) {
        if image.failed() && image.unresolved.is_none() {
            self.undecided.insert(image.arn.clone());
        }
    }
}

/// `None` where a part of it is unknown: two such steps need not be the same.
pub(super) fn step_key(observed: &Observation) -> Option<StepKey> {
    let (subject, definition) = (&observed.subject, &observed.definition);
    let known = subject.image.is_some() && subject.workflow.is_some() && definition.name.is_some();
    known.then(|| (subject.identity.clone(), definition.identity.clone()))
}
