//! A pipeline with everything filled in: the scenario over the managed workflows and the defaults
//! of the actions.
//!
//! Made once, with the world; `timeline` plays it.

use std::collections::BTreeMap;

use imagebuilder_model::StepStatus;

use super::tempo::GAP;
use crate::scenario::managed::{self, ManagedStep};
use crate::scenario::{
    Attempts, Component, Failure, ImageKind, Outcome, Pipeline, Platform, Range, RollbackMode,
    RollbackOutcome, Span, Step, Workflow, WorkflowKind,
};

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) pipeline: Pipeline,
    pub(crate) workflows: Vec<WorkflowPlan>,
}

#[derive(Debug)]
pub(crate) struct WorkflowPlan {
    pub(crate) arn: String,
    pub(crate) kind: WorkflowKind,
    pub(crate) group: Option<String>,
    pub(crate) on_failure: Failure,
    pub(crate) rollback: RollbackMode,
    pub(crate) steps: Vec<StepPlan>,
}

#[derive(Debug)]
pub(crate) struct StepPlan {
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) description: Option<String>,
    pub(crate) duration: Range,
    pub(crate) timeout: Span,
    pub(crate) on_failure: Failure,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) chances: BTreeMap<Outcome, f64>,
    pub(crate) in_turn: Vec<Outcome>,
    pub(crate) retry_outcome: Outcome,
    pub(crate) attempts: Option<Attempts>,
    pub(crate) message: Option<String>,
    pub(crate) component: Component,
    pub(crate) rollback: RollbackOutcome,
    pub(crate) rollback_duration: Range,
    pub(crate) running: StepStatus,
}

impl Plan {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let workflows = pipeline
            .workflows
            .iter()
            .map(|workflow| WorkflowPlan::new(&pipeline, workflow))
            .collect();
        Self {
            pipeline,
            workflows,
        }
    }

    /// The version of the build with this index, `1.0.0/1`; the service counts builds from 1.
    pub(crate) fn build_version(&self, build: u32) -> String {
        format!("{}/{}", self.pipeline.version, u64::from(build) + 1)
    }

    /// The ARN of the build with this index.
    pub(crate) fn image_arn(&self, build: u32) -> String {
        let (name, version) = (self.pipeline.image_name(), self.build_version(build));
        self.arn(&format!("image/{name}/{version}"))
    }

    pub(crate) fn image_version_arn(&self) -> String {
        let pipeline = &self.pipeline;
        let (name, version) = (pipeline.image_name(), &pipeline.version);
        self.arn(&format!("image/{name}/{version}"))
    }

    /// `None` for images that are built without a pipeline.
    pub(crate) fn pipeline_arn(&self) -> Option<String> {
        let name = &self.pipeline.name;
        (!self.pipeline.without_pipeline).then(|| self.arn(&format!("image-pipeline/{name}")))
    }

    pub(crate) fn recipe_arn(&self) -> String {
        let pipeline = &self.pipeline;
        let kind = match pipeline.kind {
            ImageKind::Ami => "image-recipe",
            ImageKind::Docker => "container-recipe",
        };
        let (name, version) = (pipeline.image_name(), &pipeline.version);
        self.arn(&format!("{kind}/{name}/{version}"))
    }

    pub(crate) fn infrastructure_arn(&self) -> String {
        let name = &self.pipeline.name;
        self.arn(&format!("infrastructure-configuration/{name}"))
    }

    /// The ARN of a resource of the pipeline's account.
    pub(crate) fn arn(&self, resource: &str) -> String {
        let pipeline = &self.pipeline;
        let (partition, region) = (&pipeline.partition, &pipeline.region);
        let account = &pipeline.account;
        format!("arn:{partition}:imagebuilder:{region}:{account}:{resource}")
    }

    /// The image's display name.
    pub(crate) fn image_display_name(&self) -> &str {
        let pipeline = &self.pipeline;
        let own = pipeline.image_display_name.as_deref();
        own.unwrap_or_else(|| match &pipeline.image {
            Some(image) => image,
            None => self.display_name(),
        })
    }

    /// The pipeline's display name.
    pub(crate) fn display_name(&self) -> &str {
        let pipeline = &self.pipeline;
        pipeline.display_name.as_deref().unwrap_or(&pipeline.name)
    }

    pub(crate) fn os_version(&self) -> &str {
        let own = self.pipeline.os_version.as_deref();
        own.unwrap_or(match self.pipeline.platform {
            Platform::Linux => "Amazon Linux 2023",
            Platform::Windows => "Microsoft Windows Server 2022",
        })
    }

    pub(crate) fn image_tags(&self) -> &BTreeMap<String, String> {
        let own = self.pipeline.image_tags.as_ref();
        own.unwrap_or(&self.pipeline.tags)
    }

    /// `BuildType` of the service's model.
    pub(crate) fn build_type(&self) -> &'static str {
        match (&self.pipeline.import, self.schedule()) {
            (Some(import), _) => import.build_type.as_str(),
            (None, Some(_)) => "SCHEDULED",
            (None, None) => "USER_INITIATED",
        }
    }

    /// How long the distribution without a workflow takes; `None` where a workflow distributes.
    pub(crate) fn distribution_time(&self) -> Option<Span> {
        let distributes = |plan: &WorkflowPlan| plan.kind == WorkflowKind::Distribution;
        if self.workflows.iter().any(distributes) {
            return None;
        }
        Some(match self.pipeline.distribution.is_empty() {
            true => GAP,
            false => DISTRIBUTION,
        })
    }

    /// The expression of its schedule; `None` where users start the builds.
    pub(crate) fn schedule(&self) -> Option<String> {
        let pipeline = &self.pipeline;
        if pipeline.manual || pipeline.without_pipeline {
            return None;
        }
        Some(pipeline.schedule.clone().unwrap_or_else(|| {
            let minutes = (pipeline.every.millis() + 59_999) / 60_000;
            let (count, unit) = match minutes {
                m if m % 1440 == 0 => (m / 1440, "day"),
                m if m % 60 == 0 => (m / 60, "hour"),
                m => (m, "minute"),
            };
            let plural = if count == 1 { "" } else { "s" };
            format!("rate({count} {unit}{plural})")
        }))
    }
}

