//! The images of a world: what the lists tell of them, and each by its ARN.

use crate::plan::Plan;
use crate::view::{ImageVersionView, ImageView};
use imagebuilder_model::{ImageStatus, Timestamp};

use super::lists::{Listed, first};
use super::{Owner, World};

impl World {
    /// The image build versions that `ListImageBuildVersions` tells of at `now`, in its order.
    pub fn images(&self, region: &str, account: Option<&str>, now: Timestamp) -> Vec<ImageView> {
        let listed = self.listed_builds(region, account, now, |_, _| true);
        let views = listed.iter().map(|at| self.listed_image(*at, now));
        views.collect()
    }

    /// The images of one pipeline, as far as the lists tell of them; none of a pipeline that is
    /// unknown or gone.
    pub fn images_of_pipeline(&self, arn: &str, now: Timestamp) -> Vec<ImageView> {
        let Some(owner) = self.owner_of_pipeline(arn) else {
            return Vec::new();
        };
        let (region, account) = (owner.region, Some(owner.account));
        let listed = self.listed_builds(region, account, now, |plan, _| self.has(plan, arn, now));
        let views = listed.iter().map(|at| self.listed_image(*at, now));
        views.collect()
    }

    /// The semantic versions that `ListImages` tells of at `now`.
    pub fn image_versions(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Vec<ImageVersionView> {
        let listed = self.listed_versions(region, account, now, |_| true);
        listed.iter().map(|at| self.listed_version(*at)).collect()
    }

    /// The image build version as it stands at `now`, also before the lists tell of it.
    pub fn image(&self, arn: &str, now: Timestamp) -> Option<ImageView> {
        let build = self.build(self.place_of_image(arn)?)?;
        let announced = self.tempo.scaled(self.scenario.announce);
        let (from, until) = (build.at(-announced), build.at(self.kept_images()));
        (from <= now && now < until).then(|| build.image_view(now))
    }

    /// The newest AVAILABLE build of a version, which may have wildcards: `.../golden/1.x.x`.
    pub fn newest_available(&self, version_arn: &str, now: Timestamp) -> Option<ImageView> {
        let pipeline = self.pipeline_of_version(version_arn)?;
        let builds = self.begun(pipeline, now).rev();
        let mut builds = builds.filter_map(|build| self.build(first(pipeline, build)));
        let newest = builds.find(|build| build.image_status(now) == ImageStatus::Available)?;
        Some(newest.image_view(now))
    }

    /// Whose image a version is of, which may have wildcards.
    pub fn owner_of_image_version(&self, arn: &str) -> Option<Owner<'_>> {
        self.owner(first(self.pipeline_of_version(arn)?, 0))
    }

    /// From when on the lists tell of an image.
    pub fn image_listed_from(&self, arn: &str) -> Option<Timestamp> {
        let build = self.build(self.place_of_image(arn)?)?;
        Some(build.at(self.listing_delay(build.place)))
    }

    /// Every moment at which the image's status changes, in order.
    pub fn changes_of_image(&self, arn: &str) -> Vec<Timestamp> {
        let place = self.place_of_image(arn);
        let build = place.and_then(|place| self.build(place));
        build.map_or_else(Vec::new, |build| build.image_changes())
    }

    /// The builds in a list, without playing them; `wanted` is asked with a build's index.
    pub(crate) fn listed_builds(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
        wanted: impl Fn(&Plan, u32) -> bool,
    ) -> Vec<Listed> {
        let wanted = &wanted;
        let plans = self.plans_of(region, account);
        self.in_order(plans.flat_map(|(pipeline, plan)| {
            let builds = self.begun(pipeline, now);
            builds
                .filter(move |build| wanted(plan, *build))
                .filter(move |build| self.is_listed(pipeline, *build, now))
                .map(move |build| first(pipeline, build))
        }))
    }

    pub(crate) fn listed_image(&self, at: Listed, now: Timestamp) -> ImageView {
        let build = self.build(at.place);
        build
            .expect("only builds that there are get listed")
            .image_view(now)
    }

    /// `wanted` is asked with what is the same for all builds of a version.
    pub(crate) fn listed_versions(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
        wanted: impl Fn(&Plan) -> bool,
    ) -> Vec<Listed> {
        let plans = self.plans_of(region, account);
        self.in_order(plans.filter_map(|(pipeline, plan)| {
            let mut builds = self.begun(pipeline, now);
            let shown = builds.any(|build| self.is_listed(pipeline, build, now));
            (wanted(plan) && shown).then_some(first(pipeline, 0))
        }))
    }

    pub(crate) fn listed_version(&self, at: Listed) -> ImageVersionView {
        let plan = &self.plans[usize::from(at.place.pipeline)];
        let pipeline = &plan.pipeline;
        ImageVersionView {
            arn: plan.image_version_arn(),
            name: plan.image_display_name().to_owned(),
            version: pipeline.version.clone(),
            account: pipeline.account.clone(),
            kind: pipeline.kind,
            platform: pipeline.platform,
            os_version: plan.os_version().to_owned(),
            created: self.begin_of(plan, 0),
            scheduled: plan.schedule().is_some(),
        }
    }

    fn is_listed(&self, pipeline: u16, build: u32, now: Timestamp) -> bool {
        let begin = self.begin_of(&self.plans[usize::from(pipeline)], build);
        now.millis_since(begin) >= self.listing_delay(first(pipeline, build))
    }

    fn pipeline_of_version(&self, arn: &str) -> Option<u16> {
        let (image, asked) = arn.rsplit_once('/')?;
        let is_it = |plan: &Plan| {
            let own = plan.image_version_arn();
            let nodes = asked.split('.').zip(plan.pipeline.version.split('.'));
            own.rsplit_once('/').is_some_and(|(own, _)| own == image) && { nodes }
                .all(|(asked, own)| asked == "x" || asked == own)
        };
        self.plans.iter().position(is_it).map(|at| at as u16)
    }
}
