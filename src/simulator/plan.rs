//! A pipeline with everything filled in: what the scenario says laid over what the managed
//! workflows and the actions' defaults say.
//!
//! Made once when a world is made; `timeline` plays it.

use std::collections::BTreeMap;

use crate::model::StepStatus;

use super::managed::{self, ManagedStep};
use super::scenario::{
    Attempts, Failure, Later, Managed, Outcome, Pipeline, Platform, Range, RollbackMode,
    RollbackOutcome, Span, Step, Workflow, WorkflowKind,
};

#[derive(Debug)]
pub(super) struct Plan {
    pub pipeline: Pipeline,
    pub workflows: Vec<WorkflowPlan>,
}

#[derive(Debug)]
pub(super) struct WorkflowPlan {
    pub arn: String,
    pub kind: WorkflowKind,
    pub group: Option<String>,
    pub on_failure: Failure,
    pub rollback: RollbackMode,
    pub later: Later,
    pub steps: Vec<StepPlan>,
}

#[derive(Debug)]
pub(super) struct StepPlan {
    pub name: String,
    pub action: String,
    pub description: Option<String>,
    pub duration: Range,
    pub timeout: Span,
    pub on_failure: Failure,
    pub outcome: Option<Outcome>,
    pub chances: BTreeMap<Outcome, f64>,
    pub in_turn: Vec<Outcome>,
    pub retry_outcome: Outcome,
    pub attempts: Option<Attempts>,
    pub message: Option<String>,
    pub rollback: RollbackOutcome,
    pub rollback_duration: Range,
    pub running: StepStatus,
}

impl Plan {
    pub fn new(pipeline: Pipeline) -> Self {
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

    /// The ARN of the build with this index; the service counts builds from 1.
    pub fn image_arn(&self, build: u32) -> String {
        let pipeline = &self.pipeline;
        format!(
            "arn:{}:imagebuilder:{}:{}:image/{}/{}/{}",
            pipeline.partition,
            pipeline.region,
            pipeline.account,
            pipeline.image_name(),
            pipeline.version,
            u64::from(build) + 1
        )
    }
}

impl WorkflowPlan {
    fn new(pipeline: &Pipeline, workflow: &Workflow) -> Self {
        let (owner, name, kind, steps) = match workflow.managed {
            Some(managed) => (
                pipeline.partition.as_str(),
                managed.name(),
                match managed {
                    Managed::BuildImage => WorkflowKind::Build,
                    Managed::TestImage => WorkflowKind::Test,
                },
                managed::steps(managed)
                    .iter()
                    .map(|base| managed_step(base, workflow, pipeline.platform))
                    .collect(),
            ),
            None => (
                pipeline.account.as_str(),
                workflow.name.as_deref().unwrap_or("unnamed"),
                workflow.kind.unwrap_or_default(),
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
            later: workflow.later,
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
            rollback: step.rollback.unwrap_or(defaults.rollback),
            rollback_duration: step.rollback_duration.unwrap_or(ROLLBACK),
            running: step.running(),
            action,
        }
    }
}

const ROLLBACK: Range = Range::between(Span::from_secs(30), Span::from_secs(90));

fn managed_step(base: &ManagedStep, workflow: &Workflow, platform: Platform) -> StepPlan {
    let scripted = workflow.steps.iter().find(|step| step.name == base.name);
    let mut step = scripted.cloned().unwrap_or_default();
    step.name = base.name.to_owned();
    step.action = Some(base.action.to_owned());
    step.on_failure = Some(step.on_failure.unwrap_or(base.on_failure));
    let decided = step.outcome.is_some() || !step.chances.is_empty() || !step.in_turn.is_empty();
    let elsewhere = base.platform.is_some_and(|there| there != platform);
    let mut plan = StepPlan::new(&step);
    if !decided && (elsewhere || base.optional) {
        plan.outcome = Some(Outcome::Skipped);
        plan.retry_outcome = Outcome::Skipped;
    }
    plan
}
