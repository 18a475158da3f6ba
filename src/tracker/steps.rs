//! The tracked steps: what was observed of each, when it is settled, and when it is polled next.
//!
//! Owns the rules about a single step. What concerns its workflow execution comes in as
//! [`ExecutionFacts`]; how a poll is made, by a Get or by a List, is decided in `polling`.

use std::time::Duration;

use tokio::time::Instant;

use super::changes::StepChange;
use super::context::Context;
use super::labels::Labels;
use super::queue::{Slot, Urgency};
use super::step::{
    ExecutionFacts, Observed, ObservedBy, Poll, State, StepFailure, StepSchedule, times_out,
};
use crate::api::ErrorKind;
use crate::clock::Now;
use crate::labels::LabelText;
use crate::model::{
    RollbackStatus, StepExecution, StepExecutionId, StepStatus, WorkflowExecutionId,
};
use crate::snapshot::{ImageName, Observation, Phase, StepRecord, StepTable};

/// A step whose workflow execution cannot be polled is polled this long after its last change. No
/// step runs for more than 12 hours, so a change within it is seen.
const POLLED_ALONE: Duration = Duration::from_secs(24 * 60 * 60);
/// For how many intervals none of the steps of a FAILED workflow execution must have been seen
/// rolling back until the rollback is taken for over. Two cover the time between the last poll of a
/// step that rolled back and the first poll of the next one.
const QUIET_INTERVALS: f64 = 2.5;
/// A step that ended, of a workflow execution that cannot be polled, is polled this many times less
/// often: often enough to know within five intervals whether the target can be polled.
pub(super) const SLOWLY_ALONE: u32 = 4;

/// The steps of one assignment.
#[derive(Debug, Default)]
pub(super) struct Steps {
    table: StepTable<StepSchedule>,
    /// Steps whose first attempt has not ended.
    unattempted: usize,
}

impl Steps {
    /// Returns the names of the images of all steps; `None` stands for an unknown image.
    pub(super) fn image_names(&self) -> impl Iterator<Item = Option<ImageName>> {
        let steps = self.table().rows().rows();
        let observed = steps.filter_map(|(record, _)| record.observed.as_ref());
        observed.map(|observed| observed.subject.image.as_ref().map(ImageName::of))
    }

    pub(super) fn table(&self) -> &StepTable<StepSchedule> {
        &self.table
    }

    pub(super) fn contains(&self, id: &StepExecutionId) -> bool {
        self.table.rows().contains(id)
    }

    pub(super) fn record(&self, id: &StepExecutionId) -> Option<&StepRecord> {
        self.table.rows().get(id)
    }

    pub(super) fn schedule(&self, id: &StepExecutionId) -> Option<&StepSchedule> {
        self.table.rows().state(id)
    }

    pub(super) fn schedule_mut(&mut self, id: &StepExecutionId) -> Option<&mut StepSchedule> {
        self.table.state_mut(id)
    }

    /// The steps for which `chosen` holds.
    pub(super) fn ids(
        &self,
        chosen: impl Fn(&StepRecord, &StepSchedule) -> bool,
    ) -> Vec<StepExecutionId> {
        let rows = self.table.rows().rows();
        let chosen = rows.filter(|(record, schedule)| chosen(record, schedule));
        chosen.map(|(record, _)| record.id).collect()
    }

    pub(super) fn state(&self, id: &StepExecutionId) -> Option<State> {
        self.record(id)?.observed.as_ref().map(State::of)
    }

    pub(super) fn phase(&self, id: &StepExecutionId) -> Option<Phase> {
        Some(self.record(id)?.phase)
    }

    /// The workflow execution that the step is polled with.
    pub(super) fn execution_of(&self, id: &StepExecutionId) -> Option<WorkflowExecutionId> {
        let (record, schedule) = self.table.rows().row(id)?;
        schedule.execution(record)
    }

    /// Whether the step has a rollback status.
    pub(super) fn rolled(&self, id: &StepExecutionId) -> bool {
        let observed = self.record(id).and_then(|record| record.observed.as_ref());
        observed.is_some_and(|observed| observed.values.rollback_status.is_some())
    }

    /// Whether the first attempt to poll each step has ended.
    pub(super) fn all_attempted(&self) -> bool {
        self.unattempted == 0
    }

    /// Tracks a step that the configuration lists.
    pub(super) fn track_listed(
        &mut self,
        id: StepExecutionId,
        interval: Duration,
        own_labels: LabelText,
    ) {
        self.unattempted += 1;
        let record = StepRecord::unseen(id, own_labels);
        self.table.insert(record, StepSchedule::new(interval, true));
    }

    /// Tracks a step that a List of its workflow execution returned.
    pub(super) fn track_discovered(
        &mut self,
        record: StepRecord,
        execution: WorkflowExecutionId,
        interval: Duration,
    ) {
        let mut schedule = StepSchedule::new(interval, false);
        schedule.attempted = true;
        schedule.set_listed_by(execution);
        self.table.insert(record, schedule);
    }

