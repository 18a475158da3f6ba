//! How steps are polled: each by a Get, or all of a workflow execution by one List.
//!
//! A step is polled by a Get once, for its timeout and what its failure means. From then on one List
//! refreshes all tracked steps of a workflow execution, where there are several. This view borrows
//! the steps, the executions and the context. It does not apply responses.

use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::executions::Executions;
use super::pace::SELDOM;
use super::queue::{Slot, Urgency};
use super::step::{ExecutionFacts, State, StepSchedule};
use super::steps::Steps;
use crate::api::{Call, Operation};
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId, WorkflowStatus};
use crate::snapshot::{Phase, StepRecord};

/// A workflow execution that will hardly have ended is polled this many times less often.
pub(super) const SLOWLY: u32 = 10;

/// See the module.
pub(super) struct StepPolling<'a> {
    pub steps: &'a mut Steps,
    pub executions: &'a mut Executions,
    pub c: &'a mut Context,
}

impl StepPolling<'_> {
    /// Polls a step at `due`, by itself or with the others of its workflow execution.
    pub(super) fn poll_at(&mut self, id: StepExecutionId, due: Instant) {
        let Some(slot) = self.steps.slot(&id, due) else {
            return;
        };
        let Some(execution) = self.list_for(id, due) else {
            let call = Call::GetWorkflowStepExecution(id);
            if !self.c.queue.in_flight(&call) {
                self.c.queue.put(call, slot);
            }
            return;
        };
        self.list_no_later(execution, slot);
        // It and others that were polled one by one join. Most of the time there are none.
        let joins = |other: &&StepExecutionId| {
            let call = Call::GetWorkflowStepExecution(**other);
            self.c.queue.is_waiting(&call) && self.is_shared(other) && !self.lacks_get(other)
        };
        let joining = self.executions.unsettled(execution).iter().filter(joins);
        let joining: Vec<_> = joining.copied().collect();
        for other in joining {
            let waited = self.c.queue.remove(&Call::GetWorkflowStepExecution(other));
            if let Some(slot) = waited.filter(|_| other != id) {
                self.list_no_later(execution, slot);
            }
        }
    }

    /// Polls a step at `due`, or when it would be polled anyway where that is earlier.
    pub(super) fn poll_no_later(&mut self, id: StepExecutionId, due: Instant) {
        let Some(slot) = self.steps.slot(&id, due) else {
            return;
        };
        let call = Call::GetWorkflowStepExecution(id);
        if self.c.queue.is_waiting(&call) && !self.lacks_get(&id) {
            self.c.queue.no_later(call, slot);
        } else if let Some(execution) = self.list_for(id, due) {
            self.list_no_later(execution, slot);
        }
    }

    /// Lists the steps of an execution no later than then; not while it waits for another one.
    pub(super) fn list_no_later(&mut self, id: WorkflowExecutionId, slot: Slot) {
        if self.executions.waits_behind_another(id) {
            return;
        }
        // A page that failed does not wait longer for it.
        self.c
            .queue
            .request(Call::ListWorkflowStepExecutions(id), slot);
        if self.is_listing(id)
            && let Some(schedule) = self.executions.schedule_mut(id)
        {
            let next = &mut schedule.listing.next;
            *next = Some(next.map_or(slot, |next| next.or(slot)));
        }
    }

    /// Polls steps that are not listed at another interval than `before` from now on.
    pub(super) fn change_interval(&mut self, before: Duration) {
        let interval = self.c.pace.interval;
        for id in self.steps.ids(|_, schedule| !schedule.listed) {
            if let Some(schedule) = self.steps.schedule_mut(&id) {
                schedule.interval = interval;
            }
            if interval < before {
                self.poll_no_later(id, self.c.now.instant + interval);
            }
        }
    }

    /// Lists the steps of each execution that left one of them to another target.
    pub(super) fn list_left(&mut self) {
        for id in self.executions.tracked() {
            let all = self.executions.all_steps_mut(id);
            if all.is_some_and(|all| std::mem::take(&mut all.left_step)) {
                self.list_no_later(id, Slot::new(self.c.now.instant, Urgency::Waiting));
            }
        }
    }

    /// Lists the steps of those executions of an image that no longer wait for another one.
    pub(super) fn list_released(&mut self, image: &ImageArn) {
        for id in self.executions.of_image(image).to_vec() {
            let all = self.executions.all_steps(id);
            let unsettled = all.is_some_and(|all| all.expires.is_none());
            let status = self.executions.status(id);
            let pending = unsettled && status == Some(&WorkflowStatus::Pending);
            let call = Call::ListWorkflowStepExecutions(id);
            if pending && !self.c.queue.is_waiting(&call) {
                self.list_no_later(id, Slot::new(self.c.now.instant, Urgency::Waiting));
            }
        }
    }

    /// Whether a List of the execution's steps has begun and is not read to its end.
    pub(super) fn is_listing(&self, id: WorkflowExecutionId) -> bool {
        let schedule = self.executions.schedule(id);
        let half_read = schedule.is_some_and(|schedule| schedule.listing.pager.is_half_read());
        half_read
            || self
                .c
                .queue
                .in_flight(&Call::ListWorkflowStepExecutions(id))
    }

    /// Whether Lists of the execution's steps are neither denied nor useless now.
    pub(super) fn may_list(&self, id: WorkflowExecutionId, now: Instant) -> bool {
        let denied = self
            .c
            .queue
            .denied(Operation::ListWorkflowStepExecutions, now);
        let schedule = self.executions.schedule(id);
        let until = schedule.map(|schedule| schedule.listing.unusable_until);
        denied.is_none() && until.is_some_and(|until| until.is_none_or(|until| until <= now))
    }

    /// Polls each step by itself that the List was to refresh.
    pub(super) fn poll_one_by_one(&mut self, id: WorkflowExecutionId, due: Instant) {
        self.c.queue.remove(&Call::ListWorkflowStepExecutions(id));
        if let Some(schedule) = self.executions.schedule_mut(id) {
            schedule.listing.restart();
        }
        for step in self.shared_steps(id) {
            if let Some(slot) = self.steps.slot(&step, due) {
                self.c
                    .queue
                    .request(Call::GetWorkflowStepExecution(step), slot);
            }
        }
        self.list_when_allowed(id, due);
    }

    /// Where Lists cannot be made: when they may be tried again.
    pub(super) fn list_when_allowed(&mut self, id: WorkflowExecutionId, now: Instant) {
        let call = Call::ListWorkflowStepExecutions(id);
        let all = self.executions.all_steps(id);
        let finished = all.is_none_or(|all| all.expires.is_some());
        if finished || self.c.queue.in_flight(&call) || self.may_list(id, now) {
            return;
        }
        if let Some(all) = self.executions.all_steps_mut(id) {
            all.attempted = true;
        }
        let schedule = self.executions.schedule(id);
        let unusable = schedule.and_then(|schedule| schedule.listing.unusable_until);
        let denied = self
            .c
            .queue
            .denied(Operation::ListWorkflowStepExecutions, now);
        if let Some(until) = unusable.into_iter().chain(denied).max() {
            let slot = Slot::new(until, Urgency::Waiting);
            self.c.queue.no_later(call, slot);
        }
    }

    /// A List for a single step is none: the step is polled by itself again, when the List was due.
    pub(super) fn stop_sharing(&mut self, id: WorkflowExecutionId) {
        let few = self.shared_steps(id).len() < 2 && !self.executions.tracks_all_steps(id);
        if few && let Some(slot) = self.c.queue.remove(&Call::ListWorkflowStepExecutions(id)) {
            self.poll_one_by_one(id, slot.due.max(self.c.now.instant));
        }
    }

    /// The execution whose List is to refresh the step.
    fn list_for(&self, id: StepExecutionId, due: Instant) -> Option<WorkflowExecutionId> {
        let execution = self.steps.execution_of(&id)?;
        let all = self.executions.tracks_all_steps(execution);
        let polled_alone = self.c.queue.in_flight(&Call::GetWorkflowStepExecution(id));
        let shared = self.is_shared(&id)
            && (all || !polled_alone)
            && self.may_list(execution, due)
            && (all || self.shared_steps(execution).len() > 1);
        shared.then_some(execution)
    }

    /// The steps that a List of the execution refreshes.
    pub(super) fn shared_steps(&self, id: WorkflowExecutionId) -> Vec<StepExecutionId> {
        let unsettled = self.executions.unsettled(id).iter();
        unsettled.filter(|id| self.is_shared(id)).copied().collect()
    }

    /// Whether a List of the execution refreshes the step. It does not while a Get of the step is in
    /// flight.
    pub(super) fn is_refreshed(&self, by: WorkflowExecutionId, id: &StepExecutionId) -> bool {
        self.steps.execution_of(id) == Some(by)
            && self.is_shared(id)
            && !self.c.queue.in_flight(&Call::GetWorkflowStepExecution(*id))
    }

    /// Whether a List refreshes the step. One that is listed by itself must have been polled by a Get
    /// before, as only its response has everything. Where all steps are tracked, the List comes first.
    fn is_shared(&self, id: &StepExecutionId) -> bool {
        let Some((record, schedule)) = self.steps.table().rows().row(id) else {
            return false;
        };
        let all = self.in_tracked_execution(record, schedule);
        let active = match record.phase {
            Phase::Active => true,
            Phase::Pending => !schedule.listed,
            Phase::Settled | Phase::Gone => false,
        };
        (record.full || all)
            && !schedule.left_out
            && active
            && schedule.retries().unknown_since.is_none()
    }

    /// Whether all steps of the step's execution are tracked.
    fn in_tracked_execution(&self, record: &StepRecord, schedule: &StepSchedule) -> bool {
        let execution = schedule.execution(record);
        execution.is_some_and(|id| self.executions.tracks_all_steps(id))
    }

    /// Whether a Get is still to complete what Lists return of the step.
    pub(super) fn lacks_get(&self, id: &StepExecutionId) -> bool {
        let row = self.steps.table().rows().row(id);
        row.is_some_and(|(record, schedule)| {
            !record.full && self.in_tracked_execution(record, schedule)
        })
    }

    /// Requests the Get that completes the step, where it is still to be made. Where it waits
    /// already it does not become due earlier, but as urgent as the step has become.
    pub(super) fn request_get(&mut self, id: StepExecutionId) {
        let now = self.c.now.instant;
        let call = Call::GetWorkflowStepExecution(id);
        if !self.lacks_get(&id) || self.c.queue.in_flight(&call) {
            return;
        }
        let denied = self
            .c
            .queue
            .denied(Operation::GetWorkflowStepExecution, now);
        let due = self.c.queue.due(&call).or(denied).unwrap_or(now);
        if let Some(slot) = self.steps.slot(&id, due) {
            self.c.queue.no_later(call, slot);
        }
    }

    /// Whether a Get of the step only completes what its List returns.
    pub(super) fn get_only_completes(&self, id: &StepExecutionId) -> bool {
        let row = self.steps.table().rows().row(id);
        self.lacks_get(id)
            && row.is_some_and(|(record, schedule)| {
                let listed = schedule.execution(record);
                let listed = listed.is_some_and(|id| self.may_list(id, self.c.now.instant));
                listed && schedule.attempted && !schedule.left_out
            })
    }

    /// What the rules of a step need to know of its execution; `None` where that cannot be polled. It
    /// may be PENDING for `pending_for` after its end.
    pub(super) fn facts_for(
        &self,
        execution: WorkflowExecutionId,
        pending_for: Duration,
    ) -> Option<ExecutionFacts> {
        let schedule = self.executions.schedule(execution)?;
        (!schedule.unavailable).then(|| ExecutionFacts {
            end: schedule.end,
            interval: self.intervals(execution).max().unwrap_or_default(),
            pending_for,
        })
    }

    /// How often an execution is polled by itself: at the smallest interval of its steps while it
    /// may have ended, seldom while one of them moves or all wait.
    pub(super) fn execution_interval(&self, id: WorkflowExecutionId) -> Option<Duration> {
        let interval = self.smallest_interval(id)?;
        let may_have_ended = !self.is_moving(id) && self.any_in(id, State::Ended);
        Some(match may_have_ended || self.any_in(id, State::Retrying) {
            true => interval,
            false => interval * SLOWLY,
        })
    }

    /// Polls the execution by itself where its steps suggest that it has begun, ended or rolls back,
    /// and no response has said so yet. `image` is its image, where that is known: returns when the
    /// image's executions are to be listed instead.
    pub(super) fn review(
        &mut self,
        id: WorkflowExecutionId,
        image: Option<&ImageArn>,
        asked: Instant,
    ) -> Option<Instant> {
        let now = self.c.now.instant;
        let schedule = self.executions.schedule(id)?;
        let all = schedule.all_steps.as_ref()?;
        if schedule.end.is_some() || !self.suggests_change(id, &all.steps) {
            return None;
        }
        let call = Call::GetWorkflowExecution(id);
        let denied = self.c.queue.denied(Operation::GetWorkflowExecution, now);
        if image.is_some() && denied.is_some() {
            return Some(now + self.c.jitter.nearly(self.c.pace.interval));
        }
        if schedule.retries.failures == 0 || !self.c.queue.is_waiting(&call) {
            // Where single Gets serve, each of them suggests the same.
            let soonest = all.polled.map(|polled| polled + self.c.pace.interval / 2);
            let due = soonest.map_or(now, |soonest| soonest.max(asked)).max(now);
            self.c.queue.request(call, Slot::new(due, Urgency::Waiting));
        }
        None
    }

    fn suggests_change(&self, id: WorkflowExecutionId, steps: &[StepExecutionId]) -> bool {
        let states = || steps.iter().filter_map(|step| self.steps.state(step));
        let over = |state| matches!(state, State::Ended | State::Retrying);
        let may_have_ended = !self.is_moving(id) && states().any(over);
        match self.executions.status(id) {
            None | Some(WorkflowStatus::Pending) => states().any(|state| state != State::Waiting),
            Some(WorkflowStatus::Running) => {
                may_have_ended || steps.iter().any(|step| self.steps.rolled(step))
            }
            Some(_) => may_have_ended,
        }
    }

    /// Polls an execution that the configuration names again, though seldom: it may be superseded.
    pub(super) fn poll_named_seldom(&mut self, id: WorkflowExecutionId) {
        let call = Call::GetWorkflowExecution(id);
        if !self.executions.is_named(id) {
            self.c.queue.remove(&call);
        } else if !self.c.queue.in_flight(&call) {
            let interval = self.c.pace.discovery_interval * SELDOM;
            let due = self.c.now.instant + self.c.jitter.nearly(interval);
            self.c.queue.put(call, Slot::new(due, Urgency::Discovery));
        }
    }

    pub(super) fn is_moving(&self, id: WorkflowExecutionId) -> bool {
        self.any_in(id, State::Moving)
    }

    fn any_in(&self, id: WorkflowExecutionId, state: State) -> bool {
        let mut unsettled = self.executions.unsettled(id).iter();
        unsettled.any(|step| self.steps.state(step) == Some(state))
    }

    pub(super) fn smallest_interval(&self, id: WorkflowExecutionId) -> Option<Duration> {
        let own = { self.executions.all_steps(id) }.map(|_| self.c.pace.interval);
        self.intervals(id).chain(own).min()
    }

    fn intervals(&self, id: WorkflowExecutionId) -> impl Iterator<Item = Duration> {
        let unsettled = self.executions.unsettled(id).iter();
        unsettled.filter_map(|step| Some(self.steps.schedule(step)?.interval))
    }
}
