//! What the page and its JSON are made from: the data of every target at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Timestamp;
use crate::store::StoreSnapshot;

/// What is known at one moment.
#[derive(Clone, Debug)]
pub struct Known {
    /// What running steps are measured by.
    pub now: Timestamp,
    /// Whether everything was tried once.
    pub ready: bool,
    /// Which of how many shards this is, counted from 0, where there are others.
    pub shard: Option<(u32, u32)>,
    pub sources: Vec<Source>,
}

/// What one target has in one region.
#[derive(Clone, Debug)]
pub struct Source {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub store: StoreSnapshot,
    pub health: Health,
}

/// How a target fares in a region.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Whether the service can be used; `None` before the first outcome.
    pub up: Option<bool>,
    /// Since when it is up, or down, where that was noticed.
    pub since: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// What last went wrong, however long ago.
    pub newest_fault: Option<Fault>,
    pub denied: Vec<Denied>,
    /// The workflow executions and images that the configuration names and the service doesn't know,
    /// since when that is so.
    pub unknown: BTreeMap<String, Timestamp>,
    /// How long the call has waited that is due longest.
    pub behind: Duration,
    /// Calls a second, where the service's throttling has made it fewer than configured.
    pub slowed_to: Option<f64>,
}

/// A call that failed in a way that speaks against the target.
#[derive(Clone, Debug)]
pub struct Fault {
    pub at: Timestamp,
    pub operation: &'static str,
    /// As the label `result` has it.
    pub result: &'static str,
    /// Untrusted.
    pub message: Arc<str>,
    /// Whether the operation has worked since.
    pub over: bool,
}

/// An operation that the credentials don't allow.
#[derive(Clone, Debug)]
pub struct Denied {
    pub operation: &'static str,
    pub since: Timestamp,
    /// When it is tried again, where that is not at its usual interval.
    pub again: Option<Timestamp>,
}