    /// Records that the List of the execution returned a step that is tracked.
    pub(super) fn list_by(&mut self, id: &StepExecutionId, execution: WorkflowExecutionId) {
        if self.execution_of(id).is_none()
            && let Some(schedule) = self.table.state_mut(id)
        {
            schedule.set_listed_by(execution);
        }
    }

    /// Returns whether there was such a step.
    pub(super) fn remove(&mut self, id: &StepExecutionId) -> bool {
        let removed = self.table.remove(id);
        if let Some((_, schedule)) = &removed {
            self.unattempted -= usize::from(!schedule.attempted);
        }
        removed.is_some()
    }

    /// Puts these steps first, in this order: what is listed is exposed as the file has it.
    pub(super) fn arrange(&mut self, first: impl Iterator<Item = StepExecutionId> + Clone) {
        // At the start, they are there already, and a second table would take as much memory.
        if first.clone().eq(self.table.rows().keys().copied()) {
            return;
        }
        let others = self.ids(|_, _| true);
        let mut arranged = StepTable::default();
        for id in first.chain(others) {
            if let Some((record, schedule)) = self.table.remove(&id) {
                arranged.insert(record, schedule);
            }
        }
        self.table = arranged;
    }

    /// Changes the record of a step.
    pub(super) fn update(&mut self, id: &StepExecutionId, change: impl FnOnce(&mut StepRecord)) {
        self.table.update(id, change);
    }

    pub(super) fn set_phase(&mut self, id: &StepExecutionId, phase: Phase) {
        self.update(id, |record| record.phase = phase);
    }

    /// Frees what only polls need, for a settled step. One that failed keeps it, for the review of its
    /// failure.
    pub(super) fn end_polls(&mut self, id: &StepExecutionId) {
        let observed = self.record(id).and_then(|record| record.observed.as_ref());
        let failed = observed.is_some_and(Observation::has_failed);
        if let Some(schedule) = self.table.state_mut(id).filter(|_| !failed) {
            schedule.end_polls();
        }
    }

    /// The step was gone with its execution, which the service knows again.
    pub(super) fn revive(&mut self, id: &StepExecutionId) {
        if let Some(schedule) = self.table.state_mut(id) {
            schedule.forget_retries();
        }
        self.update(id, |record| {
            record.phase = match (record.phase, &record.observed) {
                (Phase::Gone, Some(_)) => Phase::Active,
                (Phase::Gone, None) => Phase::Pending,
                (other, _) => other,
            };
        });
    }

    /// Applies a response about a step. `info_labels` come from the tags of its image.
    pub(super) fn observe(
        &mut self,
        id: &StepExecutionId,
        answer: StepExecution,
        by: ObservedBy,
        (labels, info_labels): (&Labels, LabelText),
        now: Now,
    ) -> Option<Observed> {
        let before = self.record(id)?.clone();
        self.attempted(id);
        let mut record = before.after_response(answer, labels.region(), now.time);
        record.full |= by == ObservedBy::Get;
        record.set_info_labels(info_labels);
        let schedule = self.table.state_mut(id)?;
        let observed = record.observed.as_mut()?;
        observed.set_budget(labels.budget_millis(observed));
        let seen = before.observed.as_ref();
        let same_state = seen.is_some_and(|seen| State::of(seen) == State::of(observed));
        let execution = schedule.execution(&before);
        schedule.observed(observed, same_state, now);
        let left = execution.filter(|_| execution != observed.subject.workflow_execution_id);
        schedule.left_out &= left.is_none();
        let rolled = |seen: &Observation| seen.values.rollback_status.is_some();
        let rolls = observed.values.rollback_status == Some(RollbackStatus::Running)
            || seen.is_some_and(|seen| rolled(seen) != rolled(observed));
        self.table.replace(record);
        Some(Observed {
            before,
            left,
            rolls,
        })
    }

    /// What became of a step since `before`.
    pub(super) fn change_since(
        &self,
        before: StepRecord,
        is_typical: bool,
        tracked_since: Instant,
    ) -> Option<StepChange> {
        let (after, schedule) = self.table.rows().row(&before.id)?;
        let since = schedule.changed()?;
        let end = after.observed.as_ref().and_then(|observed| observed.end);
        let is_old = before.observed.is_none()
            && !schedule.listed
            && end.is_some()
            && since.is_before(tracked_since);
        Some(StepChange {
            after: after.clone(),
            before,
            since,
            is_old,
            is_typical,
        })
    }

