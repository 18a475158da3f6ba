//! The calls that wait, each with what it waits for.
//!
//! Sets that order the calls hold their places here, because a call is several times as large.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::slot::Slot;
use crate::api::{Call, Operation};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// `None` where a call has been removed.
    entries: Vec<Option<(Call, Slot)>>,
    /// The places of the removed ones.
    free: Vec<u32>,
    /// The places by their calls.
    places: HashTable<u32>,
    hashes: RandomState,
}

/// A call that waits, while it does. Calls of one operation stand together in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WaitingCall {
    operation: Operation,
    place: u32,
}

impl Waiting {
    /// Adds a call that does not wait yet.
    pub(super) fn insert(&mut self, call: Call, slot: Slot) -> WaitingCall {
        let place = self.free.pop().unwrap_or_else(|| {
            if self.entries.len() == self.entries.capacity() {
                // Doubling it would leave a third of the memory unused on average.
                let more = 4.max(self.entries.len() / 8);
                self.entries.reserve_exact(more);
            }
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("memory has no room for so many calls")
        });
        let waiting = WaitingCall {
            operation: call.operation(),
            place,
        };
        let hash = self.hashes.hash_one(&call);
        self.entries[place as usize] = Some((call, slot));
        let Self {
            entries, hashes, ..
        } = self;
        let rehash = |place: &u32| match &entries[*place as usize] {
            Some((call, _)) => hashes.hash_one(call),
            // Each place of the table has a call.
            None => 0,
        };
        self.places.insert_unique(hash, place, rehash);
        waiting
    }

    pub(super) fn find(&self, call: &Call) -> Option<WaitingCall> {
        let hash = self.hashes.hash_one(call);
        let place = self.places.find(hash, |place| self.has(*place, call))?;
        Some(WaitingCall {
            operation: call.operation(),
            place: *place,
        })
    }

    pub(super) fn slot(&self, call: &Call) -> Option<Slot> {
        let place = self.find(call)?.place;
        self.entries[place as usize].as_ref().map(|(_, slot)| *slot)
    }

    pub(super) fn remove(&mut self, waiting: WaitingCall) -> Option<(Call, Slot)> {
        let WaitingCall { place, .. } = waiting;
        let (call, slot) = self.entries.get_mut(place as usize)?.take()?;
        let hash = self.hashes.hash_one(&call);
        if let Ok(entry) = self.places.find_entry(hash, |one| *one == place) {
            entry.remove();
        }
        self.free.push(place);
        Some((call, slot))
    }

    /// Whether most places are those of removed calls.
    pub(super) fn is_sparse(&self) -> bool {
        self.entries.len() > 64 && self.len() < self.entries.len() / 4
    }

    pub(super) fn into_calls(self) -> impl Iterator<Item = (Call, Slot)> {
        self.entries.into_iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[cfg(test)]
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.entries.iter().flatten().map(|(call, _)| call)
    }

    fn has(&self, place: u32, call: &Call) -> bool {
        { self.entries[place as usize].as_ref() }.is_some_and(|(one, _)| one == call)
    }
}
