//! The image of a build: its statuses, read off the build's timeline, and its view at a moment.
//!
//! The workflows decide: an image is BUILDING, TESTING or DISTRIBUTING while one of that type
//! runs, and its final status is that of the last run of the build.

use imagebuilder_model::{ImageStatus, StepStatus, Timestamp};

use super::build::Build;
use super::ids::{self, Place};
use super::plan::WorkflowPlan;
use super::tempo::GAP;
use super::timeline::{Stop, WorkflowTimeline};
use super::view::{FailureView, ImageView};
use crate::scenario::{Failure, ImageKind, LifecycleStatus, WorkflowKind};

/// A status of the image, from this moment on.
struct Phase {
    /// Milliseconds from the build's begin.
    at: i64,
    status: ImageStatus,
    /// The step that failed, where the status is FAILED.
    failed: Option<Place>,
}

/// Returns every moment at which the image's status changes, in order.
pub(crate) fn changes(build: &Build<'_>) -> Vec<Timestamp> {
    let mut moments: Vec<_> = phases(build)
        .iter()
        .map(|phase| build.at(phase.at))
        .collect();
    moments.dedup();
    moments
}

/// Returns the image's status at `now`.
pub(crate) fn status(build: &Build<'_>, now: Timestamp) -> ImageStatus {
    phase(build, now).status
}

/// Returns the image at `now`.
pub(crate) fn view(build: &Build<'_>, now: Timestamp) -> ImageView {
    let (plan, pipeline) = (build.plan, &build.plan.pipeline);
    let Phase { status, failed, .. } = phase(build, now);
    let failure = failed.map(|at| failure(build, at));
    let made = [
        ImageStatus::Available,
        ImageStatus::Deprecated,
        ImageStatus::Disabled,
    ];
    ImageView {
        arn: build.image_arn(),
        name: plan.image_display_name().to_owned(),
        version: plan.build_version(build.place.build),
        account: pipeline.account.clone(),
        kind: pipeline.kind,
        platform: pipeline.platform,
        os_version: plan.os_version().to_owned(),
        reason: failure.as_ref().map(reason),
        failure,
        created: (build.begin <= now).then_some(build.begin),
        pipeline_arn: plan.pipeline_arn(),
        recipe_arn: plan.recipe_arn(),
        scheduled: plan.schedule().is_some(),
        enhanced_metadata: pipeline.enhanced_metadata,
        tags: plan.image_tags().clone(),
        output: made.contains(&status).then(|| output(build)),
        status,
    }
}

/// Before the build begins the image is PENDING.
fn phase(build: &Build<'_>, now: Timestamp) -> Phase {
    let offset = now.millis_since(build.begin);
    let past = phases(build).into_iter().filter(|phase| phase.at <= offset);
    past.last().unwrap_or(Phase {
        at: 0,
        status: ImageStatus::Pending,
        failed: None,
    })
}

/// In order of time, the first at the build's begin.
fn phases(build: &Build<'_>) -> Vec<Phase> {
    let mut phases = Vec::new();
    for run in 0..build.timeline.runs.len() {
        play_run(build, run, &mut phases);
    }
    phases
}

