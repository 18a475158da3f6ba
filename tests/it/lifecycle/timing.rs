//! When calls are made: around timeouts, under limits and at a reload.

use std::sync::Arc;

use imagebuilder_exporter::api::ErrorKind;
use imagebuilder_exporter::model::{StepExecution, StepStatus};

use super::{A, B, HOUR, ended, exposed, id, play, status_is, step, yaml};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::poller::Polling;
use crate::support::scripted::{Reply, Script};

/// A step with a timeout 10 minutes after its start.
fn with_timeout(answer: StepExecution) -> StepExecution {
    StepExecution {
        timeout_seconds: Some(600),
        ..answer
    }
}

#[tokio::test(start_paused = true)]
async fn running_step_is_polled_right_after_its_timeout() {
    let (script, polling) = play(&[A]);
    let answer = |answer: StepExecution| {
        Reply::Ok(StepExecution {
            timeout_seconds: Some(600),
            ..answer
        })
    };
    script.step(id(A), (0.0, 0.2), answer(step(StepStatus::Running, -590.0)));
    script.step(
        id(A),
        (11.0, 11.01),
        answer(ended(StepStatus::Failed, -590.0, 10.2)),
    );
    polling.until(9.9).await;
    assert_eq!(
        exposed(&polling.metrics(), A, "timeout_breached"),
        Some(0.0)
    );
    polling.until(10.0).await;
    assert_eq!(
        exposed(&polling.metrics(), A, "timeout_breached"),
        Some(1.0)
    );
    polling.until(12.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "FAILED"));
    assert_eq!(exposed(&text, A, "timeout_breached"), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn timeout_that_passes_during_a_call_is_followed_by_a_poll_at_once() {
    let script = Script::new();
    let yaml = yaml(&[A])
        .replace("30s", "1h")
        .replace("regions", "rate_limit: {burst: 5}\n    regions");
    let polling = Polling::start(&yaml, Arc::new(script.clone()));
    // Asked for a second before the timeout at most, and answered after it as it was then.
    let running = with_timeout(step(StepStatus::Running, -599.0));
    script.step(id(A), (0.0, 0.2), Reply::Late(5.0, running));
    let failed = with_timeout(ended(StepStatus::Failed, -599.0, 1.0));
    script.step(id(A), (5.0, 5.2), Reply::Ok(failed));
    polling.until(6.0).await;
    assert!(status_is(&polling.metrics(), A, "FAILED"));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_is_polled_right_after_its_timeout_although_the_poll_before_failed() {
    let (script, polling) = play(&[A]);
    let running = with_timeout(step(StepStatus::Running, -530.0));
    script.step(id(A), (0.0, 0.2), Reply::Ok(running));
    for _ in 0..4 {
        script.step(id(A), (28.5, 70.0), Reply::Err(ErrorKind::Server));
    }
    let failed = with_timeout(ended(StepStatus::Failed, -530.0, 70.0));
    script.step(id(A), (71.0, 71.1), Reply::Ok(failed));
    polling.until(72.0).await;
    assert!(
        status_is(&polling.metrics(), A, "FAILED"),
        "{:?}",
        script.calls(A)
    );
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn calls_keep_to_the_rate_limit_and_to_the_number_of_concurrent_requests() {
    let script = Script::new();
    let ids: Vec<String> = (0..40)
        .map(|at| format!("step-aaaaaaaa-0000-0000-0000-0000000000{at:02}"))
        .collect();
    let target = TargetText::new("t").steps(&ids);
    let target = target.with("rate_limit: {requests_per_second: 100, burst: 1}");
    let config = ConfigText::of([target])
        .with("polling: {interval: 1h, max_concurrent_requests: 3, request_timeout: 10s}");
    for step in &ids {
        script.step(id(step), (0.0, HOUR), Reply::Silence);
    }
    let polling = Polling::start(&config.text(), Arc::new(script.clone()));
    polling.until(9.0).await;
    let begun: usize = ids.iter().map(|step| script.calls(step).len()).sum();
    assert_eq!(begun, 3);
    polling.until(19.0).await;
    let begun: usize = ids.iter().map(|step| script.calls(step).len()).sum();
    assert_eq!(begun, 6);
}

#[tokio::test(start_paused = true)]
async fn reload_keeps_the_steps_of_both_configurations_and_drops_the_rest_at_once() {
    let (script, polling) = play(&[A, B]);
    script.step(
        id(A),
        (0.0, 0.4),
        Reply::Ok(step(StepStatus::Running, -60.0)),
    );
    // Still in flight while the configuration changes; its answer is for nobody then.
    script.step(id(B), (0.0, 0.4), Reply::Silence);
    polling.until(5.0).await;
    let polling = polling.reassign(&yaml(&[A])).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert!(!text.contains(B), "{text}");
    script.step(
        id(A),
        (28.5, 30.4),
        Reply::Ok(step(StepStatus::Running, -60.0)),
    );
    polling.until(35.0).await;
    assert!(!polling.metrics().contains(B));
    script.assert_played();
}
