//! What the page and its JSON are made from: the data of every target at one moment.

use std::sync::Arc;

use crate::health::HealthView;
use crate::model::Timestamp;
use crate::snapshot::Snapshot;

/// What is known at one moment.
#[derive(Clone, Debug)]
pub struct Known {
    /// What running steps are measured by.
    pub now: Timestamp,
    /// Whether everything was tried once.
    pub ready: bool,
    /// Which of how many shards this is, counted from 0, where there are others.
    pub shard: Option<(u32, u32)>,
    pub sources: Vec<StatusSource>,
}

/// What one target has in one region.
#[derive(Clone, Debug)]
pub struct StatusSource {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub snapshot: Arc<Snapshot>,
    pub health: HealthView,
}
