//! The simulated world: a pure function of scenario, seed, speed and the moment asked about.
//!
//! Owns which build exists when and what an id stands for; has no clock and does no IO. Fed by a
//! checked [`Scenario`]; the server, and tests with a scripted API, ask it.

mod images;
mod lists;
mod pipelines;

use std::time::Duration;

use imagebuilder_model::{ImageArn, StepExecutionId, Timestamp, WorkflowExecutionId};

use super::build::Build;
use super::ids::{self, Place};
use super::plan::Plan;
use super::scenario::Scenario;
use super::timeline::{self, RunTimeline, Tempo};
use super::view::{StepView, WorkflowView};

pub(super) use lists::Listed;

/// See the module.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    plans: Vec<Plan>,
    tempo: Tempo,
    start: Timestamp,
}

/// A step that a build will have, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    pub id: StepExecutionId,
    pub workflow_execution_id: WorkflowExecutionId,
    pub account: String,
    pub region: String,
    pub image_arn: String,
    pub name: String,
    /// When its build begins.
    pub build_begins: Timestamp,
    /// When it begins itself; `None` where it never does.
    pub begins: Option<Timestamp>,
}

/// Whose an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    pub account: &'a str,
    pub region: &'a str,
}

impl World {
    /// `speed` compresses every duration and timeout of the scenario. `start` is a time of the
    /// machine's clock; all others are of the service's, which the scenario may have ahead or behind.
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
        let plans = scenario.pipelines.iter().cloned().map(Plan::new).collect();
        Self {
            scenario,
            plans,
            tempo: Tempo { seed, speed },
            start,
        }
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub fn seed(&self) -> u64 {
        self.tempo.seed
    }

    /// The moment that offsets of the scenario count from.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The step as it stands at `now`; `None` where the service would not know it, never did or
    /// no more.
    pub fn step(&self, id: &StepExecutionId, now: Timestamp) -> Option<StepView> {
        let place = ids::place_of_step(self.tempo.seed, id)?;
        let build = self.known_build(place, now)?;
        build.workflow(place)?.steps.get(usize::from(place.step))?;
        Some(build.step_view(place, now))
    }

    /// The workflow execution as it stands at `now`.
    pub fn workflow(&self, id: &WorkflowExecutionId, now: Timestamp) -> Option<WorkflowView> {
        let place = ids::place_of_workflow(self.tempo.seed, id)?;
        let build = self.known_build(place, now)?;
        build.workflow(place)?;
        Some(build.workflow_view(place, now))
    }

    /// Every step of a workflow execution, in the order of the workflow.
    pub fn steps_of(&self, id: &WorkflowExecutionId, now: Timestamp) -> Option<Vec<StepView>> {
        let place = ids::place_of_workflow(self.tempo.seed, id)?;
        let build = self.known_build(place, now)?;
        let count = build.workflow(place)?.steps.len();
        let places = (0..count).map(|step| Place {
            step: step as u8,
            ..place
        });
        Some(places.map(|place| build.step_view(place, now)).collect())
    }

    /// Every workflow execution of an image build version, those of its retries last.
    pub fn workflows_of(&self, image_arn: &str, now: Timestamp) -> Option<Vec<WorkflowView>> {
        let place = self.place_of_image(image_arn)?;
        let build = self.known_build(place, now)?;
        let begun = |run: &&RunTimeline| run.begin == 0 || build.at(run.begin) <= now;
        let runs = build.timeline.runs.iter().take_while(begun).enumerate();
        let places = runs.flat_map(|(run, timeline)| {
            (0..timeline.workflows.len()).map(move |workflow| Place {
                run: run as u8,
                workflow: workflow as u8,
                ..place
            })
        });
        Some(
            places
                .map(|place| build.workflow_view(place, now))
                .collect(),
        )
    }

