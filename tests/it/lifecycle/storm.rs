//! A service that throttles every call for a while.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ImagePage, ListPage, Page, Parsed, StepPage,
    WorkflowPage,
};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, StepStatus, WorkflowExecution,
    WorkflowExecutionId,
};
use tokio::time::Instant;

use super::at;
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::poller::Polling;
use crate::support::scripted::{discovers_nothing, unasked};

/// When every call is throttled, in seconds.
const STORM: std::ops::Range<f64> = 60.0..120.0;
const LATENCY: Duration = Duration::from_millis(20);

/// Running steps, each of no known workflow execution.
#[derive(Clone, Debug)]
struct Service {
    start: Instant,
    /// Seconds at which calls came.
    calls: Arc<Mutex<Vec<f64>>>,
}

impl Service {
    /// Calls a second between two moments.
    fn rate(&self, from: f64, to: f64) -> f64 {
        let calls = self.calls.lock().unwrap();
        let count = { calls.iter() }.filter(|at| (from..to).contains(*at));
        count.count() as f64 / (to - from)
    }
}

impl ImageBuilder for Service {
    fn get_workflow_step_execution(&self, _: StepExecutionId) -> ApiFuture<StepExecution> {
        let now = self.start.elapsed().as_secs_f64();
        self.calls.lock().unwrap().push(now);
        Box::pin(async move {
            tokio::time::sleep(LATENCY).await;
            match STORM.contains(&now) {
                true => Err(ApiError::new(ErrorKind::Throttled, "Rate exceeded")),
                false => Ok(Parsed::from(StepExecution {
                    start: Some(at(-60.0)),
                    ..StepExecution::with_status(StepStatus::Running)
                })),
            }
        })
    }

    fn get_workflow_execution(&self, _: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        unasked()
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

#[tokio::test(start_paused = true)]
async fn storm_of_throttling_is_met_with_fewer_calls_and_is_over_soon_after_it() {
    let service = Service {
        start: Instant::now(),
        calls: Arc::default(),
    };
    let ids: Vec<String> = (0..30)
        .map(|at| format!("step-aaaaaaaa-0000-0000-0000-0000000000{at:02}"))
        .collect();
    let target = TargetText::new("t").steps(&ids);
    let target = target.with("rate_limit: {requests_per_second: 1000, burst: 10}");
    let config = ConfigText::of([target]).with("polling: {interval: 1s}");
    let polling = Polling::start(&config.text(), Arc::new(service.clone()));
    polling.until(150.0).await;
    let before = service.rate(10.0, STORM.start);
    let storm = service.rate(STORM.start, STORM.end);
    let after = service.rate(STORM.end + 15.0, 150.0);
    println!("{before:.1} calls/s before the storm, {storm:.1} in it, {after:.1} after it");
    assert!((29.0..=32.0).contains(&before), "{before}");
    assert!(
        storm <= 0.6 * before,
        "{storm} in the storm, {before} before"
    );
    assert!(
        after >= 0.97 * before,
        "{after} after the storm, {before} before"
    );
}
