//! Counts the steps that have finished, each execution once in the life of the process.
//!
//! Owns the counter and the histogram of finished steps of all targets, and remembers which executions
//! they count. One value serves all pollers, since an execution can pass from one target to another.
//! `poller` updates it after every successful poll of a step; `exposition` reads it. All that it
//! decides goes by the monotonic clock, so that a step of the wall clock moves no counter.

mod memory;
mod names_in_use;
mod poll;
mod series;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Now;
use crate::labels::{LabelText, names, push_label};
use crate::model::{StepStatus, Timestamp};
use crate::snapshot::{Chunks, ImageName, Observation, Table};

use memory::Memory;
use names_in_use::{AT_ONCE, Names};
pub use poll::StepPoll;
pub use series::{Durations, FinishedSeries};

/// The statuses whose series exist from the first poll of a step, each with a histogram.
const EXPECTED: [StepStatus; 2] = [StepStatus::Completed, StepStatus::Failed];

/// Configures how finished steps are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedSettings {
    /// How long a new series shows 0.
    pub warmup: Duration,
    /// The longest retention. An execution that ended earlier is not counted when it is first polled,
    /// and a counted one is remembered for this time.
    pub keep: Duration,
    /// How long series stay after their image name was last in use; `None`: for the life of the process.
    pub retention: Option<Duration>,
    /// The upper bounds of the histogram's buckets, ascending, in whole milliseconds.
    pub buckets: Vec<Duration>,
}

/// Counts the finished steps of all targets, under one configuration.
#[derive(Debug)]
pub struct Finished {
    warmup: Duration,
    retention: Option<Duration>,
    bounds: Arc<[Duration]>,
    inner: Mutex<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    rows: Table<FinishedSeries>,
    names: Names,
    memory: Memory,
}

impl Finished {
    /// Returns an empty count. `started` is the start of the process: executions that ended before it
    /// are not counted.
    pub fn new(started: Instant, settings: &FinishedSettings) -> Self {
        Self {
            warmup: settings.warmup,
            retention: settings.retention,
            bounds: settings.buckets.clone().into(),
            inner: Mutex::new(Inner {
                rows: Table::default(),
                names: Names::default(),
                memory: Memory::new(started, settings.keep),
            }),
        }
    }

