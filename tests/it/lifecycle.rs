//! The life of a listed step, told as scripts of calls on tokio's paused clock: what is asked for,
//! when, and what /metrics shows for it.

use std::sync::Arc;

use imagebuilder_exporter::api::ErrorKind;
use imagebuilder_exporter::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use imagebuilder_exporter::store::Failing;

use crate::support::exposition::value;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scripted::{Reply, Script};

const A: &str = "step-aaaaaaaa-0000-0000-0000-000000000001";
const B: &str = "step-bbbbbbbb-0000-0000-0000-000000000002";
const WORKFLOW: &str = "wf-cccccccc-0000-0000-0000-000000000003";
const HOUR: f64 = 3_600.0;
/// B's, where the two are not of one workflow execution.
const OTHER_WORKFLOW: &str = "wf-dddddddd-0000-0000-0000-000000000004";
/// Times at which a step of `interval: 30s` may be seen again: jitter makes it a little early.
const INTERVAL: (f64, f64) = (28.5, 30.0);

fn id(text: &str) -> StepExecutionId {
    text.parse().unwrap()
}

fn workflow_id() -> WorkflowExecutionId {
    WORKFLOW.parse().unwrap()
}

fn yaml(ids: &[&str]) -> String {
    format!(
        "polling: {{interval: 30s}}\n\
         targets: [{{name: t, regions: [us-west-2], step_executions: [{}]}}]\n",
        ids.join(", ")
    )
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

fn shows(text: &str, step: &str, metric: &str) -> Option<f64> {
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

#[tokio::test(start_paused = true)]
async fn step_is_followed_until_its_workflow_has_ended_and_never_asked_for_again() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    script.step(
        id(A),
        (0.0, 0.2),
        Reply::Ok(step(StepStatus::Running, -5.0)),
    );
    let done = || Reply::Ok(ended(StepStatus::Completed, -5.0, 20.0));
    script.step(id(A), (28.5, 30.2), done());
    script.step(id(A), (57.0, 60.4), done());
    script.workflow(
        workflow_id(),
        (57.0, 60.4),
        workflow(WorkflowStatus::Completed),
    );
    // The workflow's end makes what was seen before it old: one more look, at once.
    script.step(id(A), (57.0, 60.4), done());

    polling.until(1.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert_eq!(shows(&text, A, "settled"), Some(0.0));
    polling.until(61.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "COMPLETED"));
    assert_eq!(shows(&text, A, "settled"), Some(1.0));
    assert_eq!(shows(&text, A, "duration_seconds"), Some(25.0));
    assert_eq!(tracked(&text, "settled"), Some(1.0));
    polling.until(48.0 * HOUR).await;
    script.assert_played();
    let of_the_step = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(A));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(of_the_step(&polling.metrics()), of_the_step(&text));
}

#[tokio::test(start_paused = true)]
async fn rollback_of_a_completed_step_is_followed_to_its_end() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    let api = &script;
    api.step(
        id(A),
        (0.0, 0.2),
        Reply::Ok(ended(StepStatus::Completed, -60.0, -10.0)),
    );
    api.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Running));
    api.step(
        id(A),
        (28.5, 30.2),
        Reply::Ok(rolled(RollbackStatus::Running)),
    );
    let in_progress = || workflow(WorkflowStatus::RollbackInProgress);
    api.workflow(workflow_id(), (28.5, 30.2), in_progress());
    api.step(
        id(A),
        (57.0, 60.2),
        Reply::Ok(rolled(RollbackStatus::Running)),
    );
    api.step(
        id(A),
        (85.0, 90.3),
        Reply::Ok(rolled(RollbackStatus::Completed)),
    );
    polling.until(31.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "COMPLETED"));
    assert!(rollback_is(&text, A, "RUNNING"));
    assert_eq!(shows(&text, A, "settled"), Some(0.0));

    // An interval later the workflow is looked at, around the time of the step's own next look.
    for _ in 0..2 {
        api.step(
            id(A),
            (110.0, 121.0),
            Reply::Ok(rolled(RollbackStatus::Completed)),
        );
    }
    api.workflow(
        workflow_id(),
        (110.0, 121.0),
        workflow(WorkflowStatus::RollbackCompleted),
    );
    polling.until(121.0).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "COMPLETED"));
    assert_eq!(shows(&text, A, "settled"), Some(1.0));
    polling.until(24.0 * HOUR).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn rollback_is_followed_to_its_end_also_when_the_workflow_says_failed() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    let api = &script;
    let running = || Reply::Ok(rolled(RollbackStatus::Running));
    let failed = || Reply::Ok(rolled(RollbackStatus::Failed));
    api.step(id(A), (0.0, 0.2), running());
    api.step(id(A), INTERVAL, running());
    api.step(id(A), (57.0, 60.2), failed());
    api.workflow(
        workflow_id(),
        (80.0, 90.5),
        workflow(WorkflowStatus::Failed),
    );
    polling.until(91.0 - 11.5).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "FAILED"));
    assert_eq!(shows(&text, A, "settled"), Some(0.0));
    // Some more intervals, in case that another step's rollback begins.
    for _ in 0..5 {
        api.step(id(A), (80.0, 190.0), failed());
    }
    polling.until(190.0).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "FAILED"));
    assert_eq!(shows(&text, A, "settled"), Some(1.0));
    let looks = script.calls(A).len();
    polling.until(24.0 * HOUR).await;
    assert_eq!(script.calls(A).len(), looks);
}

