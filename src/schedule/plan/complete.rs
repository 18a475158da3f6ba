//! The one Get of a step whose List tells all else of it: for its timeout and what its failure means.

use tokio::time::Instant;

use super::{Call, HOUR, Plan};
use crate::api::{ErrorKind, Operation};
use crate::model::StepExecutionId;

impl Plan {
    /// Whether a step still has to be asked for by itself, for what its List does not tell.
    pub(super) fn wants_get(&self, id: &StepExecutionId) -> bool {
        let step = self.steps.get(id);
        step.is_some_and(|step| {
            let whole = step.workflow.is_some_and(|id| self.is_whole(id));
            whole && !step.full
        })
    }

    /// Asks for a step by itself where that is still to be done. Where it waits already it doesn't
    /// come due earlier, but is as urgent as the step has become meanwhile.
    pub(super) fn want_get(&mut self, id: StepExecutionId, now: Instant) {
        let call = Call::Step(id);
        if !self.wants_get(&id) || self.in_flight.contains(&call) {
            return;
        }
        let denied = self.denied(Operation::GetWorkflowStepExecution, now);
        if let Some(step) = self.steps.get(&id) {
            let due = self.queue.due(&call).or(denied).unwrap_or(now);
            self.queue.no_later(call, step.slot(due));
        }
    }

    /// Whether a Get of the step only completes what its List tells.
    pub fn get_only_completes(&self, id: &StepExecutionId, now: Instant) -> bool {
        let step = self.steps.get(id);
        self.wants_get(id)
            && step.is_some_and(|step| {
                let listed = step.workflow.is_some_and(|id| self.may_list(id, now));
                listed && step.attempted && !step.unlisted
            })
    }

    /// A Get that was to complete what is known of a step failed: what is known is as true as before.
    /// Returns whether Gets are denied, as they were not before.
    pub fn get_failed(&mut self, id: StepExecutionId, kind: ErrorKind, now: Instant) -> bool {
        let Some(step) = self.steps.get_mut(&id) else {
            return false;
        };
        step.gets_failed = step.gets_failed.saturating_add(1);
        let (interval, failures) = (step.interval, step.gets_failed);
        let wait = match kind {
            ErrorKind::Client | ErrorKind::Forbidden => self.jitter.nearly(HOUR),
            _ => self.jitter.after_failure(kind, interval, failures),
        };
        let became =
            kind == ErrorKind::Forbidden && self.deny(Operation::GetWorkflowStepExecution, now);
        if let Some(step) = self.steps.get(&id) {
            let slot = step.slot(now + wait);
            self.queue.put(Call::Step(id), slot);
        }
        became
    }
}
