//! The input of a scrape.

use std::sync::Arc;

use crate::config::StatusFormat;
use crate::finished::FinishedSnapshot;
use crate::model::Timestamp;
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::snapshot::Snapshot;

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
    pub process: Arc<ProcessMetrics>,
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
