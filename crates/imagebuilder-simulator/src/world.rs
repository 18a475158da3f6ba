//! The simulated world: a pure function of scenario, seed, speed and a moment.
//!
//! Owns the resource that each id and ARN means; has no clock and does no I/O. Made of a checked
//! [`Scenario`]. The service reads it, and so do tests, to compare with what a client saw.

mod build;
mod calendar;
mod catalog;
mod failure;
mod ids;
mod image;
mod pipeline;
mod plan;
mod step_timeline;
mod tempo;
mod timeline;
#[expect(
    missing_docs,
    reason = "the fields are the members of the service's responses, which its API reference documents"
)]
mod view;

use std::time::Duration;

use imagebuilder_model::{ImageStatus, StepExecutionId, Timestamp, WorkflowExecutionId};

use crate::scenario::Scenario;
use build::Build;
use calendar::Calendar;
use ids::Place;
use tempo::Tempo;
use timeline::RunTimeline;

pub(crate) use catalog::{Catalog, Listed};
pub(crate) use ids::uuid_text;
pub(crate) use plan::Plan;
pub use view::{
    ComponentView, FailedStepView, FailureView, ImageVersionView, ImageView, PLANTED_SECRET,
    PipelineView, StepView, WorkflowView,
};

/// Everything that Image Builder has in a scripted world, at every moment.
#[derive(Debug)]
pub struct World {
    calendar: Calendar,
}

/// A step that a build will have, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// The id of the step execution.
    pub id: StepExecutionId,
    /// The id of its workflow execution.
    pub workflow_execution_id: WorkflowExecutionId,
    /// The account that owns the image.
    pub account: String,
    /// The region of the image.
    pub region: String,
    /// The image build version that is built.
    pub image_arn: String,
    /// The step's name in its workflow.
    pub name: String,
    /// When its build begins.
    pub build_begins: Timestamp,
    /// When the step itself begins; `None` where it never does.
    pub begins: Option<Timestamp>,
}

/// The account and region of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
}

impl World {
    /// Makes a world that begins at `start`. `speed` divides every duration and timeout of the
    /// scenario.
    ///
    /// `start` is by the machine's clock. All other times are by the service's clock, which the
    /// scenario may set ahead or behind.
    ///
    /// # Panics
    ///
    /// `speed` is not a number over 0.
    pub fn new(scenario: Scenario, seed: u64, speed: f64, start: Timestamp) -> Self {
        assert!(
            speed.is_finite() && speed > 0.0,
            "speed {speed} is not over 0"
        );
        let start = start.plus_millis(scenario.clock_skew.millis());
        Self {
            calendar: Calendar::new(scenario, Tempo { seed, speed }, start),
        }
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.calendar.scenario
    }

    pub(crate) fn seed(&self) -> u64 {
        self.calendar.tempo.seed
    }

    /// Returns the moment that offsets of the scenario count from.
    pub fn start(&self) -> Timestamp {
        self.calendar.start
    }

    /// Returns the step at `now`; `None` while the service would not know it.
    pub fn step(&self, id: &StepExecutionId, now: Timestamp) -> Option<StepView> {
        let place = ids::place_of_step(self.seed(), id)?;
        let build = self.calendar.known_build(place, now)?;
        build.workflow(place)?.steps.get(usize::from(place.step))?;
        Some(build.step_view(place, now))
    }

    /// Returns the workflow execution at `now`.
    pub fn workflow(&self, id: &WorkflowExecutionId, now: Timestamp) -> Option<WorkflowView> {
        let place = ids::place_of_workflow(self.seed(), id)?;
        let build = self.calendar.known_build(place, now)?;
        build.workflow(place)?;
        Some(build.workflow_view(place, now))
    }

    /// Returns every step of a workflow execution, in the order of the workflow.
    pub fn steps_of(&self, id: &WorkflowExecutionId, now: Timestamp) -> Option<Vec<StepView>> {
        let place = ids::place_of_workflow(self.seed(), id)?;
        let build = self.calendar.known_build(place, now)?;
        let places = (0..build.workflow(place)?.steps.len()).map(|step| place.at_step(step));
        Some(places.map(|place| build.step_view(place, now)).collect())
    }

