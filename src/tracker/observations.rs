//! Applies a response about a step or a workflow execution to both.

use std::time::Duration;

use tokio::time::Instant;

use super::changes::Notice;
use super::context::Context;
use super::executions::is_failed;
use super::pace::HOUR;
use super::polling::SLOWLY;
use super::queue::{Slot, Urgency};
use super::retention::Expiring;
use super::retry::{Policy, Retries};
use super::step::{ExecutionEnd, Poll, StepSchedule};
use super::workflows::Workflows;
use crate::api::{ApiError, Call, ErrorKind, Operation};
use crate::model::{
    ImageArn, StepExecution, StepExecutionId, WorkflowExecution, WorkflowExecutionId,
    WorkflowStatus,
};
use crate::snapshot::{Phase, StepRecord};

impl Workflows {
    /// The list of an image's executions returned one. One that ended too long ago is not tracked.
    pub(super) fn execution_found(
        &mut self,
        id: WorkflowExecutionId,
        image: &ImageArn,
        answer: &WorkflowExecution,
        asked: Instant,
        c: &mut Context,
    ) {
        if !self.images.is_tracked(image) {
            return;
        }
        let failed = self.images.failed(image) || is_failed(&answer.status);
        if answer.status.is_terminal() {
            let ended = self.executions.end_of(id, answer, c.now);
            let expired = ended.elapsed(c.now.instant) >= c.pace.retention(failed);
            if expired && !self.executions.tracks_all_steps(id) {
                return;
            }
        }
        self.track_all_steps(id, c);
        self.executions.set_image(id, Some(image.clone()));
        if !self.executions.is_outdated(id, answer, asked) {
            self.observe_execution(id, answer, c);
        } else if self.executions.status(id).is_none() {
            // While only some of its steps were tracked, its end was all that was observed.
            c.list_executions_of(image.clone(), c.now.instant, Urgency::Waiting);
        }
        // It may have settled before its image was known. A failed image extends its retention.
        self.settle(id, c);
    }

    /// A poll of the execution by itself succeeded.
    pub(super) fn execution_polled(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
        c: &mut Context,
    ) {
        let Some(schedule) = self.executions.schedule_mut(id) else {
            return;
        };
        schedule.retries = Retries::default();
        schedule.unavailable = false;
        if let Some(all) = &mut schedule.all_steps {
            all.polled = Some(asked);
            return self.tracked_execution_polled(id, answer, asked, c);
        }
        if answer.status.is_terminal() {
            self.execution_ended(id, answer, c);
        } else if let Some(wait) = self.polling(c).execution_interval(id) {
            let next = (asked + c.jitter.nearly(wait)).max(c.now.instant);
            let slot = Slot::new(next, Urgency::Waiting);
            c.queue.put(Call::GetWorkflowExecution(id), slot);
        }
    }

    fn tracked_execution_polled(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
        c: &mut Context,
    ) {
        self.executions.note_image(id, answer.image.clone());
        let current = !self.executions.is_outdated(id, answer, asked);
        let ended = current && self.observe_execution(id, answer, c);
        if let Some(image) = self.known_image(id) {
            if ended {
                c.list_executions_of(image, c.now.instant, Urgency::Running);
            }
        } else if !answer.status.is_terminal() {
            let wait = c.jitter.nearly(c.pace.interval * SLOWLY);
            let slot = Slot::new(asked + wait, Urgency::Waiting);
            c.queue.no_later(Call::GetWorkflowExecution(id), slot);
        }
        if self.executions.has_ended(id) {
            self.polling(c).poll_named_seldom(id);
        }
    }

