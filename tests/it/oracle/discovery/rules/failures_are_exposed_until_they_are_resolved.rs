//! A failure for good is exposed as unresolved until a retry of the build, a later success of the step or
//! a newer AVAILABLE build resolves it.

use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::model::{ImageStatus, StepStatus, Timestamp};
use proptest::prelude::*;

use crate::oracle::discovery::observation::Observation;
use crate::oracle::truth::{ImageTruth, StepTruth, WorkflowTruth};
use crate::support::exposition::Sample;

/// How long the failure of a build may wait for its steps.
const STEPS_WITHIN: Duration = Duration::from_secs(2 * 60);

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    for image in &seen.truth.images {
        check_image(seen, image)
            .map_err(|error| TestCaseError::fail(format!("{}: {error}", image.id())))?;
        for workflow in &image.workflows {
            for step in &workflow.steps {
                check_step(seen, image, workflow, step)
                    .map_err(|error| TestCaseError::fail(format!("{}: {error}", step.id)))?;
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
) -> Result<(), TestCaseError> {
    let Some(exposed) = seen.steps.get(&step.id.to_string()) else {
        return Ok(());
    };
    let retried = seen.executions.get(&workflow.id.to_string());
    let retried = retried.and_then(|execution| execution.value("retried"));
    let last = &step.last;
    let (start, end) = (last.start, last.end);
    let retention = seen.pace().retention_failed;
    let expired = end.is_some_and(|end| end.plus(retention) <= seen.now);
    if exposed.unresolved {
        let failed = exposed.status.as_deref() == Some("FAILED");
        prop_assert!(failed, "it is unresolved and {:?}", exposed.status);
        prop_assert!(retried != Some(1.0), "a retry superseded it");
        prop_assert!(!is_built_anew(seen, image), "a newer build is AVAILABLE");
        let success = executions_of(seen, image, workflow, step)
            .filter(|other| other.last.start > start)
            .filter_map(|other| seen.steps.get(&other.id.to_string()))
            .any(|other| other.status.as_deref() == Some("COMPLETED"));
        prop_assert!(!success, "a later execution COMPLETED");
        prop_assert!(!expired, "its retention expired");
        return Ok(());
    }
    let failed = exposed.status.as_deref() == Some("FAILED") && exposed.settled && exposed.full;
    let long = seen.ago(seen.lag() * 2) > seen.since;
    let succeeded = executions_of(seen, image, workflow, step)
        .any(|other| other.last.status == StepStatus::Completed && other.last.start > start);
    let superseded = seen.truth.workflow(workflow, seen.now).retried;
    let open = !succeeded && !superseded && !expired && !may_be_built_anew(seen, image);
    let must = failed && long && open && !seen.faulty;
    prop_assert!(!must, "its failure is not exposed: {exposed:?}");
    Ok(())
}

fn check_image(seen: &Observation<'_>, image: &ImageTruth) -> Result<(), TestCaseError> {
    let Some(exposed) = seen.images.get(&image.id()) else {
        return Ok(());
    };
    let failed = exposed.status.as_deref() == Some("FAILED");
    if let Some(unresolved) = unresolved_sample(seen, image) {
        prop_assert!(failed, "it is unresolved and {:?}", exposed.status);
        prop_assert!(!is_built_anew(seen, image), "a newer build is AVAILABLE");
        let named = unresolved.labels.get("step_execution_id");
        let mut steps = image.workflows.iter().flat_map(|workflow| &workflow.steps);
        let its_own = named.is_none_or(|id| {
            let step = steps.find(|step| step.id.to_string() == **id);
            step.is_some_and(|step| step.last.status == StepStatus::Failed)
        });
        prop_assert!(its_own, "{named:?} did not fail it");
        return Ok(());
    }
    let lag = seen.image_lag(image) * 2 + STEPS_WITHIN;
    let changes = image.changes.iter().filter(|at| **at <= seen.now);
    let changed = changes.copied().max().unwrap_or(image.begins);
    let long = seen.ago(lag) > seen.known_from(image).max(changed);
    let open = failed && long && !may_be_built_anew(seen, image);
    prop_assert!(!open || seen.faulty, "its failure is not exposed");
    Ok(())
}

fn unresolved_sample<'a>(seen: &'a Observation<'_>, image: &ImageTruth) -> Option<&'a Sample> {
    let is_its = |labels: &BTreeMap<String, String>| {
        labels["image"] == image.arn.name() && labels["image_version"] == image.arn.version()
    };
    let mut samples = seen.samples.iter();
    samples.find(|sample| {
        sample.name == "imagebuilder_image_unresolved_failure" && is_its(&sample.labels)
    })
}

/// All executions of the same step.
fn executions_of<'a>(
    seen: &'a Observation<'_>,
    image: &'a ImageTruth,
    workflow: &'a WorkflowTruth,
    step: &'a StepTruth,
) -> impl Iterator<Item = &'a StepTruth> {
    let name = |image: &ImageTruth| image.arn.name().to_owned();
    let workflow_name = |workflow: &WorkflowTruth| {
        let view = seen.truth.workflow(workflow, seen.now);
        view.workflow_arn.split('/').nth(2).map(str::to_owned)
    };
    let images = seen.truth.images.iter();
    images
        .filter(move |other| name(other) == name(image))
        .flat_map(|other| &other.workflows)
        .filter(move |other| workflow_name(other) == workflow_name(workflow))
        .flat_map(|other| &other.steps)
        .filter(|other| other.last.name == step.last.name && other.id != step.id)
}

/// Whether a newer build of the name is exposed as the last AVAILABLE one.
fn is_built_anew(seen: &Observation<'_>, image: &ImageTruth) -> bool {
    let metric = "imagebuilder_image_last_available_timestamp_seconds";
    let created = seen.truth.image(image, seen.now).created;
    let created = created.map(|at| at.millis() as f64 / 1_000.0);
    let mut samples = seen.samples.iter();
    samples.any(|sample| {
        sample.name == metric
            && sample.labels["image"] == image.arn.name()
            && created.is_some_and(|created| sample.value > created + 0.001)
    })
}

/// Whether a newer build of the name has ever been AVAILABLE.
fn may_be_built_anew(seen: &Observation<'_>, image: &ImageTruth) -> bool {
    let created = seen.truth.image(image, seen.now).created;
    let images = seen.truth.images.iter();
    let mut newer = images.filter(|other| {
        let name = other.arn.name() == image.arn.name();
        name && other.begins <= seen.now && seen.truth.image(other, seen.now).created > created
    });
    newer.any(|other| {
        let statuses = seen
            .truth
            .statuses(other, Timestamp::from_millis(0), seen.now);
        statuses.contains(&ImageStatus::Available)
    })
}
