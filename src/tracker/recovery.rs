//! Ends the backoff of all calls when a success shows that an outage is over.
//!
//! Each call has its own backoff, which grows to minutes in an outage. The first success after the
//! outage ends the backoff of the others, so that all values are current within two intervals. A call
//! of the outage that fails later, at its timeout, does not wait for its backoff either.
//!
//! A call that fails alone keeps its backoff. So a success ends a backoff only after two intervals
//! without one: of its operation if the same call failed before, or of the target if its operation
//! failed before. Without a failure, few successes only show that few calls are made.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::context::Context;
use crate::api::{Call, ErrorKind, Operation};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// The calls that wait after a failure, unless the failure is about their resource.
    failed: BTreeMap<Operation, BTreeSet<Call>>,
    succeeded: BTreeMap<Operation, Instant>,
    /// When the last outage of each operation ended.
    ended: BTreeMap<Operation, Instant>,
}

impl Recovery {
    /// Records the failure of a call that was made at `asked`. It is scheduled again already, if at
    /// all.
    pub(super) fn failed(&mut self, call: &Call, kind: ErrorKind, asked: Instant, c: &mut Context) {
        let is_of_resource = matches!(kind, ErrorKind::Client | ErrorKind::Forbidden);
        let ended = self.ended.get(&call.operation());
        if !is_of_resource && ended.is_some_and(|ended| asked <= *ended) {
            // A call of the outage that only now reaches its timeout.
            let due = c.now.instant + c.jitter.below(c.pace.interval);
            c.queue.not_after(call, due);
        }
        let calls = self.failed.entry(call.operation()).or_default();
        match is_of_resource {
            true => calls.remove(call),
            false => calls.insert(call.clone()),
        };
        // Some may be about resources that are no longer tracked.
        if calls.len() > c.queue.len() {
            calls.retain(|call| c.queue.is_pending(call));
        }
    }

    /// Records the success of a call. Schedules the calls whose outage ended with it within an
    /// interval, each at a random time.
    pub(super) fn succeeded(&mut self, call: &Call, c: &mut Context) {
        let (operation, now) = (call.operation(), c.now.instant);
        let outage = c.pace.interval * 2;
        let is_first = |last: Option<Instant>| last.is_none_or(|last| now >= last + outage);
        let of_target = is_first(self.succeeded.values().max().copied());
        let of_operation = is_first(self.succeeded.insert(operation, now));
        let calls = self.failed.entry(operation).or_default();
        let of_target = of_target && !calls.is_empty();
        let of_operation = calls.remove(call) && of_operation;
        let over: Vec<Operation> = match (of_target, of_operation) {
            (true, _) => Operation::ALL.to_vec(),
            (false, true) => vec![operation],
            (false, false) => return,
        };
        self.ended.extend(over.iter().map(|over| (*over, now)));
        let calls = over.iter().filter_map(|over| self.failed.remove(over));
        for call in calls.flatten() {
            let due = now + c.jitter.below(c.pace.interval);
            c.queue.not_after(&call, due);
        }
    }
}
