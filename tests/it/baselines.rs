//! Steps that completed say how long the next execution of the step usually takes.

mod ends;
mod history;
mod restarts;

use std::sync::Arc;

use imagebuilder_exporter::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ImagePage, ListPage, Page, Parsed, StepPage,
    WorkflowPage,
};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

use tokio::time::Instant;

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scripted::{discovers_nothing, unasked};

const TYPICAL: &str = "imagebuilder_workflow_step_typical_duration_seconds";
const SLOW: &str = "imagebuilder_workflow_step_slow";
const SLOW_AFTER: &str = "imagebuilder_workflow_step_slow_after_seconds";

/// How a step and its workflow execution ended.
#[derive(Clone, Debug)]
struct Ended {
    step: StepStatus,
    workflow: WorkflowStatus,
    retried: bool,
    seconds: i64,
}

/// Executions of one step, each in a workflow execution of its own. The one after the last runs since
/// the start.
#[derive(Debug)]
struct History {
    ended: Vec<Ended>,
    /// From when on no call succeeds, in seconds after the start.
    down_from: f64,
    started: Instant,
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

fn number(uuid: &str) -> usize {
    uuid.rsplit('-').next().unwrap().parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_millis(EPOCH.millis() + seconds * 1_000)
}

impl ImageBuilder for History {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        if self.started.elapsed().as_secs_f64() > self.down_from {
            return Box::pin(async { Err(ApiError::new(ErrorKind::Network, "down")) });
        }
        let number = number(id.uuid());
        let ended = self.ended.get(number);
        let status = ended.map_or(StepStatus::Running, |ended| ended.step.clone());
        let answer = StepExecution {
            name: Some("Build".into()),
            workflow_execution_id: format!("wf-{}", uuid(number)).parse().ok(),
            start: Some(after(ended.map_or(0, |ended| -ended.seconds))),
            end: ended.map(|_| after(0)),
            ..StepExecution::with_status(status)
        };
        Box::pin(async { Ok(Parsed::from(answer)) })
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        let ended = self.ended.get(number(id.uuid()));
        let status = ended.map_or(WorkflowStatus::Running, |ended| ended.workflow.clone());
        let answer = WorkflowExecution {
            end: ended.map(|_| after(0)),
            retried: ended.map(|ended| ended.retried),
            ..WorkflowExecution::with_status(status)
        };
        Box::pin(async { Ok(Parsed::from(answer)) })
    }

    fn list_workflow_step_executions(
        &self,
        _: WorkflowExecutionId,
        _: Page,
    ) -> ApiFuture<StepPage> {
        unasked()
    }

    discovers_nothing!();
}

fn completed(seconds: i64) -> Ended {
    Ended {
        step: StepStatus::Completed,
        workflow: WorkflowStatus::Completed,
        retried: false,
        seconds,
    }
}

/// Polls these executions and one that runs.
fn polling(history: Vec<Ended>, more: &str) -> Polling {
    polling_until(f64::MAX, history, more)
}

fn polling_until(down_from: f64, history: Vec<Ended>, more: &str) -> Polling {
    let ids: Vec<_> = (0..=history.len())
        .map(|number| format!("step-{}", uuid(number)))
        .collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let target = TargetText::new("t").steps(ids);
    let config = ConfigText::of([target]).with(more).text();
    let history = History {
        ended: history,
        down_from,
        started: Instant::now(),
    };
    Polling::start(&config, Arc::new(history))
}

fn shown(polling: &Polling) -> [Option<f64>; 3] {
    let metrics = polling.metrics();
    [TYPICAL, SLOW, SLOW_AFTER].map(|name| value(&metrics, name, &[("step", "Build")]))
}

#[tokio::test(start_paused = true)]
async fn running_step_becomes_slow_beyond_what_its_last_executions_explain() {
    let history = [60, 70, 66].map(completed).to_vec();
    let polling = polling(history, "");
    polling.until(200.0).await;
    let [typical, slow, slow_after] = shown(&polling);
    assert_eq!((typical, slow), (Some(66.0), Some(0.0)));
    let slow_after = slow_after.unwrap();
    assert!(slow_after > 70.0 && slow_after < 500.0, "{slow_after}");
    polling.until(slow_after).await;
    assert_eq!(shown(&polling)[1], Some(0.0));
    // The next poll finds that it still runs.
    polling.until(slow_after + 31.0).await;
    assert_eq!(shown(&polling)[1], Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn step_that_cannot_be_polled_does_not_become_slow() {
    let history = [60, 70, 66].map(completed).to_vec();
    let polling = polling_until(250.0, history, "");
    polling.until(800.0).await;
    let [_, slow, slow_after] = shown(&polling);
    assert!(slow_after.unwrap() < 500.0, "{slow_after:?}");
    assert_eq!(slow, Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn executions_that_failed_or_were_superseded_are_no_baseline() {
    let but = |change: fn(&mut Ended)| {
        let mut ended = completed(60);
        change(&mut ended);
        ended
    };
    let history = vec![
        completed(60),
        completed(60),
        but(|ended| ended.retried = true),
        but(|ended| ended.workflow = WorkflowStatus::Failed),
        but(|ended| ended.workflow = WorkflowStatus::Cancelled),
        but(|ended| ended.step = StepStatus::Failed),
        but(|ended| ended.step = StepStatus::Skipped),
        but(|ended| ended.step = StepStatus::Cancelled),
    ];
    let polling = polling(history, "");
    polling.until(1_000.0).await;
    assert_eq!(shown(&polling), [None; 3]);
}

#[tokio::test(start_paused = true)]
async fn configuration_excludes_steps_and_turns_baselines_off() {
    for more in [
        "baselines: {enabled: false}",
        "baselines: {exclude: [{step: B*}]}",
    ] {
        let polling = polling([60, 70, 66].map(completed).to_vec(), more);
        polling.until(1_000.0).await;
        assert_eq!(shown(&polling), [None; 3], "{more}");
    }
}
