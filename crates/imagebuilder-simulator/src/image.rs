//! What an image goes through, read off the timeline of its build.
//!
//! The workflows decide: an image is BUILDING, TESTING or DISTRIBUTING while one of that type
//! runs, and what it ends in is what the last run of the build ends in. Pure, like `timeline`.

use imagebuilder_model::{ImageStatus, StepStatus};

use super::ids::Place;
use super::plan::{Plan, WorkflowPlan};
use super::scenario::{Failure, ImageKind, LifecycleStatus, WorkflowKind};
use super::timeline::{BuildTimeline, GAP, RunTimeline, Stop, Tempo, WorkflowTimeline};

/// A status of the image, from this moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImagePhase {
    /// Milliseconds from the build's begin.
    pub at: i64,
    pub status: ImageStatus,
    /// The step whose failure it is.
    pub failed: Option<Place>,
}

/// In order of time, the first at the build's begin; before it the image is PENDING.
pub(super) fn phases(
    plan: &Plan,
    tempo: Tempo,
    place: Place,
    build: &BuildTimeline,
) -> Vec<ImagePhase> {
    let mut phases = Vec::new();
    for (run, timeline) in build.runs.iter().enumerate() {
        let place = Place {
            run: run as u8,
            ..place
        };
        play_run(plan, tempo, place, timeline, &mut phases);
    }
    phases
}

fn play_run(
    plan: &Plan,
    tempo: Tempo,
    place: Place,
    run: &RunTimeline,
    phases: &mut Vec<ImagePhase>,
) {
    let mut push = |at, status, failed| phases.push(ImagePhase { at, status, failed });
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
            let failed = failed_step(plan, place, run);
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

/// What an image is while workflows of this type run.
pub(super) fn stage(kind: WorkflowKind) -> ImageStatus {
    match kind {
        WorkflowKind::Build => ImageStatus::Building,
        WorkflowKind::Test => ImageStatus::Testing,
        WorkflowKind::Distribution => ImageStatus::Distributing,
    }
}

/// The first step whose failure ended the run.
fn failed_step(plan: &Plan, place: Place, run: &RunTimeline) -> Option<Place> {
    let workflows = run.workflows.iter().zip(&plan.workflows).enumerate();
    workflows
        .filter(|(_, (_, plan))| plan.on_failure == Failure::Abort)
        .find_map(|(workflow, (timeline, plan))| {
            let step = first_failure(timeline, plan)?;
            Some(Place {
                workflow: workflow as u8,
                step: step as u8,
                ..place
            })
        })
}

/// The step whose failure ended its workflow.
fn first_failure(timeline: &WorkflowTimeline, plan: &WorkflowPlan) -> Option<usize> {
    let mut steps = timeline.steps.iter().zip(&plan.steps);
    steps.position(|(timeline, plan)| {
        let last = timeline.phases.last();
        let failed = last.is_some_and(|phase| phase.status == StepStatus::Failed);
        failed && plan.on_failure == Failure::Abort
    })
}