fn play_run(build: &Build<'_>, run: usize, phases: &mut Vec<Phase>) {
    let mut push = |at, status, failed| phases.push(Phase { at, status, failed });
    let (plan, tempo) = (build.plan, build.tempo);
    let (place, run) = (build.place.in_run(run), &build.timeline.runs[run]);
    let gap = tempo.scaled(GAP);
    push(run.begin, ImageStatus::Pending, None);
    push(run.begin + gap / 2, ImageStatus::Creating, None);
    let mut status = ImageStatus::Creating;
    let mut last = run.begin;
    for (workflow, plan) in run.workflows.iter().zip(&plan.workflows) {
        let Some(start) = workflow.start else {
            continue;
        };
        // A run that stops is over for the image once the workflows that ran have said so,
        // whatever is still rolled back.
        last = last.max(workflow.end.unwrap_or(start));
        let next = stage(plan.kind);
        if next != status {
            push(start, next.clone(), None);
            status = next;
        }
    }
    match run.stop {
        Some(Stop::Cancelled) => push(last, ImageStatus::Cancelled, None),
        Some(Stop::Failed) => {
            let failed = failed_step(&plan.workflows, &run.workflows, place);
            push(last, ImageStatus::Failed, failed);
        }
        None => {
            let mut at = run.end;
            if status != ImageStatus::Distributing {
                push(at, ImageStatus::Distributing, None);
                at += gap;
            }
            // What follows the distribution, launch templates and the like, is only an AMI's.
            if plan.pipeline.kind == ImageKind::Ami {
                push(at, ImageStatus::Integrating, None);
                at += gap;
            }
            push(at, ImageStatus::Available, None);
            for later in &plan.pipeline.lifecycle {
                let status = match later.status {
                    LifecycleStatus::Deprecated => ImageStatus::Deprecated,
                    LifecycleStatus::Disabled => ImageStatus::Disabled,
                    LifecycleStatus::Deleted => ImageStatus::Deleted,
                };
                push(at + tempo.scaled(later.after), status, None);
            }
        }
    }
}

/// The image's status while workflows of this type run.
fn stage(kind: WorkflowKind) -> ImageStatus {
    match kind {
        WorkflowKind::Build => ImageStatus::Building,
        WorkflowKind::Test => ImageStatus::Testing,
        WorkflowKind::Distribution => ImageStatus::Distributing,
    }
}

/// The first step that failed and so ended the run.
fn failed_step(
    plans: &[WorkflowPlan],
    timelines: &[WorkflowTimeline],
    place: Place,
) -> Option<Place> {
    let workflows = timelines.iter().zip(plans).enumerate();
    workflows
        .filter(|(_, (_, plan))| plan.on_failure == Failure::Abort)
        .find_map(|(workflow, (timeline, plan))| {
            let step = first_failure(timeline, plan)?;
            Some(place.in_workflow(workflow).at_step(step))
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

/// The AMI that the last CreateImage step put out, or the container image.
fn output(build: &Build<'_>) -> String {
    let (plan, pipeline) = (build.plan, &build.plan.pipeline);
    if pipeline.kind == ImageKind::Docker {
        return format!(
            "{}.dkr.ecr.{}.amazonaws.com/{}:{}",
            pipeline.account,
            pipeline.region,
            pipeline.image_name(),
            plan.build_version(build.place.build).replace('/', "-")
        );
    }
    let run = build.place.in_run(build.timeline.runs.len() - 1);
    let workflows = plan.workflows.iter().enumerate();
    let places = workflows.flat_map(|(at, workflow)| {
        let steps = workflow.steps.iter().enumerate();
        let creating = steps.filter(|(_, step)| step.action == "CreateImage");
        creating.map(move |(step, _)| run.in_workflow(at).at_step(step))
    });
    build.ami(places.last().unwrap_or(run))
}

fn failure(build: &Build<'_>, at: Place) -> FailureView {
    let (workflow, plan) = (build.workflow_plan(at), build.step_plan(at));
    let last = build.step_timeline(at).phases.last();
    let is_component = last.is_some_and(|phase| build.is_component_failure(at, phase));
    FailureView {
        stage: stage(workflow.kind),
        workflow_execution_id: ids::workflow_id(build.tempo.seed, at),
        workflow_arn: workflow.arn.clone(),
        step_execution_id: ids::step_id(build.tempo.seed, at),
        step: plan.name.clone(),
        timed_out: last.is_some_and(|phase| phase.timed_out),
        message: last
            .and_then(|phase| phase.error.clone())
            .unwrap_or_default(),
        component: is_component.then(|| build.component(at)),
    }
}

/// The text that the user guide's page on failure context shows.
fn reason(failure: &FailureView) -> String {
    let what = match &failure.component {
        Some(component) => format!("Document {} failed!", component.arn),
        None => failure.message.clone(),
    };
    let id = &failure.workflow_execution_id;
    format!("Workflow Execution ID: '{id}' failed with reason: {what}")
}