    /// Applies any response about an execution. Returns whether the execution has newly ended.
    fn observe_execution(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        c: &mut Context,
    ) -> bool {
        let now = c.now.instant;
        let info_labels = self.info_labels(id, c);
        let changed = self.executions.observe(id, answer, &c.labels, info_labels);
        let unlisted = self
            .executions
            .all_steps(id)
            .is_none_or(|all| all.listed.is_none());
        let terminal = answer.status.is_terminal();
        let had_ended = self.executions.has_ended(id);
        let ended = terminal && !had_ended;
        if ended {
            self.execution_ended(id, answer, c);
            let ended = self.executions.end_of(id, answer, c.now);
            if unlisted && ended.elapsed(now) >= self.retention_of(id, c) {
                // A reload still names it, though its retention expired long ago.
                self.expire_at(id, now, c);
                return true;
            }
        } else if !terminal && answer.status != WorkflowStatus::Pending && had_ended {
            self.reopen(id, c);
        }
        let urgency = match terminal || answer.status == WorkflowStatus::Pending {
            true => Urgency::Waiting,
            false => Urgency::Running,
        };
        if changed || unlisted {
            let mut polling = self.polling(c);
            if polling.may_list(id, now) {
                polling.list_no_later(id, Slot::new(now, urgency));
            } else {
                polling.list_when_allowed(id, now);
                self.settle(id, c);
            }
        }
        if changed && let Some(image) = self.executions.image_of(id).cloned() {
            self.polling(c).list_released(&image);
        }
        ended
    }

    /// An execution has ended: each of its steps may have changed since it was last polled.
    fn execution_ended(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        c: &mut Context,
    ) {
        let now = c.now;
        let ended = self.executions.end_of(id, answer, now);
        let Some(schedule) = self.executions.schedule_mut(id) else {
            return;
        };
        schedule.end = Some(ExecutionEnd {
            noticed: now.instant,
            ended,
            quiet_since: (answer.status == WorkflowStatus::Failed).then_some(now.instant),
            succeeded: answer.status == WorkflowStatus::Completed && answer.retried != Some(true),
        });
        for step in schedule.unsettled.clone() {
            self.polling(c).poll_no_later(step, now.instant);
        }
    }

    /// An execution that was taken for ended goes on.
    fn reopen(&mut self, id: WorkflowExecutionId, c: &mut Context) {
        let Some(schedule) = self.executions.schedule_mut(id) else {
            return;
        };
        schedule.end = None;
        let Some(all) = &mut schedule.all_steps else {
            return;
        };
        let expires = all.expires.take();
        c.retention.cancel(&Expiring::Execution(id), expires);
        let settled = all.steps.iter().copied();
        let settled: Vec<_> = settled
            .filter(|step| self.steps.phase(step) == Some(Phase::Settled))
            .collect();
        schedule.unsettled.extend(&settled);
        for step in settled {
            self.steps.set_phase(&step, Phase::Active);
            let now = c.now.instant;
            self.polling(c).poll_at(step, now);
        }
    }

    /// A poll of the execution by itself failed.
    pub(super) fn execution_failed(
        &mut self,
        id: WorkflowExecutionId,
        kind: ErrorKind,
        c: &mut Context,
    ) {
        let now = c.now.instant;
        let Some(interval) = self.polling(c).smallest_interval(id) else {
            return;
        };
        let image = self.known_image(id);
        let Some(schedule) = self.executions.schedule_mut(id) else {
            return;
        };
        let policy = Policy::hourly(interval);
        let mut wait = schedule.retries.failed(kind, policy, c);
        let denied = kind == ErrorKind::Forbidden;
        let newly_denied = match &mut schedule.all_steps {
            Some(all) => {
                all.attempted = true;
                denied && c.queue.deny(Operation::GetWorkflowExecution, now)
            }
            None => denied && !schedule.unavailable,
        };
        if newly_denied {
            c.notice(Notice::ExecutionsDenied);
        }
        if let Some(image) = image {
            // The list of the image's executions returns the same, and more.
            return c.list_executions_of(image, now, Urgency::Waiting);
        }
        if let Some(schedule) = self.executions.schedule_mut(id) {
            schedule.unavailable |= schedule.retries.gone || denied;
            if schedule.unavailable && schedule.all_steps.is_none() {
                wait = c.jitter.nearly(HOUR);
            }
        }
        let slot = Slot::new(now + wait, Urgency::Waiting);
        c.queue.put(Call::GetWorkflowExecution(id), slot);
    }

