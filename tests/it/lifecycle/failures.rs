//! Polls that fail: what is known stays, and how soon the next poll is made.

use imagebuilder_exporter::api::ErrorKind;
use imagebuilder_exporter::model::StepStatus;
use imagebuilder_exporter::snapshot::Failing;

use super::{
    A, B, HOUR, INTERVAL, at, elsewhere, exposed, id, play, status_is, step, tracked, workflow_id,
};
use crate::support::poller::EPOCH;
use crate::support::scripted::Reply;

#[tokio::test(start_paused = true)]
async fn step_that_the_service_does_not_know_is_gone_after_an_hour_and_polled_hourly() {
    let (script, polling) = play(&[A]);
    script.step(
        id(A),
        (0.0, 0.2),
        Reply::Ok(step(StepStatus::Running, -60.0)),
    );
    for _ in 0..200 {
        script.step(id(A), (28.5, 9.0 * HOUR), Reply::Err(ErrorKind::Client));
        script.workflow(
            workflow_id(),
            (28.5, 9.0 * HOUR),
            Reply::Err(ErrorKind::Client),
        );
    }
    polling.until(60.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert_eq!(exposed(&text, A, "last_poll_success"), Some(0.0));
    assert_eq!(tracked(&text, "active"), Some(1.0));
    assert_eq!(exposed(&text, A, "duration_seconds"), Some(120.0));
    let first_unknown = script.calls(A)[1];

    polling.until(first_unknown + HOUR - 1.0).await;
    assert_eq!(tracked(&polling.metrics(), "gone"), Some(0.0));
    polling.until(first_unknown + HOUR + 1.0).await;
    let text = polling.metrics();
    assert_eq!(tracked(&text, "gone"), Some(1.0));
    assert!(status_is(&text, A, "RUNNING"));
    let stopped = exposed(&text, A, "duration_seconds").unwrap();
    assert!((60.0..=60.3).contains(&stopped), "{stopped}");
    let so_far = script.calls(A).len();
    polling.until(first_unknown + 6.0 * HOUR).await;
    let hourly = script.calls(A).len() - so_far;
    assert!((5..=6).contains(&hourly), "{hourly}");
}

#[tokio::test(start_paused = true)]
async fn gone_step_that_the_service_knows_again_is_active_again() {
    let (script, polling) = play(&[A]);
    for _ in 0..40 {
        script.step(id(A), (0.0, HOUR + 1.0), Reply::Err(ErrorKind::Client));
    }
    polling.until(HOUR + 1.0).await;
    let text = polling.metrics();
    assert_eq!(tracked(&text, "gone"), Some(1.0));
    assert_eq!(exposed(&text, A, "last_success_timestamp_seconds"), None);
    script.forget();
    script.step(
        id(A),
        (HOUR, 2.0 * HOUR + 1.0),
        Reply::Ok(step(StepStatus::Running, 0.0)),
    );
    while !status_is(&polling.metrics(), A, "RUNNING") {
        assert!(
            polling.now() < at(2.0 * HOUR + 1.0),
            "asked for once an hour"
        );
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    }
    assert_eq!(tracked(&polling.metrics(), "active"), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn unanswered_call_delays_no_other_poll() {
    let (script, polling) = play(&[A, B]);
    let running = || Reply::Ok(step(StepStatus::Running, -60.0));
    script.step(id(A), (0.0, 0.4), Reply::Silence);
    script.step(id(B), (0.0, 0.4), elsewhere());
    // Ten seconds for the answer, then an eighth to a quarter of the interval.
    script.step(id(A), (13.0, 18.0), running());
    script.step(id(B), (28.5, 30.4), elsewhere());
    polling.until(9.0).await;
    assert!(!polling.all_attempted());
    polling.until(11.0).await;
    assert!(polling.all_attempted());
    let text = polling.metrics();
    assert_eq!(exposed(&text, A, "last_poll_success"), Some(0.0));
    assert_eq!(exposed(&text, B, "last_poll_success"), Some(1.0));
    polling.until(31.0).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn failed_poll_keeps_the_known_values_and_marks_that_step_alone() {
    let (script, polling) = play(&[A, B]);
    let running = || Reply::Ok(step(StepStatus::Running, -60.0));
    script.step(id(A), (0.0, 0.4), running());
    script.step(id(B), (0.0, 0.4), elsewhere());
    script.step(id(A), (28.5, 30.4), Reply::Err(ErrorKind::Server));
    script.step(id(B), (28.5, 30.4), elsewhere());
    polling.until(31.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert_eq!(exposed(&text, A, "last_poll_success"), Some(0.0));
    assert_eq!(exposed(&text, B, "last_poll_success"), Some(1.0));
    assert_eq!(exposed(&text, A, "duration_seconds"), Some(91.0));
    let seen = exposed(&text, A, "last_success_timestamp_seconds").unwrap();
    let seen = seen - EPOCH.millis() as f64 / 1_000.0;
    assert!((0.0..0.4).contains(&seen), "{seen}");
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_without_a_response_exposes_nothing_but_its_polls() {
    let (script, polling) = play(&[A]);
    script.step(id(A), (0.0, 0.2), Reply::Err(ErrorKind::Server));
    polling.until(1.0).await;
    let text = polling.metrics();
    let of_the_step: Vec<_> = text.lines().filter(|line| line.contains(A)).collect();
    assert_eq!(
        of_the_step,
        [
            format!(
                "imagebuilder_workflow_step_last_poll_success{{target=\"t\",region=\"us-west-2\",step_execution_id=\"{A}\"}} 0"
            ),
            format!(
                "imagebuilder_workflow_step_settled{{target=\"t\",region=\"us-west-2\",step_execution_id=\"{A}\"}} 0"
            ),
        ]
    );
    assert_eq!(tracked(&text, "pending"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn failing_polls_keep_the_time_of_the_first_failure_and_the_kind_of_the_last() {
    let (script, polling) = play(&[A]);
    assert_eq!(polling.failing(A), None);
    script.step(id(A), (0.0, 0.2), Reply::Silence);
    script.step(id(A), (13.0, 18.0), Reply::Err(ErrorKind::Network));
    let running = step(StepStatus::Running, -60.0);
    script.step(id(A), (18.0, 40.0), Reply::Ok(running));
    polling.until(12.0).await;
    let failing = polling.failing(A).unwrap();
    assert!((at(10.0)..at(10.3)).contains(&failing.since), "{failing:?}");
    assert_eq!(failing.kind, ErrorKind::Timeout);
    polling.until(18.0).await;
    let kind = ErrorKind::Network;
    assert_eq!(polling.failing(A), Some(Failing { kind, ..failing }));
    polling.until(40.0).await;
    assert_eq!(polling.failing(A), None);
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn consecutive_failures_make_polls_rarer_up_to_a_bound() {
    let (script, polling) = play(&[A]);
    for _ in 0..60 {
        script.step(id(A), (0.0, 2.0 * HOUR), Reply::Err(ErrorKind::Server));
    }
    polling.until(2.0 * HOUR).await;
    let calls = script.calls(A);
    let apart: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(apart[0] <= 7.5, "{apart:?}");
    assert!(
        apart[10..]
            .iter()
            .all(|apart| (150.0..=300.0).contains(apart)),
        "{apart:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn throttled_step_is_polled_at_its_interval_as_long_as_the_rate_allows() {
    let (script, polling) = play(&[A]);
    for _ in 0..400 {
        script.step(id(A), (0.0, HOUR), Reply::Err(ErrorKind::Throttled));
    }
    polling.until(HOUR).await;
    let calls = script.calls(A);
    // The rate falls to 0.5 a second at least.
    let longest = INTERVAL.1 + 2.0;
    let apart = calls.windows(2).map(|pair| pair[1] - pair[0]);
    let late: Vec<_> = apart.filter(|apart| *apart > longest).collect();
    assert_eq!(late, [0.0; 0]);
}
