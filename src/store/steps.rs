//! The tracked steps: a table that knows how many are in each phase and keeps shared values once.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::step::{Definition, Phase, StepRecord, Subject};
use super::table::{Rows, Snapshot};
use crate::model::StepExecutionId;

/// The tracked steps of one target and region.
#[derive(Debug, Default)]
pub struct StepStore {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rows: Rows<StepRecord>,
    /// How many records are in each [`Phase`], in the order of its variants.
    by_phase: [usize; Phase::ALL.len()],
    subjects: Shared<Subject>,
    definitions: Shared<Definition>,
}

impl StepStore {
    /// A store that tracks these steps.
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
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.put(record);
    }

    pub fn get(&self, id: &StepExecutionId) -> Option<StepRecord> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.rows.get(id).cloned()
    }

    /// Tracks a step no longer. Whether it was tracked.
    pub fn remove(&self, id: &StepExecutionId) -> bool {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let removed = inner.rows.remove(id);
        if let Some(record) = &removed {
            inner.by_phase[record.phase as usize] -= 1;
        }
        removed.is_some()
    }

    /// All records as they are now; later changes do not reach it.
    pub fn snapshot(&self) -> StepSnapshot {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        StepSnapshot {
            records: inner.rows.snapshot(),
            by_phase: inner.by_phase,
        }
    }
}

impl Inner {
    fn put(&mut self, mut record: StepRecord) {
        if let Some(observed) = &mut record.observed {
            observed.subject = self.subjects.one(&observed.subject);
            observed.definition = self.definitions.one(&observed.definition);
        }
        self.by_phase[record.phase as usize] += 1;
        if let Some(replaced) = self.rows.put(record) {
            self.by_phase[replaced.phase as usize] -= 1;
        }
    }
}

/// The records of a [`StepStore`] at one moment.
#[derive(Clone, Debug, Default)]
pub struct StepSnapshot {
    records: Snapshot<StepRecord>,
    by_phase: [usize; Phase::ALL.len()],
}

impl StepSnapshot {
    /// How many records are in this phase.
    pub fn in_phase(&self, phase: Phase) -> usize {
        self.by_phase[phase as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &StepRecord> {
        self.records.iter()
    }

    /// The records in slices, for a scrape that goes through them quickly.
    pub fn chunks(&self) -> &[Arc<Vec<StepRecord>>] {
        self.records.chunks()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelText;

    #[test]
    fn removed_step_is_counted_in_no_phase() {
        let [one, other] = [1, 2].map(|at| {
            let id: StepExecutionId = format!("step-00000000-0000-0000-0000-{at:012}")
                .parse()
                .unwrap();
            StepRecord::unseen(id, LabelText::new([]))
        });
        let store = StepStore::new([one.clone(), other.clone()]);
        store.put(StepRecord {
            phase: Phase::Settled,
            ..one.clone()
        });
        let before = store.snapshot();
        assert!(store.remove(&one.id));
        assert!(!store.remove(&one.id));
        let after = store.snapshot();
        assert_eq!(
            [&before, &after].map(|snapshot| snapshot.in_phase(Phase::Settled)),
            [1, 0]
        );
        assert_eq!(after.in_phase(Phase::Pending), 1);
        assert!(after.iter().eq([&other]));
        assert_eq!(before.iter().count(), 2);
    }
}
