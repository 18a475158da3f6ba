//! The image of a build: its statuses, read off the build's timeline, and its view at a moment.
//!
//! The workflows decide: an image is BUILDING, TESTING or DISTRIBUTING while one of that type
//! runs, and its final status is that of the last run of the build.

use imagebuilder_model::{Ami, ImageStatus, Timestamp};

use super::build::Build;
use super::ids::Place;
use super::plan::Plan;
use super::tempo::{GAP, Tempo};
use super::timeline::{Stage, Stop};
use super::view::ImageView;
use super::{failure, timeline};
use crate::scenario::{ImageKind, LifecycleStatus};

/// A status of the image, from this moment on.
struct Phase {
    /// Milliseconds from the build's begin.
    at: i64,
    status: ImageStatus,
    /// The run that failed and where, while the status is FAILED.
    failed: Option<(Place, Stage)>,
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
    let failure = failed.and_then(|(run, stage)| failure::view(build, run, stage));
    let is_made = made(&status);
    let is_import = pipeline.import.is_some();
    ImageView {
        arn: build.image_arn(),
        name: plan.image_display_name().to_owned(),
        version: plan.build_version(build.place.build),
        account: pipeline.account.clone(),
        kind: pipeline.kind,
        platform: pipeline.platform,
        os_version: plan.os_version().to_owned(),
        reason: failure.as_ref().map(|failure| failure.reason.clone()),
        failure,
        created: (build.begin <= now).then_some(build.begin),
        pipeline_arn: plan.pipeline_arn(),
        recipe_arn: (!is_import).then(|| plan.recipe_arn()),
        infrastructure_arn: (!is_import).then(|| plan.infrastructure_arn()),
        keeps_instance: pipeline.keep_instance,
        build_type: plan.build_type(),
        log_group: pipeline.log_group.clone(),
        enhanced_metadata: pipeline.enhanced_metadata,
        tags: plan.image_tags().clone(),
        output: is_made.then(|| output(build)),
        amis: if is_made { amis(build) } else { Vec::new() },
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
    let place = build.place.in_run(run);
    let mut push = |at, status, failed| phases.push(Phase { at, status, failed });
    let (plan, tempo) = (build.plan, build.tempo);
    let earlier = run
        .checked_sub(1)
        .and_then(|run| build.timeline.runs[run].stop);
    let run = &build.timeline.runs[run];
    let gap = tempo.scaled(GAP);
    // A retry returns to the stage that failed.
    let mut status = match earlier {
        Some((_, stopped)) => stopped.status(plan),
        None => ImageStatus::Pending,
    };
    push(run.begin, status.clone(), None);
    if earlier.is_none() {
        status = ImageStatus::Creating;
        push(run.begin + gap / 2, ImageStatus::Creating, None);
    }
    let mut last = run.begin;
    for (at, workflow) in &run.workflows {
        let Some(start) = workflow.start else {
            continue;
        };
        // A run that stops is over for the image once the workflows that ran have said so,
        // whatever is still rolled back.
        last = last.max(workflow.end.unwrap_or(start));
        let next = Stage::Workflow(*at).status(plan);
        if next != status {
            push(start, next.clone(), None);
            status = next;
        }
    }
    let failed = |stopped| Some((place, stopped));
    let is_import = plan.pipeline.import.is_some();
    match run.stop {
        Some((Stop::Cancelled, _)) => return push(last, ImageStatus::Cancelled, None),
        Some((Stop::Failed, stopped @ Stage::Workflow(_))) => {
            return push(last, ImageStatus::Failed, failed(stopped));
        }
        Some((Stop::Failed, stopped)) if is_import => {
            return push(run.end, ImageStatus::Failed, failed(stopped));
        }
        None if is_import => return push(run.end, ImageStatus::Available, None),
        _ => {}
    }
    if status != ImageStatus::Distributing {
        push(run.ran, ImageStatus::Distributing, None);
    }
    let mut at = run.ran + timeline::distribution_time(plan, tempo);
    if let Some((_, stopped @ Stage::Distribution)) = run.stop {
        return push(at, ImageStatus::Failed, failed(stopped));
    }
    // What follows the distribution, launch templates and the like, is only an AMI's.
    if plan.pipeline.kind == ImageKind::Ami {
        push(at, ImageStatus::Integrating, None);
        at += gap;
    }
    if let Some((_, stopped @ Stage::Integration)) = run.stop {
        return push(at, ImageStatus::Failed, failed(stopped));
    }
    push(at, ImageStatus::Available, None);
    grow_old(plan, tempo, at, push);
}

/// The statuses of an image after it became AVAILABLE.
fn grow_old(
    plan: &Plan,
    tempo: Tempo,
    available: i64,
    mut push: impl FnMut(i64, ImageStatus, Option<(Place, Stage)>),
) {
    for later in &plan.pipeline.lifecycle {
        let status = match later.status {
            LifecycleStatus::Deprecated => ImageStatus::Deprecated,
            LifecycleStatus::Disabled => ImageStatus::Disabled,
            LifecycleStatus::Deleted => ImageStatus::Deleted,
        };
        push(available + tempo.scaled(later.after), status, None);
    }
}

/// Whether an image of this status has outputs.
fn made(status: &ImageStatus) -> bool {
    matches!(
        status,
        ImageStatus::Available | ImageStatus::Deprecated | ImageStatus::Disabled
    )
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
    build.ami(created_by(build))
}

/// The last CreateImage step that ran, in the last run that has its workflow.
fn created_by(build: &Build<'_>) -> Place {
    let runs = build.timeline.runs.iter().enumerate();
    let ran = runs.flat_map(|(run, timeline)| {
        let place = build.place.in_run(run);
        let workflows = timeline.workflows.keys();
        workflows.map(move |workflow| place.in_workflow(*workflow))
    });
    let places = ran.flat_map(|place| {
        let steps = build.workflow_plan(place).steps.iter().enumerate();
        let creating = steps.filter(|(_, step)| step.action == "CreateImage");
        creating.map(move |(step, _)| place.at_step(step))
    });
    let last = places.max_by_key(|place| (place.workflow, place.run, place.step));
    last.unwrap_or(build.place)
}

/// The AMIs of the image by region and account.
fn amis(build: &Build<'_>) -> Vec<Ami> {
    let pipeline = &build.plan.pipeline;
    if pipeline.kind == ImageKind::Docker {
        return Vec::new();
    }
    let created = created_by(build);
    let own = Ami {
        region: pipeline.region.clone(),
        account_id: pipeline.account.clone(),
        id: build.ami(created),
    };
    if pipeline.distribution.is_empty() {
        return vec![own];
    }
    let destinations = pipeline.distribution.iter().enumerate();
    let amis = destinations.map(|(at, destination)| {
        let ami = Ami {
            region: destination.region.clone(),
            account_id: (destination.account.clone()).unwrap_or_else(|| own.account_id.clone()),
            id: build.copied_ami(created, at),
        };
        match (&ami.region, &ami.account_id) == (&own.region, &own.account_id) {
            true => own.clone(),
            false => ami,
        }
    });
    amis.collect()
}
