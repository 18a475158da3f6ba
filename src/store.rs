//! What is known of the tracked steps of one target and region.
//!
//! Owns the records and hands out snapshots of them; a record is replaced whole, never patched in
//! place, so a scrape sees each step as one answer told it. Fed by `schedule`; read by `exposition`.

mod record;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

pub use record::{Definition, Observation, Phase, StepRecord, Subject};

use crate::model::StepExecutionId;

/// Records a chunk holds. A chunk is copied when one of its records changes while a snapshot is
/// out, so small ones cost little; a snapshot copies one pointer a chunk, so many cost little too.
const CHUNK: usize = 128;

/// The tracked steps of one target and region.
#[derive(Debug, Default)]
pub struct StepStore {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    snapshot: StepSnapshot,
    /// Where a step's record stands in the snapshot.
    slots: HashMap<StepExecutionId, usize>,
    subjects: Shared<Subject>,
    definitions: Shared<Definition>,
}

impl StepStore {
    /// A store that tracks these steps, in this order.
    pub fn new(records: impl IntoIterator<Item = StepRecord>) -> Self {
        let mut inner = Inner::default();
        for record in records {
            inner.put(record);
        }
        Self {
            inner: RwLock::new(inner),
        }
    }

    /// Replaces the record of a step, or begins to track it.
    pub fn put(&self, record: StepRecord) {
        self.inner
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .put(record);
    }

    pub fn get(&self, id: &StepExecutionId) -> Option<StepRecord> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let slot = *inner.slots.get(id)?;
        Some(inner.snapshot.chunks[slot / CHUNK][slot % CHUNK].clone())
    }

    /// All records as they are now; later changes do not reach it.
    pub fn snapshot(&self) -> StepSnapshot {
        self.inner
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .snapshot
            .clone()
    }
}

impl Inner {
    fn put(&mut self, mut record: StepRecord) {
        if let Some(observed) = &mut record.observed {
            observed.subject = self.subjects.one(&observed.subject);
            observed.definition = self.definitions.one(&observed.definition);
        }
        let StepSnapshot { chunks, by_phase } = &mut self.snapshot;
        by_phase[record.phase as usize] += 1;
        if let Some(slot) = self.slots.get(&record.id) {
            let place = &mut Arc::make_mut(&mut chunks[slot / CHUNK])[slot % CHUNK];
            by_phase[place.phase as usize] -= 1;
            *place = record;
            return;
        }
        let slot = self.slots.len();
        self.slots.insert(record.id, slot);
        if slot.is_multiple_of(CHUNK) {
            chunks.push(Arc::default());
        }
        Arc::make_mut(&mut chunks[slot / CHUNK]).push(record);
    }
}

/// The records of a [`StepStore`] at one moment.
#[derive(Clone, Debug, Default)]
pub struct StepSnapshot {
    /// Each full but the last.
    chunks: Vec<Arc<Vec<StepRecord>>>,
    /// How many records are in each [`Phase`], in the order of its variants.
    by_phase: [usize; Phase::ALL.len()],
}

impl StepSnapshot {
    /// How many records are in this phase.
    pub fn in_phase(&self, phase: Phase) -> usize {
        self.by_phase[phase as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &StepRecord> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The records in slices, for a scrape that goes through them quickly.
    pub fn chunks(&self) -> &[Arc<Vec<StepRecord>>] {
        &self.chunks
    }
}

/// One copy of each equal value that is in use: the steps of a workflow execution share its names.
#[derive(Debug)]
struct Shared<T> {
    values: HashSet<Arc<T>>,
    /// The size at which values that nobody uses any more are looked for.
    sweep_at: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            values: HashSet::new(),
            sweep_at: 64,
        }
    }
}

impl<T: Eq + std::hash::Hash> Shared<T> {
    fn one(&mut self, value: &Arc<T>) -> Arc<T> {
        if let Some(known) = self.values.get(value) {
            return known.clone();
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = 64.max(self.values.len() * 2);
        }
        self.values.insert(value.clone());
        value.clone()
    }
}