    /// A poll of the step by itself failed.
    pub(super) fn fail(
        &mut self,
        id: &StepExecutionId,
        kind: ErrorKind,
        c: &mut Context,
    ) -> Option<StepFailure> {
        let now = c.now;
        self.attempted(id);
        let schedule = self.table.state_mut(id)?;
        let policy = schedule.policy();
        let wait = schedule.retries_mut().failed(kind, policy, c);
        let retries = schedule.retries();
        let due = schedule.before_timeout(now.instant + wait, now.instant);
        let became_gone = retries.gone && self.record(id)?.phase != Phase::Gone;
        self.miss(id, kind, now);
        if retries.gone {
            self.set_phase(id, Phase::Gone);
        }
        Some(StepFailure {
            slot: self.slot(id, due)?,
            became_unknown: kind == ErrorKind::Client && retries.failures == 1,
            became_gone,
        })
    }

    /// A poll that was to refresh the step, with others, failed: it keeps what is known.
    pub(super) fn miss(&mut self, id: &StepExecutionId, kind: ErrorKind, now: Now) {
        self.update(id, |record| *record = record.after_failure(kind, now.time));
    }

    /// The step waits with its workflow execution, as was just seen of the one before: what is
    /// known of it is up to date.
    pub(super) fn confirm(&mut self, id: &StepExecutionId, now: Now) {
        self.update(id, |record| {
            if record.observed.is_some() {
                record.last_success = Some(now.time);
                record.failing = None;
            }
        });
    }

    /// A poll of the step that is due then. No List returns what a failure means, and
    /// alerts need that at once.
    pub(super) fn slot(&self, id: &StepExecutionId, due: Instant) -> Option<Slot> {
        let (record, schedule) = self.table.rows().row(id)?;
        let observed = record.observed.as_ref();
        let failed = observed.is_some_and(|observed| observed.values.status == StepStatus::Failed);
        let hurried_from = match schedule.times_out() {
            _ if failed && !record.full => Some(due),
            Some(moment) => Some(moment.checked_sub(schedule.interval).unwrap_or(moment)),
            None => None,
        };
        let urgency = match observed.map(State::of) {
            Some(State::Waiting | State::Ended) => Urgency::Waiting,
            Some(State::Moving | State::Retrying) | None => Urgency::Running,
        };
        Some(Slot {
            due,
            urgency,
            hurried_from,
        })
    }

    /// Whether the response to a poll that began at `asked` is final. `execution` is `None`
    /// where the workflow execution cannot be polled.
    pub(super) fn is_settled(
        &self,
        id: &StepExecutionId,
        execution: Option<ExecutionFacts>,
        asked: Instant,
        now: Now,
    ) -> bool {
        let Some((state, schedule)) = self.state(id).zip(self.schedule(id)) else {
            return false;
        };
        let Some(execution) = execution else {
            let changed = schedule.changed();
            return changed.is_some_and(|at| at.elapsed(now.instant) >= POLLED_ALONE);
        };
        execution.end.is_some_and(|end| {
            let long_ago = end.ended.elapsed(now.instant) >= execution.changes_for(state);
            let quiet = end
                .quiet_since
                .is_none_or(|since| asked >= since + execution.interval.mul_f64(QUIET_INTERVALS));
            // A FAILED step with attempts left gets none of them in an execution that ended.
            let ended = matches!(state, State::Ended | State::Retrying);
            asked >= end.noticed && ((ended && quiet) || long_ago)
        })
    }

    /// When a step that was just observed, and is not settled, is polled next: an interval after
    /// this poll, or earlier where something is known to happen earlier.
    pub(super) fn next_poll(
        &self,
        id: &StepExecutionId,
        execution: Option<ExecutionFacts>,
        Poll { asked, part, .. }: Poll,
        now: Now,
    ) -> Instant {
        let Some((record, schedule)) = self.table.rows().row(id) else {
            return now.instant;
        };
        let Some(observed) = &record.observed else {
            return now.instant;
        };
        let slowly = execution.is_none() && State::of(observed) == State::Ended;
        let wait = schedule.interval * if slowly { SLOWLY_ALONE } else { 1 };
        let settles = match execution {
            None => schedule.changed().map(|changed| changed.plus(POLLED_ALONE)),
            Some(execution) => match execution.end {
                Some(end) if asked < end.noticed => return now.instant,
                Some(end) => Some(end.ended.plus(execution.changes_for(State::of(observed)))),
                None => None,
            },
        };
        // What came while this poll was in flight is still to be seen.
        let in_flight = (now.instant - asked).as_millis() as i64;
        let times_out = times_out(observed)
            .filter(|moment| now.time.millis_since(*moment) < in_flight)
            .map(|moment| now.instant_at(moment));
        [settles, times_out]
            .into_iter()
            .flatten()
            .fold(asked + wait.mul_f64(part), Instant::min)
            .max(now.instant)
    }

    fn attempted(&mut self, id: &StepExecutionId) {
        if let Some(schedule) = self.table.state_mut(id) {
            self.unattempted -= usize::from(!schedule.attempted);
            schedule.attempted = true;
        }
    }
}