impl WorkflowPlan {
    fn new(pipeline: &Pipeline, workflow: &Workflow) -> Self {
        let kind = workflow.kind();
        let (owner, name, steps): (_, _, Vec<StepPlan>) = match workflow.managed {
            Some(managed) => (
                pipeline.partition.as_str(),
                managed.name(),
                managed::steps(managed)
                    .iter()
                    .map(|base| managed_step(base, workflow, pipeline))
                    .collect(),
            ),
            None => (
                pipeline.account.as_str(),
                workflow.name.as_deref().unwrap_or("unnamed"),
                workflow.steps.iter().map(StepPlan::new).collect(),
            ),
        };
        let version = workflow.version.as_deref().unwrap_or("1.0.3/1");
        Self {
            arn: format!(
                "arn:{}:imagebuilder:{}:{owner}:workflow/{}/{name}/{version}",
                pipeline.partition,
                pipeline.region,
                kind.as_str()
            ),
            kind,
            group: workflow.parallel_group.clone(),
            on_failure: workflow.on_failure,
            rollback: workflow.rollback,
            steps,
        }
    }
}

impl StepPlan {
    fn new(step: &Step) -> Self {
        let action = step.action.clone().unwrap_or_default();
        let defaults = managed::action(&action);
        Self {
            name: step.name.clone(),
            description: step.description.clone(),
            duration: step.duration.unwrap_or(defaults.duration),
            timeout: step.timeout.unwrap_or(defaults.timeout),
            on_failure: step.on_failure.unwrap_or_default(),
            outcome: step.outcome,
            chances: step.chances.clone(),
            in_turn: step.in_turn.clone(),
            retry_outcome: step.retry_outcome.unwrap_or_default(),
            attempts: step.attempts,
            message: step.message.clone(),
            component: step.component.clone().unwrap_or_default(),
            rollback: step.rollback.unwrap_or(defaults.rollback),
            rollback_duration: step.rollback_duration.unwrap_or(ROLLBACK),
            running: step.running(),
            action,
        }
    }
}

/// How long scripted destinations take.
const DISTRIBUTION: Span = Span::from_secs(120);
const ROLLBACK: Range = Range::between(Span::from_secs(30), Span::from_secs(90));

fn managed_step(base: &ManagedStep, workflow: &Workflow, pipeline: &Pipeline) -> StepPlan {
    let scripted = workflow.steps.iter().find(|step| step.name == base.name);
    let mut step = scripted.cloned().unwrap_or_default();
    step.name = base.name.to_owned();
    step.action = Some(base.action.to_owned());
    step.on_failure = Some(step.on_failure.unwrap_or(base.on_failure));
    let decided = step.outcome.is_some() || !step.chances.is_empty() || !step.in_turn.is_empty();
    let elsewhere = base
        .platform
        .is_some_and(|there| there != pipeline.platform);
    if pipeline.keep_instance && base.action == "LaunchInstance" {
        step.rollback = step.rollback.or(Some(RollbackOutcome::Skipped));
    }
    let mut plan = StepPlan::new(&step);
    if !decided && (elsewhere || base.optional) {
        plan.outcome = Some(Outcome::Skipped);
        plan.retry_outcome = Outcome::Skipped;
    }
    plan
}
