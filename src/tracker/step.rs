//! A single step: its schedule beside its record, what it is expected to do next, and when its
//! timeout comes.

use std::time::Duration;

use tokio::time::Instant;

use super::pace::{HOUR, Jitter};
use super::queue::Slot;
use super::retry::{Policy, Retries};
use crate::clock::{Now, Past};
use crate::model::{RollbackStatus, StepStatus, Timestamp, WorkflowExecutionId};
use crate::snapshot::{Observation, StepRecord};

/// How soon after its timeout a step is polled: the service needs a moment to fail it.
const AFTER_TIMEOUT: Duration = Duration::from_secs(1);

/// The operation that returned a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObservedBy {
    Get,
    /// Everything but `timeoutSeconds` and `onFailure`.
    List,
}

/// A call that returned one step or several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    pub by: ObservedBy,
    /// When it was made.
    pub asked: Instant,
    /// The part of its interval after which each of its steps is polled next. It is the same for
    /// all steps of a List, because the earliest one decides when the List is made again.
    pub part: f64,
}

impl Poll {
    pub(super) fn new(by: ObservedBy, asked: Instant, jitter: &mut Jitter) -> Self {
        let part = jitter.part();
        Self { by, asked, part }
    }
}

/// What a step is expected to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its turn.
    Waiting,
    /// It runs or rolls back, or has a status that is not known.
    Moving,
    /// It FAILED and has attempts left.
    Retrying,
    /// It has ended, and only its workflow execution can change that.
    Ended,
}

impl State {
    pub(super) fn of(observed: &Observation) -> Self {
        if observed.values.rollback_status == Some(RollbackStatus::Running) {
            Self::Moving
        } else if observed.will_be_retried() {
            Self::Retrying
        } else if observed.values.status.is_terminal() {
            Self::Ended
        } else if observed.values.status == StepStatus::Pending {
            Self::Waiting
        } else {
            Self::Moving
        }
    }
}

/// The schedule of a step, beside its record.
#[derive(Clone, Debug)]
pub(super) struct StepSchedule {
    /// The configuration lists the step by itself.
    pub listed: bool,
    /// Whether the first attempt to poll it has ended, well or not.
    pub attempted: bool,
    /// The List of its workflow execution leaves it out.
    pub left_out: bool,
    pub interval: Duration,
    /// A settled step has none, unless it failed or waits for its Get.
    polls: Option<Box<Polls>>,
}

/// What the polls of a step found, beyond its record.
#[derive(Clone, Debug, Default)]
struct Polls {
    /// When its state began, as the service says or else as it was noticed; `None` before the first
    /// response.
    changed: Option<Past>,
    /// When a running step is polled for its timeout.
    times_out: Option<Instant>,
    /// Most steps have none.
    failed: Option<Box<FailedPolls>>,
    /// The workflow execution whose List returned it, unless its own response says which it is.
    listed_by: Option<Box<WorkflowExecutionId>>,
}

/// The failures of a step's polls.
#[derive(Clone, Debug, Default)]
struct FailedPolls {
    polls: Retries,
    completion: Retries,
}

/// What the rules of a step need to know of its workflow execution, where that can be polled.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExecutionFacts {
    pub end: Option<ExecutionEnd>,
    /// The largest polling interval among its steps.
    pub interval: Duration,
    /// How long after its end a step that is still PENDING settles.
    pub pending_for: Duration,
}

impl ExecutionFacts {
    /// For how long after the end of the execution a step in this state may still change.
    pub(super) fn changes_for(&self, state: State) -> Duration {
        match state {
            State::Waiting => self.pending_for,
            // It may roll back for longer than the execution is kept.
            State::Moving | State::Retrying | State::Ended => HOUR,
        }
    }
}

/// The end of a workflow execution.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExecutionEnd {
    /// When the response that said so arrived. A step polled before may have changed since.
    pub noticed: Instant,
    /// When it ended, as the service says or else as it was noticed.
    pub ended: Past,
    /// Of a FAILED one, since when none of its steps was seen rolling back: the service rolls one
    /// back after the other, and may say FAILED before it begins.
    pub quiet_since: Option<Instant>,
    /// It COMPLETED, and no retry of the build superseded it.
    pub succeeded: bool,
}

/// What a response changed of a step, beyond its record.
#[derive(Debug)]
pub(super) struct Observed {
    pub before: StepRecord,
    /// The workflow execution that it was polled with until now.
    pub left: Option<WorkflowExecutionId>,
    /// It rolls back, or its rollback began or ended.
    pub rolls: bool,
}

