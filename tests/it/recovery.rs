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
    /// Steps whose calls fail, and until when.
    broken: BTreeMap<String, f64>,
    /// When each step was requested.
    calls: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
}

impl Failing {
    fn respond<T: Send + 'static>(&self, subject: String, value: T) -> ApiFuture<T> {
        let at = self.start.elapsed().as_secs_f64();
        let broken = self.broken.get(&subject).is_some_and(|end| at < *end);
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

/// Starts to poll all steps, of which some fail alone until then.
fn start(broken: impl IntoIterator<Item = (String, f64)>, rate: u32) -> (Polling, Failing) {
    let target = TargetText::new("t")
        .with("regions: [us-west-2]")
        .with(&format!(
            "rate_limit: {{requests_per_second: {rate}, burst: 20}}"
        ))
        .steps(ids());
    let yaml = ConfigText::of([target])
        .with(&format!("polling: {{interval: {INTERVAL}s}}"))
        .text();
    let api = Failing {
        start: Instant::now(),
        broken: broken.into_iter().collect(),
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
    let (polling, api) = start([], 20);
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

/// A minute after the outage, when its backoffs are over.
const AFTER: f64 = OUTAGE.end + 60.0;
const END: f64 = AFTER + 600.0;

impl Failing {
    /// How many calls of these steps came while nothing else failed.
    fn calls_of(&self, ids: &[String]) -> usize {
        let calls = self.calls.lock().unwrap();
        let of_steps = ids.iter().flat_map(|id| &calls[id]);
        of_steps.filter(|at| (AFTER..END).contains(*at)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn call_that_failed_alone_for_long_succeeds_within_two_intervals_of_the_end() {
    let ids = ids();
    let (failing, others) = ids.split_at(10);
    // Each ends at another part of the backoff.
    let ends = (0..).map(|number| END + f64::from(number) * INTERVAL / 5.0);
    let broken: Vec<_> = failing.iter().cloned().zip(ends).collect();
    let (polling, api) = start(broken.clone(), 20);
    polling.until(END - 1.0).await;
    assert!(!failing.iter().any(|id| is_current(&polling, id)));
    // Retries are rarer than polls.
    let [failed, polled] = [failing, &others[..10]].map(|steps| api.calls_of(steps));
    assert!(failed * 4 < polled * 3, "{failed} calls, {polled} polls");
    for (id, end) in broken {
        polling.until(end + 2.0 * INTERVAL).await;
        assert!(is_current(&polling, &id), "{id} after {end}");
    }
}

/// Calls that are made once can fail for ever, and each retry takes a token from the polls.
#[tokio::test(start_paused = true)]
async fn retries_take_a_third_of_the_rate_limit_at_most_while_others_succeed() {
    let rate = 6;
    let ids = ids();
    let broken = &ids[..30];
    let (polling, api) = start(broken.iter().cloned().map(|id| (id, f64::MAX)), rate);
    polling.until(END).await;
    let most = (END - AFTER) * f64::from(rate) / 3.0;
    let calls = api.calls_of(broken) as f64;
    assert!(
        (most * 0.8..most * 1.05).contains(&calls),
        "{calls}, {most}"
    );
}
