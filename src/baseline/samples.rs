//! The last durations of one step, and what they say.

use std::time::Duration;

use super::rule;
use crate::model::Timestamp;

/// How many of the last executions are kept.
const KEPT: usize = 10;

/// One COMPLETED execution of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    pub end: Timestamp,
    /// The number of the id of the execution.
    pub id: [u8; 16],
    /// At most 49 days.
    pub millis: u32,
}

/// The last executions of a step. They depend on what was added, and not on the order: a replica that
/// reads the history backwards knows the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Samples {
    /// In the order of their end.
    last: Vec<Sample>,
    last_skipped: Option<Timestamp>,
    median_millis: Option<i64>,
    slow_after_millis: Option<i64>,
}

impl Samples {
    /// Adds an execution. Returns whether that changed anything.
    pub(super) fn add(&mut self, sample: Sample) -> bool {
        if self.last.iter().any(|other| other.id == sample.id) {
            return false;
        }
        let at = self.last.partition_point(|other| *other < sample);
        if at == 0 && self.last.len() >= KEPT {
            return false;
        }
        match self.last.len() < KEPT {
            true => {
                self.last.reserve_exact(1);
                self.last.insert(at, sample);
            }
            false => {
                self.last[..at].rotate_left(1);
                self.last[at - 1] = sample;
            }
        }
        let durations: Vec<_> = self
            .last
            .iter()
            .map(|sample| Duration::from_millis(sample.millis.into()))
            .collect();
        let millis = |duration: Duration| duration.as_millis() as i64;
        self.slow_after_millis = rule::slow_after(&durations).map(millis);
        // What has no rule has no baseline.
        let median = rule::median(&durations).map(millis);
        self.median_millis = self.slow_after_millis.and(median);
        true
    }

    /// Adds an execution that was skipped. Returns whether that changed anything.
    pub(super) fn skip(&mut self, at: Timestamp) -> bool {
        let is_newest = self.last_skipped < Some(at);
        if is_newest {
            self.last_skipped = Some(at);
        }
        is_newest
    }

    /// When the newest of them ended, skipped ones included.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.newest_completed().max(self.last_skipped)
    }

    /// Whether the newest of them was skipped.
    pub(super) fn is_skipped(&self) -> bool {
        self.last_skipped > self.newest_completed()
    }

    fn newest_completed(&self) -> Option<Timestamp> {
        self.last.last().map(|sample| sample.end)
    }

    pub(super) fn median_millis(&self) -> Option<i64> {
        self.median_millis
    }

    pub(super) fn slow_after_millis(&self) -> Option<i64> {
        self.slow_after_millis
    }
}