    /// Whose step this is, whether or not it is known at any moment.
    pub fn owner_of_step(&self, id: &StepExecutionId) -> Option<Owner<'_>> {
        self.owner(ids::place_of_step(self.tempo.seed, id)?)
    }

    /// Whose workflow execution this is.
    pub fn owner_of_workflow(&self, id: &WorkflowExecutionId) -> Option<Owner<'_>> {
        self.owner(ids::place_of_workflow(self.tempo.seed, id)?)
    }

    /// Whose image build version this is.
    pub fn owner_of_image(&self, arn: &str) -> Option<Owner<'_>> {
        self.owner(self.place_of_image(arn)?)
    }

    /// The steps of every build that begins until `horizon` after the start, by pipeline, build
    /// and place in the build.
    pub fn planned_steps(&self, horizon: Duration) -> Vec<PlannedStep> {
        let until = self.start.plus(horizon);
        let mut steps = Vec::new();
        for pipeline in 0..self.plans.len() as u16 {
            for index in 0..=u32::MAX {
                let place = Place {
                    pipeline,
                    build: index,
                    run: 0,
                    workflow: 0,
                    step: 0,
                };
                match self.build(place) {
                    Some(build) if build.begin <= until => self.plan_steps(&build, &mut steps),
                    _ => break,
                }
            }
        }
        steps
    }

    /// Every moment at which the step's answer changes, in order.
    pub fn changes_of_step(&self, id: &StepExecutionId) -> Vec<Timestamp> {
        let Some(place) = ids::place_of_step(self.tempo.seed, id) else {
            return Vec::new();
        };
        let Some(build) = self.build(place) else {
            return Vec::new();
        };
        let Some(step) = build
            .workflow(place)
            .and_then(|workflow| workflow.steps.get(usize::from(place.step)))
        else {
            return Vec::new();
        };
        let phases = step.phases.iter().map(|phase| phase.at);
        let mut moments: Vec<_> = phases
            .chain(step.rollback.iter().map(|(at, _)| *at))
            .map(|at| build.at(at))
            .collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    fn owner(&self, place: Place) -> Option<Owner<'_>> {
        let pipeline = &self.plans.get(usize::from(place.pipeline))?.pipeline;
        Some(Owner {
            account: &pipeline.account,
            region: &pipeline.region,
        })
    }

    fn place_of_image(&self, arn: &str) -> Option<Place> {
        let number = ImageArn::parse(arn)?
            .version()
            .rsplit_once('/')?
            .1
            .parse::<u32>()
            .ok()?;
        let build = number.checked_sub(1)?;
        let pipeline =
            (0..self.plans.len()).find(|pipeline| self.plans[*pipeline].image_arn(build) == arn)?;
        Some(Place {
            pipeline: pipeline as u16,
            build,
            run: 0,
            workflow: 0,
            step: 0,
        })
    }

    /// The place's build, whenever it is.
    fn build(&self, place: Place) -> Option<Build<'_>> {
        let plan = self.plans.get(usize::from(place.pipeline))?;
        let place = Place {
            run: 0,
            workflow: 0,
            step: 0,
            ..place
        };
        (place.build < self.count_of(plan)).then(|| Build {
            plan,
            place,
            tempo: self.tempo,
            begin: self.begin_of(plan, place.build),
            timeline: timeline::build(plan, self.tempo, place),
        })
    }

    /// When the build with this index begins, if there is one.
    fn begin_of(&self, plan: &Plan, build: u32) -> Timestamp {
        let offset = self.tempo.scaled(plan.pipeline.first) + i64::from(build) * self.every(plan);
        self.start.plus_millis(offset)
    }

    fn every(&self, plan: &Plan) -> i64 {
        self.tempo.scaled(plan.pipeline.every).max(1)
    }

    /// How many builds there will ever be.
    fn count_of(&self, plan: &Plan) -> u32 {
        let scripted = plan.pipeline.builds.unwrap_or(u32::MAX);
        let Some(stop) = plan.pipeline.stops_at() else {
            return scripted;
        };
        let length = self.tempo.scaled(stop) - self.tempo.scaled(plan.pipeline.first);
        let begun = (length + self.every(plan) - 1).div_euclid(self.every(plan));
        begun.clamp(0, scripted.into()) as u32
    }

    /// The place's build, where the place's run can be asked for at `now`.
    fn known_build(&self, place: Place, now: Timestamp) -> Option<Build<'_>> {
        let build = self.build(place)?;
        let run = build.timeline.runs.get(usize::from(place.run))?;
        let announced = match place.run {
            0 => self.tempo.scaled(self.scenario.announce),
            _ => 0,
        };
        let from = build.at(run.begin - announced);
        let until = build.at(build.timeline.end + self.tempo.scaled(self.scenario.keep));
        (from <= now && now < until).then_some(build)
    }

    fn plan_steps(&self, build: &Build<'_>, steps: &mut Vec<PlannedStep>) {
        for (run, timeline) in build.timeline.runs.iter().enumerate() {
            for (workflow, timeline) in timeline.workflows.iter().enumerate() {
                for (step, timeline) in timeline.steps.iter().enumerate() {
                    let place = Place {
                        run: run as u8,
                        workflow: workflow as u8,
                        step: step as u8,
                        ..build.place
                    };
                    let first = timeline.phases.first();
                    steps.push(PlannedStep {
                        id: ids::step_id(self.tempo.seed, place),
                        workflow_execution_id: ids::workflow_id(self.tempo.seed, place),
                        account: build.plan.pipeline.account.clone(),
                        region: build.plan.pipeline.region.clone(),
                        image_arn: build.image_arn(),
                        name: build.step_plan(place).name.clone(),
                        build_begins: build.begin,
                        begins: first.and_then(|phase| phase.start).map(|at| build.at(at)),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