    /// A response has a step.
    pub(super) fn step_observed(
        &mut self,
        id: StepExecutionId,
        answer: StepExecution,
        poll: Poll,
        c: &mut Context,
    ) {
        let execution = self.steps.execution_of(&id);
        let tags = execution.map(|id| self.info_labels(id, c));
        let labels = (&c.labels, tags.unwrap_or_default());
        let Some(observed) = self.steps.observe(&id, answer, poll.by, labels, c.now) else {
            return;
        };
        self.leave_execution(id, observed.left, c);
        self.join_execution(id, c);
        let execution = self.steps.execution_of(&id);
        let schedule = execution.and_then(|execution| self.executions.schedule_mut(execution));
        let end = schedule.and_then(|schedule| schedule.end.as_mut());
        if let Some(since) = end.and_then(|end| end.quiet_since.as_mut())
            && observed.rolls
        {
            // Other steps may follow.
            *since = c.now.instant;
        }
        let facts = execution.and_then(|execution| {
            let pending_for = self.pending_for(execution, c);
            self.polling(c).facts_for(execution, pending_for)
        });
        let is_settled = self.steps.is_settled(&id, facts, poll.asked, c.now);
        let succeeded = facts
            .and_then(|facts| facts.end)
            .is_some_and(|end| end.succeeded);
        if is_settled {
            self.steps.set_phase(&id, Phase::Settled);
            if !self.polling(c).lacks_get(&id) {
                c.queue.remove(&Call::GetWorkflowStepExecution(id));
            }
            self.leave_execution(id, execution, c);
        } else {
            let next = self.steps.next_poll(&id, facts, poll, c.now);
            self.polling(c).poll_at(id, next);
        }
        self.polling(c).request_get(id);
        let is_typical = is_settled && succeeded;
        let change = self
            .steps
            .change_since(observed.before, is_typical, c.since);
        c.changes.steps.extend(change);
        if is_settled && !self.polling(c).lacks_get(&id) {
            self.steps.end_polls(&id);
        }
    }

    /// The settled steps of executions that COMPLETED and were not superseded.
    pub(super) fn typical_steps(&self) -> impl Iterator<Item = StepRecord> {
        let is_typical = |(record, schedule): &(&StepRecord, &StepSchedule)| {
            let execution = schedule
                .execution(record)
                .and_then(|id| self.executions.schedule(id));
            let end = execution.and_then(|execution| execution.end);
            record.phase == Phase::Settled && end.is_some_and(|end| end.succeeded)
        };
        let rows = self.steps.table().rows().rows().filter(is_typical);
        rows.map(|(record, _)| record.clone())
    }

    /// How long after its end an execution, and each of its steps, may still be PENDING before that
    /// is final: an hour, or its retention where that is shorter.
    pub(super) fn pending_for(&self, id: WorkflowExecutionId, c: &Context) -> Duration {
        match self.executions.tracks_all_steps(id) {
            true => HOUR.min(self.retention_of(id, c)),
            // Steps that the configuration lists have no retention.
            false => HOUR,
        }
    }

    /// A poll of a step by itself failed.
    pub(super) fn step_failed(&mut self, id: StepExecutionId, error: &ApiError, c: &mut Context) {
        if self.polling(c).get_only_completes(&id) {
            return self.completion_failed(id, error.about_operation(), c);
        }
        let Some(failure) = self.steps.fail(&id, error.kind, c) else {
            return;
        };
        c.queue
            .put(Call::GetWorkflowStepExecution(id), failure.slot);
        if failure.became_gone {
            c.notice(Notice::StepGone(id));
        } else if failure.became_unknown {
            c.notice(Notice::StepUnknown(id));
        }
    }

    /// A Get that was to complete what is known of a step failed: the rest is as true as before.
    fn completion_failed(&mut self, id: StepExecutionId, kind: ErrorKind, c: &mut Context) {
        let now = c.now.instant;
        let Some(schedule) = self.steps.schedule_mut(&id) else {
            return;
        };
        let policy = schedule.completion_policy();
        let wait = schedule.completion_mut().failed(kind, policy, c);
        if let Some(slot) = self.steps.slot(&id, now + wait) {
            c.queue.put(Call::GetWorkflowStepExecution(id), slot);
        }
        if kind == ErrorKind::Forbidden {
            c.deny(Operation::GetWorkflowStepExecution);
        }
    }
}
