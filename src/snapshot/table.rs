//! Records of one kind by their keys, beside what only their owner knows of each.
//!
//! A row is a record, which snapshots share, and a state, which none of them has: for a tracked
//! resource the record is what was observed of it, the state its schedule. Both have the same slot.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use super::chunks::Chunks;

/// What a [`Table`] publishes: replaced whole, never patched in place.
pub trait Record: Clone + Debug + PartialEq {
    type Key: Clone + Eq + Hash + Debug;

    /// Never changes.
    fn key(&self) -> &Self::Key;
}

/// Rows, each with a key of its own.
#[derive(Clone, Debug)]
pub struct Table<R: Record, S = ()> {
    records: Chunks<R>,
    states: Vec<S>,
    /// The slot of each key.
    slots: HashMap<R::Key, usize>,
}

impl<R: Record, S> Default for Table<R, S> {
    fn default() -> Self {
        Self {
            records: Chunks::default(),
            states: Vec::new(),
            slots: HashMap::new(),
        }
    }
}

impl<R: Record, S> Table<R, S> {
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.records.get(*self.slots.get(key)?)
    }

    pub fn state(&self, key: &R::Key) -> Option<&S> {
        self.states.get(*self.slots.get(key)?)
    }

    pub fn state_mut(&mut self, key: &R::Key) -> Option<&mut S> {
        self.states.get_mut(*self.slots.get(key)?)
    }

    pub fn row(&self, key: &R::Key) -> Option<(&R, &S)> {
        let slot = *self.slots.get(key)?;
        self.records.get(slot).zip(self.states.get(slot))
    }

    pub fn rows(&self) -> impl Iterator<Item = (&R, &S)> {
        self.records.iter().zip(&self.states)
    }

    pub fn contains(&self, key: &R::Key) -> bool {
        self.slots.contains_key(key)
    }

    /// Adds a row, or replaces both sides of the one that has the key.
    pub fn insert(&mut self, record: R, state: S) {
        if let Some(slot) = self.slots.get(record.key()) {
            self.states[*slot] = state;
            self.records.replace(*slot, record);
            return;
        }
        self.slots.insert(record.key().clone(), self.states.len());
        self.records.push(record);
        self.states.push(state);
    }

    /// Replaces the record with the same key, if there is one, and returns the previous record.
    pub fn replace(&mut self, record: R) -> Option<R> {
        let slot = *self.slots.get(record.key())?;
        self.records.replace(slot, record)
    }

    /// Changes the record of a key, if there is one.
    pub fn update(&mut self, key: &R::Key, change: impl FnOnce(&mut R)) {
        if let Some(mut record) = self.get(key).cloned() {
            change(&mut record);
            self.replace(record);
        }
    }

    /// The last row takes the place of the removed one, so that no chunk but the last has room.
    pub fn remove(&mut self, key: &R::Key) -> Option<(R, S)> {
        let slot = self.slots.remove(key)?;
        let state = self.states.swap_remove(slot);
        let last = self.records.pop()?;
        if slot == self.states.len() {
            return Some((last, state));
        }
        self.slots.insert(last.key().clone(), slot);
        Some((self.records.replace(slot, last)?, state))
    }

    /// The records, in no order; a clone of them never changes.
    pub fn records(&self) -> &Chunks<R> {
        &self.records
    }

    pub fn keys(&self) -> impl Iterator<Item = &R::Key> {
        self.slots.keys()
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
    use proptest::prelude::*;

    use super::*;

    /// For some chunks, so that they are filled and emptied again.
    const KEYS: u16 = 3 * 128;

    impl Record for (u16, u32) {
        type Key = u16;

        fn key(&self) -> &u16 {
            &self.0
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
                let chunks: Vec<_> = (0..).map_while(|at| snapshot.chunk(at)).collect();
                let (full, last) = chunks.split_at(chunks.len().saturating_sub(1));
                prop_assert!(full.iter().all(|chunk| chunk.len() == 128));
                prop_assert!(last.iter().all(|chunk| !chunk.is_empty()));
            }
            for key in 0..KEYS {
                let expected = known.get(&key).map(|value| (key, *value));
                prop_assert_eq!(table.get(&key).copied(), expected);
            }
        }
    }
}
