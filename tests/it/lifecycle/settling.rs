//! When a step settles: it is polled until nothing of it can change, and never again.

use std::sync::Arc;

use imagebuilder_exporter::api::ErrorKind;
use imagebuilder_exporter::model::{
    RollbackStatus, StepExecution, StepStatus, WorkflowExecution, WorkflowStatus,
};

use super::{
    A, HOUR, INTERVAL, at, ended, exposed, id, play, rollback_is, rolled, status_is, step, tracked,
    workflow, workflow_id,
};
use crate::support::exposition::value;
use crate::support::poller::Polling;
use crate::support::scripted::Reply;

#[tokio::test(start_paused = true)]
async fn step_is_polled_until_its_workflow_has_ended_and_never_again() {
    let (script, polling) = play(&[A]);
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
    assert_eq!(exposed(&text, A, "settled"), Some(0.0));
    polling.until(61.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "COMPLETED"));
    assert_eq!(exposed(&text, A, "settled"), Some(1.0));
    assert_eq!(exposed(&text, A, "duration_seconds"), Some(25.0));
    assert_eq!(tracked(&text, "settled"), Some(1.0));
    polling.until(48.0 * HOUR).await;
    script.assert_played();
    let of_the_step = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(A));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(of_the_step(&polling.metrics()), of_the_step(&text));
}

/// Returns how often the poller wakes up in so many seconds, looking each second.
async fn wakeups(polling: &Polling, seconds: u32) -> usize {
    let mut count = 0;
    let mut seen = polling.snapshot();
    for _ in 0..seconds {
        polling.pass(1.0).await;
        let snapshot = polling.snapshot();
        count += usize::from(!Arc::ptr_eq(&seen, &snapshot));
        seen = snapshot;
    }
    count
}

#[tokio::test(start_paused = true)]
async fn poller_of_a_settled_step_wakes_up_only_to_review_image_names() {
    let (script, polling) = play(&[A]);
    let done = || Reply::Ok(ended(StepStatus::Completed, -60.0, -10.0));
    script.step(id(A), (0.0, 0.2), done());
    script.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Running));
    script.step(id(A), (28.5, 30.2), done());
    script.workflow(
        workflow_id(),
        (28.5, 30.2),
        workflow(WorkflowStatus::Completed),
    );
    script.step(id(A), (28.5, 30.2), done());
    polling.until(1.0).await;
    assert!(wakeups(&polling, 60).await > 0);
    // It compares the image names that have counters with those in use every ten minutes.
    assert_eq!(wakeups(&polling, 24 * 3_600).await, 24 * 6);
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn rollback_of_a_completed_step_is_polled_to_its_end() {
    let (script, polling) = play(&[A]);
    script.step(
        id(A),
        (0.0, 0.2),
        Reply::Ok(ended(StepStatus::Completed, -60.0, -10.0)),
    );
    script.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Running));
    script.step(
        id(A),
        (28.5, 30.2),
        Reply::Ok(rolled(RollbackStatus::Running)),
    );
    let in_progress = || workflow(WorkflowStatus::RollbackInProgress);
    script.workflow(workflow_id(), (28.5, 30.2), in_progress());
    script.step(
        id(A),
        (57.0, 60.2),
        Reply::Ok(rolled(RollbackStatus::Running)),
    );
    script.step(
        id(A),
        (85.0, 90.3),
        Reply::Ok(rolled(RollbackStatus::Completed)),
    );
    polling.until(31.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "COMPLETED"));
    assert!(rollback_is(&text, A, "RUNNING"));
    assert_eq!(exposed(&text, A, "settled"), Some(0.0));

    // An interval later the workflow is looked at, around the time of the step's own next look.
    for _ in 0..2 {
        script.step(
            id(A),
            (110.0, 121.0),
            Reply::Ok(rolled(RollbackStatus::Completed)),
        );
    }
    script.workflow(
        workflow_id(),
        (110.0, 121.0),
        workflow(WorkflowStatus::RollbackCompleted),
    );
    polling.until(121.0).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "COMPLETED"));
    assert_eq!(exposed(&text, A, "settled"), Some(1.0));
    polling.until(24.0 * HOUR).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn rollback_is_polled_to_its_end_after_the_workflow_has_failed() {
    let (script, polling) = play(&[A]);
    let running = || Reply::Ok(rolled(RollbackStatus::Running));
    let failed = || Reply::Ok(rolled(RollbackStatus::Failed));
    script.step(id(A), (0.0, 0.2), running());
    script.step(id(A), INTERVAL, running());
    script.step(id(A), (57.0, 60.2), failed());
    script.workflow(
        workflow_id(),
        (80.0, 90.5),
        workflow(WorkflowStatus::Failed),
    );
    polling.until(91.0 - 11.5).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "FAILED"));
    assert_eq!(exposed(&text, A, "settled"), Some(0.0));
    // Some more intervals, in case that another step's rollback begins.
    for _ in 0..5 {
        script.step(id(A), (80.0, 190.0), failed());
    }
    polling.until(190.0).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "FAILED"));
    assert_eq!(exposed(&text, A, "settled"), Some(1.0));
    let looks = script.calls(A).len();
    polling.until(24.0 * HOUR).await;
    assert_eq!(script.calls(A).len(), looks);
}

