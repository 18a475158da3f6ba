//! The calls to make: what is due when and how urgently, what is in flight, what is denied.
//!
//! A call waits at most once, and never while it is in flight.
//!
//! While the rate limit suffices, each call is made when it is due. Where it does not, polls of steps
//! near their timeout go first, and those of failed steps that only a List has returned. All other
//! calls follow by how overdue they are, weighted by urgency: a running step counts twice as much as
//! one that waits, and that twice as much as discovery. Delay grows while a call waits, so that each
//! call is made at last.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tokio::time::Instant;

use super::pace::HOUR;
pub(super) use super::slot::Slot;
pub use super::slot::Urgency;
use super::waiting::{Waiting, WaitingCall};
use crate::api::{Call, Operation, Purpose};

/// A call that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCall {
    pub call: Call,
    /// When it became due.
    pub due: Instant,
    pub urgency: Urgency,
    pub purpose: Purpose,
}

/// After so many hurried calls in a row another one has its turn: the others are polled even
/// where the rate limit does not suffice for all steps that have failed or are near their timeouts.
const HURRIED_IN_A_ROW: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Waiting,
    /// Of each urgency, in the order of [`Urgency::ALL`].
    by_due: [BTreeSet<(Instant, WaitingCall)>; Urgency::ALL.len()],
    /// Calls that will be hurried.
    by_hurry: BTreeSet<(Instant, WaitingCall)>,
    /// Hurried calls taken in a row while others were due.
    in_a_row: u32,
    /// Calls that were taken and have not returned.
    in_flight: HashSet<Call>,
    /// Until when operations are not called, as they are denied.
    denied_until: BTreeMap<Operation, Instant>,
}

impl Queue {
    /// Waits from now on for `slot`, whatever it waited for before.
    pub(super) fn put(&mut self, call: Call, slot: Slot) {
        self.remove(&call);
        let waiting = self.waiting.insert(call, slot);
        self.by_due[slot.urgency as usize].insert((slot.due, waiting));
        if let Some(from) = slot.hurried_from {
            self.by_hurry.insert((from, waiting));
        }
    }

    /// Waits for `slot`, or for what it waits for already where that is earlier.
    pub(super) fn no_later(&mut self, call: Call, slot: Slot) {
        let slot = match self.waiting.slot(&call) {
            Some(waiting) => waiting.or(slot),
            None => slot,
        };
        self.put(call, slot);
    }

    /// Makes a call that waits no later than `due`.
    pub(super) fn not_after(&mut self, call: &Call, due: Instant) {
        if let Some(slot) = self.waiting.slot(call).filter(|slot| slot.due > due) {
            let slot = Slot { due, ..slot };
            self.put(call.clone(), slot);
        }
    }

    /// As [`Self::no_later`], except that nothing changes while the call is in flight.
    pub(super) fn request(&mut self, call: Call, slot: Slot) {
        if !self.in_flight(&call) {
            self.no_later(call, slot);
        }
    }

    /// Returns what the call waited for, if it did.
    pub(super) fn remove(&mut self, call: &Call) -> Option<Slot> {
        let waiting = self.waiting.find(call)?;
        Some(self.take_out(waiting)?.1)
    }

    /// Gives back the memory of calls that no longer wait.
    fn shrink(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.by_due.iter_mut().for_each(BTreeSet::clear);
        self.by_hurry.clear();
        for (call, slot) in waiting.into_calls() {
            self.put(call, slot);
        }
    }

    fn take_out(&mut self, waiting: WaitingCall) -> Option<(Call, Slot)> {
        let (call, slot) = self.waiting.remove(waiting)?;
        self.by_due[slot.urgency as usize].remove(&(slot.due, waiting));
        if let Some(from) = slot.hurried_from {
            self.by_hurry.remove(&(from, waiting));
        }
        if self.waiting.is_sparse() {
            self.shrink();
        }
        Some((call, slot))
    }

