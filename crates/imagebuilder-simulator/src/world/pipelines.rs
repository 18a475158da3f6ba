//! The pipelines of a world.

use crate::plan::Plan;
use crate::view::PipelineView;
use imagebuilder_model::{ImageStatus, Timestamp};

use super::lists::{Listed, first};
use super::{Owner, World};

/// How long before the simulator's start a pipeline was made that says nothing else.
const OLD: i64 = 90 * 24 * 3_600_000;

impl World {
    /// The pipelines that `ListImagePipelines` tells of at `now`.
    pub fn pipelines(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Vec<PipelineView> {
        let listed = self.listed_pipelines(region, account, now);
        listed
            .iter()
            .map(|at| self.listed_pipeline(*at, now))
            .collect()
    }

    /// The pipeline as it stands at `now`; `None` before it was made and after it is gone.
    pub fn pipeline(&self, arn: &str, now: Timestamp) -> Option<PipelineView> {
        let at = self
            .plans
            .iter()
            .position(|plan| self.has(plan, arn, now))?;
        Some(self.pipeline_view(at as u16, now))
    }

    /// Whose pipeline this is, whether or not it is there at any moment.
    pub fn owner_of_pipeline(&self, arn: &str) -> Option<Owner<'_>> {
        let mut plans = self.plans.iter();
        let plan = plans.find(|plan| plan.pipeline_arn().as_deref() == Some(arn))?;
        Some(Owner {
            account: &plan.pipeline.account,
            region: &plan.pipeline.region,
        })
    }

    pub(crate) fn listed_pipelines(
        &self,
        region: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Vec<Listed> {
        let plans = self.plans_of(region, account);
        self.in_order(plans.filter_map(|(pipeline, plan)| {
            let arn = plan.pipeline_arn()?;
            self.has(plan, &arn, now).then_some(first(pipeline, 0))
        }))
    }

    pub(crate) fn listed_pipeline(&self, at: Listed, now: Timestamp) -> PipelineView {
        self.pipeline_view(at.place.pipeline, now)
    }

    /// Whether the plan's pipeline is this one, and there at `now`.
    pub(crate) fn has(&self, plan: &Plan, arn: &str, now: Timestamp) -> bool {
        let since = now.millis_since(self.start);
        let after = |at| since >= self.tempo.scaled(at);
        plan.pipeline_arn().as_deref() == Some(arn)
            && plan.pipeline.created_at.is_none_or(after)
            && !plan.pipeline.deleted_at.is_some_and(after)
    }

    fn pipeline_view(&self, at: u16, now: Timestamp) -> PipelineView {
        let plan = &self.plans[usize::from(at)];
        let pipeline = &plan.pipeline;
        let moment = |span| self.start.plus_millis(self.tempo.scaled(span));
        let created = pipeline
            .created_at
            .map_or_else(|| self.start.plus_millis(-OLD), moment);
        let disabled = pipeline.disabled_at.map(moment).filter(|at| *at <= now);
        let schedule = plan.schedule();
        let last = self.begun(at, now).last();
        let last = last.and_then(|build| self.build(first(at, build)));
        let next = self.next_build(at, now).filter(|_| schedule.is_some());
        PipelineView {
            arn: plan.pipeline_arn().unwrap_or_default(),
            name: plan.display_name().to_owned(),
            description: pipeline.description.clone(),
            platform: pipeline.platform,
            kind: pipeline.kind,
            recipe_arn: plan.recipe_arn(),
            infrastructure_arn: plan
                .arn(&format!("infrastructure-configuration/{}", pipeline.name)),
            distribution_arn: plan.arn(&format!("distribution-configuration/{}", pipeline.name)),
            timezone: schedule
                .is_some()
                .then(|| pipeline.timezone.clone())
                .flatten(),
            enabled: disabled.is_none(),
            enhanced_metadata: pipeline.enhanced_metadata,
            created,
            updated: disabled.unwrap_or(created),
            last_run: last.as_ref().map(|build| build.begin),
            last_run_status: last.as_ref().map(|build| build.image_status(now)),
            next_run: next.filter(|_| disabled.is_none()),
            consecutive_failures: match schedule {
                Some(_) => self.consecutive_failures(at, now),
                None => 0,
            },
            schedule,
            tags: pipeline.tags.clone(),
            image_tags: plan.image_tags().clone(),
        }
    }

    /// The service counts scheduled builds that end; a cancelled one neither fails nor succeeds.
    fn consecutive_failures(&self, pipeline: u16, now: Timestamp) -> u32 {
        let builds = self.begun(pipeline, now).rev();
        let statuses = builds.filter_map(|build| {
            let build = self.build(first(pipeline, build))?;
            Some(build.image_status(now))
        });
        let over = statuses.filter(|status| status.is_terminal());
        let over = over.filter(|status| *status != ImageStatus::Cancelled);
        over.take_while(|status| *status == ImageStatus::Failed)
            .count() as u32
    }

    /// When the next build would begin, were the pipeline to stay as it is.
    fn next_build(&self, pipeline: u16, now: Timestamp) -> Option<Timestamp> {
        let plan = &self.plans[usize::from(pipeline)];
        let since = now.millis_since(self.begin_of(plan, 0));
        let next = (since.div_euclid(self.every(plan)) + 1).max(0);
        let next = u32::try_from(next).ok()?;
        let more = plan.pipeline.builds.is_none_or(|builds| next < builds);
        more.then(|| self.begin_of(plan, next))
    }
}
