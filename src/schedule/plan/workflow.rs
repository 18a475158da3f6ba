//! The workflow executions of the followed steps: when to look at them, and what their end means.

use std::time::Duration;

use tokio::time::Instant;

use super::list::Listing;
use super::queue::{Slot, Urgency};
use super::whole::Whole;
use super::{Call, HOUR, Plan, SLOWLY, State, StepPlan};
use crate::api::ErrorKind;
use crate::clock::Now;
use crate::model::{
    StepExecutionId, Timestamp, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

#[derive(Debug, Default)]
pub(super) struct WorkflowPlan {
    /// Steps of it that are followed and not settled.
    pub followed: Vec<StepExecutionId>,
    pub failures: u32,
    pub unknown_since: Option<Instant>,
    /// Neither the right to look at it nor hope that it is still there.
    pub unavailable: bool,
    pub end: Option<WorkflowEnd>,
    pub listing: Listing,
    /// Where all its steps are followed, named or not.
    pub whole: Option<Whole>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct WorkflowEnd {
    /// When the answer that said so was there. A step seen before may have changed since.
    pub noticed: Instant,
    /// When the service says, or else when it was noticed.
    pub ended: Timestamp,
    /// Of a FAILED one, since when none of its steps was seen being rolled back: the service rolls
    /// one back after the other, and may say FAILED before it begins.
    pub quiet_since: Option<Instant>,
}

impl Plan {
    /// A look at a workflow execution was answered.
    pub fn workflow_answered(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
        now: Now,
    ) {
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return;
        };
        workflow.failures = 0;
        workflow.unknown_since = None;
        workflow.unavailable = false;
        if workflow.whole.is_some() {
            return self.whole_answered(id, answer, asked, now);
        }
        if answer.status.is_terminal() {
            self.workflow_ended(id, answer, now);
        } else if let Some(wait) = self.workflow_interval(id) {
            let next = (asked + self.jitter.nearly(wait)).max(now.instant);
            self.queue
                .put(Call::Workflow(id), Slot::new(next, Urgency::Waiting));
        }
    }

    /// A workflow execution has come to its end.
    pub(super) fn workflow_ended(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        now: Now,
    ) {
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return;
        };
        workflow.end = Some(WorkflowEnd {
            noticed: now.instant,
            ended: answer.end.unwrap_or(now.time),
            quiet_since: (answer.status == WorkflowStatus::Failed).then_some(now.instant),
        });
        // Each step may have changed since it was last seen: one more look at each.
        for step in workflow.followed.clone() {
            self.look_no_later(step, now.instant);
        }
    }

    /// A look at a workflow execution failed. Returns whether its steps are followed without it
    /// from now on, where they were not before.
    pub fn workflow_failed(
        &mut self,
        id: WorkflowExecutionId,
        kind: ErrorKind,
        now: Instant,
    ) -> bool {
        if self.is_whole(id) {
            return self.whole_look_failed(id, kind, now);
        }
        let interval = self.smallest_interval(id);
        let Some((workflow, interval)) = self.workflows.get_mut(&id).zip(interval) else {
            return false;
        };
        workflow.failures = workflow.failures.saturating_add(1);
        let mut wait = self.jitter.after_failure(kind, interval, workflow.failures);
        let forgotten = match kind {
            ErrorKind::Client => now >= *workflow.unknown_since.get_or_insert(now) + HOUR,
            _ => false,
        };
        let was = workflow.unavailable;
        workflow.unavailable |= forgotten || kind == ErrorKind::Forbidden;
        if workflow.unavailable {
            wait = self.jitter.nearly(HOUR);
        }
        let became = workflow.unavailable && !was;
        self.queue
            .put(Call::Workflow(id), Slot::new(now + wait, Urgency::Waiting));
        became
    }

    /// A step was seen: its workflow execution is looked at when that may have ended.
    pub(super) fn follow_workflow(&mut self, id: StepExecutionId, now: Now) {
        let Some(workflow_id) = self.steps.get(&id).and_then(|step| step.workflow) else {
            return;
        };
        let workflow = self.workflows.entry(workflow_id).or_default();
        if !workflow.followed.contains(&id) {
            workflow.followed.push(id);
        }
        if workflow.whole.is_some() {
            return;
        }
        let call = Call::Workflow(workflow_id);
        let in_flight = self.in_flight.contains(&call);
        if in_flight || workflow.end.is_some() || workflow.unavailable {
            return;
        }
        let failures = workflow.failures;
        let moving = self.is_moving(workflow_id);
        if !self.queue.is_waiting(&call) && !moving {
            // What the workflow says decides how the step is followed.
            self.queue
                .put(call, Slot::new(now.instant, Urgency::Waiting));
        } else if failures == 0
            && let Some(wait) = self.workflow_interval(workflow_id)
        {
            let slot = Slot::new(now.instant + wait, Urgency::Waiting);
            self.queue.no_later(call, slot);
        }
    }

    pub(super) fn unfollow_workflow(
        &mut self,
        id: StepExecutionId,
        workflow: Option<WorkflowExecutionId>,
        now: Instant,
    ) {
        let Some(workflow_id) = workflow else { return };
        let Some(workflow) = self.workflows.get_mut(&workflow_id) else {
            return;
        };
        workflow.followed.retain(|step| *step != id);
        if workflow.whole.is_some() {
            self.settle_whole(workflow_id, now);
        } else if workflow.followed.is_empty() {
            self.workflows.remove(&workflow_id);
            self.queue.remove(&Call::Workflow(workflow_id));
            self.queue.remove(&Call::Steps(workflow_id));
        } else {
            self.leave_list(workflow_id, now);
        }
    }

    /// A step of the execution was seen being rolled back: others may follow.
    pub(super) fn postpone_quiet(&mut self, id: StepExecutionId, now: Instant) {
        let workflow = self.steps.get(&id).and_then(|step| step.workflow);
        let end = workflow
            .and_then(|id| self.workflows.get_mut(&id))
            .and_then(|workflow| workflow.end.as_mut());
        if let Some(since) = end.and_then(|end| end.quiet_since.as_mut()) {
            *since = now;
        }
    }

    /// How often to look at a workflow execution: at the smallest interval of its steps while it
    /// may have ended, seldom while one of them moves or all wait.
    pub(super) fn workflow_interval(&self, id: WorkflowExecutionId) -> Option<Duration> {
        let interval = self.smallest_interval(id)?;
        let may_have_ended = !self.is_moving(id) && self.has_step_in(id, State::Ended);
        Some(if may_have_ended || self.has_step_in(id, State::Retrying) {
            interval
        } else {
            interval * SLOWLY
        })
    }

    pub(super) fn is_moving(&self, id: WorkflowExecutionId) -> bool {
        self.has_step_in(id, State::Moving)
    }

    pub(super) fn has_step_in(&self, id: WorkflowExecutionId, state: State) -> bool {
        let Some(workflow) = self.workflows.get(&id) else {
            return false;
        };
        let seen = |step: &StepExecutionId| self.steps.get(step).and_then(|step| step.seen);
        let mut seen = workflow.followed.iter().filter_map(seen);
        seen.any(|seen| seen.state == state)
    }

    pub(super) fn smallest_interval(&self, id: WorkflowExecutionId) -> Option<Duration> {
        let workflow = self.workflows.get(&id)?;
        let followed = workflow.followed.iter();
        let own = workflow.whole.as_ref().map(|_| self.pace.interval);
        followed
            .filter_map(|step| Some(self.steps.get(step)?.interval))
            .chain(own)
            .min()
    }

    pub(super) fn largest_interval(&self, workflow: &WorkflowPlan) -> Duration {
        let followed = workflow.followed.iter();
        let intervals = followed.filter_map(|step| Some(self.steps.get(step)?.interval));
        intervals.max().unwrap_or_default()
    }

    pub(super) fn workflow_of(&self, step: &StepPlan) -> Option<&WorkflowPlan> {
        self.workflows.get(&step.workflow?)
    }
}
