//! An exposed workflow execution has the values that the service had at most a lag of discovery ago.

use imagebuilder_exporter::model::Timestamp;
use proptest::prelude::*;

use crate::oracle::discovery::observation::{Observation, near};
use crate::oracle::exposed::ExposedObject;
use crate::oracle::truth::{ImageTruth, WorkflowTruth, moments};

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    for image in &seen.truth.images {
        for workflow in &image.workflows {
            let id = workflow.id.to_string();
            if let Some(exposed) = seen.executions.get(&id) {
                check_execution(seen, image, workflow, exposed)
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
    exposed: &ExposedObject,
) -> Result<(), TestCaseError> {
    let was = |from: Timestamp, is: &dyn Fn(Timestamp) -> bool| {
        moments(&workflow.changes, from.max(workflow.from), seen.now).any(is)
    };
    let from = seen.ago(seen.lag() + seen.step_lag());
    let now = seen.truth.workflow(workflow, seen.now);
    let so = was(from, &|at| {
        let then = seen.truth.workflow(workflow, at);
        exposed.status.as_deref() == Some(then.status.as_str())
            && near(exposed.value("start_time_seconds"), then.start)
            && near(exposed.value("end_time_seconds"), then.end)
    });
    prop_assert!(so, "it is stale: {exposed:?}, but {now:?}");
    let counts = was(from, &|at| {
        let then = seen.truth.workflow(workflow, at);
        let is = |name: &str, count| exposed.value(name) == Some(f64::from(count));
        is("steps succeeded", then.succeeded)
            && is("steps failed", then.failed)
            && is("steps skipped", then.skipped)
    });
    prop_assert!(counts, "its counts are stale: {exposed:?}, but {now:?}");
    let planned = f64::from(now.total_steps);
    prop_assert_eq!(exposed.value("steps_planned"), Some(planned));
    let named = seen.selectors.named_workflows.contains(&workflow.id);
    if !named || seen.is_selected(image) {
        let from = seen.ago(seen.image_lag(image));
        let retried = seen.now < seen.since.plus(seen.lag()) || {
            let told = exposed.value("retried");
            let is = |then: bool| told == Some(f64::from(u8::from(then)));
            was(from, &|at| is(seen.truth.workflow(workflow, at).retried))
        };
        prop_assert!(retried, "retried is {:?}", exposed.value("retried"));
    }
    Ok(())
}
