//! The life of a listed step: scripts of calls on tokio's paused clock say when it is polled, and what
//! `/metrics` exposes of it.

mod failures;
mod settling;
mod storm;
mod timing;

use std::sync::Arc;

use imagebuilder_exporter::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scripted::{Reply, Script};

const A: &str = "step-aaaaaaaa-0000-0000-0000-000000000001";
const B: &str = "step-bbbbbbbb-0000-0000-0000-000000000002";
const WORKFLOW: &str = "wf-cccccccc-0000-0000-0000-000000000003";
const HOUR: f64 = 3_600.0;
/// B's, where the two are not of one workflow execution.
const OTHER_WORKFLOW: &str = "wf-dddddddd-0000-0000-0000-000000000004";
/// When a step of `interval: 30s` may be polled again: jitter makes it a little early.
const INTERVAL: (f64, f64) = (28.5, 30.0);

/// A poller of these steps, and the script of the calls that it makes.
fn play(ids: &[&str]) -> (Script, Polling) {
    let script = Script::new();
    let polling = Polling::start(&yaml(ids), Arc::new(script.clone()));
    (script, polling)
}

fn id(text: &str) -> StepExecutionId {
    text.parse().unwrap()
}

fn workflow_id() -> WorkflowExecutionId {
    WORKFLOW.parse().unwrap()
}

fn yaml(ids: &[&str]) -> String {
    ConfigText::of([TargetText::new("t").steps(ids)])
        .with("polling: {interval: 30s}")
        .text()
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis(EPOCH.millis() + (seconds * 1_000.0) as i64)
}

/// A step of the workflow execution that started so many seconds after the epoch.
fn step(status: StepStatus, start: f64) -> StepExecution {
    StepExecution {
        name: Some("ApplyBuildComponents".into()),
        action: Some("ExecuteComponents".into()),
        on_failure: Some(OnFailure::Abort),
        workflow_execution_id: Some(workflow_id()),
        workflow: WorkflowArn::parse(
            "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1",
        ),
        image: ImageArn::parse("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1"),
        start: Some(at(start)),
        ..StepExecution::with_status(status)
    }
}

fn ended(status: StepStatus, start: f64, end: f64) -> StepExecution {
    StepExecution {
        end: Some(at(end)),
        ..step(status, start)
    }
}

fn rolled(status: RollbackStatus) -> StepExecution {
    StepExecution {
        rollback_status: Some(status),
        ..ended(StepStatus::Completed, -60.0, -10.0)
    }
}

/// A running step of another workflow execution.
fn elsewhere() -> Reply<StepExecution> {
    Reply::Ok(StepExecution {
        workflow_execution_id: Some(OTHER_WORKFLOW.parse().unwrap()),
        ..step(StepStatus::Running, -60.0)
    })
}

fn workflow(status: WorkflowStatus) -> Reply<WorkflowExecution> {
    Reply::Ok(WorkflowExecution::with_status(status))
}

fn exposed(text: &str, step: &str, metric: &str) -> Option<f64> {
    let name = format!("imagebuilder_workflow_step_{metric}");
    value(text, &name, &[("step_execution_id", step)])
}

fn status_is(text: &str, step: &str, status: &str) -> bool {
    let labels = [("step_execution_id", step), ("status", status)];
    value(text, "imagebuilder_workflow_step_status", &labels) == Some(1.0)
}

fn rollback_is(text: &str, step: &str, status: &str) -> bool {
    let labels = [("step_execution_id", step), ("status", status)];
    value(text, "imagebuilder_workflow_step_rollback_status", &labels) == Some(1.0)
}

fn tracked(text: &str, state: &str) -> Option<f64> {
    value(
        text,
        "imagebuilder_exporter_tracked_steps",
        &[("state", state)],
    )
}