#[tokio::test(start_paused = true)]
async fn rollback_that_begins_after_the_workflow_said_failed_is_not_missed() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    let api = &script;
    let completed = || Reply::Ok(ended(StepStatus::Completed, -60.0, -10.0));
    api.step(id(A), (0.0, 0.2), completed());
    api.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Failed));
    api.step(id(A), (0.0, 0.2), completed());
    api.step(
        id(A),
        (28.0, 30.2),
        Reply::Ok(rolled(RollbackStatus::Running)),
    );
    for _ in 0..3 {
        api.step(
            id(A),
            (56.0, 121.0),
            Reply::Ok(rolled(RollbackStatus::Completed)),
        );
    }
    polling.until(121.0).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "COMPLETED"), "{text}");
    assert_eq!(shows(&text, A, "settled"), Some(1.0));
    polling.until(24.0 * HOUR).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn failed_step_with_attempts_left_runs_again() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    let attempt = |number, answer: StepExecution| {
        Reply::Ok(StepExecution {
            attempt: Some(number),
            max_attempts: Some(3),
            ..answer
        })
    };
    let api = &script;
    api.step(
        id(A),
        (0.0, 0.2),
        attempt(1, ended(StepStatus::Failed, -60.0, -1.0)),
    );
    api.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Running));
    api.step(
        id(A),
        (28.5, 30.2),
        attempt(2, step(StepStatus::Running, 10.0)),
    );
    api.workflow(
        workflow_id(),
        (28.5, 30.2),
        workflow(WorkflowStatus::Running),
    );
    polling.until(20.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "FAILED"));
    assert_eq!(shows(&text, A, "settled"), Some(0.0));
    polling.until(40.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert_eq!(shows(&text, A, "attempt"), Some(2.0));
    assert_eq!(shows(&text, A, "max_attempts"), Some(3.0));
    assert_eq!(shows(&text, A, "end_time_seconds"), None);
    assert_eq!(shows(&text, A, "duration_seconds"), Some(30.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_that_stays_pending_in_a_failed_workflow_settles_an_hour_after_its_end() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    let pending = || StepExecution {
        start: None,
        ..step(StepStatus::Pending, 0.0)
    };
    let failed = WorkflowExecution {
        end: Some(at(-HOUR + 100.0)),
        ..WorkflowExecution::with_status(WorkflowStatus::Failed)
    };
    script.step(id(A), (0.0, 0.2), Reply::Ok(pending()));
    script.workflow(workflow_id(), (0.0, 0.2), Reply::Ok(failed));
    script.step(id(A), (0.0, 0.2), Reply::Ok(pending()));
    for look in 1..=3 {
        let seconds = f64::from(look) * 30.0;
        script.step(id(A), (seconds * 0.95, seconds + 0.3), Reply::Ok(pending()));
    }
    polling.until(99.0).await;
    assert_eq!(shows(&polling.metrics(), A, "settled"), Some(0.0));
    script.step(id(A), (100.0, 100.1), Reply::Ok(pending()));
    polling.until(101.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "PENDING"));
    assert_eq!(shows(&text, A, "settled"), Some(1.0));
    assert_eq!(shows(&text, A, "duration_seconds"), None);
    polling.until(24.0 * HOUR).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn where_the_workflow_may_not_be_looked_at_the_step_is_followed_slowly_for_a_day() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    let end = -22.0 * HOUR;
    let completed = || Reply::Ok(ended(StepStatus::Completed, end - 60.0, end));
    script.step(id(A), (0.0, 0.2), completed());
    script.workflow(workflow_id(), (0.0, 0.2), Reply::Err(ErrorKind::Forbidden));
    // The next look was set before the answer; from it on they are four times as far apart.
    script.step(id(A), (28.5, 30.2), completed());
    polling.until(40.0).await;
    assert_eq!(shows(&polling.metrics(), A, "last_poll_success"), Some(1.0));

    for _ in 0..70 {
        script.step(id(A), (120.0, 2.0 * HOUR + 1.0), completed());
    }
    for hour in [1.0, 2.0] {
        let when = (0.95 * hour * HOUR, hour * HOUR + 1.0);
        script.workflow(workflow_id(), when, Reply::Err(ErrorKind::Forbidden));
    }
    // One operation that is denied does not make the target one that can't be polled.
    let mut moment = 40.0;
    while moment < 2.0 * HOUR {
        moment += 20.0;
        polling.until(moment).await;
        let up = value(&polling.metrics(), "imagebuilder_exporter_target_up", &[]);
        assert_eq!(up, Some(1.0), "at {moment} s");
    }
    polling.until(2.0 * HOUR + 1.0).await;
    assert_eq!(shows(&polling.metrics(), A, "settled"), Some(1.0));
    let calls = script.calls(A);
    assert!((60..=66).contains(&calls.len()), "{} calls", calls.len());
    let apart = calls.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
    let early = apart.take(calls.len() - 3).find(|apart| *apart < 114.0);
    assert_eq!(early, None);
    polling.until(30.0 * HOUR).await;
    assert_eq!(script.calls(A).len(), calls.len());
}

#[tokio::test(start_paused = true)]
async fn step_that_the_service_does_not_know_is_gone_after_an_hour_and_asked_for_hourly() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
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
    assert_eq!(shows(&text, A, "last_poll_success"), Some(0.0));
    assert_eq!(tracked(&text, "active"), Some(1.0));
    assert_eq!(shows(&text, A, "duration_seconds"), Some(120.0));
    let first_unknown = script.calls(A)[1];

    polling.until(first_unknown + HOUR - 1.0).await;
    assert_eq!(tracked(&polling.metrics(), "gone"), Some(0.0));
    polling.until(first_unknown + HOUR + 1.0).await;
    let text = polling.metrics();
    assert_eq!(tracked(&text, "gone"), Some(1.0));
    assert!(status_is(&text, A, "RUNNING"));
    let stopped = shows(&text, A, "duration_seconds").unwrap();
    assert!((60.0..=60.3).contains(&stopped), "{stopped}");
    let so_far = script.calls(A).len();
    polling.until(first_unknown + 6.0 * HOUR).await;
    let hourly = script.calls(A).len() - so_far;
    assert!((5..=6).contains(&hourly), "{hourly}");
}

