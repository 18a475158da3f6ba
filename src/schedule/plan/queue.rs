//! Calls by the time at which they are due; each waits at most once.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use super::{Call, DueCall};

#[derive(Debug, Default)]
pub(super) struct Queue {
    by_due: BTreeSet<(Instant, Call)>,
    due: HashMap<Call, Instant>,
}

impl Queue {
    /// Waits from now on for `due`, whatever it waited for before.
    pub(super) fn put(&mut self, call: Call, due: Instant) {
        self.remove(&call);
        self.by_due.insert((due, call));
        self.due.insert(call, due);
    }

    /// Waits for `due`, or for what it waits for already where that is earlier.
    pub(super) fn no_later(&mut self, call: Call, due: Instant) {
        if self.due.get(&call).is_none_or(|waiting| due < *waiting) {
            self.put(call, due);
        }
    }

    /// Says what the call waited for, if it did.
    pub(super) fn remove(&mut self, call: &Call) -> Option<Instant> {
        let due = self.due.remove(call)?;
        self.by_due.remove(&(due, *call));
        Some(due)
    }

    #[cfg(test)]
    pub(super) fn due(&self, call: &Call) -> Option<Instant> {
        self.due.get(call).copied()
    }

    #[cfg(test)]
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.due.keys()
    }

    pub(super) fn is_waiting(&self, call: &Call) -> bool {
        self.due.contains_key(call)
    }

    pub(super) fn first(&self) -> Option<DueCall> {
        let (due, call) = *self.by_due.first()?;
        Some(DueCall { call, due })
    }
}
