//! One List for all followed steps of a workflow execution, in place of a Get for each.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{Call, HOUR, Plan, StepPlan};
use crate::api::ErrorKind;
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
    next: Option<Instant>,
    /// Until when its steps are asked for one by one.
    unusable_until: Option<Instant>,
}

impl Listing {
    /// The next page is the first.
    fn begin_anew(&mut self) {
        self.token = None;
        self.told.clear();
        self.next = None;
    }
}

/// What a failed List means.
#[derive(Debug)]
pub struct ListFailure {
    /// The steps it was to refresh.
    pub steps: Vec<StepExecutionId>,
    /// Lists are denied, as they were not before.
    pub denied: bool,
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
        step.is_some_and(|step| step.workflow == Some(workflow) && step.shares())
            && !self.in_flight.contains(&Call::Step(*id))
    }

    /// A page is read: it held these steps, and of each that it refreshes it is told how it stands.
    /// `next` is where the next page begins.
    pub fn page_read(
        &mut self,
        id: WorkflowExecutionId,
        told: impl IntoIterator<Item = StepExecutionId>,
        next: Option<String>,
        now: Instant,
    ) {
        let sharers = self.sharers(id);
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return;
        };
        let listing = &mut workflow.listing;
        listing.failures = 0;
        listing.told.extend(told);
        listing.token = next;
        if listing.token.is_some() {
            // The steps of this page wait for the end of the List.
            let wanted = self.queue.remove(&Call::Steps(id));
            listing.next = listing.next.into_iter().chain(wanted).min();
            self.queue.put(Call::Steps(id), now);
            return;
        }
        let told = std::mem::take(&mut listing.told);
        let next = listing.next.take();
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
            self.queue.put(Call::Steps(id), now);
        }
    }

    /// A List failed.
    pub fn list_failed(
        &mut self,
        id: WorkflowExecutionId,
        kind: ErrorKind,
        now: Instant,
    ) -> ListFailure {
        let steps = self.sharers(id);
        let interval = self.smallest_interval(id);
        let mut denied = false;
        if let Some((workflow, interval)) = self.workflows.get_mut(&id).zip(interval) {
            let listing = &mut workflow.listing;
            let half_read = listing.token.is_some();
            listing.begin_anew();
            listing.failures = listing.failures.saturating_add(1);
            match kind {
                ErrorKind::Forbidden => {
                    let before = self.lists_denied_until.replace(now + HOUR);
                    denied = before.is_none();
                    self.look_one_by_one(id, now);
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
                    let looks = looks.map(|step| step.before_timeout(next, now));
                    self.queue.put(Call::Steps(id), looks.min().unwrap_or(next));
                }
            }
        }
        ListFailure { steps, denied }
    }

    /// Looks at a step at `due`, by itself or with its siblings.
    pub(super) fn look_at(&mut self, id: StepExecutionId, due: Instant) {
        let Some(workflow) = self.list_of(id, due) else {
            if !self.in_flight.contains(&Call::Step(id)) {
                self.queue.put(Call::Step(id), due);
            }
            return;
        };
        self.queue.remove(&Call::Step(id));
        self.list_no_later(workflow, due);
        // Siblings that were asked for one by one join.
        for sibling in self.sharers(workflow) {
            if let Some(due) = self.queue.remove(&Call::Step(sibling)) {
                self.list_no_later(workflow, due);
            }
        }
    }

    /// Looks at a step at `due`, or when it would be looked at anyway where that is earlier.
    pub(super) fn look_no_later(&mut self, id: StepExecutionId, due: Instant) {
        if self.queue.is_waiting(&Call::Step(id)) {
            self.queue.no_later(Call::Step(id), due);
        } else if let Some(workflow) = self.list_of(id, due) {
            self.list_no_later(workflow, due);
        }
    }

    pub(super) fn may_list(&self, id: WorkflowExecutionId, now: Instant) -> bool {
        let passed = |until: Option<Instant>| until.is_none_or(|until| until <= now);
        let workflow = self.workflows.get(&id);
        passed(self.lists_denied_until)
            && workflow.is_some_and(|workflow| passed(workflow.listing.unusable_until))
    }

    /// Asks for each step by itself that the List was to refresh.
    pub(super) fn look_one_by_one(&mut self, id: WorkflowExecutionId, due: Instant) {
        self.queue.remove(&Call::Steps(id));
        if let Some(workflow) = self.workflows.get_mut(&id) {
            workflow.listing.begin_anew();
        }
        for step in self.sharers(id) {
            if !self.in_flight.contains(&Call::Step(step)) {
                self.queue.no_later(Call::Step(step), due);
            }
        }
    }

    /// A List for a single step is none: it is asked for by itself again, when the List was due.
    pub(super) fn leave_list(&mut self, id: WorkflowExecutionId, now: Instant) {
        let few = self.sharers(id).len() < 2;
        if few && let Some(due) = self.queue.remove(&Call::Steps(id)) {
            self.look_one_by_one(id, due.max(now));
        }
    }

    /// The workflow execution whose List is to refresh the step.
    fn list_of(&self, id: StepExecutionId, due: Instant) -> Option<WorkflowExecutionId> {
        let step = self.steps.get(&id)?;
        let workflow = step.workflow?;
        let shared = step.shares()
            && !self.in_flight.contains(&Call::Step(id))
            && self.may_list(workflow, due)
            && self.sharers(workflow).len() > 1;
        shared.then_some(workflow)
    }

    fn list_no_later(&mut self, id: WorkflowExecutionId, due: Instant) {
        let call = Call::Steps(id);
        let reading = self.in_flight.contains(&call) || self.page_token(&id).is_some();
        if !reading {
            self.queue.no_later(call, due);
        } else if let Some(workflow) = self.workflows.get_mut(&id) {
            let next = workflow.listing.next;
            workflow.listing.next = next.into_iter().chain([due]).min();
        }
    }

    /// The steps that a List of the workflow execution refreshes.
    fn sharers(&self, id: WorkflowExecutionId) -> Vec<StepExecutionId> {
        let Some(workflow) = self.workflows.get(&id) else {
            return Vec::new();
        };
        let shares = |id: &&StepExecutionId| self.steps.get(id).is_some_and(StepPlan::shares);
        workflow.followed.iter().filter(shares).copied().collect()
    }
}

impl StepPlan {
    fn shares(&self) -> bool {
        self.full && !self.unlisted && self.phase == Phase::Active && self.unknown_since.is_none()
    }
}
