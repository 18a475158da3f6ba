//! The input of a scrape.

use std::sync::{Arc, OnceLock};

use crate::baseline::{BaselineSnapshot, ExpectedEnds};
use crate::config::StatusFormat;
use crate::finished::FinishedSnapshot;
use crate::model::Timestamp;
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::snapshot::{SeriesUsage, Snapshot};

/// The time of a scrape is rounded down to so many milliseconds, so that scrapes that begin together mostly
/// have the same text to compress.
const MOMENT: i64 = 10;

/// The data of all targets at one moment, for one scrape.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The time that durations of running steps are computed with.
    pub now: Timestamp,
    pub status_format: StatusFormat,
    /// Whether `imagebuilder_workflow_step_message_info` is exposed.
    pub message_labels: bool,
    pub sources: Vec<ScrapeSource>,
    pub finished: FinishedSnapshot,
    pub baselines: BaselineSnapshot,
    pub process: Arc<ProcessMetrics>,
    /// Maximum number of series of the sources and of finished steps; 0 is no limit.
    pub series_limit: u64,
    pub derived: Derived,
}

/// What follows from the rest of a scrape. It is computed when it is first needed, so that the first byte
/// does not wait for it.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    ends: OnceLock<ExpectedEnds>,
    pub(super) series: OnceLock<SeriesUsage>,
}

impl Scrape {
    /// Returns the time of a scrape that begins at `now`: the same for scrapes that begin together.
    pub fn time_at(now: Timestamp) -> Timestamp {
        let millis = now.millis();
        Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(MOMENT)))
    }

    /// Whether another scrape has the same time, data and settings. It compares no record.
    ///
    /// Metrics of the exporter itself can differ, and the warm-up of finished series by the 10 ms to which
    /// the time is rounded.
    pub(super) fn began_with(&self, other: &Self) -> bool {
        let Self {
            now,
            status_format,
            message_labels,
            sources,
            finished,
            baselines,
            process,
            series_limit,
            derived: _,
        } = other;
        self.now == *now
            && self.status_format == *status_format
            && self.message_labels == *message_labels
            && self.series_limit == *series_limit
            && self.sources.len() == sources.len()
            && { self.sources.iter().zip(sources) }.all(|(one, other)| one.is_same(other))
            && self.finished.is_same(finished)
            && self.baselines.is_same(baselines)
            && Arc::ptr_eq(&self.process, process)
    }

    /// Returns the number of records whose series can change with the time.
    pub(super) fn moving_len(&self) -> usize {
        let moving = self.sources.iter().map(|source| {
            let Snapshot {
                steps,
                workflows,
                images,
                ..
            } = &*source.snapshot;
            steps.records().moving_len() + workflows.moving_len() + images.moving_len()
        });
        moving.sum::<usize>() + self.finished.series.moving_len()
    }

    /// Returns the expected ends of what the sources run.
    pub fn ends(&self) -> &ExpectedEnds {
        self.derived.ends.get_or_init(|| {
            let snapshots = self.sources.iter().map(|source| &*source.snapshot);
            ExpectedEnds::of(snapshots, &self.baselines, self.now)
        })
    }
}

/// The data of one target in one region.
#[derive(Clone, Debug)]
pub struct ScrapeSource {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub snapshot: Arc<Snapshot>,
    /// The value of `target_up`; `None` before the first call has ended.
    pub up: Option<bool>,
    pub metrics: Arc<PollerMetrics>,
}

impl ScrapeSource {
    /// Whether both are the same moment of the same target and region.
    fn is_same(&self, other: &Self) -> bool {
        let Self {
            target,
            region,
            snapshot,
            up,
            metrics,
        } = other;
        self.target == *target
            && self.region == *region
            && self.up == *up
            && Arc::ptr_eq(&self.snapshot, snapshot)
            && Arc::ptr_eq(&self.metrics, metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapes_that_begin_together_have_the_same_time() {
        for (now, expected) in [
            (1_788_981_143_410, 1_788_981_143_410),
            (1_788_981_143_419, 1_788_981_143_410),
            (1_788_981_143_420, 1_788_981_143_420),
            (-1, -10),
            (i64::MIN, i64::MIN + 1),
        ] {
            let time = Scrape::time_at(Timestamp::from_millis(now));
            assert_eq!(time.millis(), expected);
        }
    }
}
