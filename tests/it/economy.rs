//! How many calls the exporter takes to poll many running builds.

mod contest;
mod history;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use imagebuilder_exporter::api::{
    ApiFuture, ImageBuilder, ImagePage, ListPage, Operation, Page, Parsed, StepPage, WorkflowPage,
};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, StepStatus, WorkflowExecution,
    WorkflowExecutionId, WorkflowStatus,
};
use tokio::time::Instant;

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::poller::Polling;
use crate::support::scripted::{discovers_nothing, unasked};

const BUILDS: usize = 50;
const STEPS: usize = 7;
const INTERVAL: f64 = 30.0;
const INTERVALS: f64 = 40.0;

/// Builds that all are at their fourth step, and stay there.
#[derive(Clone, Debug, Default)]
struct ManyBuilds {
    calls: Arc<Mutex<BTreeMap<Operation, usize>>>,
    /// When the steps of each build were listed.
    lists: Arc<Mutex<BTreeMap<usize, Vec<Instant>>>>,
}

impl ManyBuilds {
    fn count(&self, operation: Operation) {
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
    }

    fn calls(&self) -> BTreeMap<Operation, usize> {
        self.calls.lock().unwrap().clone()
    }

    /// Returns the mean time from one List of a build's steps to the next, in seconds.
    fn mean_gap(&self) -> f64 {
        let lists = self.lists.lock().unwrap();
        let gaps = lists.values().flat_map(|lists| lists.array_windows());
        let gaps: Vec<f64> = gaps
            .map(|[one, next]| (*next - *one).as_secs_f64())
            .collect();
        gaps.iter().sum::<f64>() / gaps.len() as f64
    }
}

fn step_id(build: usize, step: usize) -> StepExecutionId {
    let text = format!("step-{build:08}-0000-0000-0000-{step:012}");
    text.parse().unwrap()
}

fn workflow_id(build: usize) -> WorkflowExecutionId {
    format!("wf-{build:08}-0000-0000-0000-000000000000")
        .parse()
        .unwrap()
}

/// The build that an id was made for.
fn build_of(uuid: &str) -> usize {
    uuid[..8].parse().unwrap()
}

fn told(build: usize, step: usize) -> StepExecution {
    StepExecution {
        workflow_execution_id: Some(workflow_id(build)),
        ..StepExecution::with_status(match step {
            0..3 => StepStatus::Completed,
            3 => StepStatus::Running,
            _ => StepStatus::Pending,
        })
    }
}

impl ImageBuilder for ManyBuilds {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        self.count(Operation::GetWorkflowStepExecution);
        let step = id.uuid()[24..].parse().unwrap();
        let answer = told(build_of(id.uuid()), step);
        Box::pin(async { Ok(Parsed::from(answer)) })
    }

    fn get_workflow_execution(&self, _: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        self.count(Operation::GetWorkflowExecution);
        let answer = WorkflowExecution::with_status(WorkflowStatus::Running);
        Box::pin(async { Ok(Parsed::from(answer)) })
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        _: Page,
    ) -> ApiFuture<StepPage> {
        self.count(Operation::ListWorkflowStepExecutions);
        let build = build_of(id.uuid());
        let mut lists = self.lists.lock().unwrap();
        lists.entry(build).or_default().push(Instant::now());
        let steps = (0..STEPS).map(|step| (step_id(build, step), Some(told(build, step))));
        let page = StepPage {
            entries: steps.collect(),
            next: None,
        };
        Box::pin(async { Ok(Parsed::from(page)) })
    }

    discovers_nothing!();
}

#[tokio::test(start_paused = true)]
async fn one_get_a_step_ever_and_then_about_one_call_a_build_and_interval() {
    let api = ManyBuilds::default();
    let ids = (0..BUILDS).flat_map(|build| (0..STEPS).map(move |step| step_id(build, step)));
    let target = TargetText::new("t").steps(ids);
    let target = target.with("rate_limit: {requests_per_second: 50, burst: 50}");
    let polling = Polling::start(&ConfigText::of([target]).text(), Arc::new(api.clone()));
    polling.until(2.0 * INTERVAL).await;
    let begun = api.calls();
    polling.until((2.0 + INTERVALS) * INTERVAL).await;
    let ended = api.calls();

    let per_build_and_interval = |operation: Operation| {
        let by = |calls: &BTreeMap<_, usize>| calls.get(&operation).copied().unwrap_or_default();
        (by(&ended) - by(&begun)) as f64 / (BUILDS as f64 * INTERVALS)
    };
    let gets = Operation::GetWorkflowStepExecution;
    let lists = per_build_and_interval(Operation::ListWorkflowStepExecutions);
    let all: f64 = Operation::ALL.into_iter().map(per_build_and_interval).sum();
    println!(
        "calls a running build and interval: {lists:.3} Lists, {all:.3} in all; naive {STEPS}"
    );
    assert_eq!(ended[&gets], BUILDS * STEPS, "one Get a step ever");
    assert!((0.95..=1.1).contains(&lists), "{lists} Lists");
    assert!(all <= 1.5, "{all} calls in all");
    // A poll is up to 5 % early, however many steps it refreshes.
    let part = api.mean_gap() / INTERVAL;
    assert!((part - 0.975).abs() < 0.002, "{part} intervals");
}
