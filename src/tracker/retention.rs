//! What is evicted when: each execution and image a while after all of it has settled.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

/// A resource that is to be evicted, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expiring {
    Execution(WorkflowExecutionId),
    Image(ImageArn),
    /// Not evicted: only its unresolved failure is reviewed.
    Failure(StepExecutionId),
}

/// The evictions that are known, in their order. When a resource expires is kept with the resource
/// too, by whoever schedules it.
#[derive(Debug, Default)]
pub(super) struct Retention(BTreeSet<(Instant, Expiring)>);

impl Retention {
    /// Evicts the resource at `at`, and no longer at the time scheduled before.
    pub(super) fn schedule(&mut self, what: Expiring, at: Instant, before: Option<Instant>) {
        self.cancel(&what, before);
        self.0.insert((at, what));
    }

    pub(super) fn cancel(&mut self, what: &Expiring, at: Option<Instant>) {
        if let Some(at) = at {
            self.0.remove(&(at, what.clone()));
        }
    }

    /// When the next resource expires.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next resource that has expired by `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Expiring> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, what)| what)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Instant, Expiring)> {
        self.0.iter()
    }
}
