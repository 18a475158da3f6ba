//! One build on the calendar: its timeline, its ids, and its executions at a moment.
//!
//! Made by the calendar for one question and dropped after it.

use serde_json::json;

use imagebuilder_model::{RollbackStatus, StepStatus, Timestamp, WorkflowStatus};

use super::ids::{self, Place};
use super::plan::{Plan, StepPlan, WorkflowPlan};
use super::step_timeline::StepPhase;
use super::tempo::Tempo;
use super::timeline::{BuildTimeline, StepTimeline, WorkflowTimeline};
use super::view::{PLANTED_SECRET, StepView, WorkflowView};
use crate::random::hash;

pub(crate) struct Build<'a> {
    pub(crate) plan: &'a Plan,
    /// Of the build's first step.
    pub(crate) place: Place,
    pub(crate) tempo: Tempo,
    pub(crate) begin: Timestamp,
    pub(crate) timeline: BuildTimeline,
}

impl Build<'_> {
    /// The moment of an offset of the timeline.
    pub(crate) fn at(&self, offset: i64) -> Timestamp {
        self.begin.plus_millis(offset)
    }

    pub(crate) fn image_arn(&self) -> String {
        self.plan.image_arn(self.place.build)
    }

    /// `None` where the build has no such run or workflow.
    pub(crate) fn workflow(&self, place: Place) -> Option<&WorkflowTimeline> {
        let run = self.timeline.runs.get(usize::from(place.run))?;
        run.workflows.get(usize::from(place.workflow))
    }

    pub(crate) fn workflow_plan(&self, place: Place) -> &WorkflowPlan {
        &self.plan.workflows[usize::from(place.workflow)]
    }

    pub(crate) fn step_plan(&self, place: Place) -> &StepPlan {
        &self.workflow_plan(place).steps[usize::from(place.step)]
    }

    /// `place` is one of this build's steps.
    pub(crate) fn step_timeline(&self, place: Place) -> &StepTimeline {
        let run = &self.timeline.runs[usize::from(place.run)];
        &run.workflows[usize::from(place.workflow)].steps[usize::from(place.step)]
    }

    /// `place` is one of this build's steps.
    pub(crate) fn step_view(&self, place: Place, now: Timestamp) -> StepView {
        let (plan, timeline) = (self.step_plan(place), self.step_timeline(place));
        let offset = now.millis_since(self.begin);
        let phase = current(timeline, offset);
        let moment = |offset: Option<i64>| offset.map(|offset| self.at(offset));
        let attempts = plan.attempts.filter(|_| phase.is_some());
        StepView {
            id: ids::step_id(self.tempo.seed, place),
            workflow_execution_id: ids::workflow_id(self.tempo.seed, place),
            workflow_arn: self.workflow_plan(place).arn.clone(),
            image_arn: self.image_arn(),
            name: plan.name.clone(),
            action: plan.action.clone(),
            description: plan.description.clone(),
            status: phase.map_or(StepStatus::Pending, |phase| phase.status.clone()),
            rollback_status: rollback(timeline, offset),
            message: phase.and_then(|phase| phase.message.clone()),
            inputs: self.inputs(place),
            outputs: phase
                .filter(|phase| phase.status == StepStatus::Completed)
                .map(|_| self.outputs(place)),
            start: moment(phase.and_then(|phase| phase.start)),
            end: moment(phase.and_then(|phase| phase.end)),
            on_failure: plan.on_failure.into(),
            timeout_seconds: self.tempo.timeout_seconds(plan.timeout),
            attempt: attempts.and(phase).map(|phase| phase.attempt),
            max_attempts: attempts.map(|attempts| attempts.max),
        }
    }

    /// `place` is in one of this build's workflows.
    pub(crate) fn workflow_view(&self, place: Place, now: Timestamp) -> WorkflowView {
        let plan = self.workflow_plan(place);
        let runs = &self.timeline.runs;
        let timeline = &runs[usize::from(place.run)].workflows[usize::from(place.workflow)];
        let offset = now.millis_since(self.begin);
        let past = |at: Option<i64>| at.filter(|at| *at <= offset).map(|at| self.at(at));
        let count = |status: StepStatus| {
            let is = |step: &&StepTimeline| {
                current(step, offset).is_some_and(|phase| phase.status == status)
            };
            timeline.steps.iter().filter(is).count() as u32
        };
        let status = timeline.phases.iter().rev().find(|(at, _)| *at <= offset);
        let status = status.map_or(WorkflowStatus::Pending, |(_, status)| status.clone());
        let over = !matches!(status, WorkflowStatus::Pending | WorkflowStatus::Running);
        WorkflowView {
            id: ids::workflow_id(self.tempo.seed, place),
            workflow_arn: plan.arn.clone(),
            image_arn: self.image_arn(),
            kind: plan.kind,
            status,
            message: timeline.message.clone().filter(|_| over),
            total_steps: timeline.steps.len() as u32,
            succeeded: count(StepStatus::Completed),
            failed: count(StepStatus::Failed),
            skipped: count(StepStatus::Skipped),
            start: past(timeline.start),
            end: past(timeline.end),
            parallel_group: plan.group.clone(),
            retried: runs
                .get(usize::from(place.run) + 1)
                .is_some_and(|next| next.begin <= offset),
        }
    }

    fn inputs(&self, place: Place) -> String {
        match self.step_plan(place).action.as_str() {
            "LaunchInstance" => json!({"waitFor": "ssmAgent", "token": PLANTED_SECRET}),
            _ => json!({"instanceId": self.instance(place), "token": PLANTED_SECRET}),
        }
        .to_string()
    }

    fn outputs(&self, place: Place) -> String {
        match self.step_plan(place).action.as_str() {
            "LaunchInstance" => json!({"instanceId": self.instance(place)}),
            "CreateImage" => json!({"imageId": self.ami(place)}),
            _ => json!({"status": "Success", "output": PLANTED_SECRET}),
        }
        .to_string()
    }

    /// The AMI that a step makes.
    pub(crate) fn ami(&self, place: Place) -> String {
        format!("ami-{:017x}", self.number(place, 1))
    }

    /// The instance that all steps of one workflow execution run on.
    fn instance(&self, place: Place) -> String {
        format!("i-{:017x}", self.number(place.at_step(0), 2))
    }

    fn number(&self, place: Place, salt: u64) -> u64 {
        let [a, b, c, d, e] = place.parts();
        hash(self.tempo.seed ^ 0x6f75_7470_7574, &[a, b, c, d, e, salt])
    }
}

fn current(step: &StepTimeline, offset: i64) -> Option<&StepPhase> {
    step.phases.iter().rev().find(|phase| phase.at <= offset)
}

fn rollback(step: &StepTimeline, offset: i64) -> Option<RollbackStatus> {
    let (_, status) = step.rollback.iter().rev().find(|(at, _)| *at <= offset)?;
    Some(status.clone())
}
