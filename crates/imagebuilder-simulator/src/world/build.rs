//! One build on the calendar: its timeline, its ids, and its executions at a moment.
//!
//! Made by the calendar for one question and dropped after it.

use serde_json::json;

use imagebuilder_model::{RollbackStatus, StepOutputs, StepStatus, Timestamp, WorkflowStatus};

use super::ids::{self, Place};
use super::plan::{Plan, StepPlan, WorkflowPlan};
use super::step_timeline::StepPhase;
use super::tempo::Tempo;
use super::timeline::{BuildTimeline, StepTimeline, WorkflowTimeline};
use super::view::{ComponentView, PLANTED_SECRET, StepView, WorkflowView};
use crate::random::hash;
use crate::scenario::WorkflowKind;

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
        run.workflows.get(&usize::from(place.workflow))
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
        &run.workflows[&usize::from(place.workflow)].steps[usize::from(place.step)]
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
            message: phase
                .filter(|phase| !self.is_component_failure(place, phase))
                .and_then(|phase| phase.error.clone()),
            inputs: self.inputs(place),
            outputs: phase.and_then(|phase| self.outputs(place, phase)),
            readable: phase.map_or_else(StepOutputs::default, |phase| {
                self.readable_outputs(place, phase)
            }),
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
        let at = usize::from(place.workflow);
        let timeline = &runs[usize::from(place.run)].workflows[&at];
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
            retried: { runs.iter() }
                .skip(usize::from(place.run) + 1)
                .any(|next| next.begin <= offset && next.workflows.contains_key(&at)),
        }
    }

    fn inputs(&self, place: Place) -> String {
        match self.step_plan(place).action.as_str() {
            "LaunchInstance" => json!({"waitFor": "ssmAgent", "token": PLANTED_SECRET}),
            _ => json!({"instanceId": self.instance(place), "token": PLANTED_SECRET}),
        }
        .to_string()
    }

    /// The outputs of a step that ended. Those of a FAILED step have the planted secret beside the
    /// values that a client may read.
    fn outputs(&self, place: Place, phase: &StepPhase) -> Option<String> {
        let readable = self.readable_outputs(place, phase);
        let action = self.step_plan(place).action.as_str();
        let outputs = match (&phase.status, action) {
            (StepStatus::Completed, "LaunchInstance") => {
                json!({"instanceId": readable.instance_id})
            }
            (StepStatus::Completed, "CreateImage") => json!({"imageId": self.ami(place)}),
            (StepStatus::Completed, _) => json!({"status": "Success", "output": PLANTED_SECRET}),
            (StepStatus::Failed, "LaunchInstance") => {
                json!({"instanceId": readable.instance_id, "output": PLANTED_SECRET})
            }
            (StepStatus::Failed, "ExecuteComponents") if readable.error.is_some() => json!({
                "runCommandId": readable.run_command_id,
                "status": "Failed",
                "error": readable.error,
                "output": PLANTED_SECRET,
                "summary": {
                    "executionId": self.uuid(place, 5),
                    "status": "failed",
                    "failedStepCount": 1,
                    "executedStepCount": 3,
                    "ignoredFailedStepCount": 0,
                    "failureMessage": self.document_failed(place),
                    "logUrl": readable.log_url,
                },
            }),
            (StepStatus::Failed, _) => json!({
                "runCommandId": readable.run_command_id,
                "status": "Failed",
                "output": PLANTED_SECRET,
            }),
            _ => return None,
        };
        Some(outputs.to_string())
    }

    /// The values of a step's outputs that a client may read.
    fn readable_outputs(&self, place: Place, phase: &StepPhase) -> StepOutputs {
        let action = self.step_plan(place).action.as_str();
        let (completed, failed) = (
            phase.status == StepStatus::Completed,
            phase.status == StepStatus::Failed,
        );
        let is_component = self.is_component_failure(place, phase);
        // An instance that never launched has no id; one whose agent did not register has.
        let launched = action == "LaunchInstance" && (completed || failed && phase.timed_out);
        let ran_command = failed && (is_component || action == "RunCommand");
        StepOutputs {
            error: is_component.then(|| phase.error.clone()).flatten(),
            run_command_id: ran_command.then(|| self.uuid(place, 4)),
            log_url: is_component.then(|| self.log_url(place)),
            instance_id: launched.then(|| self.instance(place)),
        }
    }

    /// Whether a component failed the step. Such a step has no message: its error is in its outputs.
    pub(crate) fn is_component_failure(&self, place: Place, phase: &StepPhase) -> bool {
        let runs_components = self.step_plan(place).action == "ExecuteComponents";
        runs_components && phase.status == StepStatus::Failed && !phase.timed_out
    }

    /// The component that fails in a step that runs components.
    pub(crate) fn component(&self, place: Place) -> ComponentView {
        let scripted = &self.step_plan(place).component;
        let (name, version) = (&scripted.name, &scripted.version);
        let phase = match self.workflow_plan(place).kind {
            WorkflowKind::Test => "test",
            _ => "build",
        };
        ComponentView {
            arn: self.plan.arn(&format!("component/{name}/{version}")),
            phase: scripted.phase.clone().unwrap_or_else(|| phase.to_owned()),
            step: scripted.step.clone(),
            action: scripted.action.clone(),
            error: scripted.error.clone(),
        }
    }

    /// What the on-instance runner says of a component that failed.
    fn document_failed(&self, place: Place) -> String {
        format!("Document {} failed!", self.component(place).arn)
    }

    /// The log bundle of the on-instance runner in S3.
    fn log_url(&self, place: Place) -> String {
        let (pipeline, version) = (
            &self.plan.pipeline,
            self.plan.build_version(self.place.build),
        );
        format!(
            "s3://imagebuilder-logs-{}/{}/{version}/{}",
            pipeline.account,
            pipeline.image_name(),
            ids::workflow_id(self.tempo.seed, place)
        )
    }

    /// The AMI that a step makes.
    pub(crate) fn ami(&self, place: Place) -> String {
        format!("ami-{:017x}", self.number(place, 1))
    }

    /// The copy of that AMI in the destination with this place.
    pub(crate) fn copied_ami(&self, place: Place, destination: usize) -> String {
        format!(
            "ami-{:017x}",
            self.number(place, 1_000 + destination as u64)
        )
    }

    /// The instance that all steps of one workflow execution run on.
    fn instance(&self, place: Place) -> String {
        format!("i-{:017x}", self.number(place.at_step(0), 2))
    }

    fn uuid(&self, place: Place, salt: u64) -> String {
        ids::uuid_text(self.number(place, salt), self.number(place, salt << 8))
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