#[tokio::test(start_paused = true)]
async fn rollback_that_begins_after_the_workflow_has_failed_is_not_missed() {
    let (script, polling) = play(&[A]);
    let completed = || Reply::Ok(ended(StepStatus::Completed, -60.0, -10.0));
    script.step(id(A), (0.0, 0.2), completed());
    script.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Failed));
    script.step(id(A), (0.0, 0.2), completed());
    script.step(
        id(A),
        (28.0, 30.2),
        Reply::Ok(rolled(RollbackStatus::Running)),
    );
    for _ in 0..3 {
        script.step(
            id(A),
            (56.0, 121.0),
            Reply::Ok(rolled(RollbackStatus::Completed)),
        );
    }
    polling.until(121.0).await;
    let text = polling.metrics();
    assert!(rollback_is(&text, A, "COMPLETED"), "{text}");
    assert_eq!(exposed(&text, A, "settled"), Some(1.0));
    polling.until(24.0 * HOUR).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn failed_step_with_remaining_attempts_runs_again() {
    let (script, polling) = play(&[A]);
    let attempt = |number, answer: StepExecution| {
        Reply::Ok(StepExecution {
            attempt: Some(number),
            max_attempts: Some(3),
            ..answer
        })
    };
    script.step(
        id(A),
        (0.0, 0.2),
        attempt(1, ended(StepStatus::Failed, -60.0, -1.0)),
    );
    script.workflow(workflow_id(), (0.0, 0.2), workflow(WorkflowStatus::Running));
    script.step(
        id(A),
        (28.5, 30.2),
        attempt(2, step(StepStatus::Running, 10.0)),
    );
    script.workflow(
        workflow_id(),
        (28.5, 30.2),
        workflow(WorkflowStatus::Running),
    );
    polling.until(20.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "FAILED"));
    assert_eq!(exposed(&text, A, "settled"), Some(0.0));
    polling.until(40.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "RUNNING"));
    assert_eq!(exposed(&text, A, "attempt"), Some(2.0));
    assert_eq!(exposed(&text, A, "max_attempts"), Some(3.0));
    assert_eq!(exposed(&text, A, "end_time_seconds"), None);
    assert_eq!(exposed(&text, A, "duration_seconds"), Some(30.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_that_stays_pending_in_a_failed_workflow_settles_an_hour_after_its_end() {
    let (script, polling) = play(&[A]);
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
    assert_eq!(exposed(&polling.metrics(), A, "settled"), Some(0.0));
    script.step(id(A), (100.0, 100.1), Reply::Ok(pending()));
    polling.until(101.0).await;
    let text = polling.metrics();
    assert!(status_is(&text, A, "PENDING"));
    assert_eq!(exposed(&text, A, "settled"), Some(1.0));
    assert_eq!(exposed(&text, A, "duration_seconds"), None);
    polling.until(24.0 * HOUR).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_is_polled_slowly_for_a_day_if_access_to_its_workflow_is_denied() {
    let (script, polling) = play(&[A]);
    let end = -22.0 * HOUR;
    let completed = || Reply::Ok(ended(StepStatus::Completed, end - 60.0, end));
    script.step(id(A), (0.0, 0.2), completed());
    script.workflow(workflow_id(), (0.0, 0.2), Reply::Err(ErrorKind::Forbidden));
    // The next look was set before the answer; from it on they are four times as far apart.
    script.step(id(A), (28.5, 30.2), completed());
    polling.until(40.0).await;
    assert_eq!(
        exposed(&polling.metrics(), A, "last_poll_success"),
        Some(1.0)
    );

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
    assert_eq!(exposed(&polling.metrics(), A, "settled"), Some(1.0));
    let calls = script.calls(A);
    assert!((60..=66).contains(&calls.len()), "{} calls", calls.len());
    let apart = calls.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
    let early = apart.take(calls.len() - 3).find(|apart| *apart < 114.0);
    assert_eq!(early, None);
    polling.until(30.0 * HOUR).await;
    assert_eq!(script.calls(A).len(), calls.len());
}
