//! One List for all followed steps of a workflow execution, in place of a Get for each.

use std::collections::HashSet;

use tokio::time::Instant;

use super::queue::{Slot, Urgency};
use super::{Call, HOUR, Plan, StepPlan};
use crate::api::{ErrorKind, Operation};
use crate::clock::Now;
use crate::model::{StepExecutionId, WorkflowExecutionId};
use crate::store::Phase;

/// How far the pages of a List have been read, and whether it can be.
#[derive(Debug, Default)]
pub(super) struct Listing {
    failures: u32,
    /// Where the next page begins; `None` at the first.
    token: Option<String>,
    /// Steps that the pages so far told of.
    told: HashSet<StepExecutionId>,
    /// When the first of the steps told of wants to be seen again.
    next: Option<Slot>,
    /// Until when its steps are asked for one by one.
    unusable_until: Option<Instant>,
    /// It began before the execution was followed as a whole: what its first pages told of the other
    /// steps was lost.
    partial: bool,
    /// Of an execution that is followed as a whole, since when the service has said that it does
    /// not know it.
    pub(super) unknown_since: Option<Instant>,
}

impl Listing {
    pub(super) fn unusable_until(&self) -> Option<Instant> {
        self.unusable_until
    }

    /// The next page is the first.
    pub(super) fn begin_anew(&mut self) {
        self.token = None;
        self.told.clear();
        self.next = None;
        self.partial = false;
    }
}

/// What a failed List means.
#[derive(Debug)]
pub struct ListFailure {
    /// The steps it was to refresh.
    pub steps: Vec<StepExecutionId>,
    /// Lists are denied, as they were not before.
    pub denied: bool,
    /// The service has not known the workflow execution for so long that its steps are gone.
    pub gone: bool,
}

/// What a page of a List means beyond the steps it told of.
#[derive(Debug, Default)]
pub struct ListRead {
    /// Steps of an execution that is followed as a whole, once all of it is read.
    pub whole: Option<Vec<StepExecutionId>>,
    /// Steps of executions that wait behind this one, and so still wait.
    pub waiting: Vec<StepExecutionId>,
}

impl Plan {
    /// Where the next page of a List begins.
    pub fn page_token(&self, id: &WorkflowExecutionId) -> Option<String> {
        self.workflows.get(id)?.listing.token.clone()
    }

    /// Whether a List of the workflow execution refreshes the step: not one that is just asked for
    /// by itself.
    pub fn refreshes(&self, workflow: WorkflowExecutionId, id: &StepExecutionId) -> bool {
        let step = self.steps.get(id);
        step.is_some_and(|step| step.workflow == Some(workflow) && self.shares(step))
            && !self.in_flight.contains(&Call::Step(*id))
    }

