//! What a scrape reads.

use std::sync::Arc;

use crate::config::StatusFormat;
use crate::finished::FinishedSnapshot;
use crate::model::Timestamp;
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::snapshot::Snapshot;

/// What one scrape shows.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// What running steps are measured by.
    pub now: Timestamp,
    pub status_format: StatusFormat,
    /// Whether `imagebuilder_workflow_step_message_info` is shown.
    pub message_labels: bool,
    pub sources: Vec<ScrapeSource>,
    pub finished: FinishedSnapshot,
    pub process: Arc<ProcessMetrics>,
}

/// What one target has in one region.
#[derive(Clone, Debug)]
pub struct ScrapeSource {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub snapshot: Arc<Snapshot>,
    /// Whether the service can be used; `None` before the first outcome.
    pub up: Option<bool>,
    pub metrics: Arc<PollerMetrics>,
}