#[tokio::test(start_paused = true)]
async fn gone_step_that_the_service_knows_again_is_followed_again() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    for _ in 0..40 {
        script.step(id(A), (0.0, HOUR + 1.0), Reply::Err(ErrorKind::Client));
    }
    polling.until(HOUR + 1.0).await;
    let text = polling.metrics();
    assert_eq!(tracked(&text, "gone"), Some(1.0));
    assert_eq!(shows(&text, A, "last_success_timestamp_seconds"), None);
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
async fn unanswered_call_delays_nobody_else() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
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
    assert_eq!(shows(&text, A, "last_poll_success"), Some(0.0));
    assert_eq!(shows(&text, B, "last_poll_success"), Some(1.0));
    polling.until(31.0).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn running_step_is_looked_at_right_after_its_timeout() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
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
    assert_eq!(shows(&polling.metrics(), A, "timeout_breached"), Some(0.0));
    polling.until(10.0).await;
    assert_eq!(shows(&polling.metrics(), A, "timeout_breached"), Some(1.0));
    polling.until(12.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "FAILED"));
    assert_eq!(shows(&text, A, "timeout_breached"), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn failed_poll_keeps_what_is_known_and_marks_that_step_alone() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    let running = || Reply::Ok(step(StepStatus::Running, -60.0));
    script.step(id(A), (0.0, 0.4), running());
    script.step(id(B), (0.0, 0.4), elsewhere());
    script.step(id(A), (28.5, 30.4), Reply::Err(ErrorKind::Server));
    script.step(id(B), (28.5, 30.4), elsewhere());
    polling.until(31.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert_eq!(shows(&text, A, "last_poll_success"), Some(0.0));
    assert_eq!(shows(&text, B, "last_poll_success"), Some(1.0));
    assert_eq!(shows(&text, A, "duration_seconds"), Some(91.0));
    let seen = shows(&text, A, "last_success_timestamp_seconds").unwrap();
    let seen = seen - EPOCH.millis() as f64 / 1_000.0;
    assert!((0.0..0.4).contains(&seen), "{seen}");
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_that_was_never_seen_shows_nothing_but_its_polls() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
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
async fn why_polls_fail_is_told_of_the_last_and_since_when_of_the_first_until_one_succeeds() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
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
async fn failures_in_a_row_make_polls_rarer_up_to_a_bound() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
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
async fn calls_keep_to_the_rate_limit_and_to_the_places_there_are() {
    let script = Script::new();
    let ids: Vec<String> = (0..40)
        .map(|at| format!("step-aaaaaaaa-0000-0000-0000-0000000000{at:02}"))
        .collect();
    let yaml = format!(
        "polling: {{interval: 1h, max_concurrent_requests: 3, request_timeout: 10s}}\n\
         targets: [{{name: t, regions: [us-west-2], \
         rate_limit: {{requests_per_second: 100, burst: 1}}, step_executions: [{}]}}]\n",
        ids.join(", ")
    );
    for step in &ids {
        script.step(id(step), (0.0, HOUR), Reply::Silence);
    }
    let polling = Polling::start(&yaml, Arc::new(script.clone()));
    polling.until(9.0).await;
    let begun: usize = ids.iter().map(|step| script.calls(step).len()).sum();
    assert_eq!(begun, 3);
    polling.until(19.0).await;
    let begun: usize = ids.iter().map(|step| script.calls(step).len()).sum();
    assert_eq!(begun, 6);
}

#[tokio::test(start_paused = true)]
async fn reload_keeps_what_both_name_and_drops_the_rest_at_once() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
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

/// A step with a timeout 10 minutes after its start, listed with an interval of an hour.
fn with_timeout(answer: StepExecution) -> StepExecution {
    StepExecution {
        timeout_seconds: Some(600),
        ..answer
    }
}

#[tokio::test(start_paused = true)]
async fn timeout_that_comes_while_an_answer_is_awaited_is_looked_after_at_once() {
    let script = Script::new();
    let yaml = yaml(&[A])
        .replace("30s", "1h")
        .replace("regions", "rate_limit: {burst: 5}, regions");
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
async fn step_is_looked_at_right_after_its_timeout_although_the_poll_before_failed() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
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
async fn throttled_step_is_asked_for_at_its_interval_as_long_as_the_rate_allows() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A]), Arc::new(script.clone()));
    for _ in 0..400 {
        script.step(id(A), (0.0, HOUR), Reply::Err(ErrorKind::Throttled));
    }
    polling.until(HOUR).await;
    let calls = script.calls(A);
    // The rate falls to a 32nd of 5 a second at most.
    let longest = INTERVAL.1 + 32.0 / 5.0;
    let apart = calls.windows(2).map(|pair| pair[1] - pair[0]);
    let late: Vec<_> = apart.filter(|apart| *apart > longest).collect();
    assert_eq!(late, [0.0; 0]);
}
