//! What has finished is counted once, told as scripts of calls.

use std::sync::Arc;

use imagebuilder_exporter::model::{StepExecution, StepExecutionId, StepStatus, Timestamp};

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scripted::{Reply, Script};

const A: &str = "step-aaaaaaaa-0000-0000-0000-000000000001";
const COUNTER: &str = "imagebuilder_workflow_steps_finished_total";
const HISTOGRAM: &str = "imagebuilder_workflow_step_finished_duration_seconds";

fn yaml(team: &str, buckets: &str) -> String {
    let target = TargetText::new("t").steps([A]);
    ConfigText::of([target.with(&format!("labels: {{team: {team}}}"))])
        .with(&format!(
            "metrics: {{counter_warmup: 2m, duration_buckets: [{buckets}]}}"
        ))
        .text()
}

fn after(seconds: f64) -> Timestamp {
    Timestamp::from_millis(EPOCH.millis() + (seconds * 1_000.0) as i64)
}

fn running() -> StepExecution {
    StepExecution {
        name: Some("Build".into()),
        start: Some(after(-60.0)),
        ..StepExecution::with_status(StepStatus::Running)
    }
}

/// Expects looks at the step: two while it runs, and from then on the seldom ones at its end.
fn play(script: &Script) {
    let id: StepExecutionId = A.parse().unwrap();
    script.step(id, (0.0, 0.6), Reply::Ok(running()));
    script.step(id, (28.0, 31.0), Reply::Ok(running()));
    for _ in 0..8 {
        script.step(
            id,
            (50.0, 900.0),
            Reply::Ok(StepExecution {
                status: StepStatus::Failed,
                end: Some(after(40.25)),
                ..running()
            }),
        );
    }
}

fn counted(polling: &Polling, team: &str, status: &str) -> Option<f64> {
    let labels = [("team", team), ("step", "Build"), ("status", status)];
    value(&polling.metrics(), COUNTER, &labels)
}

fn observed(polling: &Polling, suffix: &str, le: &[(&str, &str)]) -> Option<f64> {
    let labels = [&[("status", "FAILED")], le].concat();
    value(
        &polling.metrics(),
        &format!("{HISTOGRAM}_{suffix}"),
        &labels,
    )
}

#[tokio::test(start_paused = true)]
async fn failure_is_counted_once_over_reloads_after_its_series_was_exposed_as_0() {
    let script = Script::new();
    let config = yaml("platform", "1m, 100s, 101s");
    let polling = Polling::start(&config, Arc::new(script.clone()));
    play(&script);
    polling.until(10.0).await;
    assert_eq!(counted(&polling, "platform", "COMPLETED"), Some(0.0));
    assert_eq!(counted(&polling, "platform", "FAILED"), Some(0.0));
    polling.until(110.0).await;
    assert_eq!(counted(&polling, "platform", "FAILED"), Some(0.0));
    assert_eq!(observed(&polling, "count", &[]), Some(0.0));
    let polling = polling.reassign(&config).await;
    polling.until(600.0).await;
    assert_eq!(counted(&polling, "platform", "COMPLETED"), Some(0.0));
    assert_eq!(counted(&polling, "platform", "FAILED"), Some(1.0));
    assert_eq!(observed(&polling, "sum", &[]), Some(100.25));
    let bucket = |le| observed(&polling, "bucket", &[("le", le)]);
    assert_eq!(
        ["60.0", "100.0", "101.0", "+Inf"].map(bucket),
        [0.0, 0.0, 1.0, 1.0].map(Some)
    );
}

#[tokio::test(start_paused = true)]
async fn reload_with_other_labels_begins_a_series_that_does_not_count_the_past() {
    let script = Script::new();
    let polling = Polling::start(&yaml("platform", "1m"), Arc::new(script.clone()));
    play(&script);
    polling.until(200.0).await;
    assert_eq!(counted(&polling, "platform", "FAILED"), Some(1.0));
    let polling = polling.reassign(&yaml("other", "2m")).await;
    assert_eq!(counted(&polling, "platform", "FAILED"), None);
    polling.until(700.0).await;
    assert_eq!(counted(&polling, "other", "FAILED"), Some(0.0));
    assert_eq!(observed(&polling, "bucket", &[("le", "120.0")]), Some(0.0));
}
