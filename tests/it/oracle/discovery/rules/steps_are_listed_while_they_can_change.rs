//! Steps are listed only while one of them can change, and about once an interval.

use std::collections::HashMap;

use imagebuilder_exporter::api::Operation;
use imagebuilder_exporter::model::Timestamp;
use proptest::prelude::*;

use crate::oracle::discovery::observation::Observation;
use crate::oracle::discovery::{ANSWERS, HOUR};
use crate::oracle::truth::{ImageTruth, WorkflowTruth};
use crate::oracle::world::Logged;
use crate::support::poller::EPOCH;

pub fn check(seen: &Observation<'_>, log: &[Logged]) -> Result<(), TestCaseError> {
    let mut lists: HashMap<&str, Vec<Timestamp>> = HashMap::new();
    for call in log {
        if call.operation == Operation::ListWorkflowStepExecutions && call.first {
            lists.entry(&call.id).or_default().push(call.at);
        }
    }
    for image in &seen.truth.images {
        for workflow in &image.workflows {
            let id = workflow.id.to_string();
            if let Some(calls) = lists.get(id.as_str()) {
                check_execution(seen, image, workflow, calls)
                    .map_err(|error| TestCaseError::fail(format!("{id}: {error}")))?;
            }
        }
    }
    Ok(())
}

fn check_execution(
    seen: &Observation<'_>,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
    calls: &[Timestamp],
) -> Result<(), TestCaseError> {
    let interval = seen.pace().interval;
    let known = seen.known_from(image).max(workflow.from);
    let mut settled = workflow.last_change.max(known).plus(seen.lag());
    if workflow.leaves_steps_pending() {
        settled = settled.max(workflow.end.plus(HOUR));
    }
    settled = settled.plus(interval * 4 + ANSWERS * 2);
    let last = calls.last().copied().unwrap_or(EPOCH);
    // It may be tracked again with its image, or a reload have asked for it again.
    let failed = image.changes.iter().max().copied().unwrap_or(EPOCH);
    let back = failed.plus(seen.image_lag(image) + interval * 4);
    let reloaded = seen.since.plus(seen.lag() + interval * 4);
    prop_assert!(
        last <= settled.max(back).max(reloaded),
        "it was listed {} s after all was settled",
        last.millis_since(settled) / 1_000
    );
    let begins = workflow.start.unwrap_or(workflow.end).max(EPOCH);
    let active = settled.millis_since(begins).max(0) as f64 / 1_000.0;
    let most = active / (0.9 * interval.as_secs_f64()) + 12.0;
    let waited = workflow.from.max(EPOCH).millis_since(begins).abs() as f64 / 1_000.0;
    // Of an execution that is named alone, nothing else tells that it begins.
    let polls_apart = match seen.selectors.named_workflows.contains(&workflow.id) {
        true => 0.9 * interval.as_secs_f64(),
        false => seen.pace().discovery.as_secs_f64(),
    };
    let most = most + waited / polls_apart;
    let count = calls.len();
    prop_assert!(
        count as f64 <= most * 1.2,
        "it was listed {count} times, not {most}"
    );
    Ok(())
}
