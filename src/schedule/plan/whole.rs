//! Workflow executions that are followed as a whole: their steps come out of the List of them, and
//! they leave together, a while after all has settled.

use tokio::time::Instant;

use super::leave::{Leaver, Left, is_failed};
use super::list::ListRead;
use super::queue::{Slot, Urgency};
use super::{Call, HOUR, Plan, SLOWLY, State, StepPlan};
use crate::api::{ErrorKind, Operation};
use crate::clock::Now;
use crate::model::{
    ImageArn, StepExecutionId, Timestamp, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use crate::store::Phase;

/// What the configuration names is looked at again every so many discovery intervals once it has
/// settled.
pub(super) const SELDOM: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct Whole {
    /// The configuration names it.
    pub named: bool,
    /// Whether its steps have been listed, or could not be.
    pub attempted: bool,
    pub image: Option<ImageArn>,
    pub status: Option<WorkflowStatus>,
    /// Executions of one image and one group run at the same time.
    pub group: Option<String>,
    pub steps: Vec<StepExecutionId>,
    /// When the last List that was read to its end began.
    pub listed: Option<Instant>,
    /// When it leaves, once all has settled.
    pub leaves: Option<Timestamp>,
    /// When it was last looked at by itself.
    looked: Option<Instant>,
}

impl Plan {
    /// Follows just these workflow executions by their names in the configuration, beside those of
    /// images. Tells what is no longer followed.
    pub fn name_workflows(&mut self, ids: &[WorkflowExecutionId], now: Now) -> Left {
        let named = |id: &&WorkflowExecutionId| self.whole(**id).is_some_and(|whole| whole.named);
        let before = self.workflows.keys().filter(named);
        let before: Vec<_> = before.filter(|id| !ids.contains(id)).copied().collect();
        let mut left = Left::default();
        for id in before {
            if let Some(whole) = self.whole_mut(id) {
                whole.named = false;
            }
            if self.known_image_of(id).is_none() {
                self.drop_whole(id, now.instant, &mut left);
            }
        }
        for id in ids {
            let new = self.become_whole(*id);
            if let Some(whole) = self.whole_mut(*id) {
                whole.named = true;
            }
            if new && !self.in_flight.contains(&Call::Workflow(*id)) {
                let slot = Slot::new(now.instant, Urgency::Running);
                self.queue.no_later(Call::Workflow(*id), slot);
            }
        }
        left
    }

    /// An image's list tells of a workflow execution. Returns whether it is followed, as one that
    /// ended too long ago is not.
    pub fn workflow_found(
        &mut self,
        id: WorkflowExecutionId,
        image: &ImageArn,
        answer: &WorkflowExecution,
        asked: Instant,
        now: Now,
    ) -> bool {
        let Some(plan) = { self.images.get_mut(image) }.filter(|plan| plan.is_followed()) else {
            return false;
        };
        let failed = plan.failed() || is_failed(&answer.status);
        let terminal = answer.status.is_terminal();
        if terminal {
            let ended = answer.end.unwrap_or(now.time);
            plan.last_end = Some(plan.last_end.map_or(ended, |last| last.max(ended)));
            let leaves = ended.plus(self.retention(failed));
            if leaves <= now.time && !self.is_whole(id) {
                return false;
            }
        }
        if let Some(plan) = self.images.get_mut(image)
            && !plan.workflows.contains(&id)
        {
            plan.workflows.push(id);
        }
        self.become_whole(id);
        let Some(whole) = self.whole_mut(id) else {
            return false;
        };
        whole.image = Some(image.clone());
        let untold = whole.status.is_none();
        if self.is_outdated(id, answer, asked) {
            // Who followed only some steps of it knows of its end, and of nothing else.
            if untold && let Some(plan) = self.images.get_mut(image) {
                plan.reading.again = true;
            }
            return true;
        }
        self.workflow_told(id, answer, now);
        true
    }

    /// A step that a List of the whole execution tells of is followed from now on, if it was not.
    pub fn step_found(&mut self, id: StepExecutionId, workflow: WorkflowExecutionId) {
        let interval = self.pace.interval;
        let Some(whole) = self.whole_mut(workflow) else {
            return;
        };
        if !whole.steps.contains(&id) {
            whole.steps.push(id);
        }
        let step = self.steps.entry(id).or_insert(StepPlan {
            attempted: true,
            phase: Phase::Active,
            workflow: Some(workflow),
            ..StepPlan::new(interval, false)
        });
        // A listed one that was not answered yet stays with the execution when it is listed no more.
        step.workflow = step.workflow.or(Some(workflow));
    }

    /// Whether a look that began at `asked` does not tell yet that the execution has ended, which has
    /// become known since.
    pub fn is_outdated(
        &self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
    ) -> bool {
        let end = self.workflows.get(&id).and_then(|workflow| workflow.end);
        !answer.status.is_terminal() && end.is_some_and(|end| asked < end.noticed)
    }

    /// Whether the execution is known to have ended.
    pub fn has_ended(&self, id: WorkflowExecutionId) -> bool {
        let workflow = self.workflows.get(&id);
        workflow.is_some_and(|workflow| workflow.end.is_some())
    }

    /// Whether the execution is followed as a whole.
    pub fn is_whole(&self, id: WorkflowExecutionId) -> bool {
        self.whole(id).is_some()
    }

    /// The image whose execution it is.
    pub fn image_of(&self, id: WorkflowExecutionId) -> Option<&ImageArn> {
        self.whole(id)?.image.as_ref()
    }

    /// The same, where the image is followed, or remembered, itself: its list tells of the execution.
    fn known_image_of(&self, id: WorkflowExecutionId) -> Option<ImageArn> {
        let image = self.image_of(id)?;
        self.images.contains_key(image).then(|| image.clone())
    }

    /// A look at the execution by itself was answered.
    pub(super) fn whole_answered(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
        now: Now,
    ) {
        if let Some(whole) = self.whole_mut(id) {
            whole.looked = Some(asked);
            if whole.image.is_none() {
                whole.image = answer.image.clone();
            }
        }
        let ended = match self.is_outdated(id, answer, asked) {
            true => false,
            false => self.workflow_told(id, answer, now),
        };
        if let Some(image) = self.known_image_of(id) {
            if ended {
                self.read_workflows(&image, now.instant, Urgency::Running);
            }
        } else if !answer.status.is_terminal() {
            let wait = self.jitter.nearly(self.pace.interval * SLOWLY);
            let slot = Slot::new(asked + wait, Urgency::Waiting);
            self.queue.no_later(Call::Workflow(id), slot);
        }
        if self.has_ended(id) {
            self.look_seldom(id, now.instant);
        }
    }

    /// A look at the execution by itself failed. Returns whether such looks are denied from now on,
    /// where they were not before.
    pub(super) fn whole_look_failed(
        &mut self,
        id: WorkflowExecutionId,
        kind: ErrorKind,
        now: Instant,
    ) -> bool {
        let interval = self.pace.interval;
        let image = self.known_image_of(id);
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return false;
        };
        workflow.failures = workflow.failures.saturating_add(1);
        let failures = workflow.failures;
        if let Some(whole) = &mut workflow.whole {
            whole.attempted = true;
        }
        let forgotten =
            kind == ErrorKind::Client && now >= *workflow.unknown_since.get_or_insert(now) + HOUR;
        let mut wait = self.jitter.after_failure(kind, interval, failures);
        let mut became = false;
        if kind == ErrorKind::Forbidden {
            became = self.deny(Operation::GetWorkflowExecution, now);
            wait = self.jitter.nearly(HOUR);
        } else if forgotten {
            wait = self.jitter.nearly(HOUR);
        }
        match image {
            // Its list tells the same, and more.
            Some(image) => self.read_workflows(&image, now, Urgency::Waiting),
            None => {
                if let Some(workflow) = self.workflows.get_mut(&id) {
                    workflow.unavailable |= forgotten || kind == ErrorKind::Forbidden;
                }
                let slot = Slot::new(now + wait, Urgency::Waiting);
                self.queue.put(Call::Workflow(id), slot);
            }
        }
        became
    }

    /// A List of the whole execution was read to its end.
    pub(super) fn whole_read(
        &mut self,
        id: WorkflowExecutionId,
        asked: Instant,
        now: Instant,
    ) -> ListRead {
        let Some(whole) = self.whole_mut(id) else {
            return ListRead::default();
        };
        whole.listed = Some(asked);
        whole.attempted = true;
        let steps = whole.steps.clone();
        self.review(id, asked, now);
        self.abandon(id, now);
        if !self.settle_whole(id, now) {
            let call = Call::Steps(id);
            if !self.queue.is_waiting(&call) {
                let next = asked + self.jitter.nearly(self.pace.interval);
                let slot = Slot::new(next.max(now), Urgency::Waiting);
                self.list_no_later(id, slot);
            }
        }
        // Only while a step of this one moves it is sure that it goes on, and the others wait.
        let waiting = match self.is_moving(id) {
            true => self.siblings(id),
            false => Vec::new(),
        };
        let waiting = waiting
            .into_iter()
            .filter(|other| self.waits_behind(*other, id));
        let waiting = waiting.filter_map(|id| self.whole(id));
        ListRead {
            waiting: waiting.flat_map(|whole| whole.steps.clone()).collect(),
            whole: Some(steps),
        }
    }

    /// Where Lists can't be made: when they may be tried again.
    pub(super) fn list_when_allowed(&mut self, id: WorkflowExecutionId, now: Instant) {
        let finished = { self.whole(id) }.is_none_or(|whole| whole.leaves.is_some());
        let under_way = self.in_flight.contains(&Call::Steps(id));
        if finished || under_way || self.may_list(id, now) {
            return;
        }
        if let Some(whole) = self.whole_mut(id) {
            whole.attempted = true;
        }
        let unusable = self
            .workflows
            .get(&id)
            .and_then(|one| one.listing.unusable_until());
        let denied = self.denied(Operation::ListWorkflowStepExecutions, now);
        if let Some(until) = unusable.into_iter().chain(denied).max() {
            self.queue
                .no_later(Call::Steps(id), Slot::new(until, Urgency::Waiting));
        }
    }

    /// Whatever told it, this is how the execution stands. Returns whether it has ended, as it had
    /// not before.
    fn workflow_told(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        now: Now,
    ) -> bool {
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return false;
        };
        let Some(whole) = &mut workflow.whole else {
            return false;
        };
        let before = whole.status.replace(answer.status.clone());
        let changed = before.as_ref() != Some(&answer.status);
        if answer.parallel_group.is_some() {
            whole.group.clone_from(&answer.parallel_group);
        }
        let unread = whole.listed.is_none();
        let ended = answer.status.is_terminal() && workflow.end.is_none();
        let goes_on = !answer.status.is_terminal() && answer.status != WorkflowStatus::Pending;
        if ended {
            self.workflow_ended(id, answer, now);
            let ended = answer.end.unwrap_or(now.time);
            let leaves = ended.plus(self.retention_of(id));
            if unread && leaves <= now.time {
                // A reload names it still, though it has long left.
                self.leaves_at(id, leaves);
                return true;
            }
        } else if goes_on && workflow.end.is_some() {
            self.reopen(id, now.instant);
        }
        let urgency = match answer.status {
            WorkflowStatus::Pending => Urgency::Waiting,
            _ if answer.status.is_terminal() => Urgency::Waiting,
            _ => Urgency::Running,
        };
        if changed || unread {
            let slot = Slot::new(now.instant, urgency);
            if self.may_list(id, now.instant) {
                self.list_no_later(id, slot);
            } else {
                self.list_when_allowed(id, now.instant);
                self.settle_whole(id, now.instant);
            }
        }
        if changed && let Some(image) = self.image_of(id).cloned() {
            self.list_released(&image, now.instant);
        }
        ended
    }

    /// An execution that was taken for ended goes on.
    fn reopen(&mut self, id: WorkflowExecutionId, now: Instant) {
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return;
        };
        workflow.end = None;
        let Some(whole) = &mut workflow.whole else {
            return;
        };
        if let Some(leaves) = whole.leaves.take() {
            self.leaving.remove(&(leaves, Leaver::Workflow(id)));
        }
        let mut again = Vec::new();
        for id in &whole.steps {
            let Some(step) = self.steps.get_mut(id) else {
                continue;
            };
            if step.phase == Phase::Settled {
                step.phase = Phase::Active;
                workflow.followed.push(*id);
                again.push(*id);
            }
        }
        for id in again {
            self.look_at(id, now);
        }
    }

    /// Looks at the execution by itself where its steps suggest that it has begun, ended, or is
    /// being rolled back, and nobody said so yet.
    pub(super) fn review(&mut self, id: WorkflowExecutionId, asked: Instant, now: Instant) {
        let Some(workflow) = self.workflows.get(&id) else {
            return;
        };
        let Some(whole) = &workflow.whole else {
            return;
        };
        if workflow.end.is_some() {
            return;
        }
        let seen = || whole.steps.iter().filter_map(|id| self.steps.get(id)?.seen);
        let begun = seen().any(|seen| seen.state != State::Waiting);
        let over = |state| matches!(state, State::Ended | State::Retrying);
        let may_have_ended = !self.is_moving(id) && seen().any(|seen| over(seen.state));
        let rolls = seen().any(|seen| seen.rolled);
        let suggests = match &whole.status {
            None | Some(WorkflowStatus::Pending) => begun,
            Some(WorkflowStatus::Running) => may_have_ended || rolls,
            Some(_) => may_have_ended,
        };
        if !suggests {
            return;
        }
        // Where single Gets serve, each of them suggests the same.
        let soonest = whole.looked.map(|looked| looked + self.pace.interval / 2);
        let due = soonest.map_or(now, |soonest| soonest.max(asked)).max(now);
        let image = self.known_image_of(id);
        let failing = workflow.failures > 0;
        let call = Call::Workflow(id);
        let denied = self.denied(Operation::GetWorkflowExecution, now).is_some();
        match image {
            Some(image) if denied => {
                let due = now + self.jitter.nearly(self.pace.interval);
                self.read_workflows(&image, due, Urgency::Waiting);
            }
            _ if self.in_flight.contains(&call) => {}
            _ if failing && self.queue.is_waiting(&call) => {}
            _ => self.queue.no_later(call, Slot::new(due, Urgency::Waiting)),
        }
    }

    /// What the configuration names is looked at again, though seldom: it may be superseded.
    pub(super) fn look_seldom(&mut self, id: WorkflowExecutionId, now: Instant) {
        let call = Call::Workflow(id);
        let named = self.whole_mut(id).is_some_and(|whole| whole.named);
        if !named {
            self.queue.remove(&call);
        } else if !self.in_flight.contains(&call) {
            let wait = self.jitter.nearly(self.pace.discovery_interval * SELDOM);
            self.queue
                .put(call, Slot::new(now + wait, Urgency::Discovery));
        }
    }

    pub(super) fn whole(&self, id: WorkflowExecutionId) -> Option<&Whole> {
        self.workflows.get(&id)?.whole.as_ref()
    }

    pub(super) fn whole_mut(&mut self, id: WorkflowExecutionId) -> Option<&mut Whole> {
        self.workflows.get_mut(&id)?.whole.as_mut()
    }
}
