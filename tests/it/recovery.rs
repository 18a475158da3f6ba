//! The end of an outage: all values are current again soon after the first success.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use imagebuilder_exporter::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ImagePage, ListPage, Page, Parsed, StepPage,
    WorkflowPage,
};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, StepStatus, WorkflowExecution,
    WorkflowExecutionId, WorkflowStatus,
};
use tokio::time::Instant;

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::Polling;
use crate::support::scripted::{discovers_nothing, unasked};

/// As many steps as in the outage that first showed the fault, each of an execution of its own.
const STEPS: u32 = 41;
const OUTAGE: std::ops::Range<f64> = 60.0..390.0;
const INTERVAL: f64 = 5.0;

/// An API that fails during the outage.
#[derive(Clone, Debug)]
struct Failing {
    start: Instant,
    /// A step whose calls always fail.
    broken: Option<StepExecutionId>,
    /// When each step was requested.
    calls: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
}

impl Failing {
    fn respond<T: Send + 'static>(&self, subject: String, value: T) -> ApiFuture<T> {
        let at = self.start.elapsed().as_secs_f64();
        let broken = self.broken.is_some_and(|id| id.to_string() == subject);
        self.calls
            .lock()
            .unwrap()
            .entry(subject)
            .or_default()
            .push(at);
        let result = match broken || OUTAGE.contains(&at) {
            true => Err(ApiError::new(ErrorKind::Server, "HTTP 503")),
            false => Ok(Parsed::from(value)),
        };
        Box::pin(async { result })
    }

    /// The first success after the outage.
    fn first_success(&self) -> f64 {
        let calls = self.calls.lock().unwrap();
        let after = calls.values().flatten().filter(|at| **at >= OUTAGE.end);
        after.copied().reduce(f64::min).unwrap()
    }
}

impl ImageBuilder for Failing {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        let execution = id.to_string().replace("step-", "wf-");
        let step = StepExecution {
            workflow_execution_id: execution.parse().ok(),
            ..StepExecution::with_status(StepStatus::Running)
        };
        self.respond(id.to_string(), step)
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        let execution = WorkflowExecution::with_status(WorkflowStatus::parse("RUNNING"));
        self.respond(id.to_string(), execution)
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

fn ids() -> Vec<String> {
    let id = |number| format!("step-aaaaaaaa-0000-0000-0000-{number:012}");
    (0..STEPS).map(id).collect()
}

fn start(broken: Option<&str>) -> (Polling, Failing) {
    let target = TargetText::new("t")
        .with("regions: [us-west-2]")
        .with("rate_limit: {requests_per_second: 20, burst: 20}")
        .steps(ids());
    let yaml = ConfigText::of([target])
        .with(&format!("polling: {{interval: {INTERVAL}s}}"))
        .text();
    let api = Failing {
        start: Instant::now(),
        broken: broken.map(|id| id.parse().unwrap()),
        calls: Arc::default(),
    };
    (Polling::start(&yaml, Arc::new(api.clone())), api)
}

fn is_current(polling: &Polling, id: &str) -> bool {
    let name = "imagebuilder_workflow_step_last_poll_success";
    value(&polling.metrics(), name, &[("step_execution_id", id)]) == Some(1.0)
}

#[tokio::test(start_paused = true)]
async fn all_steps_are_polled_within_two_intervals_of_the_first_success() {
    let (polling, api) = start(None);
    polling.until(OUTAGE.start - 1.0).await;
    assert!(ids().iter().all(|id| is_current(&polling, id)));
    polling.until(OUTAGE.end - 1.0).await;
    assert!(!ids().iter().any(|id| is_current(&polling, id)));
    let mut until = OUTAGE.end;
    while !ids().iter().any(|id| is_current(&polling, id)) {
        until += 0.5;
        polling.until(until).await;
    }
    let first = api.first_success();
    polling.until(first + 2.0 * INTERVAL).await;
    let late: Vec<_> = ids()
        .into_iter()
        .filter(|id| !is_current(&polling, id))
        .collect();
    assert!(late.is_empty(), "{late:?}");
    // They are spread, not all at once.
    let calls = api.calls.lock().unwrap();
    let at_once = calls.values().flatten();
    let at_once = at_once
        .filter(|at| (first..first + 0.5).contains(*at))
        .count();
    assert!(at_once < STEPS as usize / 2, "{at_once}");
}

#[tokio::test(start_paused = true)]
async fn call_that_fails_alone_keeps_its_backoff() {
    let broken = &ids()[7];
    let (polling, api) = start(Some(broken));
    polling.until(OUTAGE.start - 1.0).await;
    let early = api.calls.lock().unwrap()[broken.as_str()].len();
    assert!(early <= 7, "{early} calls within a minute");
    // The end of the outage may end its backoff once.
    polling.until(OUTAGE.end + 1_200.0).await;
    let all = api.calls.lock().unwrap()[broken.as_str()].len();
    assert!(all <= early + 12, "{all}, {early} of them early");
}