/// What a failed poll of a step means.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepFailure {
    /// When it is polled again.
    pub slot: Slot,
    /// The service said, for the first time in a row, that it does not know the step.
    pub became_unknown: bool,
    /// The service has said so for an hour.
    pub became_gone: bool,
}

impl StepSchedule {
    pub(super) fn new(interval: Duration, listed: bool) -> Self {
        Self {
            listed,
            attempted: false,
            left_out: false,
            interval,
            polls: None,
        }
    }

    /// The workflow execution that the step of this record is polled with.
    pub(super) fn execution(&self, record: &StepRecord) -> Option<WorkflowExecutionId> {
        let observed = record.observed.as_ref();
        let own = observed.and_then(|observed| observed.subject.workflow_execution_id);
        own.or_else(|| self.polls.as_ref()?.listed_by.as_deref().copied())
    }

    /// Records that the List of this workflow execution returned the step, which is polled with no other.
    pub(super) fn set_listed_by(&mut self, execution: WorkflowExecutionId) {
        self.polls.get_or_insert_default().listed_by = Some(Box::new(execution));
    }

    /// Returns when its state began; `None` before the first response, and after [`Self::end_polls`].
    pub(super) fn changed(&self) -> Option<Past> {
        self.polls.as_ref()?.changed
    }

    /// When a running step is polled for its timeout.
    pub(super) fn times_out(&self) -> Option<Instant> {
        self.polls.as_ref()?.times_out
    }

    /// Records a successful poll. `same` says that the response before had the same state.
    pub(super) fn observed(&mut self, observed: &Observation, same: bool, now: Now) {
        let changed = self.changed_at(observed, same, now);
        let polls = self.polls.get_or_insert_default();
        polls.changed = Some(changed);
        polls.times_out = times_out(observed).map(|moment| now.instant_at(moment));
        polls.listed_by = None;
        self.forget_retries();
    }

    /// Frees what only polls need, after the last one, which has said what execution the step is of.
    pub(super) fn end_polls(&mut self) {
        self.polls = None;
    }

    fn failed(&self) -> Option<&FailedPolls> {
        self.polls.as_ref()?.failed.as_deref()
    }

    fn failed_mut(&mut self) -> &mut FailedPolls {
        let polls = self.polls.get_or_insert_default();
        polls.failed.get_or_insert_default()
    }

    /// Returns the polls that failed in a row.
    pub(super) fn retries(&self) -> Retries {
        self.failed()
            .map_or_else(Retries::default, |failed| failed.polls)
    }

    pub(super) fn retries_mut(&mut self) -> &mut Retries {
        &mut self.failed_mut().polls
    }

    /// A poll succeeded.
    pub(super) fn forget_retries(&mut self) {
        let polls = self.polls.as_mut();
        if let Some(failed) = polls.and_then(|polls| polls.failed.as_mut()) {
            failed.polls = Retries::default();
        }
    }

    /// Returns the Gets that were to complete what Lists return, and failed in a row.
    pub(super) fn completion(&self) -> Retries {
        self.failed()
            .map_or_else(Retries::default, |failed| failed.completion)
    }

    pub(super) fn completion_mut(&mut self) -> &mut Retries {
        &mut self.failed_mut().completion
    }

    /// Returns when the state of a response began. `same` says that the response before had it too.
    fn changed_at(&self, observed: &Observation, same: bool, now: Now) -> Past {
        let time = observed.end.or(observed.start);
        let known = self
            .changed()
            .filter(|known| time.map_or(same, |time| time == known.time()));
        known.unwrap_or_else(|| now.past(time.unwrap_or(now.time)))
    }

    /// The next poll after a failure: the one right after the timeout is not given up for it.
    pub(super) fn before_timeout(&self, next: Instant, now: Instant) -> Instant {
        match self.times_out() {
            Some(moment) if moment > now => moment.min(next),
            _ => next,
        }
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            denied_hourly: false,
            ..Policy::hourly(self.interval)
        }
    }

    /// The policy of Gets that only complete what a List returns: the known values are still true, so
    /// that a refusal is believed at once.
    pub(super) fn completion_policy(&self) -> Policy {
        Policy {
            gone_after: Some(Duration::ZERO),
            ..Policy::hourly(self.interval)
        }
    }
}

/// When a running step is polled for its timeout.
pub(super) fn times_out(observed: &Observation) -> Option<Timestamp> {
    if observed.values.status != StepStatus::Running {
        return None;
    }
    let timeout = Duration::from_secs(observed.values.timeout_seconds?.into());
    Some(observed.start?.plus(timeout + AFTER_TIMEOUT))
}
