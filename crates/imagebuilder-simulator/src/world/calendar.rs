//! Which builds exist, and when each begins.
//!
//! Owns the plans of the scenario's pipelines and their place in time. Plays a build only when one
//! is needed, so a world without end costs nothing.

use std::ops::Range;

use imagebuilder_model::{ImageArn, Timestamp};

use super::build::Build;
use super::ids::Place;
use super::plan::Plan;
use super::tempo::{SALT_LISTED, Tempo};
use super::timeline;
use crate::scenario::{Scenario, Span};

#[derive(Debug)]
pub(crate) struct Calendar {
    pub(crate) scenario: Scenario,
    pub(crate) tempo: Tempo,
    /// The moment that offsets of the scenario count from, by the service's clock.
    pub(crate) start: Timestamp,
    plans: Vec<Plan>,
}

impl Calendar {
    pub(crate) fn new(scenario: Scenario, tempo: Tempo, start: Timestamp) -> Self {
        Self {
            plans: scenario.pipelines.iter().cloned().map(Plan::new).collect(),
            scenario,
            tempo,
            start,
        }
    }

    /// The pipelines and their places in the scenario.
    pub(crate) fn plans(&self) -> impl Iterator<Item = (u16, &Plan)> {
        (0..).zip(&self.plans)
    }

    /// `pipeline` is one of [`Self::plans`].
    pub(crate) fn plan(&self, pipeline: u16) -> &Plan {
        &self.plans[usize::from(pipeline)]
    }

    /// The place of the first pipeline that `is` accepts.
    pub(crate) fn find(&self, is: impl Fn(&Plan) -> bool) -> Option<u16> {
        self.plans.iter().position(is).map(|at| at as u16)
    }

    /// The place's build, whenever it is.
    pub(crate) fn build(&self, place: Place) -> Option<Build<'_>> {
        let plan = self.plans.get(usize::from(place.pipeline))?;
        let place = Place::first(place.pipeline, place.build);
        (place.build < self.count_of(plan)).then(|| Build {
            plan,
            place,
            tempo: self.tempo,
            begin: self.begin_of(plan, place.build),
            timeline: timeline::build(plan, self.tempo, place),
        })
    }

    /// The place's build, where the service knows the place's run at `now`.
    pub(crate) fn known_build(&self, place: Place, now: Timestamp) -> Option<Build<'_>> {
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

    /// The place's build, where the service knows its image at `now`.
    pub(crate) fn known_image(&self, place: Place, now: Timestamp) -> Option<Build<'_>> {
        let build = self.build(place)?;
        let announced = self.tempo.scaled(self.scenario.announce);
        let (from, until) = (build.at(-announced), build.at(self.kept_images()));
        (from <= now && now < until).then_some(build)
    }

    /// The build of an image build version.
    pub(crate) fn place_of_image(&self, arn: &str) -> Option<Place> {
        let version = ImageArn::parse(arn)?;
        let number: u32 = version.version().rsplit_once('/')?.1.parse().ok()?;
        let build = number.checked_sub(1)?;
        let pipeline = self.find(|plan| plan.image_arn(build) == arn)?;
        Some(Place::first(pipeline, build))
    }

    /// The pipeline of a version, which may have wildcards: `.../golden/1.x.x`.
    pub(crate) fn pipeline_of_version(&self, arn: &str) -> Option<u16> {
        let (image, asked) = arn.rsplit_once('/')?;
        self.find(|plan| {
            let own = plan.image_version_arn();
            let mut nodes = asked.split('.').zip(plan.pipeline.version.split('.'));
            own.rsplit_once('/').is_some_and(|(own, _)| own == image)
                && nodes.all(|(asked, own)| asked == "x" || asked == own)
        })
    }

    /// Whether the plan's pipeline is this one, and exists at `now`.
    pub(crate) fn has_pipeline(&self, plan: &Plan, arn: &str, now: Timestamp) -> bool {
        let since = now.millis_since(self.start);
        let after = |at| since >= self.tempo.scaled(at);
        plan.pipeline_arn().as_deref() == Some(arn)
            && plan.pipeline.created_at.is_none_or(after)
            && !plan.pipeline.deleted_at.is_some_and(after)
    }

    /// The moment that the scenario writes as this offset.
    pub(crate) fn moment(&self, offset: Span) -> Timestamp {
        self.start.plus_millis(self.tempo.scaled(offset))
    }

    /// When the build with this index begins, if there is one.
    pub(crate) fn begin_of(&self, plan: &Plan, build: u32) -> Timestamp {
        let offset = i64::from(build) * self.every(plan);
        self.moment(plan.pipeline.first).plus_millis(offset)
    }

    /// The builds that have begun and whose images still exist, without playing any.
    pub(crate) fn begun(&self, pipeline: u16, now: Timestamp) -> Range<u32> {
        let plan = self.plan(pipeline);
        let since = now.millis_since(self.begin_of(plan, 0));
        let begun = |since: i64| {
            let count = since.div_euclid(self.every(plan)) + 1;
            count.clamp(0, i64::from(self.count_of(plan))) as u32
        };
        begun(since - self.kept_images())..begun(since)
    }

    /// When the next build would begin, were the pipeline to stay as it is.
    pub(crate) fn next_build(&self, pipeline: u16, now: Timestamp) -> Option<Timestamp> {
        let plan = self.plan(pipeline);
        let since = now.millis_since(self.begin_of(plan, 0));
        let next = (since.div_euclid(self.every(plan)) + 1).max(0);
        let next = u32::try_from(next).ok()?;
        let more = plan.pipeline.builds.is_none_or(|builds| next < builds);
        more.then(|| self.begin_of(plan, next))
    }

    /// The moment at which a build's image appears in the lists.
    pub(crate) fn listed_from(&self, build: Place) -> Timestamp {
        let begin = self.begin_of(self.plan(build.pipeline), build.build);
        let delay = self.scenario.listed_after;
        begin.plus_millis(self.tempo.draw(build, SALT_LISTED, delay))
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

    fn kept_images(&self) -> i64 {
        self.tempo.scaled(self.scenario.keep_images)
    }
}
