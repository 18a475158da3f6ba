//! Why and where a build failed, as `state` of its image says.

use imagebuilder_model::{ImageStatus, RegionFailure, StepStatus};

use super::build::Build;
use super::ids::{self, Place};
use super::plan::WorkflowPlan;
use super::timeline::{Stage, WorkflowTimeline};
use super::view::{FailedStepView, FailureView};
use crate::scenario::{Failure, Outcome};

/// Returns the failure of a run that stopped at a stage.
pub(crate) fn view(build: &Build<'_>, run: Place, stopped: Stage) -> Option<FailureView> {
    let pipeline = &build.plan.pipeline;
    let stage = stopped.status(build.plan);
    let without_step = |reason: &str, regions| FailureView {
        stage: stage.clone(),
        reason: reason.to_owned(),
        step: None,
        regions,
    };
    Some(match stopped {
        Stage::Workflow(at) => of_step(build, run.in_workflow(at), stage)?,
        Stage::Distribution => {
            let regions = regions(build, run);
            let failure = without_step("", regions);
            FailureView {
                reason: failure.distribution_error().unwrap_or_default(),
                ..failure
            }
        }
        Stage::Integration => without_step(&pipeline.integration.as_ref()?.error, Vec::new()),
        Stage::Import => without_step(pipeline.import.as_ref()?.error.as_deref()?, Vec::new()),
    })
}

fn of_step(build: &Build<'_>, workflow: Place, stage: ImageStatus) -> Option<FailureView> {
    let plan = build.workflow_plan(workflow);
    let at = workflow.at_step(first_failure(build.workflow(workflow)?, plan)?);
    let phase = build.step_timeline(at).phases.last()?;
    let is_component = build.is_component_failure(at, phase);
    let component = is_component.then(|| build.component(at));
    let message = phase.error.clone().unwrap_or_default();
    // The text that the user guide's page on failure context shows.
    let id = ids::workflow_id(build.tempo.seed, at);
    let what = match &component {
        Some(component) => format!("Document {} failed!", component.arn),
        None => message.clone(),
    };
    let pipeline = &build.plan.pipeline;
    let region = (stage == ImageStatus::Distributing).then(|| RegionFailure {
        region: Some(pipeline.region.clone()),
        account_id: Some(pipeline.account.clone()),
        status: Some(if phase.timed_out { TIMED_OUT } else { FAILED }.to_owned()),
        configuration_step: None,
        error: Some(message),
    });
    Some(FailureView {
        stage,
        reason: format!("Workflow Execution ID: '{id}' failed with reason: {what}"),
        step: Some(FailedStepView {
            workflow_execution_id: id,
            workflow_arn: plan.arn.clone(),
            step_execution_id: ids::step_id(build.tempo.seed, at),
            name: build.step_plan(at).name.clone(),
            component,
        }),
        regions: region.into_iter().collect(),
    })
}

/// The step that failed and so ended its workflow.
fn first_failure(timeline: &WorkflowTimeline, plan: &WorkflowPlan) -> Option<usize> {
    let mut steps = timeline.steps.iter().zip(&plan.steps);
    steps.position(|(timeline, plan)| {
        let last = timeline.phases.last();
        let failed = last.is_some_and(|phase| phase.status == StepStatus::Failed);
        failed && plan.on_failure == Failure::Abort
    })
}

// `RegionFailureStatus` of the service's model.
const FAILED: &str = "FAILED";
const TIMED_OUT: &str = "TIMED_OUT";
const CANCELLED: &str = "CANCELLED";

/// The destinations that a distribution without a workflow did not reach.
fn regions(build: &Build<'_>, run: Place) -> Vec<RegionFailure> {
    let pipeline = &build.plan.pipeline;
    let failures = pipeline.distribution.iter().filter_map(|destination| {
        let status = match destination.outcome(build.place.build, run.run) {
            Outcome::Completed => return None,
            Outcome::Hang => TIMED_OUT,
            Outcome::Cancelled => CANCELLED,
            _ => FAILED,
        };
        let account = destination.account.as_ref().unwrap_or(&pipeline.account);
        Some(RegionFailure {
            region: Some(destination.region.clone()),
            account_id: Some(account.clone()),
            status: Some(status.to_owned()),
            configuration_step: destination.configuration_step.clone(),
            error: Some(destination.error.clone()),
        })
    });
    failures.collect()
}