    /// Returns every workflow execution of an image build version, those of its retries last.
    pub fn workflows_of(&self, image_arn: &str, now: Timestamp) -> Option<Vec<WorkflowView>> {
        let place = self.calendar.place_of_image(image_arn)?;
        let build = self.calendar.known_build(place, now)?;
        let begun = |run: &&RunTimeline| run.begin == 0 || build.at(run.begin) <= now;
        let runs = build.timeline.runs.iter().take_while(begun).enumerate();
        let places = runs.flat_map(|(run, timeline)| {
            let workflows = timeline.workflows.keys();
            workflows.map(move |workflow| place.in_run(run).in_workflow(*workflow))
        });
        let views = places.map(|place| build.workflow_view(place, now));
        Some(views.collect())
    }

    /// Returns the image build version at `now`, also before it is in the lists.
    pub fn image(&self, arn: &str, now: Timestamp) -> Option<ImageView> {
        let place = self.calendar.place_of_image(arn)?;
        let build = self.calendar.known_image(place, now)?;
        Some(image::view(&build, now))
    }

    /// Returns the newest AVAILABLE build of a version, which may have wildcards:
    /// `.../golden/1.x.x`.
    pub fn newest_available(&self, version_arn: &str, now: Timestamp) -> Option<ImageView> {
        let pipeline = self.calendar.pipeline_of_version(version_arn)?;
        let builds = self.calendar.begun(pipeline, now).rev();
        let mut builds =
            builds.filter_map(|build| self.calendar.build(Place::first(pipeline, build)));
        let newest = builds.find(|build| image::status(build, now) == ImageStatus::Available)?;
        Some(image::view(&newest, now))
    }

    /// Returns the entries of `ListImageBuildVersions` at `now`, in its order.
    pub fn images(&self, region: &str, account: Option<&str>, now: Timestamp) -> Vec<ImageView> {
        let catalog = self.catalog(region, account, now);
        let listed = catalog.builds(|_, _| true).into_iter();
        listed.map(|at| catalog.build(at)).collect()
    }

    /// Returns the entries of `ListImagePipelineImages` at `now`; none where the pipeline does not
    /// exist.
    pub fn images_of_pipeline(&self, arn: &str, now: Timestamp) -> Vec<ImageView> {
        let Some(owner) = self.owner_of_pipeline(arn) else {
            return Vec::new();
        };
        let catalog = self.catalog(owner.region, Some(owner.account), now);
        let listed = catalog.builds(|plan, _| self.has_pipeline(plan, arn, now));
        listed.into_iter().map(|at| catalog.build(at)).collect()
    }

    /// Returns the entries of `ListImages` at `now`.
    pub fn image_versions(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Vec<ImageVersionView> {
        let catalog = self.catalog(region, account, now);
        let listed = catalog.versions(|_| true).into_iter();
        listed.map(|at| catalog.version(at)).collect()
    }

    /// Returns the entries of `ListImagePipelines` at `now`.
    pub fn pipelines(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Vec<PipelineView> {
        let catalog = self.catalog(region, account, now);
        let listed = catalog.pipelines().into_iter();
        listed.map(|at| catalog.pipeline(at)).collect()
    }

    /// Returns the pipeline at `now`; `None` before its creation and after its deletion.
    pub fn pipeline(&self, arn: &str, now: Timestamp) -> Option<PipelineView> {
        let is_it = |plan: &Plan| self.has_pipeline(plan, arn, now);
        let at = self.calendar.find(is_it)?;
        Some(pipeline::view(&self.calendar, at, now))
    }

    /// Returns the steps of every build that begins until `horizon` after the start, by pipeline,
    /// build and place in the build.
    pub fn planned_steps(&self, horizon: Duration) -> Vec<PlannedStep> {
        let until = self.start().plus(horizon);
        let builds = self.calendar.plans().flat_map(|(pipeline, _)| {
            (0..=u32::MAX).map_while(move |build| {
                let build = self.calendar.build(Place::first(pipeline, build))?;
                (build.begin <= until).then_some(build)
            })
        });
        builds.flat_map(|build| planned_steps(&build)).collect()
    }

    /// Returns every moment at which the step changes, in order.
    pub fn changes_of_step(&self, id: &StepExecutionId) -> Vec<Timestamp> {
        let changes = || {
            let place = ids::place_of_step(self.seed(), id)?;
            let build = self.calendar.build(place)?;
            let step = build.workflow(place)?.steps.get(usize::from(place.step))?;
            let phases = step.phases.iter().map(|phase| phase.at);
            let offsets = phases.chain(step.rollback.iter().map(|(at, _)| *at));
            let mut moments: Vec<_> = offsets.map(|at| build.at(at)).collect();
            moments.sort_unstable();
            moments.dedup();
            Some(moments)
        };
        changes().unwrap_or_default()
    }

    /// Returns every moment at which the image's status changes, in order.
    pub fn changes_of_image(&self, arn: &str) -> Vec<Timestamp> {
        let build = self.build_of_image(arn);
        build.map_or_else(Vec::new, |build| image::changes(&build))
    }

    /// Returns the moment at which an image appears in the lists.
    pub fn image_listed_from(&self, arn: &str) -> Option<Timestamp> {
        let build = self.build_of_image(arn)?;
        Some(self.calendar.listed_from(build.place))
    }

    /// Returns what a caller of this region and account sees in lists.
    pub(crate) fn catalog<'a>(
        &'a self,
        region: &'a str,
        account: Option<&'a str>,
        now: Timestamp,
    ) -> Catalog<'a> {
        Catalog {
            calendar: &self.calendar,
            region,
            account,
            now,
        }
    }

