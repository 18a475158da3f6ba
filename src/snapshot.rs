//! What is known of one target and region at one moment: the value that a scrape and the page read.
//!
//! Owns the records of steps, workflow executions, images and pipelines, and the copy-on-write
//! sequences that hold them. The tracker makes a snapshot, the poller publishes it in one swap, and
//! whoever reads one sees everything as of the same moment.

mod chunk;
mod chunks;
mod execution;
mod group;
mod image;
mod known;
mod pipeline;
mod selector;
mod sequence;
mod series_count;
mod step;
mod step_parts;
mod steps;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use chunk::{Chunk, Record};
pub use chunks::Chunks;
pub use execution::{StepResults, WorkflowObservation, WorkflowRecord};
pub use group::Group;
pub use image::{AvailableBuild, FailureRecord, ImageName, ImageNameRecord, ImageRecord};
pub use pipeline::PipelineRecord;
pub use selector::{SelectorKind, SelectorRecord};
pub use series_count::SeriesUsage;
pub use step::{Failing, Observation, Phase, StepRecord, Unresolved};
pub use step_parts::{Definition, ExtraLabels, StepValues, Subject};
pub use steps::{StepSnapshot, StepTable};
pub use table::Table;

use crate::api::Operation;
use crate::model::Timestamp;

/// What is known of one target and region.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub steps: StepSnapshot,
    /// Also executions of which nothing was observed: those have no series.
    pub workflows: Chunks<WorkflowRecord>,
    pub images: Chunks<ImageRecord>,
    pub pipelines: Chunks<PipelineRecord>,
    /// Without retention: an image name keeps its record for as long as the target is polled.
    pub image_names: Chunks<ImageNameRecord>,
    pub selectors: Chunks<SelectorRecord>,
    /// When a discovery pass last succeeded.
    pub discovered: Option<Timestamp>,
    /// When the first discovery pass was due; `None` without discovery.
    pub discovery_began: Option<Timestamp>,
    /// Resources that the configuration names and the service does not know, and since when.
    pub unknown: Arc<BTreeMap<String, Timestamp>>,
    /// Until when denied operations are not called.
    pub denied_until: Vec<(Operation, Instant)>,
    /// When the earliest call that waits is due.
    pub next_due: Option<Instant>,
    /// `None` where none of it is read.
    pub history: Option<HistoryProgress>,
}

/// How many builds were read for the baselines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryProgress {
    pub pending: u64,
    pub read: u64,
    /// Given up after failed calls.
    pub failed: u64,
}

impl Snapshot {
    /// How long the call has waited that is due longest.
    pub fn behind(&self, now: Instant) -> Duration {
        let due = self.next_due;
        due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }
}

/// Records that make up a snapshot without a tracker, for tests and benchmarks of what reads one.
#[derive(Debug, Default)]
pub struct Records {
    pub steps: StepTable,
    pub workflows: Table<WorkflowRecord>,
    pub images: Table<ImageRecord>,
    pub pipelines: Table<PipelineRecord>,
    pub image_names: Table<ImageNameRecord>,
    pub selectors: Table<SelectorRecord>,
    pub discovered: Option<Timestamp>,
}

impl Records {
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            steps: self.steps.snapshot(),
            workflows: self.workflows.records().clone(),
            images: self.images.records().clone(),
            pipelines: self.pipelines.records().clone(),
            image_names: self.image_names.records().clone(),
            selectors: self.selectors.records().clone(),
            discovered: self.discovered,
            ..Snapshot::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    #[test]
    fn behind_is_how_long_a_call_that_is_due_has_waited() {
        let now = Instant::now();
        let mut snapshot = Snapshot::default();
        assert_eq!(snapshot.behind(now), Duration::ZERO);
        snapshot.next_due = Some(now + INTERVAL);
        assert_eq!(snapshot.behind(now), Duration::ZERO);
        assert_eq!(snapshot.behind(now + INTERVAL * 3), INTERVAL * 2);
    }
}
