//! The input of the page and its JSON: the data of every target at one moment.

use std::sync::Arc;

use crate::baseline::{BaselineSnapshot, ExpectedEnds};
use crate::health::HealthView;
use crate::model::Timestamp;
use crate::snapshot::{SeriesUsage, Snapshot};

/// The data of all targets at one moment.
#[derive(Clone, Debug)]
pub struct Known {
    /// The time that durations of running steps are computed with.
    pub now: Timestamp,
    /// Whether the first attempt of every target has ended.
    pub ready: bool,
    /// The zero-based index of this shard and the number of shards, if there are several.
    pub shard: Option<(u32, u32)>,
    pub sources: Vec<StatusSource>,
    pub baselines: BaselineSnapshot,
    pub ends: ExpectedEnds,
    /// How many series `/metrics` has, and how many the limit keeps out of it.
    pub series: SeriesUsage,
}

/// The data of one target in one region.
#[derive(Clone, Debug)]
pub struct StatusSource {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub snapshot: Arc<Snapshot>,
    pub health: HealthView,
}