    /// A page is read: it held these steps, and of each that it refreshes it is told how it stands.
    /// `next` is where the next page begins.
    pub fn page_read(
        &mut self,
        id: WorkflowExecutionId,
        told: impl IntoIterator<Item = StepExecutionId>,
        next: Option<String>,
        asked: Instant,
        now: Instant,
    ) -> ListRead {
        let sharers = self.sharers(id);
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return ListRead::default();
        };
        let listing = &mut workflow.listing;
        listing.failures = 0;
        listing.unknown_since = None;
        listing.told.extend(told);
        listing.token = next;
        if listing.token.is_some() {
            // The steps of this page wait for the end of the List.
            let wanted = self.queue.remove(&Call::Steps(id));
            listing.next = listing.next.into_iter().chain(wanted).reduce(Slot::or);
            let urgency = listing.next.map_or(Urgency::Running, |next| next.urgency);
            let next = Slot::new(now, urgency);
            self.queue.put(Call::Steps(id), next);
            return ListRead::default();
        }
        let told = std::mem::take(&mut listing.told);
        let next = listing.next.take();
        let partial = std::mem::take(&mut listing.partial);
        // What the List leaves out is asked for by itself.
        for step in sharers {
            if !told.contains(&step) {
                if let Some(step) = self.steps.get_mut(&step) {
                    step.unlisted = true;
                }
                self.look_at(step, now);
            }
        }
        if let Some(next) = next {
            self.queue.no_later(Call::Steps(id), next);
        }
        self.leave_list(id, now);
        if partial && self.is_whole(id) {
            let again = Slot::new(now, Urgency::Running);
            self.queue.no_later(Call::Steps(id), again);
            return ListRead::default();
        }
        self.whole_read(id, asked, now)
    }

    /// A List left out how a step stands: that poll of it failed.
    pub fn step_untold(&mut self, id: StepExecutionId, now: Instant) {
        let Some(step) = self.steps.get_mut(&id) else {
            return;
        };
        step.failures = step.failures.saturating_add(1);
        let wait = self
            .jitter
            .after_failure(ErrorKind::Parse, step.interval, step.failures);
        let next = step.before_timeout(now + wait, now);
        self.look_at(id, next);
    }

    /// The page asked for was larger than the service allows: the same again, smaller.
    pub fn page_too_large(&mut self, id: WorkflowExecutionId, now: Instant) {
        if self.workflows.contains_key(&id) {
            let slot = Slot::new(now, Urgency::Running);
            self.queue.put(Call::Steps(id), slot);
        }
    }

    /// A List failed.
    pub fn list_failed(
        &mut self,
        id: WorkflowExecutionId,
        kind: ErrorKind,
        at: Now,
    ) -> ListFailure {
        let now = at.instant;
        let steps = self.sharers(id);
        let interval = self.smallest_interval(id);
        let whole = self.is_whole(id);
        let mut denied = false;
        let mut gone = false;
        if let Some((workflow, interval)) = self.workflows.get_mut(&id).zip(interval) {
            if let Some(whole) = &mut workflow.whole {
                whole.attempted = true;
            }
            let listing = &mut workflow.listing;
            let half_read = listing.token.is_some();
            listing.begin_anew();
            listing.failures = listing.failures.saturating_add(1);
            match kind {
                ErrorKind::Forbidden => {
                    denied = self.deny(Operation::ListWorkflowStepExecutions, now);
                    self.look_one_by_one(id, now);
                }
                ErrorKind::Client if whole && !half_read => {
                    let since = *listing.unknown_since.get_or_insert(now);
                    let failures = listing.failures;
                    gone = now >= since + HOUR;
                    let wait = match gone {
                        true => self.jitter.nearly(HOUR),
                        false => {
                            let wait = self.jitter.after_failure(kind, interval, failures);
                            wait.min(since + HOUR - now)
                        }
                    };
                    let slot = Slot::new(now + wait, Urgency::Waiting);
                    self.queue.put(Call::Steps(id), slot);
                    if gone {
                        self.whole_gone(id, at);
                    }
                }
                // A token can expire between two pages; without one the service does not know the
                // workflow execution, and may still know its steps.
                ErrorKind::Client if !half_read => {
                    listing.unusable_until = Some(now + HOUR);
                    self.look_one_by_one(id, now);
                }
                _ => {
                    let failures = listing.failures;
                    let next = now + self.jitter.after_failure(kind, interval, failures);
                    let looks = steps.iter().filter_map(|step| self.steps.get(step));
                    let looks = looks.map(|step| step.slot(step.before_timeout(next, now)));
                    let first = looks.reduce(Slot::or);
                    let slot = first.unwrap_or(Slot::new(next, Urgency::Running));
                    self.queue.put(Call::Steps(id), slot);
                }
            }
        }
        ListFailure {
            steps,
            denied,
            gone,
        }
    }

    /// Looks at a step at `due`, by itself or with its siblings.
    pub(super) fn look_at(&mut self, id: StepExecutionId, due: Instant) {
        let Some(slot) = self.steps.get(&id).map(|step| step.slot(due)) else {
            return;
        };
        let Some(workflow) = self.list_of(id, due) else {
            if !self.in_flight.contains(&Call::Step(id)) {
                self.queue.put(Call::Step(id), slot);
            }
            return;
        };
        self.list_no_later(workflow, slot);
        // It and siblings that were asked for one by one join. Most of the time there are none.
        let Some(plan) = self.workflows.get(&workflow) else {
            return;
        };
        let joins = |sibling: &&StepExecutionId| {
            self.queue.is_waiting(&Call::Step(**sibling))
                && { self.steps.get(sibling) }.is_some_and(|step| self.shares(step))
                && !self.wants_get(sibling)
        };
        let joining: Vec<StepExecutionId> = plan.followed.iter().filter(joins).copied().collect();
        for sibling in joining {
            if let Some(slot) = self.queue.remove(&Call::Step(sibling))
                && sibling != id
            {
                self.list_no_later(workflow, slot);
            }
        }
    }

    /// Looks at a step at `due`, or when it would be looked at anyway where that is earlier.
    pub(super) fn look_no_later(&mut self, id: StepExecutionId, due: Instant) {
        let Some(slot) = self.steps.get(&id).map(|step| step.slot(due)) else {
            return;
        };
        if self.queue.is_waiting(&Call::Step(id)) && !self.wants_get(&id) {
            self.queue.no_later(Call::Step(id), slot);
        } else if let Some(workflow) = self.list_of(id, due) {
            self.list_no_later(workflow, slot);
        }
    }

    /// Follows the workflow execution as a whole from now on. Returns whether it was not before.
    pub(super) fn become_whole(&mut self, id: WorkflowExecutionId) -> bool {
        let reading = self.in_flight.contains(&Call::Steps(id)) || self.page_token(&id).is_some();
        let workflow = self.workflows.entry(id).or_default();
        let new = workflow.whole.is_none();
        workflow.whole.get_or_insert_default();
        workflow.listing.partial |= new && reading;
        new
    }

    pub(super) fn may_list(&self, id: WorkflowExecutionId, now: Instant) -> bool {
        let workflow = self.workflows.get(&id);
        let denied = self.denied(Operation::ListWorkflowStepExecutions, now);
        denied.is_none()
            && workflow.is_some_and(|workflow| {
                let until = workflow.listing.unusable_until;
                until.is_none_or(|until| until <= now)
            })
    }

    /// Asks for each step by itself that the List was to refresh.
    pub(super) fn look_one_by_one(&mut self, id: WorkflowExecutionId, due: Instant) {
        self.queue.remove(&Call::Steps(id));
        if let Some(workflow) = self.workflows.get_mut(&id) {
            workflow.listing.begin_anew();
        }
        for sharer in self.sharers(id) {
            if !self.in_flight.contains(&Call::Step(sharer))
                && let Some(step) = self.steps.get(&sharer)
            {
                let slot = step.slot(due);
                self.queue.no_later(Call::Step(sharer), slot);
            }
        }
        self.list_when_allowed(id, due);
    }

    /// A List for a single step is none: it is asked for by itself again, when the List was due.
    pub(super) fn leave_list(&mut self, id: WorkflowExecutionId, now: Instant) {
        let few = self.sharers(id).len() < 2 && !self.is_whole(id);
        if few && let Some(slot) = self.queue.remove(&Call::Steps(id)) {
            self.look_one_by_one(id, slot.due.max(now));
        }
    }

    /// The workflow execution whose List is to refresh the step.
    fn list_of(&self, id: StepExecutionId, due: Instant) -> Option<WorkflowExecutionId> {
        let step = self.steps.get(&id)?;
        let workflow = step.workflow?;
        let whole = self.is_whole(workflow);
        let asked_alone = self.in_flight.contains(&Call::Step(id));
        let shared = self.shares(step)
            && (whole || !asked_alone)
            && self.may_list(workflow, due)
            && (whole || self.sharers(workflow).len() > 1);
        shared.then_some(workflow)
    }

    pub(super) fn list_no_later(&mut self, id: WorkflowExecutionId, slot: Slot) {
        if self.waits_behind_another(id) {
            return;
        }
        let call = Call::Steps(id);
        let reading = self.in_flight.contains(&call) || self.page_token(&id).is_some();
        if !reading {
            self.queue.no_later(call, slot);
        } else if let Some(workflow) = self.workflows.get_mut(&id) {
            let next = &mut workflow.listing.next;
            *next = Some(next.map_or(slot, |next| next.or(slot)));
        }
    }

    /// The steps that a List of the workflow execution refreshes.
    fn sharers(&self, id: WorkflowExecutionId) -> Vec<StepExecutionId> {
        let Some(workflow) = self.workflows.get(&id) else {
            return Vec::new();
        };
        let shares = |id: &&StepExecutionId| {
            let step = self.steps.get(id);
            step.is_some_and(|step| self.shares(step))
        };
        workflow.followed.iter().filter(shares).copied().collect()
    }

    /// Whether a List refreshes the step. One by itself must have been asked for once, as only that
    /// tells all; of one that is followed with its whole workflow execution the List tells first.
    fn shares(&self, step: &StepPlan) -> bool {
        let whole = step.workflow.is_some_and(|id| self.is_whole(id));
        (step.full || whole)
            && !step.unlisted
            && step.phase == Phase::Active
            && step.unknown_since.is_none()
    }
}