    /// Returns the same counts under another configuration. This value stays as it is, so that no
    /// scrape sees half of a reload.
    ///
    /// `targets` are the targets that stay, by name and own labels. Series of other targets, and of a
    /// target whose labels changed, are removed unless a target that stays has them too. Counted
    /// executions stay counted. `polled` are the targets and regions that are polled from now on: series
    /// of another region stay for [`FinishedSettings::retention`]. A histogram whose buckets change
    /// restarts at 0.
    #[must_use]
    pub fn configured(
        &self,
        settings: &FinishedSettings,
        targets: &[(String, LabelText)],
        polled: &[(&str, &str)],
        now: Instant,
    ) -> Self {
        let mut inner = self.lock().clone();
        inner.memory.configure(settings.keep);
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
                    let shown_from = now + settings.warmup;
                    let empty = Durations::new(shown_from, settings.buckets.len());
                    series.durations = Some(Arc::new(empty));
                }
                inner.rows.put(series);
            }
        }
        inner.forget_unowned();
        inner.names.polled(polled);
        Self {
            warmup: settings.warmup,
            retention: settings.retention,
            bounds: settings.buckets.clone().into(),
            inner: Mutex::new(inner),
        }
    }

    /// Records a successful poll of a step.
    ///
    /// The first poll of a step creates its series at 0. A finished execution is counted once, if
    /// polls before and after its end saw it, or if it ended after the start of the process and
    /// within [`FinishedSettings::keep`].
    pub fn see(&self, poll: &StepPoll<'_>, now: Now) {
        let Some(observed) = &poll.after.observed else {
            return;
        };
        let mut inner = self.lock();
        let owned = |inner: &mut Inner, status: &StepStatus| {
            inner.owned(observed, status, poll, now.instant, || {
                let shown_from = now.instant + self.warmup;
                let buckets = self.bounds.len();
                let durations = || Arc::new(Durations::new(shown_from, buckets));
                Begun {
                    time: now.time,
                    shown_from,
                    durations: EXPECTED.contains(status).then(durations),
                }
            })
        };
        for status in &EXPECTED {
            owned(&mut inner, status);
        }
        inner.memory.forget(now.instant);
        let Some(status) = poll.after.finished() else {
            return;
        };
        if !inner.memory.counts(poll, observed, now) {
            return;
        }
        let key = owned(&mut inner, status);
        let Some(mut series) = inner.rows.get(&key).cloned() else {
            return;
        };
        inner.names.counted(poll, now.instant);
        series.count += 1;
        series.changed_at = now.time;
        if let (Some(durations), Some(start), Some(end)) =
            (&mut series.durations, observed.start, observed.end)
        {
            let took = end.millis_since(start).max(0).unsigned_abs();
            Arc::make_mut(durations).observe(took, &self.bounds);
        }
        inner.rows.put(series);
    }

    /// Applies which image names are in use in the target and region: executions of theirs are tracked,
    /// or their builds or pipelines are in the account. Removes the series of other names once
    /// [`FinishedSettings::retention`] has passed. Returns whether others wait for the next review.
    pub fn review_names(
        &self,
        target: &str,
        region: &str,
        in_use: &HashSet<Option<ImageName>>,
        now: Instant,
    ) -> bool {
        let mut inner = self.lock();
        let expired = inner
            .names
            .review(target, region, in_use, self.retention, now);
        for series in &expired {
            inner.disown(series, target);
        }
        expired.len() >= AT_ONCE
    }

    /// Returns all series as they are at `now`; later changes do not affect it.
    pub fn snapshot(&self, now: Instant) -> FinishedSnapshot {
        FinishedSnapshot {
            series: self.lock().rows.records().clone(),
            reading: Reading {
                now,
                bounds: self.bounds.clone(),
            },
        }
    }

    /// Returns the number of executions that are remembered as counted.
    pub fn remembered(&self) -> usize {
        self.lock().memory.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // No code under the lock panics between two changes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a new series begins with.
struct Begun {
    time: Timestamp,
    shown_from: Instant,
    durations: Option<Arc<Durations>>,
}

impl Inner {
    /// Returns the key of the series of a step and status. Creates the series, and adds the target to
    /// its owners, if necessary.
    fn owned(
        &mut self,
        observed: &Observation,
        status: &StepStatus,
        poll: &StepPoll<'_>,
        now: Instant,
        begin: impl FnOnce() -> Begun,
    ) -> LabelText {
        let mut labels = [
            observed.subject.identity.as_str(),
            observed.definition.identity.as_str(),
            poll.target_labels.as_str(),
        ]
        .concat();
        let step_size = labels.len();
        push_label(&mut labels, names::STATUS, status.as_str());
        let labels = LabelText::from_escaped(labels);
        match self.rows.get(&labels) {
            Some(series) if series.is_owned_by(poll.target) => {}
            Some(series) => {
                let mut series = series.clone();
                let owners = series.owners.iter().cloned();
                series.owners = owners.chain([Arc::from(poll.target)]).collect();
                self.rows.put(series);
                self.names.add(poll, labels.clone(), now);
            }
            None => {
                let begun = begin();
                self.names.add(poll, labels.clone(), now);
                self.rows.put(FinishedSeries {
                    labels: labels.clone(),
                    target_labels: poll.target_labels.clone(),
                    owners: Arc::from([Arc::from(poll.target)]),
                    step_size,
                    shown_from: begun.shown_from,
                    count: 0,
                    changed_at: begun.time,
                    durations: begun.durations,
                });
            }
        }
        labels
    }

    /// The target is no longer an owner of the series; one without an owner is removed.
    fn disown(&mut self, labels: &LabelText, target: &str) {
        let Some(mut series) = self.rows.get(labels).cloned() else {
            return;
        };
        let owners = series.owners.iter().filter(|owner| ***owner != *target);
        series.owners = owners.cloned().collect();
        if series.owners.is_empty() {
            self.rows.remove(labels);
        } else {
            self.rows.put(series);
        }
    }

    fn forget_unowned(&mut self) {
        let rows = &self.rows;
        self.names.retain_owned(|target, labels| {
            { rows.get(labels) }.is_some_and(|series| series.is_owned_by(target))
        });
    }
}

/// Holds the series of [`Finished`] at one moment.
#[derive(Clone, Debug)]
pub struct FinishedSnapshot {
    pub series: Chunks<FinishedSeries>,
    pub reading: Reading,
}

impl FinishedSnapshot {
    /// Returns a snapshot without series.
    pub fn empty(now: Instant) -> Self {
        let bounds = Arc::from([]);
        Self {
            series: Chunks::default(),
            reading: Reading { now, bounds },
        }
    }

    /// Whether both share all records. The times can differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.series.is_same(&other.series)
            && Arc::ptr_eq(&self.reading.bounds, &other.reading.bounds)
    }
}

/// What the values of finished series depend on in a scrape.
#[derive(Clone, Debug)]
pub struct Reading {
    pub now: Instant,
    /// The upper bounds of the histograms' buckets, ascending.
    pub bounds: Arc<[Duration]>,
}
