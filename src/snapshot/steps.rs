//! The steps: a table that knows how many are in each phase and keeps shared values once.

use std::collections::HashSet;
use std::sync::Arc;

use super::chunks::Chunks;
use super::step::{Phase, StepRecord};
use super::step_parts::{Definition, ExtraLabels, StepValues, Subject};
use super::table::Table;
use crate::labels::LabelText;
use crate::model::{StepExecutionId, WorkflowArn};

/// The steps of one target and region, each with a state that only the table's owner sees.
#[derive(Debug)]
pub struct StepTable<S = ()> {
    rows: Table<StepRecord, S>,
    /// How many records are in each [`Phase`], in the order of its variants.
    by_phase: [usize; Phase::ALL.len()],
    shared: SharedParts,
}

/// What steps have in common, once each.
#[derive(Debug, Default)]
struct SharedParts {
    subjects: Shared<Subject>,
    /// Parts of subjects, which many executions have in common.
    identities: HashSet<LabelText>,
    workflows: HashSet<WorkflowArn>,
    definitions: Shared<Definition>,
    values: Shared<StepValues>,
    extra: Shared<ExtraLabels>,
}

impl<S> Default for StepTable<S> {
    fn default() -> Self {
        Self {
            rows: Table::default(),
            by_phase: Default::default(),
            shared: SharedParts::default(),
        }
    }
}

impl<S: Default> StepTable<S> {
    /// A table of these steps.
    pub fn new(records: impl IntoIterator<Item = StepRecord>) -> Self {
        let mut table = Self::default();
        for record in records {
            table.put(record);
        }
        table
    }

    /// Replaces the record of a step, or adds a row.
    pub fn put(&mut self, record: StepRecord) {
        match self.rows.contains(&record.id) {
            true => self.replace(record),
            false => self.insert(record, S::default()),
        }
    }
}

impl<S> StepTable<S> {
    pub fn insert(&mut self, record: StepRecord, state: S) {
        self.remove(&record.id);
        let record = self.shared.share(record);
        self.by_phase[record.phase as usize] += 1;
        self.rows.insert(record, state);
    }

    /// Replaces the record of a step, if there is one.
    pub fn replace(&mut self, record: StepRecord) {
        let phase = record.phase;
        let record = self.shared.share(record);
        if let Some(replaced) = self.rows.replace(record) {
            self.by_phase[replaced.phase as usize] -= 1;
            self.by_phase[phase as usize] += 1;
        }
    }

    /// Changes the record of a step, if there is one.
    pub fn update(&mut self, id: &StepExecutionId, change: impl FnOnce(&mut StepRecord)) {
        if let Some(mut record) = self.rows.get(id).cloned() {
            change(&mut record);
            self.replace(record);
        }
    }

    pub fn remove(&mut self, id: &StepExecutionId) -> Option<(StepRecord, S)> {
        let (record, state) = self.rows.remove(id)?;
        self.by_phase[record.phase as usize] -= 1;
        Some((record, state))
    }

    pub fn rows(&self) -> &Table<StepRecord, S> {
        &self.rows
    }

    pub fn state_mut(&mut self, id: &StepExecutionId) -> Option<&mut S> {
        self.rows.state_mut(id)
    }

    /// All records as they are now; later changes do not reach it.
    pub fn snapshot(&self) -> StepSnapshot {
        StepSnapshot {
            records: self.rows.records().clone(),
            by_phase: self.by_phase,
        }
    }
}

impl SharedParts {
    fn share(&mut self, mut record: StepRecord) -> StepRecord {
        self.extra.share(&mut record.extra, |_| {});
        if let Some(observed) = &mut record.observed {
            self.share_subject(&mut observed.subject);
            observed.identity.clone_from(&observed.subject.identity);
            self.definitions.share(&mut observed.definition, |_| {});
            self.values.share(&mut observed.values, |_| {});
        }
        record
    }

    fn share_subject(&mut self, subject: &mut Arc<Subject>) {
        let count = self.subjects.values.len();
        self.subjects.share(subject, |subject| {
            share_part(&mut self.identities, &mut subject.identity);
            if let Some(workflow) = &mut subject.workflow {
                share_part(&mut self.workflows, workflow);
            }
        });
        if self.subjects.values.len() < count {
            // What is still in use is kept by its subjects.
            self.identities.clear();
            self.workflows.clear();
        }
    }
}

/// Puts the one copy of a value, which shares its memory with its copies, in its place.
fn share_part<T: Clone + Eq + std::hash::Hash>(known: &mut HashSet<T>, value: &mut T) {
    match known.get(value) {
        Some(known) => value.clone_from(known),
        None => drop(known.insert(value.clone())),
    }
}

