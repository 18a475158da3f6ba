//! One series of the finished counter, and of the histogram where it has one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::labels::LabelText;
use crate::model::Timestamp;
use crate::snapshot::Record;

/// What has finished with one status, of one step of the workflows of one image name.
///
/// A new series shows 0 for a while, whatever it counts: Prometheus sees no increase in the first
/// value of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedSeries {
    /// `account_id`, `region`, `image`, `workflow`, `step`, the target's own, `status`.
    pub labels: LabelText,
    /// The target's own labels among them.
    pub(super) target_labels: LabelText,
    /// The names of the targets that have seen such a step.
    pub(super) owners: Arc<[Arc<str>]>,
    /// The size of the labels before `status`, which all statuses of the step share.
    pub(super) step_size: usize,
    pub(super) shown_from: Instant,
    pub(super) count: u64,
    /// When it was created, or last counted an execution, by the wall clock at that time.
    pub(super) changed_at: Timestamp,
    pub(super) durations: Option<Arc<Durations>>,
}

impl FinishedSeries {
    /// Whether the target has seen such a step.
    pub(super) fn is_owned_by(&self, target: &str) -> bool {
        self.owners.iter().any(|owner| **owner == *target)
    }

    /// The labels that the series of all statuses of a step share, escaped.
    pub fn step(&self) -> &str {
        &self.labels.as_str()[..self.step_size]
    }

    /// When it was created, or last counted an execution.
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// The counter's value in a scrape at `now`.
    pub fn count(&self, now: Instant) -> u64 {
        if now < self.shown_from { 0 } else { self.count }
    }

    /// The histogram as a scrape at `now` shows it; `None` of a status that has none.
    pub fn durations(&self, now: Instant) -> Option<ShownDurations<'_>> {
        let durations = self.durations.as_deref()?;
        Some(ShownDurations {
            durations,
            held_back: now < durations.shown_from,
        })
    }
}

impl Record for FinishedSeries {
    type Key = LabelText;

    fn key(&self) -> &LabelText {
        &self.labels
    }

    /// A new series shows 0 for a while.
    fn is_moving(&self) -> bool {
        true
    }

    fn has_labels_of(&self, before: &Self) -> bool {
        self.labels == before.labels
    }
}

/// How long the executions took.
#[derive(Clone, Debug, PartialEq)]
pub struct Durations {
    shown_from: Instant,
    /// For each bucket, how many fell into it and into none before it; what is over all bounds
    /// comes last.
    buckets: Box<[u64]>,
    sum_millis: u64,
}

impl Durations {
    pub(super) fn new(shown_from: Instant, bounds: usize) -> Self {
        Self {
            shown_from,
            buckets: vec![0; bounds + 1].into(),
            sum_millis: 0,
        }
    }

    /// `bounds` are as many as it was made for.
    pub(super) fn observe(&mut self, millis: u64, bounds: &[Duration]) {
        let bucket = bounds.partition_point(|bound| bound.as_millis() < u128::from(millis));
        self.buckets[bucket] += 1;
        self.sum_millis = self.sum_millis.saturating_add(millis);
    }
}

/// A histogram at the time of a scrape.
#[derive(Clone, Copy, Debug)]
pub struct ShownDurations<'a> {
    durations: &'a Durations,
    held_back: bool,
}

impl ShownDurations<'_> {
    /// For each bound, how many took no longer; last, how many there are.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.durations.buckets.iter().scan(0, |below, count| {
            *below += if self.held_back { 0 } else { *count };
            Some(*below)
        })
    }

    /// How long all together took, in milliseconds.
    pub fn sum_millis(&self) -> u64 {
        if self.held_back {
            0
        } else {
            self.durations.sum_millis
        }
    }
}
