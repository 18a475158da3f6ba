//! A target's health, as an entry of the JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::known::StatusSource;
use super::super::text::bounded;
use super::super::time::seconds;
use crate::health::{Denial, FailedCall};
use crate::model::Timestamp;
use crate::snapshot::Phase;

#[derive(Serialize)]
pub(super) struct TargetEntry<'a> {
    target: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_fault: Option<FaultEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    panic_time: Option<String>,
    denied: Vec<DeniedEntry>,
    unknown: Vec<UnknownEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery_last_success_time: Option<String>,
    behind_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    slowed_to_requests_per_second: Option<f64>,
    tracked_steps: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct FaultEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    operation: &'static str,
    result: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct DeniedEntry {
    operation: &'static str,
    /// The action of IAM that would allow it.
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tried_again_time: Option<String>,
}

/// A resource that the configuration lists and the service does not know.
#[derive(Serialize)]
struct UnknownEntry<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

impl<'a> TargetEntry<'a> {
    pub(super) fn of(source: &'a StatusSource) -> Self {
        let (health, steps) = (&source.health, &source.snapshot.steps);
        let fault = |fault: &'a FailedCall| FaultEntry {
            time: fault.at.rfc3339(),
            operation: fault.operation.as_str(),
            result: fault.kind.as_str(),
            message: bounded(&fault.message).0,
        };
        let denied = |denied: &Denial| DeniedEntry {
            operation: denied.operation.as_str(),
            action: format!("imagebuilder:{}", denied.operation.as_str()),
            since: denied.since.rfc3339(),
            tried_again_time: denied.again.and_then(Timestamp::rfc3339),
        };
        let unknown = { health.unknown.iter() }.map(|(id, since)| UnknownEntry {
            id,
            since: since.rfc3339(),
        });
        Self {
            target: &source.target,
            region: &source.region,
            up: health.up,
            since: health.since.and_then(Timestamp::rfc3339),
            last_success_time: health.last_success.and_then(Timestamp::rfc3339),
            newest_fault: health.newest_fault.as_ref().map(fault),
            panic_time: health.panicked.and_then(Timestamp::rfc3339),
            denied: health.denied.iter().map(denied).collect(),
            unknown: unknown.collect(),
            discovery_last_success_time: source.snapshot.discovered.and_then(Timestamp::rfc3339),
            behind_seconds: seconds(health.behind.as_millis() as i64),
            slowed_to_requests_per_second: health.slowed_to,
            tracked_steps: { Phase::ALL.into_iter() }
                .map(|phase| (phase.as_str(), steps.in_phase(phase)))
                .collect(),
        }
    }
}
