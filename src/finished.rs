//! Counts the steps that have finished, each execution once in the life of the process.
//!
//! Owns the series of the finished counter and histogram of all targets, and the memory of what
//! they hold. One value serves all pollers: an execution can pass from one target to another. Fed by
//! `poller`, after every successful look at a step; read by `exposition`.

mod memory;
mod series;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::labels::{LabelText, names, push_label};
use crate::model::{StepStatus, Timestamp};
use crate::snapshot::{Chunks, Observation, StepRecord, Table};

use memory::Memory;
pub use series::{Durations, FinishedSeries};

/// The statuses whose series are there from a step's first sight, with a histogram each.
const EXPECTED: [StepStatus; 2] = [StepStatus::Completed, StepStatus::Failed];

/// What the configuration says of the counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedSettings {
    /// A new series shows 0 this long.
    pub warmup: Duration,
    /// The longest retention: what ended earlier is not counted when it is first seen, and of what
    /// was counted nothing older has to be remembered.
    pub keep: Duration,
    /// The upper bounds of the histogram's buckets, ascending, in whole milliseconds.
    pub buckets: Vec<Duration>,
}

/// The finished steps of all targets, under one configuration.
#[derive(Debug)]
pub struct Finished {
    warmup: Duration,
    bounds: Arc<[Duration]>,
    inner: Mutex<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    rows: Table<FinishedSeries>,
    memory: Memory,
}

impl Finished {
    /// `started` is when the process started: what ended before it does not count.
    pub fn new(started: Timestamp, settings: &FinishedSettings) -> Self {
        Self {
            warmup: settings.warmup,
            bounds: settings.buckets.clone().into(),
            inner: Mutex::new(Inner {
                rows: Table::default(),
                memory: Memory::new(started, settings.keep),
            }),
        }
    }

    /// The same under another configuration, to be used instead from now on; this one goes on
    /// showing what it did, so that no scrape sees half of a reload.
    ///
    /// `targets` are those that go on, by their names and own labels: of all others, and of a
    /// target that has other labels now, the series go, unless another target has them too. What
    /// was counted stays counted. Histograms begin anew where their buckets change.
    #[must_use]
    pub fn configured(
        &self,
        settings: &FinishedSettings,
        targets: &[(String, LabelText)],
        now: Timestamp,
    ) -> Self {
        let mut inner = self.lock().clone();
        inner.memory.configure(settings.keep, now);
        let snapshot = inner.rows.records().clone();
        let other_buckets = *self.bounds != *settings.buckets;
        for series in snapshot.iter() {
            let goes_on = |owner: &Arc<str>| {
                targets
                    .iter()
                    .any(|(name, labels)| **name == **owner && *labels == series.target_labels)
            };
            let owners: Vec<_> = series
                .owners
                .iter()
                .filter(|o| goes_on(o))
                .cloned()
                .collect();
            if owners.is_empty() {
                inner.rows.remove(&series.labels);
            } else if owners.len() < series.owners.len() || other_buckets {
                let mut series = series.clone();
                series.owners = owners.into();
                if other_buckets && series.durations.is_some() {
                    let shown_from = now.plus(settings.warmup);
                    let anew = Durations::new(shown_from, settings.buckets.len());
                    series.durations = Some(Arc::new(anew));
                }
                inner.rows.put(series);
            }
        }
        Self {
            warmup: settings.warmup,
            bounds: settings.buckets.clone().into(),
            inner: Mutex::new(inner),
        }
    }

    /// A step was seen by `target`, whose own labels are given; `before` is what was known of it.
    ///
    /// At a step's first sight its series begin at 0. An execution that has finished is counted
    /// where it was not yet, if it was seen to finish, or ended after the process started and no
    /// longer ago than things are remembered.
    pub fn see(
        &self,
        target: &str,
        target_labels: &LabelText,
        before: Option<&StepRecord>,
        after: &StepRecord,
        now: Timestamp,
    ) {
        let Some(observed) = &after.observed else {
            return;
        };
        let mut inner = self.lock();
        let owned = |inner: &mut Inner, status: &StepStatus| {
            inner.owned(observed, status, target, target_labels, || {
                let shown_from = now.plus(self.warmup);
                let buckets = self.bounds.len();
                let durations = || Arc::new(Durations::new(shown_from, buckets));
                (shown_from, EXPECTED.contains(status).then(durations))
            })
        };
        for status in &EXPECTED {
            owned(&mut inner, status);
        }
        inner.memory.forget(now);
        let Some(status) = after.finished() else {
            return;
        };
        let witnessed = before.is_some_and(|before| saw_end(before, observed));
        if !inner.memory.counts(after.id, observed, witnessed, now) {
            return;
        }
        let key = owned(&mut inner, status);
        let Some(mut series) = inner.rows.get(&key).cloned() else {
            return;
        };
        series.count += 1;
        if let (Some(durations), Some(start), Some(end)) =
            (&mut series.durations, observed.start, observed.end)
        {
            let took = end.millis_since(start).max(0).unsigned_abs();
            Arc::make_mut(durations).observe(took, &self.bounds);
        }
        inner.rows.put(series);
    }

    /// All series as they are now; later changes do not reach it.
    pub fn snapshot(&self) -> FinishedSnapshot {
        FinishedSnapshot {
            series: self.lock().rows.records().clone(),
            bounds: self.bounds.clone(),
        }
    }

    /// How many executions are remembered as counted.
    pub fn remembered(&self) -> usize {
        self.lock().memory.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing of what is done under the lock panics half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The key of the series of a step and status, which is made, and given to the target, where
    /// that has not been done.
    fn owned(
        &mut self,
        observed: &Observation,
        status: &StepStatus,
        target: &str,
        target_labels: &LabelText,
        begin: impl FnOnce() -> (Timestamp, Option<Arc<Durations>>),
    ) -> LabelText {
        let mut labels = [
            observed.subject.identity.as_str(),
            observed.definition.identity.as_str(),
            target_labels.as_str(),
        ]
        .concat();
        push_label(&mut labels, names::STATUS, status.as_str());
        let labels = LabelText::from_escaped(labels);
        match self.rows.get(&labels) {
            Some(series) if series.owners.iter().any(|owner| **owner == *target) => {}
            Some(series) => {
                let mut series = series.clone();
                let owners = series.owners.iter().cloned();
                series.owners = owners.chain([Arc::from(target)]).collect();
                self.rows.put(series);
            }
            None => {
                let (shown_from, durations) = begin();
                self.rows.put(FinishedSeries {
                    labels: labels.clone(),
                    target_labels: target_labels.clone(),
                    owners: Arc::from([Arc::from(target)]),
                    shown_from,
                    count: 0,
                    durations,
                });
            }
        }
        labels
    }
}

/// Whether the execution came to its end between the two looks: it had not finished, and something
/// has changed. One that FAILED with attempts left may have done so long ago, and only now be known
/// to get none of them.
fn saw_end(before: &StepRecord, after: &Observation) -> bool {
    before.finished().is_none()
        && before.observed.as_ref().is_some_and(|before| {
            (&before.status, before.start, before.end) != (&after.status, after.start, after.end)
        })
}

/// The series of [`Finished`] at one moment.
#[derive(Clone, Debug)]
pub struct FinishedSnapshot {
    pub series: Chunks<FinishedSeries>,
    /// The upper bounds of the histograms' buckets, ascending.
    pub bounds: Arc<[Duration]>,
}

impl Default for FinishedSnapshot {
    fn default() -> Self {
        Self {
            series: Chunks::default(),
            bounds: Arc::from([]),
        }
    }
}