/// The records of a [`StepTable`] at one moment.
#[derive(Clone, Debug, Default)]
pub struct StepSnapshot {
    records: Chunks<StepRecord>,
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

    /// Returns the same numbers of records in each phase with these records.
    #[must_use]
    pub fn with_records(&self, records: Chunks<StepRecord>) -> Self {
        Self {
            records,
            by_phase: self.by_phase,
        }
    }

    /// The records, for a scrape that goes through them chunk by chunk.
    pub fn records(&self) -> &Chunks<StepRecord> {
        &self.records
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
    /// Puts the one copy of a value in its place. `prepare` is called with a new value.
    fn share(&mut self, value: &mut Arc<T>, prepare: impl FnOnce(&mut T)) {
        if let Some(known) = self.values.get(value) {
            value.clone_from(known);
            return;
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = 64.max(self.values.len() * 2);
        }
        if let Some(value) = Arc::get_mut(value) {
            prepare(value);
        }
        self.values.insert(value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelText;
    use crate::model::{StepExecution, StepStatus, Timestamp};

    #[test]
    fn record_takes_at_most_128_bytes_because_each_family_reads_all_of_them() {
        assert!(
            size_of::<StepRecord>() <= 128,
            "{}",
            size_of::<StepRecord>()
        );
    }

    #[test]
    fn steps_with_the_same_values_share_them() {
        let records = [1, 2].map(|at| {
            let id: StepExecutionId = format!("step-00000000-0000-0000-0000-{at:012}")
                .parse()
                .unwrap();
            let response = StepExecution {
                name: Some("Apply".to_owned()),
                timeout_seconds: Some(60),
                ..StepExecution::with_status(StepStatus::Running)
            };
            let own = LabelText::new([("team", "a")]);
            let now = Timestamp::from_millis(0);
            StepRecord::unseen(id, own).after_response(response, "us-west-2", now)
        });
        let store: StepTable = StepTable::new(records);
        let snapshot = store.snapshot();
        let [one, other] = { snapshot.iter().collect::<Vec<_>>() }.try_into().unwrap();
        assert!(Arc::ptr_eq(&one.extra, &other.extra));
        let [one, other] = [one, other].map(|record| record.observed.as_ref().unwrap());
        assert!(Arc::ptr_eq(&one.subject, &other.subject));
        assert!(Arc::ptr_eq(&one.definition, &other.definition));
        assert!(Arc::ptr_eq(&one.values, &other.values));
    }

    #[test]
    fn executions_of_a_workflow_share_its_arn_and_labels() {
        let records = [1, 2].map(|at| {
            let id = format!("step-00000000-0000-0000-0000-{at:012}");
            let execution = format!("wf-00000000-0000-0000-0000-{at:012}");
            let arn = "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.2/1";
            let response = StepExecution {
                workflow: WorkflowArn::parse(arn),
                workflow_execution_id: Some(execution.parse().unwrap()),
                ..StepExecution::with_status(StepStatus::Running)
            };
            let now = Timestamp::from_millis(0);
            StepRecord::unseen(id.parse().unwrap(), LabelText::default()).after_response(
                response,
                "us-west-2",
                now,
            )
        });
        let store: StepTable = StepTable::new(records);
        let snapshot = store.snapshot();
        let texts = snapshot.iter().map(|record| {
            let subject = &record.observed.as_ref().unwrap().subject;
            let workflow = subject.workflow.as_ref().unwrap();
            let identity = record.observed.as_ref().unwrap().identity.as_str();
            [identity, subject.identity.as_str(), workflow.as_str()].map(str::as_ptr)
        });
        let [one, other] = { texts.collect::<Vec<_>>() }.try_into().unwrap();
        assert_eq!(one, other);
        assert_eq!(one[0], one[1]);
    }

    #[test]
    fn removed_step_is_counted_in_no_phase() {
        let [one, other] = [1, 2].map(|at| {
            let id: StepExecutionId = format!("step-00000000-0000-0000-0000-{at:012}")
                .parse()
                .unwrap();
            StepRecord::unseen(id, LabelText::new([]))
        });
        let mut store: StepTable = StepTable::new([one.clone(), other.clone()]);
        store.put(StepRecord {
            phase: Phase::Settled,
            ..one.clone()
        });
        let before = store.snapshot();
        assert!(store.remove(&one.id).is_some());
        assert!(store.remove(&one.id).is_none());
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
