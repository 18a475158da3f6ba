//! The List of a workflow execution's steps: what a page of it means, read or not.

use tokio::time::Instant;

use super::changes::Notice;
use super::context::Context;
use super::pace::HOUR;
use super::polling::StepPolling;
use super::queue::{Slot, Urgency};
use super::retention::Expiring;
use super::retry::Policy;
use super::step::{ObservedBy, Poll};
use super::workflows::Workflows;
use crate::api::{ApiError, Call, ErrorKind, Operation, StepPage};
use crate::model::{StepExecutionId, StepStatus, StepTotals, WorkflowExecutionId};
use crate::snapshot::StepRecord;

/// A response to a List of the steps of one execution, with what it is applied to.
pub(super) struct StepList<'a> {
    pub id: WorkflowExecutionId,
    pub workflows: &'a mut Workflows,
    pub c: &'a mut Context,
}

impl StepList<'_> {
    /// A page of the List of an execution's steps was read.
    pub(super) fn read(&mut self, page: StepPage, asked: Instant) {
        let id = self.id;
        self.revive();
        let poll = Poll::new(ObservedBy::List, asked, &mut self.c.jitter);
        let mut returned = Vec::new();
        for (step, answer) in page.entries {
            returned.push(step);
            self.step_found(step);
            if !self.polling().is_refreshed(id, &step) {
                continue;
            }
            match answer {
                Some(answer) => self.workflows.step_observed(step, answer, poll, self.c),
                None => self.step_unparsed(step),
            }
        }
        self.page_read(returned, page.next, asked);
    }

    /// The service knows the execution again, where it had not for an hour.
    fn revive(&mut self) {
        let Some(schedule) = self.workflows.executions.schedule_mut(self.id) else {
            return;
        };
        if !schedule.listing.pager.retries.gone {
            return;
        }
        if schedule.end.is_none()
            && let Some(all) = &mut schedule.all_steps
        {
            let expires = all.expires.take();
            let what = Expiring::Execution(self.id);
            self.c.retention.cancel(&what, expires);
        }
        for step in schedule.unsettled.clone() {
            self.workflows.steps.revive(&step);
        }
    }

    /// A step in the List of a tracked execution is tracked from now on, unless the
    /// configuration lists it for another target.
    fn step_found(&mut self, id: StepExecutionId) {
        let execution = self.id;
        let known = self.workflows.steps.contains(&id);
        let Some(all) = self.workflows.executions.all_steps_mut(execution) else {
            return;
        };
        if !known && self.c.assignment.listed.has_step(&id) {
            all.left_step = true;
            return;
        }
        if !all.steps.contains(&id) {
            all.steps.push(id);
        }
        if known {
            // A listed one that was not polled yet stays with the execution when it is listed no more.
            self.workflows.steps.list_by(&id, execution);
            return;
        }
        let mut record = StepRecord::unseen(id, self.c.labels.target());
        record.set_info_labels(self.workflows.info_labels(execution, self.c));
        self.workflows
            .steps
            .track_discovered(record, execution, self.c.pace.interval);
    }

    /// The status of a step is missing in a List: that poll of the step failed.
    fn step_unparsed(&mut self, id: StepExecutionId) {
        let failure = self.workflows.steps.fail(&id, ErrorKind::Parse, self.c);
        if let Some(failure) = failure {
            self.polling().poll_at(id, failure.slot.due);
        }
    }

    fn page_read(&mut self, returned: Vec<StepExecutionId>, next: Option<String>, asked: Instant) {
        let (id, now) = (self.id, self.c.now.instant);
        let call = Call::ListWorkflowStepExecutions(id);
        let shared = self.polling().shared_steps(id);
        let count = returned.len();
        let Some(schedule) = self.workflows.executions.schedule_mut(id) else {
            return;
        };
        let listing = &mut schedule.listing;
        listing.returned.extend(returned);
        if let Some(pause) = listing.pager.read(count, next) {
            // The steps of this page wait for the end of the List.
            let wanted = self.c.queue.remove(&call);
            listing.next = listing.next.into_iter().chain(wanted).reduce(Slot::or);
            let urgency = listing.next.map_or(Urgency::Running, |next| next.urgency);
            self.c.queue.put(call, Slot::new(now + pause, urgency));
            return;
        }
        let returned = std::mem::take(&mut listing.returned);
        let next = listing.next.take();
        let partial = std::mem::take(&mut listing.partial);
        // What the List leaves out is polled by itself.
        for step in shared.into_iter().filter(|step| !returned.contains(step)) {
            if let Some(schedule) = self.workflows.steps.schedule_mut(&step) {
                schedule.left_out = true;
            }
            self.polling().poll_at(step, now);
        }
        if let Some(next) = next {
            self.c.queue.no_later(call.clone(), next);
        }
        self.polling().stop_sharing(id);
        if partial && self.workflows.executions.tracks_all_steps(id) {
            return self
                .c
                .queue
                .no_later(call, Slot::new(now, Urgency::Running));
        }
        self.all_steps_listed(asked);
    }

    /// The List of an execution whose steps are all tracked was read to its end.
    fn all_steps_listed(&mut self, asked: Instant) {
        let (id, now) = (self.id, self.c.now.instant);
        let Some(all) = self.workflows.executions.all_steps_mut(id) else {
            return;
        };
        all.listed = Some(asked);
        all.attempted = true;
        let steps = all.steps.clone();
        let image = self.workflows.known_image(id);
        let list = self.polling().review(id, image.as_ref(), asked);
        if let Some((image, due)) = image.clone().zip(list) {
            self.c.list_executions_of(image, due, Urgency::Waiting);
        }
        let over = image.and_then(|image| self.workflows.images.over_since(&image));
        let pending_for = self.workflows.pending_for(id, self.c);
        if let Some(over) = over.filter(|over| now >= over.instant + pending_for) {
            self.workflows.executions.abandon(id, over);
        }
        let call = Call::ListWorkflowStepExecutions(id);
        if !self.workflows.settle(id, self.c) && !self.c.queue.is_waiting(&call) {
            let next = asked + self.c.jitter.nearly(self.c.pace.interval);
            let slot = Slot::new(next.max(now), Urgency::Waiting);
            self.polling().list_no_later(id, slot);
        }
        if !self.workflows.executions.has_ended(id) {
            let totals = self.totals(&steps);
            self.workflows.executions.count(id, totals);
        }
        // Only while a step of this one moves it is sure that it goes on, and the others wait.
        if self.polling().is_moving(id) {
            self.confirm_waiting();
        }
    }

    /// The steps of executions that wait behind this one still wait.
    fn confirm_waiting(&mut self) {
        let id = self.id;
        for other in self.workflows.executions.siblings(id) {
            if self.workflows.executions.waits_behind(other, id)
                && let Some(all) = self.workflows.executions.all_steps(other)
            {
                for step in &all.steps {
                    self.workflows.steps.confirm(step, self.c.now);
                }
            }
        }
    }

    fn totals(&self, steps: &[StepExecutionId]) -> StepTotals {
        let records = steps
            .iter()
            .filter_map(|id| self.workflows.steps.record(id));
        let records: Vec<_> = records.collect();
        let count = |status: StepStatus| {
            let observed = records.iter().filter_map(|record| record.observed.as_ref());
            observed
                .filter(|observed| observed.values.status == status)
                .count() as u32
        };
        StepTotals {
            planned: records.len() as u32,
            succeeded: count(StepStatus::Completed),
            failed: count(StepStatus::Failed),
            skipped: count(StepStatus::Skipped),
        }
    }

    /// A page of the List of an execution's steps could not be read.
    pub(super) fn failed(&mut self, error: &ApiError) {
        let (id, now) = (self.id, self.c.now.instant);
        let kind = error.about_operation();
        let shared = self.polling().shared_steps(id);
        let interval = self.polling().smallest_interval(id);
        let Some((schedule, interval)) = self.workflows.executions.schedule_mut(id).zip(interval)
        else {
            return;
        };
        let all = schedule.all_steps.is_some();
        if let Some(all) = &mut schedule.all_steps {
            all.attempted = true;
        }
        let policy = Policy {
            gone_after: all.then_some(HOUR),
            ..Policy::hourly(interval)
        };
        let listing = &mut schedule.listing;
        let was_gone = listing.pager.retries.gone;
        let failure = listing.pager.failed(kind, policy, self.c);
        let gone = listing.pager.retries.gone && !was_gone;
        if failure.restarted {
            listing.restart();
        }
        for step in &shared {
            self.workflows.steps.miss(step, error.kind, self.c.now);
        }
        match kind {
            ErrorKind::Forbidden => {
                self.c.deny(Operation::ListWorkflowStepExecutions);
                self.polling().poll_one_by_one(id, now);
            }
            // The service does not know the execution, and may still know its steps.
            ErrorKind::Client if !failure.half_read && !all => {
                if let Some(schedule) = self.workflows.executions.schedule_mut(id) {
                    schedule.listing.unusable_until = Some(now + HOUR);
                }
                self.polling().poll_one_by_one(id, now);
            }
            ErrorKind::Client if !failure.half_read => {
                let slot = Slot::new(now + failure.wait, Urgency::Waiting);
                self.c.queue.put(Call::ListWorkflowStepExecutions(id), slot);
                if gone {
                    self.workflows.execution_gone(id, self.c);
                    if !shared.is_empty() {
                        self.c.notice(Notice::ExecutionGone(id));
                    }
                }
            }
            _ => self.list_again(&shared, now + failure.wait),
        }
    }

    /// Lists again at `next`, or earlier where a step is polled for its timeout.
    fn list_again(&mut self, steps: &[StepExecutionId], next: Instant) {
        let slots = steps.iter().filter_map(|step| {
            let due = self
                .workflows
                .steps
                .schedule(step)?
                .before_timeout(next, self.c.now.instant);
            self.workflows.steps.slot(step, due)
        });
        let slot = slots.reduce(Slot::or);
        let slot = slot.unwrap_or(Slot::new(next, Urgency::Running));
        self.c
            .queue
            .put(Call::ListWorkflowStepExecutions(self.id), slot);
    }

    fn polling(&mut self) -> StepPolling<'_> {
        self.workflows.polling(self.c)
    }
}
