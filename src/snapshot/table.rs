//! Records of one kind by their keys, beside what only their owner knows of each.
//!
//! A row is a record, which snapshots share, and a state, which none of them has: for a tracked
//! resource the record is what was observed of it, the state its schedule. Both have the same slot.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::chunk::Record;
use super::chunks::{Chunks, Slot};

/// Rows, each with a key of its own.
#[derive(Clone, Debug)]
pub struct Table<R: Record, S = ()> {
    records: Chunks<R>,
    states: States<S>,
    slots: Slots,
}

/// The slots by the keys of their records, which hold the keys.
#[derive(Clone, Debug, Default)]
struct Slots {
    table: HashTable<Slot>,
    hashes: RandomState,
}

/// The states, with the slots of their records.
#[derive(Clone, Debug)]
struct States<S> {
    moving: Vec<S>,
    still: Vec<S>,
}

impl Slots {
    fn get<R: Record>(&self, key: &R::Key, records: &Chunks<R>) -> Option<Slot> {
        let is_same = |slot: &Slot| records.get(*slot).is_some_and(|one| one.key() == key);
        self.table.find(self.hashes.hash_one(key), is_same).copied()
    }

    /// Adds the slot of a new key.
    fn insert<R: Record>(&mut self, key: &R::Key, slot: Slot, records: &Chunks<R>) {
        let Self { table, hashes } = self;
        let rehash = |slot: &Slot| Self::hash(hashes, *slot, records);
        table.insert_unique(hashes.hash_one(key), slot, rehash);
    }

    /// Replaces the slot of a key.
    fn set<K: std::hash::Hash>(&mut self, key: &K, before: Slot, slot: Slot) {
        let hash = self.hashes.hash_one(key);
        if let Some(place) = self.table.find_mut(hash, |one| *one == before) {
            *place = slot;
        }
    }

    fn remove<R: Record>(&mut self, key: &R::Key, records: &Chunks<R>) -> Option<Slot> {
        let Self { table, hashes } = self;
        let is_same = |slot: &Slot| records.get(*slot).is_some_and(|one| one.key() == key);
        let entry = table.find_entry(hashes.hash_one(key), is_same).ok()?;
        let (slot, _) = entry.remove();
        if table.len() < table.capacity() / 4 {
            let rehash = |slot: &Slot| Self::hash(hashes, *slot, records);
            table.shrink_to(table.len() * 2, rehash);
        }
        Some(slot)
    }

    fn hash<R: Record>(hashes: &RandomState, slot: Slot, records: &Chunks<R>) -> u64 {
        // Each slot of the table has a record.
        { records.get(slot) }.map_or(0, |record| hashes.hash_one(record.key()))
    }
}

impl<S> States<S> {
    fn sequence(&mut self, is_moving: bool) -> &mut Vec<S> {
        match is_moving {
            true => &mut self.moving,
            false => &mut self.still,
        }
    }

    fn get(&self, slot: Slot) -> Option<&S> {
        match slot.is_moving() {
            true => self.moving.get(slot.at()),
            false => self.still.get(slot.at()),
        }
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut S> {
        self.sequence(slot.is_moving()).get_mut(slot.at())
    }

    /// Adds the state of the last record of its sequence.
    fn push(&mut self, is_moving: bool, state: S) {
        let sequence = self.sequence(is_moving);
        if sequence.len() == sequence.capacity() {
            // Doubling it would leave a third of the memory unused on average.
            sequence.reserve_exact(4.max(sequence.len() / 8));
        }
        sequence.push(state);
    }

    /// Removes a state. The last one of its sequence takes its place.
    fn remove(&mut self, slot: Slot) -> S {
        let sequence = self.sequence(slot.is_moving());
        let state = sequence.swap_remove(slot.at());
        if sequence.len() < sequence.capacity() / 2 {
            sequence.shrink_to(sequence.len() / 8 * 9);
        }
        state
    }
}

impl<R: Record, S> Default for Table<R, S> {
    fn default() -> Self {
        Self {
            records: Chunks::default(),
            states: States {
                moving: Vec::new(),
                still: Vec::new(),
            },
            slots: Slots::default(),
        }
    }
}

impl<R: Record, S> Table<R, S> {
    fn slot(&self, key: &R::Key) -> Option<Slot> {
        self.slots.get(key, &self.records)
    }

    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.records.get(self.slot(key)?)
    }

    pub fn state(&self, key: &R::Key) -> Option<&S> {
        self.states.get(self.slot(key)?)
    }

    pub fn state_mut(&mut self, key: &R::Key) -> Option<&mut S> {
        self.states.get_mut(self.slot(key)?)
    }

    pub fn row(&self, key: &R::Key) -> Option<(&R, &S)> {
        let slot = self.slot(key)?;
        self.records.get(slot).zip(self.states.get(slot))
    }

    pub fn rows(&self) -> impl Iterator<Item = (&R, &S)> {
        let states = self.states.moving.iter().chain(&self.states.still);
        self.records.iter().zip(states)
    }

    pub fn contains(&self, key: &R::Key) -> bool {
        self.slot(key).is_some()
    }

