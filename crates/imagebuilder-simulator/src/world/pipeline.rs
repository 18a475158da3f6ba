//! The view of a pipeline at a moment.

use imagebuilder_model::{ImageStatus, Timestamp};

use super::calendar::Calendar;
use super::ids::Place;
use super::image;
use super::view::PipelineView;

/// Milliseconds from the creation of a pipeline to the simulator's start, by default.
const OLD: i64 = 90 * 24 * 3_600_000;

/// Returns the view of a pipeline, which exists at `now`.
pub(crate) fn view(calendar: &Calendar, at: u16, now: Timestamp) -> PipelineView {
    let plan = calendar.plan(at);
    let pipeline = &plan.pipeline;
    let moment = |offset| calendar.moment(offset);
    let created = pipeline
        .created_at
        .map_or_else(|| calendar.start.plus_millis(-OLD), moment);
    let disabled = pipeline.disabled_at.map(moment).filter(|at| *at <= now);
    let schedule = plan.schedule();
    let last = calendar.begun(at, now).last();
    let last = last.and_then(|build| calendar.build(Place::first(at, build)));
    let next = calendar.next_build(at, now);
    PipelineView {
        arn: plan.pipeline_arn().unwrap_or_default(),
        name: plan.display_name().to_owned(),
        description: pipeline.description.clone(),
        platform: pipeline.platform,
        kind: pipeline.kind,
        recipe_arn: plan.recipe_arn(),
        infrastructure_arn: plan.infrastructure_arn(),
        distribution_arn: plan.arn(&format!("distribution-configuration/{}", pipeline.name)),
        timezone: schedule.as_ref().and(pipeline.timezone.clone()),
        enabled: disabled.is_none(),
        enhanced_metadata: pipeline.enhanced_metadata,
        created,
        updated: disabled.unwrap_or(created),
        last_run: last.as_ref().map(|build| build.begin),
        last_run_status: last.as_ref().map(|build| image::status(build, now)),
        next_run: next.filter(|_| schedule.is_some() && disabled.is_none()),
        consecutive_failures: match schedule {
            Some(_) => consecutive_failures(calendar, at, now),
            None => 0,
        },
        schedule,
        tags: pipeline.tags.clone(),
        image_tags: plan.image_tags().clone(),
    }
}

/// The service counts scheduled builds that end; a cancelled one neither fails nor succeeds.
fn consecutive_failures(calendar: &Calendar, pipeline: u16, now: Timestamp) -> u32 {
    let builds = calendar.begun(pipeline, now).rev();
    let statuses = builds.filter_map(|build| {
        let build = calendar.build(Place::first(pipeline, build))?;
        Some(image::status(&build, now))
    });
    let ended = statuses.filter(ImageStatus::is_terminal);
    let ended = ended.filter(|status| *status != ImageStatus::Cancelled);
    ended
        .take_while(|status| *status == ImageStatus::Failed)
        .count() as u32
}
