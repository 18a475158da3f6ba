//! One step as the plan sees it: what was last seen of it, and what is to be expected.

use std::time::Duration;

use tokio::time::Instant;

use super::queue::{Slot, Urgency};
use crate::model::{RollbackStatus, StepStatus, Timestamp, WorkflowExecutionId};
use crate::store::{Observation, Phase};

/// How soon after a step's timeout it is looked at: the service needs a moment to fail it.
const AFTER_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(super) struct StepPlan {
    /// The configuration lists it by itself.
    pub(super) listed: bool,
    pub(super) interval: Duration,
    pub(super) attempted: bool,
    /// Whether a Get was answered.
    pub(super) full: bool,
    /// Its workflow execution's List does not tell of it.
    pub(super) unlisted: bool,
    pub(super) failures: u32,
    /// Gets that were to complete what Lists tell, and failed in a row.
    pub(super) gets_failed: u32,
    /// Since when the service has said that it does not know the step.
    pub(super) unknown_since: Option<Instant>,
    pub(super) phase: Phase,
    pub(super) workflow: Option<WorkflowExecutionId>,
    /// What the last successful poll saw; `None` before it.
    pub(super) seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) state: State,
    /// Whether it has a rollback status.
    pub(super) rolled: bool,
    /// When the service says, or else when it was noticed, that the state began.
    pub(super) changed: Timestamp,
    /// When a running step is to be looked at for its timeout.
    pub(super) times_out: Option<Instant>,
    pub(super) failed: bool,
}

/// What is to be expected of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its turn.
    Waiting,
    /// It runs or is rolled back, or nobody knows what it does.
    Moving,
    /// It FAILED and has attempts left.
    Retrying,
    /// It has come to an end that only its workflow execution can undo.
    Ended,
}

impl StepPlan {
    pub(super) fn new(interval: Duration, listed: bool) -> Self {
        Self {
            listed,
            interval,
            attempted: false,
            full: false,
            unlisted: false,
            failures: 0,
            gets_failed: 0,
            unknown_since: None,
            phase: Phase::Pending,
            workflow: None,
            seen: None,
        }
    }

    /// A look at it that is due then. What its failure means no List tells, and who alerts on it
    /// needs it at once.
    pub(super) fn slot(&self, due: Instant) -> Slot {
        let hurried_from = self.seen.and_then(|seen| {
            if seen.failed && !self.full {
                return Some(due);
            }
            let moment = seen.times_out?;
            Some(moment.checked_sub(self.interval).unwrap_or(moment))
        });
        let urgency = match self.seen.map(|seen| seen.state) {
            Some(State::Waiting | State::Ended) => Urgency::Waiting,
            Some(State::Moving | State::Retrying) | None => Urgency::Running,
        };
        Slot {
            due,
            urgency,
            hurried_from,
        }
    }

    /// The next look after a failure: the one right after the timeout is not given up for it.
    pub(super) fn before_timeout(&self, next: Instant, now: Instant) -> Instant {
        match self.seen.and_then(|seen| seen.times_out) {
            Some(moment) if moment > now => moment.min(next),
            _ => next,
        }
    }
}

impl State {
    pub(super) fn of(observed: &Observation) -> Self {
        if observed.rollback_status == Some(RollbackStatus::Running) {
            Self::Moving
        } else if observed.will_be_retried() {
            Self::Retrying
        } else if observed.status.is_terminal() {
            Self::Ended
        } else if observed.status == StepStatus::Pending {
            Self::Waiting
        } else {
            Self::Moving
        }
    }
}

/// When a running step is to be looked at for its timeout.
pub(super) fn times_out(observed: &Observation) -> Option<Timestamp> {
    if observed.status != StepStatus::Running {
        return None;
    }
    let timeout = Duration::from_secs(observed.timeout_seconds?.into());
    Some(observed.start?.plus(timeout + AFTER_TIMEOUT))
}