    /// Whether the plan's pipeline is this one, and exists at `now`.
    pub(crate) fn has_pipeline(&self, plan: &Plan, arn: &str, now: Timestamp) -> bool {
        self.calendar.has_pipeline(plan, arn, now)
    }

    /// The owner of a step, whether or not the step is known at any moment.
    pub(crate) fn owner_of_step(&self, id: &StepExecutionId) -> Option<Owner<'_>> {
        self.owner(ids::place_of_step(self.seed(), id)?.pipeline)
    }

    pub(crate) fn owner_of_workflow(&self, id: &WorkflowExecutionId) -> Option<Owner<'_>> {
        self.owner(ids::place_of_workflow(self.seed(), id)?.pipeline)
    }

    /// The owner of an image build version.
    pub(crate) fn owner_of_image(&self, arn: &str) -> Option<Owner<'_>> {
        self.owner(self.calendar.place_of_image(arn)?.pipeline)
    }

    /// The owner of a version, which may have wildcards.
    pub(crate) fn owner_of_image_version(&self, arn: &str) -> Option<Owner<'_>> {
        self.owner(self.calendar.pipeline_of_version(arn)?)
    }

    /// The owner of a pipeline, whether or not it exists at any moment.
    pub(crate) fn owner_of_pipeline(&self, arn: &str) -> Option<Owner<'_>> {
        let is_it = |plan: &Plan| plan.pipeline_arn().as_deref() == Some(arn);
        self.owner(self.calendar.find(is_it)?)
    }

    fn owner(&self, pipeline: u16) -> Option<Owner<'_>> {
        let pipeline = &self.calendar.plans().nth(usize::from(pipeline))?.1.pipeline;
        Some(Owner {
            account: &pipeline.account,
            region: &pipeline.region,
        })
    }

    fn build_of_image(&self, arn: &str) -> Option<Build<'_>> {
        self.calendar.build(self.calendar.place_of_image(arn)?)
    }
}

fn planned_steps(build: &Build<'_>) -> Vec<PlannedStep> {
    let runs = build.timeline.runs.iter().enumerate();
    let workflows = runs.flat_map(|(run, timeline)| {
        let place = build.place.in_run(run);
        let workflows = timeline.workflows.iter();
        workflows.map(move |(at, timeline)| (place.in_workflow(*at), timeline))
    });
    let steps = workflows.flat_map(|(place, timeline)| {
        let steps = timeline.steps.iter().enumerate();
        steps.map(move |(at, timeline)| (place.at_step(at), timeline))
    });
    let planned = steps.map(|(place, timeline)| {
        let first = timeline.phases.first();
        PlannedStep {
            id: ids::step_id(build.tempo.seed, place),
            workflow_execution_id: ids::workflow_id(build.tempo.seed, place),
            account: build.plan.pipeline.account.clone(),
            region: build.plan.pipeline.region.clone(),
            image_arn: build.image_arn(),
            name: build.step_plan(place).name.clone(),
            build_begins: build.begin,
            begins: first.and_then(|phase| phase.start).map(|at| build.at(at)),
        }
    });
    planned.collect()
}

#[cfg(test)]
mod tests;
