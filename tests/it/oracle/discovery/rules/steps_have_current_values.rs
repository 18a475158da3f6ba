//! An exposed step has the values that the service had when it was polled, at most an interval ago.

use imagebuilder_exporter::model::Timestamp;
use proptest::prelude::*;

use super::executions_are_exposed_until_retention_expires as executions;
use super::steps_are_exposed_with_their_execution::expected;
use crate::oracle::discovery::LATENCY;
use crate::oracle::discovery::observation::{Expected, Observation};
use crate::oracle::exposed::ExposedStep;
use crate::oracle::truth::{ImageTruth, StepTruth, WorkflowTruth, moments};

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    for image in &seen.truth.images {
        for workflow in &image.workflows {
            let of_execution = executions::expected(seen, image, workflow);
            for step in &workflow.steps {
                let id = step.id.to_string();
                let must = expected(seen, step, of_execution) == Expected::Must;
                if let Some(exposed) = seen.steps.get(&id) {
                    check_step(seen, image, workflow, step, exposed, must)
                        .map_err(|error| TestCaseError::fail(format!("{id}: {error}")))?;
                }
            }
        }
    }
    Ok(())
}

fn check_step(
    seen: &Observation<'_>,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
    step: &StepTruth,
    exposed: &ExposedStep,
    must: bool,
) -> Result<(), TestCaseError> {
    let Some(last_success) = exposed.last_success else {
        let soon = seen.ago(seen.step_lag()) < seen.since;
        prop_assert!(seen.faulty || soon, "it has not been polled");
        return Ok(());
    };
    let polled = Timestamp::from_millis((last_success * 1_000.0).round() as i64);
    let world = &seen.truth.world;
    let was_so_within = |from: Timestamp, to: Timestamp| {
        moments(&step.changes, from.max(workflow.from), to).any(|at| {
            let view = world.step(&step.id, at);
            view.is_some_and(|view| exposed.is(&view.to_model(), seen.now))
        })
    };
    prop_assert!(
        was_so_within(polled.minus(LATENCY), polled),
        "it was not so when it was polled, {} ms ago: {exposed:?}, but {:?}",
        seen.now.millis_since(polled),
        world.step(&step.id, polled)
    );
    if exposed.settled {
        let later = step.changes.iter().find(|at| **at > polled);
        prop_assert_eq!(later, None, "it is settled and changes later");
    } else if must && !seen.faulty {
        let late = match seen.expired {
            true => seen.step_lag() * 2,
            false => seen.step_lag(),
        };
        prop_assert!(
            was_so_within(seen.ago(late), seen.now),
            "it is stale: {exposed:?}, but {:?}",
            world.step(&step.id, seen.now)
        );
        let settled = seen.settled_by(image, workflow).plus(late);
        prop_assert!(seen.now < settled, "it does not settle: {exposed:?}");
    }
    check_info(seen, image, workflow, exposed)
}

/// The info series is there once the step was polled by itself.
fn check_info(
    seen: &Observation<'_>,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
    exposed: &ExposedStep,
) -> Result<(), TestCaseError> {
    // It may have been evicted, and be tracked again since its image failed after all.
    let evicted = workflow.end.plus(seen.pace().retention(false));
    let changes = image.changes.iter().filter(|at| **at <= seen.now);
    let back = changes.copied().max().filter(|_| seen.now >= evicted);
    let known = seen.known_from(image).max(workflow.from);
    let long = known
        .max(back.unwrap_or(known))
        .plus(seen.lag() + seen.step_lag());
    let full = exposed.full || seen.faulty || seen.now < long;
    prop_assert!(full, "it has no info series");
    Ok(())
}
