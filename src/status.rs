//! What a person is shown: each target's health, and each step of each image build.
//!
//! Owns the choice and order of what is shown, the status page and its JSON; changes nothing and
//! calls nobody. Reads [`Known`], which the program takes from the stores when somebody asks, and a
//! [`Query`], which is what they ask for. `http` sends what [`page()`] and [`json()`] make of it.
//!
//! What belongs together is found out by `builds`, what of it is asked for by `selection`. All text of
//! the service or of an error is untrusted: it gets into the page by way of `markup` alone.

pub mod assets;
mod builds;
mod console;
mod json;
mod markup;
mod page;
mod query;
mod selection;
mod site;
mod time;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Timestamp;
use crate::store::StoreSnapshot;

pub use json::json;
pub use page::page;
pub use query::Query;
pub use selection::Status;
pub use site::{CONFIG_PATH, ExternalUrl, JSON_PATH, PAGE_PATH, Site};

/// Characters of a message that are shown; no text of the service's model is longer.
const LONGEST_MESSAGE: usize = 2_000;

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

/// The beginning of a text nobody vouches for the length of, and whether there was more.
fn bounded(message: &str) -> (&str, bool) {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => (&message[..end], true),
        None => (message, false),
    }
}
