//! The lists of a region at a moment, as an account sees them.
//!
//! The order of a list has no meaning, but stays the same while its pages are read. Only the
//! entries of the requested page are made into views.

use imagebuilder_model::Timestamp;

use super::calendar::Calendar;
use super::ids::Place;
use super::plan::Plan;
use super::tempo::SALT_RANK;
use super::view::{ImageVersionView, ImageView, PipelineView};
use super::{image, pipeline};

/// The images and pipelines that a caller sees.
#[derive(Clone, Copy)]
pub(crate) struct Catalog<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) region: &'a str,
    /// `None` sees every account.
    pub(crate) account: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// An entry of a list, and its place in the list's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) rank: u64,
    place: Place,
}

impl<'a> Catalog<'a> {
    /// Returns the builds of the list, without playing them; `wanted` is called with a build's
    /// index.
    pub(crate) fn builds(self, wanted: impl Fn(&Plan, u32) -> bool) -> Vec<Listed> {
        let wanted = &wanted;
        self.in_order(self.plans().flat_map(|(pipeline, plan)| {
            let builds = self.calendar.begun(pipeline, self.now);
            let places = builds.filter(move |build| wanted(plan, *build));
            places
                .map(move |build| Place::first(pipeline, build))
                .filter(move |place| self.is_listed(*place))
        }))
    }

    /// Returns the versions of the list; `wanted` is called with what all builds of a version
    /// share.
    pub(crate) fn versions(self, wanted: impl Fn(&Plan) -> bool) -> Vec<Listed> {
        self.in_order(self.plans().filter_map(|(pipeline, plan)| {
            let builds = self.calendar.begun(pipeline, self.now);
            let mut places = builds.map(|build| Place::first(pipeline, build));
            let shown = wanted(plan) && places.any(|place| self.is_listed(place));
            shown.then_some(Place::first(pipeline, 0))
        }))
    }

    pub(crate) fn pipelines(self) -> Vec<Listed> {
        self.in_order(self.plans().filter_map(|(pipeline, plan)| {
            let arn = plan.pipeline_arn()?;
            let there = self.calendar.has_pipeline(plan, &arn, self.now);
            there.then_some(Place::first(pipeline, 0))
        }))
    }

    pub(crate) fn build(self, at: Listed) -> ImageView {
        let build = self.calendar.build(at.place);
        image::view(&build.expect("only builds that exist are listed"), self.now)
    }

    pub(crate) fn version(self, at: Listed) -> ImageVersionView {
        let plan = self.calendar.plan(at.place.pipeline);
        let pipeline = &plan.pipeline;
        ImageVersionView {
            arn: plan.image_version_arn(),
            name: plan.image_display_name().to_owned(),
            version: pipeline.version.clone(),
            account: pipeline.account.clone(),
            kind: pipeline.kind,
            platform: pipeline.platform,
            os_version: plan.os_version().to_owned(),
            created: self.calendar.begin_of(plan, 0),
            build_type: plan.build_type(),
        }
    }

    pub(crate) fn pipeline(self, at: Listed) -> PipelineView {
        pipeline::view(self.calendar, at.place.pipeline, self.now)
    }

    fn plans(self) -> impl Iterator<Item = (u16, &'a Plan)> {
        self.calendar.plans().filter(move |(_, plan)| {
            let pipeline = &plan.pipeline;
            let seen = self
                .account
                .is_none_or(|account| account == pipeline.account);
            pipeline.region == self.region && seen
        })
    }

    fn is_listed(self, build: Place) -> bool {
        self.calendar.listed_from(build) <= self.now
    }

    fn in_order(self, places: impl Iterator<Item = Place>) -> Vec<Listed> {
        let ranked = places.map(|place| Listed {
            rank: self.calendar.tempo.number(place, SALT_RANK),
            place,
        });
        let mut listed: Vec<_> = ranked.collect();
        listed.sort_unstable_by_key(|listed| listed.rank);
        listed
    }
}