    pub(super) fn due(&self, call: &Call) -> Option<Instant> {
        self.waiting.slot(call).map(|slot| slot.due)
    }

    pub(super) fn in_flight(&self, call: &Call) -> bool {
        self.in_flight.contains(call)
    }

    /// Whether the call waits or is in flight.
    pub(super) fn is_pending(&self, call: &Call) -> bool {
        self.is_waiting(call) || self.in_flight(call)
    }

    /// The call is made now.
    pub(super) fn begin(&mut self, call: Call) {
        self.in_flight.insert(call);
    }

    /// The call has returned, however it went.
    pub(super) fn end(&mut self, call: &Call) {
        self.in_flight.remove(call);
    }

    /// Until when the operation is not called, where it is denied.
    pub(super) fn denied(&self, operation: Operation, now: Instant) -> Option<Instant> {
        let until = self.denied_until.get(&operation).copied();
        until.filter(|until| *until > now)
    }

    /// Whether the operation was denied when it was last called.
    pub(super) fn was_denied(&self, operation: Operation) -> bool {
        self.denied_until.contains_key(&operation)
    }

    /// The operation was denied. Returns whether it was not denied before.
    pub(super) fn deny(&mut self, operation: Operation, now: Instant) -> bool {
        self.denied_until.insert(operation, now + HOUR).is_none()
    }

    /// The operation succeeded.
    pub(super) fn allow(&mut self, operation: Operation) {
        self.denied_until.remove(&operation);
    }

    pub(super) fn denied_until(&self) -> impl Iterator<Item = (Operation, Instant)> {
        { self.denied_until.iter() }.map(|(operation, until)| (*operation, *until))
    }

    #[cfg(test)]
    pub(super) fn all_in_flight(&self) -> &HashSet<Call> {
        &self.in_flight
    }

    #[cfg(test)]
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.waiting.calls()
    }

    /// Returns the number of calls that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_waiting(&self, call: &Call) -> bool {
        self.waiting.find(call).is_some()
    }

    /// When the first call is due.
    pub(super) fn first_due(&self) -> Option<Instant> {
        let first = self.by_due.iter().filter_map(BTreeSet::first);
        first.map(|(due, _)| *due).min()
    }

    /// Takes the call whose turn it is among those that are due.
    pub(super) fn take(&mut self, now: Instant) -> Option<DueCall> {
        self.hurry(now);
        let mut turn: Option<(u128, Urgency)> = None;
        for urgency in Urgency::ALL {
            let first = self.by_due[urgency as usize].first();
            let Some((due, _)) = first.filter(|(due, _)| *due <= now) else {
                continue;
            };
            if urgency == Urgency::Hurried && self.in_a_row < HURRIED_IN_A_ROW {
                turn = Some((u128::MAX, urgency));
                break;
            }
            // Delay divided by patience, in whole numbers: each patience divides 4.
            let late = (now - *due).as_nanos() * 4 / u128::from(urgency.patience());
            if turn.is_none_or(|(latest, _)| late > latest) {
                turn = Some((late, urgency));
            }
        }
        let (_, urgency) = turn?;
        self.in_a_row = match urgency {
            Urgency::Hurried => (self.in_a_row + 1).min(HURRIED_IN_A_ROW),
            _ => 0,
        };
        let (due, waiting) = *self.by_due[urgency as usize].first()?;
        let (call, _) = self.take_out(waiting)?;
        Some(DueCall {
            call,
            due,
            urgency,
            purpose: Purpose::Polling,
        })
    }

    /// Hurries those whose time for it has come.
    fn hurry(&mut self, now: Instant) {
        while let Some((from, _)) = self.by_hurry.first()
            && *from <= now
        {
            let Some((_, waiting)) = self.by_hurry.pop_first() else {
                return;
            };
            if let Some((call, slot)) = self.take_out(waiting) {
                let slot = Slot {
                    urgency: Urgency::Hurried,
                    hurried_from: None,
                    ..slot
                };
                self.put(call, slot);
            }
        }
    }
}
