//! A workflow execution is exposed from its discovery until its retention expires, and as long as it runs.

use std::time::Duration;

use imagebuilder_exporter::model::{ImageStatus, Timestamp};
use proptest::prelude::*;

use crate::oracle::discovery::observation::{Expected, Observation};
use crate::oracle::discovery::{ANSWERS, BACKOFF};
use crate::oracle::truth::{ImageTruth, WorkflowTruth};

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    for image in &seen.truth.images {
        for workflow in &image.workflows {
            let id = workflow.id.to_string();
            let exposed = seen.executions.contains_key(&id);
            let expected = expected(seen, image, workflow);
            expected.check(exposed, &id, &seen.life(image))?;
        }
    }
    Ok(())
}

pub fn expected(seen: &Observation<'_>, image: &ImageTruth, workflow: &WorkflowTruth) -> Expected {
    if seen.now < workflow.from {
        return Expected::MustNot;
    }
    let named = seen.selectors.named_workflows.contains(&workflow.id);
    if !named {
        let selected = seen.selectors.selects_image(seen.truth, image, seen.now);
        if selected != Some(true) {
            return seen.expected_of_unselected(image, selected, seen.lag());
        }
    }
    let appears = appears(seen, image, workflow, named);
    if !workflow.is_over(seen.now) {
        return match seen.now >= appears {
            true => Expected::Must,
            false => Expected::May,
        };
    }
    let from = seen.ago(seen.image_lag(image)).max(image.begins);
    let statuses = seen.truth.statuses(image, from, seen.now);
    let failed = |status: &ImageStatus| *status == ImageStatus::Failed;
    // A named execution is known before its image, which may not be selected at all: until the image is
    // discovered, only the execution's own status counts.
    let discovered = seen.known_from(image).plus(seen.image_lag(image));
    let image_is_known = seen.is_selected(image) && seen.now >= discovered;
    let surely_failed = workflow.failed || (image_is_known && statuses.iter().all(failed));
    let maybe_failed = workflow.failed || statuses.iter().any(failed);
    let retained = workflow.end.plus(seen.pace().retention(surely_failed));
    if seen.now < retained && seen.now >= appears {
        return Expected::Must;
    }
    let retained = workflow.end.plus(seen.pace().retention(maybe_failed));
    let gone = retained
        .max(seen.settled_by(image, workflow))
        .plus(seen.step_lag());
    match seen.now > gone {
        true => Expected::MustNot,
        false => Expected::May,
    }
}

fn appears(
    seen: &Observation<'_>,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
    named: bool,
) -> Timestamp {
    if !named {
        let known = seen.known_from(image).max(workflow.from);
        return known.plus(seen.image_lag(image));
    }
    let backoff = match seen.faulty {
        true => BACKOFF,
        false => Duration::ZERO,
    };
    seen.since.plus(ANSWERS + backoff)
}
