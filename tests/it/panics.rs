//! A panic ends the polls of one target for a while, and nothing else.

use std::sync::Arc;

use imagebuilder_exporter::model::{
    PipelineArn, StepExecution, StepExecutionId, StepStatus, Timestamp,
};
use imagebuilder_exporter::tracker::Resource;

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scripted::{Reply, Script};

const A: &str = "step-aaaaaaaa-0000-0000-0000-000000000001";
const COUNTER: &str = "imagebuilder_workflow_steps_finished_total";

fn yaml() -> String {
    let target = TargetText::new("t").steps([A]);
    ConfigText::of([target])
        .with("metrics: {counter_warmup: 0s}")
        .text()
}

fn step(status: StepStatus, end: Option<f64>) -> Reply<StepExecution> {
    let after = |seconds: f64| Timestamp::from_millis(EPOCH.millis() + (seconds * 1_000.0) as i64);
    Reply::Ok(StepExecution {
        name: Some("Build".into()),
        start: Some(after(-60.0)),
        end: end.map(after),
        ..StepExecution::with_status(status)
    })
}

fn target_up(polling: &Polling) -> Option<f64> {
    value(
        &polling.metrics(),
        "imagebuilder_exporter_target_up",
        &[("target", "t")],
    )
}

fn panics(polling: &Polling) -> Option<f64> {
    let labels = [("subsystem", "poller")];
    value(
        &polling.metrics(),
        "imagebuilder_exporter_panics_total",
        &labels,
    )
}

fn status(polling: &Polling, status: &str) -> Option<f64> {
    let labels = [("step", "Build"), ("status", status)];
    value(
        &polling.metrics(),
        "imagebuilder_workflow_step_status",
        &labels,
    )
}

fn completed(polling: &Polling) -> Option<f64> {
    let labels = [("step", "Build"), ("status", "COMPLETED")];
    value(&polling.metrics(), COUNTER, &labels)
}

#[tokio::test(start_paused = true)]
async fn panic_marks_the_target_down_keeps_its_values_and_starts_it_again() {
    let script = Script::new();
    let id: StepExecutionId = A.parse().unwrap();
    script.step(id, (0.0, 0.6), step(StepStatus::Running, None));
    script.step(id, (28.0, 31.0), Reply::Panic);
    let polling = Polling::start(&yaml(), Arc::new(script.clone())).that_may_panic();
    polling.until(20.0).await;
    assert_eq!(
        (target_up(&polling), panics(&polling)),
        (Some(1.0), Some(0.0))
    );

    polling.until(34.0).await;
    assert_eq!(
        (target_up(&polling), panics(&polling)),
        (Some(0.0), Some(1.0))
    );
    assert_eq!(status(&polling, "RUNNING"), Some(1.0));

    // It ended in between. The second attempt panics as well, so the delay is longer.
    script.step(id, (35.0, 44.0), Reply::Panic);
    polling.until(46.0).await;
    assert_eq!(
        (target_up(&polling), panics(&polling)),
        (Some(0.0), Some(2.0))
    );
    script.step(id, (50.0, 70.0), step(StepStatus::Completed, Some(32.0)));
    polling.until(72.0).await;
    assert_eq!(
        (target_up(&polling), panics(&polling)),
        (Some(1.0), Some(2.0))
    );
    assert_eq!(status(&polling, "COMPLETED"), Some(1.0));
    assert_eq!(completed(&polling), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_that_was_counted_before_a_panic_is_not_counted_again() {
    let script = Script::new();
    let id: StepExecutionId = A.parse().unwrap();
    script.step(id, (0.0, 0.6), step(StepStatus::Running, None));
    script.step(id, (28.0, 31.0), step(StepStatus::Completed, Some(20.0)));
    let polling = Polling::start(&yaml(), Arc::new(script.clone())).that_may_panic();
    polling.until(32.0).await;
    assert_eq!(completed(&polling), Some(1.0));
    script.step(id, (32.0, 400.0), Reply::Panic);
    while panics(&polling) == Some(0.0) {
        polling.pass(1.0).await;
    }
    script.step(id, (32.0, 500.0), step(StepStatus::Completed, Some(20.0)));
    polling.pass(20.0).await;
    assert_eq!(target_up(&polling), Some(1.0));
    assert_eq!(completed(&polling), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn reload_ends_the_delay() {
    let script = Script::new();
    let id: StepExecutionId = A.parse().unwrap();
    script.step(id, (0.0, 0.6), Reply::Panic);
    let polling = Polling::start(&yaml(), Arc::new(script.clone())).that_may_panic();
    polling.until(1.0).await;
    assert_eq!(
        (target_up(&polling), panics(&polling)),
        (Some(0.0), Some(1.0))
    );
    script.step(id, (1.0, 1.7), step(StepStatus::Running, None));
    let polling = polling.reassign(&yaml()).await.that_may_panic();
    polling.until(2.0).await;
    assert_eq!(
        (target_up(&polling), panics(&polling)),
        (Some(1.0), Some(1.0))
    );
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn other_targets_take_over_after_the_delay_what_was_owned_in_the_region() {
    let script = Script::new();
    let id: StepExecutionId = A.parse().unwrap();
    script.step(id, (0.0, 0.6), Reply::Panic);
    let polling = Polling::start(&yaml(), Arc::new(script.clone())).that_may_panic();
    let pipeline = |region: &str| {
        let arn = format!("arn:aws:imagebuilder:{region}:111122223333:image-pipeline/golden");
        Resource::Pipeline(PipelineArn::parse(&arn).unwrap())
    };
    let [here, elsewhere] = ["us-west-2", "eu-west-1"].map(pipeline);
    for resource in [&here, &elsewhere] {
        assert!(polling.claims.claim(resource, 0));
        assert!(!polling.claims.claim(resource, 1));
    }
    polling.until(7.0).await;
    assert_eq!(panics(&polling), Some(1.0));
    assert!(polling.claims.keeps(&here, 0));

    script.step(id, (7.5, 12.6), step(StepStatus::Running, None));
    polling.until(13.0).await;
    assert_eq!(target_up(&polling), Some(1.0));
    assert!(polling.claims.keeps(&here, 1));
    assert!(polling.claims.keeps(&elsewhere, 0));
    script.assert_played();
}
