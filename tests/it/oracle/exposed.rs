//! What a text of `/metrics` exposes, by execution and object.

use std::collections::{BTreeMap, HashMap, HashSet};

use imagebuilder_exporter::model::{StepExecution, StepStatus, Timestamp};
use proptest::prelude::*;

use crate::support::exposition::{Sample, samples};

/// The samples of a text, no two of one series.
pub fn distinct(text: &str) -> Result<Vec<Sample>, TestCaseError> {
    let samples = samples(text);
    let mut seen = HashSet::new();
    for sample in &samples {
        let series = (&sample.name, &sample.labels);
        prop_assert!(seen.insert(series), "twice: {series:?}");
    }
    Ok(samples)
}

/// What a text exposes of one step.
#[derive(Debug, Default)]
pub struct ExposedStep {
    pub status: Option<String>,
    rollback: Option<String>,
    start: Option<f64>,
    end: Option<f64>,
    duration: Option<f64>,
    timeout: Option<f64>,
    breached: Option<f64>,
    attempt: Option<f64>,
    pub last_success: Option<f64>,
    pub settled: bool,
    /// Whether its failure is exposed as unresolved.
    pub unresolved: bool,
    /// Whether it has an info series, and so was answered by itself.
    pub full: bool,
}

impl ExposedStep {
    /// What a text exposes, by step.
    pub fn all(samples: &[Sample]) -> HashMap<String, Self> {
        let mut all: HashMap<String, Self> = HashMap::new();
        for sample in samples {
            let Some(name) = sample.name.strip_prefix("imagebuilder_workflow_step_") else {
                continue;
            };
            // What has finished is exposed by step name, not by execution.
            let Some(id) = sample.labels.get("step_execution_id") else {
                continue;
            };
            let exposed = all.entry(id.clone()).or_default();
            let status = || sample.labels.get("status").cloned();
            match name {
                "info" => exposed.full = true,
                "status" if sample.value == 1.0 => exposed.status = status(),
                "rollback_status" if sample.value == 1.0 => exposed.rollback = status(),
                "start_time_seconds" => exposed.start = Some(sample.value),
                "end_time_seconds" => exposed.end = Some(sample.value),
                "duration_seconds" => exposed.duration = Some(sample.value),
                "timeout_seconds" => exposed.timeout = Some(sample.value),
                "timeout_breached" => exposed.breached = Some(sample.value),
                "attempt" => exposed.attempt = Some(sample.value),
                "last_success_timestamp_seconds" => exposed.last_success = Some(sample.value),
                "unresolved_failure" => exposed.unresolved = true,
                "settled" => exposed.settled = sample.value == 1.0,
                _ => {}
            }
        }
        all
    }

    /// Whether this is what the world said at `then`, seen by a scrape at `now`.
    pub fn is(&self, then: &StepExecution, now: Timestamp) -> bool {
        let seconds = |time: Timestamp| time.millis() as f64 / 1_000.0;
        let end = then.end.map(seconds);
        let start = then.start.map(seconds);
        let running = then.status == StepStatus::Running;
        let until = if running { Some(seconds(now)) } else { end };
        let duration = until.zip(start).map(|(until, start)| until - start);
        let timeout = then.timeout_seconds.filter(|_| self.full).map(f64::from);
        let breached = timeout.map(|timeout| {
            let duration = duration.unwrap_or(0.0);
            let by = match then.status {
                StepStatus::Running => duration >= timeout,
                StepStatus::Failed => duration >= timeout - 1.0,
                _ => false,
            };
            f64::from(u8::from(by))
        });
        let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() < 0.0015,
            (None, None) => true,
            _ => false,
        };
        self.status.as_deref() == Some(then.status.as_str())
            && self.rollback.as_deref()
                == then.rollback_status.as_ref().map(|status| status.as_str())
            && near(self.start, start)
            && near(self.end, end)
            && near(self.duration, duration)
            && near(self.timeout, timeout)
            && near(self.breached, breached)
            && near(self.attempt, then.attempt.map(f64::from))
    }
}

/// What a text exposes of a workflow execution, an image or a pipeline: the status, values by name, the
/// labels of the info series and of the failure.
#[derive(Clone, Debug, Default)]
pub struct ExposedObject {
    pub status: Option<String>,
    pub values: BTreeMap<String, f64>,
    pub info: Option<BTreeMap<String, String>>,
    pub failure: Option<BTreeMap<String, String>>,
}

impl ExposedObject {
    /// The objects whose families begin with `prefix`, by the values of the labels that are `key`.
    /// The outputs are values of an image's name, and not of one build.
    pub fn all(samples: &[Sample], prefix: &str, key: &[&str]) -> HashMap<String, Self> {
        let mut all: HashMap<String, Self> = HashMap::new();
        for sample in samples {
            let Some(name) = sample.name.strip_prefix(prefix) else {
                continue;
            };
            if name == "output_info" {
                continue;
            }
            let parts = key.iter().filter_map(|label| sample.labels.get(*label));
            let parts: Vec<&str> = parts.map(String::as_str).collect();
            if parts.len() < key.len() {
                continue;
            }
            let exposed = all.entry(parts.join("/")).or_default();
            let label = |name: &str| sample.labels.get(name).cloned();
            match name {
                "status" | "last_run_status" if sample.value == 1.0 => {
                    exposed.status = label("status");
                }
                "status" | "last_run_status" => {}
                "info" => exposed.info = Some(sample.labels.clone()),
                "failure_info" => exposed.failure = Some(sample.labels.clone()),
                _ => {
                    let name = match label("result") {
                        Some(result) => format!("{name} {result}"),
                        None => name.to_owned(),
                    };
                    exposed.values.insert(name, sample.value);
                }
            }
        }
        all
    }

    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }
}
