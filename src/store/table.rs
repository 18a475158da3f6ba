//! Records of one kind by their keys, kept so that a snapshot is cheap and never changes.
//!
//! Owns the chunks and where each record stands in them; what a record means, nobody knows here.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

/// Records a chunk holds. A chunk is copied when one of its records changes while a snapshot is
/// out, so small ones cost little; a snapshot copies one pointer a chunk, so many cost little too.
const CHUNK: usize = 128;

/// What a [`Table`] keeps: replaced whole, never patched in place.
pub trait Record: Clone + Debug {
    type Key: Clone + Eq + Hash + Debug;

    /// Never changes.
    fn key(&self) -> &Self::Key;
}

/// Records, each with a key of its own.
#[derive(Debug)]
pub struct Table<R: Record> {
    rows: RwLock<Rows<R>>,
}

impl<R: Record> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: RwLock::default(),
        }
    }
}

impl<R: Record> Table<R> {
    /// Replaces the record of this key, or adds it.
    pub fn put(&self, record: R) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.put(record);
    }

    pub fn get(&self, key: &R::Key) -> Option<R> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.get(key).cloned()
    }

    /// Whether there was one.
    pub fn remove(&self, key: &R::Key) -> bool {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.remove(key).is_some()
    }

    /// All records as they are now, in no order; later changes do not reach it.
    pub fn snapshot(&self) -> Snapshot<R> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.snapshot()
    }
}

/// The records of a table, for whoever has a lock around more than them.
#[derive(Clone, Debug)]
pub struct Rows<R: Record> {
    snapshot: Snapshot<R>,
    /// Where the record of a key stands in the snapshot.
    slots: HashMap<R::Key, usize>,
}

impl<R: Record> Default for Rows<R> {
    fn default() -> Self {
        Self {
            snapshot: Snapshot::default(),
            slots: HashMap::new(),
        }
    }
}

impl<R: Record> Rows<R> {
    /// Returns the record that this one replaces.
    pub fn put(&mut self, record: R) -> Option<R> {
        if let Some(slot) = self.slots.get(record.key()) {
            return Some(std::mem::replace(self.snapshot.place(*slot), record));
        }
        let slot = self.slots.len();
        self.slots.insert(record.key().clone(), slot);
        let chunks = &mut self.snapshot.chunks;
        if slot.is_multiple_of(CHUNK) {
            chunks.push(Arc::default());
        }
        Arc::make_mut(&mut chunks[slot / CHUNK]).push(record);
        None
    }

    pub fn get(&self, key: &R::Key) -> Option<&R> {
        let slot = *self.slots.get(key)?;
        Some(&self.snapshot.chunks[slot / CHUNK][slot % CHUNK])
    }

    /// The last record takes the place of the one that goes, so that no chunk but the last has room.
    pub fn remove(&mut self, key: &R::Key) -> Option<R> {
        let slot = self.slots.remove(key)?;
        let last = Arc::make_mut(self.snapshot.chunks.last_mut()?).pop()?;
        if self.snapshot.chunks.last().is_some_and(|c| c.is_empty()) {
            self.snapshot.chunks.pop();
        }
        if slot == self.slots.len() {
            return Some(last);
        }
        self.slots.insert(last.key().clone(), slot);
        Some(std::mem::replace(self.snapshot.place(slot), last))
    }

    /// All records as they are now, in no order; later changes do not reach it.
    pub fn snapshot(&self) -> Snapshot<R> {
        self.snapshot.clone()
    }
}

/// The records of a [`Table`] at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot<R> {
    /// Each full but the last, which is not empty.
    chunks: Vec<Arc<Vec<R>>>,
}

impl<R> Default for Snapshot<R> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<R> Snapshot<R> {
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The records in slices, for a scrape that goes through them quickly.
    pub fn chunks(&self) -> &[Arc<Vec<R>>] {
        &self.chunks
    }

    pub fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

impl<R: Clone> Snapshot<R> {
    fn place(&mut self, slot: usize) -> &mut R {
        &mut Arc::make_mut(&mut self.chunks[slot / CHUNK])[slot % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    /// Keys for some chunks, so that they are filled and emptied again.
    fn some_change() -> impl Strategy<Value = Change> {
        let key = 0..(CHUNK as u16 * 3);
        prop_oneof![
            6 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Change::Put(key, value)),
            5 => key.prop_map(Change::Remove),
            1 => Just(Change::Look),
        ]
    }

    fn sorted(snapshot: &Snapshot<(u16, u32)>) -> Vec<(u16, u32)> {
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
            first in 0..(CHUNK as u16 * 3),
            changes in proptest::collection::vec(some_change(), 0..1_500),
        ) {
            let table = Table::default();
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
                        prop_assert_eq!(table.remove(&key), known.remove(&key).is_some());
                    }
                    Change::Look => looks.push((table.snapshot(), model(&known))),
                }
            }
            looks.push((table.snapshot(), model(&known)));
            for (snapshot, expected) in &looks {
                prop_assert_eq!(snapshot.len(), expected.len());
                prop_assert_eq!(snapshot.is_empty(), expected.is_empty());
                prop_assert_eq!(&sorted(snapshot), expected);
                let full = snapshot.chunks().iter().rev().skip(1);
                prop_assert!(full.into_iter().all(|chunk| chunk.len() == CHUNK));
            }
            for key in 0..(CHUNK as u16 * 3) {
                let expected = known.get(&key).map(|value| (key, *value));
                prop_assert_eq!(table.get(&key), expected);
            }
        }
    }
}