    /// Adds a row, or replaces both sides of the one that has the key.
    pub fn insert(&mut self, record: R, state: S) {
        if let Some(place) = self.state_mut(record.key()) {
            *place = state;
            self.replace(record);
            return;
        }
        let key = record.key().clone();
        let slot = self.records.push(record);
        self.states.push(slot.is_moving(), state);
        self.slots.insert(&key, slot, &self.records);
    }

    /// Replaces the record with the same key, if there is one, and returns the previous record.
    pub fn replace(&mut self, record: R) -> Option<R> {
        let slot = self.slot(record.key())?;
        if record.is_moving() == slot.is_moving() {
            return self.records.replace(slot, record);
        }
        let (before, state) = self.remove(record.key())?;
        self.insert(record, state);
        Some(before)
    }

    /// Changes the record of a key, if there is one.
    pub fn update(&mut self, key: &R::Key, change: impl FnOnce(&mut R)) {
        if let Some(mut record) = self.get(key).cloned() {
            change(&mut record);
            self.replace(record);
        }
    }

    /// Removes a row. The last row of its sequence takes its place.
    pub fn remove(&mut self, key: &R::Key) -> Option<(R, S)> {
        let slot = self.slots.remove(key, &self.records)?;
        let last = self.records.last_like(slot)?;
        let state = self.states.remove(slot);
        let record = self.records.swap_remove(slot)?;
        if let Some(moved) = self.records.get(slot) {
            self.slots.set(moved.key(), last, slot);
        }
        Some((record, state))
    }

    /// The records, in no order; a clone of them never changes.
    pub fn records(&self) -> &Chunks<R> {
        &self.records
    }

    pub fn keys(&self) -> impl Iterator<Item = &R::Key> {
        self.records.iter().map(Record::key)
    }
}

impl<R: Record, S: Default> Table<R, S> {
    /// Replaces the record of its key, or adds a row. An equal record copies no chunk.
    pub fn put(&mut self, record: R) {
        match self.get(record.key()) {
            Some(before) if *before == record => {}
            Some(_) => drop(self.replace(record)),
            None => self.insert(record, S::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::chunk::CHUNK;
    use super::super::group::Group;
    use super::*;

    /// For some chunks, so that they are filled and emptied again.
    const KEYS: u16 = 5 * CHUNK as u16;

    /// Odd values are those of moving records.
    impl Record for (u16, u32) {
        type Key = u16;

        fn key(&self) -> &u16 {
            &self.0
        }

        fn is_moving(&self) -> bool {
            self.1 % 2 == 1
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Put(u16, u32),
        Remove(u16),
        Look,
    }

    fn some_change() -> impl Strategy<Value = Change> {
        let key = 0..KEYS;
        prop_oneof![
            6 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Change::Put(key, value)),
            5 => key.prop_map(Change::Remove),
            1 => Just(Change::Look),
        ]
    }

    fn sorted(snapshot: &Chunks<(u16, u32)>) -> Vec<(u16, u32)> {
        let mut all: Vec<_> = snapshot.iter().copied().collect();
        all.sort_unstable();
        all
    }

    fn model(known: &HashMap<u16, u32>) -> Vec<(u16, u32)> {
        let mut all: Vec<_> = known.iter().map(|(key, value)| (*key, *value)).collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn table_holds_what_a_map_would_and_its_snapshots_never_change(
            first in 0..KEYS,
            changes in proptest::collection::vec(some_change(), 0..1_500),
        ) {
            let mut table: Table<(u16, u32)> = Table::default();
            let mut known = HashMap::new();
            for key in 0..first {
                table.put((key, 0));
                known.insert(key, 0);
            }
            let mut looks = Vec::new();
            for change in changes {
                match change {
                    Change::Put(key, value) => {
                        table.put((key, value));
                        known.insert(key, value);
                    }
                    Change::Remove(key) => {
                        prop_assert_eq!(table.remove(&key).is_some(), known.remove(&key).is_some());
                    }
                    Change::Look => looks.push((table.records().clone(), model(&known))),
                }
            }
            looks.push((table.records().clone(), model(&known)));
            for (snapshot, expected) in &looks {
                prop_assert_eq!(snapshot.len(), expected.len());
                prop_assert_eq!(snapshot.is_empty(), expected.is_empty());
                prop_assert_eq!(&sorted(snapshot), expected);
                let groups = (0..).map_while(|at| snapshot.group(at));
                let (moving, still): (Vec<_>, Vec<_>) = groups
                    .flat_map(Group::chunks)
                    .partition(|chunk| chunk.is_moving());
                for chunks in [moving, still] {
                    for (at, chunk) in chunks.iter().enumerate() {
                        let records = chunk.records();
                        prop_assert!(records.len() == CHUNK || at + 1 == chunks.len());
                        prop_assert!(!records.is_empty());
                        prop_assert!(records.iter().all(|one| one.is_moving() == chunk.is_moving()));
                    }
                }
            }
            for key in 0..KEYS {
                let expected = known.get(&key).map(|value| (key, *value));
                prop_assert_eq!(table.get(&key).copied(), expected);
                prop_assert_eq!(table.row(&key).is_some(), expected.is_some());
            }
            prop_assert_eq!(table.rows().count(), known.len());
        }
    }
}
