//! One List refreshes the steps of a workflow execution, told as scripts of calls.

use std::sync::Arc;

use imagebuilder_exporter::api::{ErrorKind, StepPage};
use imagebuilder_exporter::model::{
    StepExecution, StepExecutionId, StepStatus, WorkflowExecutionId,
};

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::Polling;
use crate::support::scripted::{Reply, Script};

const A: &str = "step-aaaaaaaa-0000-0000-0000-000000000001";
const B: &str = "step-bbbbbbbb-0000-0000-0000-000000000002";
const C: &str = "step-cccccccc-0000-0000-0000-000000000003";
const WORKFLOW: &str = "wf-dddddddd-0000-0000-0000-000000000004";

fn id(text: &str) -> StepExecutionId {
    text.parse().unwrap()
}

fn workflow_id() -> WorkflowExecutionId {
    WORKFLOW.parse().unwrap()
}

fn yaml(ids: &[&str]) -> String {
    ConfigText::of([TargetText::new("t").steps(ids)])
        .with("polling: {interval: 30s}")
        .text()
}

fn running() -> StepExecution {
    StepExecution {
        workflow_execution_id: Some(workflow_id()),
        ..StepExecution::with_status(StepStatus::Running)
    }
}

/// What a Get tells and a List does not.
fn got() -> Reply<StepExecution> {
    Reply::Ok(StepExecution {
        timeout_seconds: Some(3_600),
        ..running()
    })
}

fn page(ids: &[&str], next: Option<&str>) -> Reply<StepPage> {
    Reply::Ok(StepPage {
        entries: ids.iter().map(|step| (id(step), Some(running()))).collect(),
        next: next.map(str::to_owned),
    })
}

fn shows(polling: &Polling, step: &str, metric: &str) -> Option<f64> {
    let name = format!("imagebuilder_workflow_step_{metric}");
    value(&polling.metrics(), &name, &[("step_execution_id", step)])
}

/// Both steps are seen by themselves first.
fn begin(script: &Script) {
    script.step(id(A), (0.0, 0.6), got());
    script.step(id(B), (0.0, 0.6), got());
}

#[tokio::test(start_paused = true)]
async fn steps_of_one_workflow_execution_share_a_list_after_a_get_for_each() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    begin(&script);
    script.list(workflow_id(), None, (28.5, 30.4), page(&[C, A, B], None));
    script.list(workflow_id(), None, (57.0, 60.4), page(&[B, A], None));
    polling.until(61.0).await;
    script.assert_played();
    for step in [A, B] {
        let seen = shows(&polling, step, "last_success_timestamp_seconds").unwrap();
        assert!(seen - 1_788_981_143.0 > 57.0, "{seen}");
        // What only a Get tells stays known.
        assert_eq!(shows(&polling, step, "timeout_seconds"), Some(3_600.0));
    }
    assert!(!polling.metrics().contains(C));
}

#[tokio::test(start_paused = true)]
async fn steps_of_every_page_are_seen_and_the_next_list_is_an_interval_later() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    begin(&script);
    script.list(workflow_id(), None, (28.5, 30.4), page(&[A], Some("two")));
    script.list(
        workflow_id(),
        Some("two"),
        (28.5, 30.4),
        page(&[], Some("three")),
    );
    script.list(workflow_id(), Some("three"), (28.5, 30.4), page(&[B], None));
    script.list(workflow_id(), None, (57.0, 60.4), page(&[A, B], None));
    polling.until(61.0).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn list_starts_over_when_its_token_has_expired() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    begin(&script);
    script.list(workflow_id(), None, (28.5, 30.4), page(&[A], Some("two")));
    let expired = Reply::Err(ErrorKind::Client);
    script.list(workflow_id(), Some("two"), (28.5, 30.4), expired);
    script.list(workflow_id(), None, (31.0, 38.0), page(&[A, B], None));
    polling.until(31.0).await;
    assert_eq!(shows(&polling, B, "last_poll_success"), Some(0.0));
    polling.until(38.0).await;
    assert_eq!(shows(&polling, B, "last_poll_success"), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn failed_list_counts_for_each_step_it_was_to_refresh() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    begin(&script);
    script.list(
        workflow_id(),
        None,
        (28.5, 30.4),
        Reply::Err(ErrorKind::Server),
    );
    script.list(workflow_id(), None, (32.0, 38.0), page(&[A, B], None));
    polling.until(30.5).await;
    for step in [A, B] {
        assert_eq!(shows(&polling, step, "last_poll_success"), Some(0.0));
        assert_eq!(polling.failing(step).unwrap().kind, ErrorKind::Server);
    }
    polling.until(38.0).await;
    for step in [A, B] {
        assert_eq!(shows(&polling, step, "last_poll_success"), Some(1.0));
        assert_eq!(polling.failing(step), None);
    }
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_that_the_list_omits_is_polled_by_itself() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B, C]), Arc::new(script.clone()));
    begin(&script);
    script.step(id(C), (0.0, 0.6), got());
    script.list(workflow_id(), None, (28.5, 30.6), page(&[A, B], None));
    script.step(id(C), (28.5, 30.6), got());
    script.list(workflow_id(), None, (57.0, 60.6), page(&[A, B], None));
    script.step(id(C), (57.0, 60.6), got());
    polling.until(61.0).await;
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn step_whose_entry_has_no_status_has_failed_alone() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    begin(&script);
    let without_status = Reply::Ok(StepPage {
        entries: vec![(id(A), Some(running())), (id(B), None)],
        next: None,
    });
    script.list(workflow_id(), None, (28.5, 30.4), without_status);
    polling.until(31.0).await;
    assert_eq!(shows(&polling, A, "last_poll_success"), Some(1.0));
    assert_eq!(shows(&polling, B, "last_poll_success"), Some(0.0));
    assert_eq!(polling.failing(B).unwrap().kind, ErrorKind::Parse);
    script.assert_played();
    script.list(workflow_id(), None, (32.0, 38.0), page(&[A, B], None));
    polling.until(38.0).await;
    assert_eq!(shows(&polling, B, "last_poll_success"), Some(1.0));
    script.assert_played();
}

#[tokio::test(start_paused = true)]
async fn each_step_is_polled_by_a_get_if_lists_are_denied() {
    let script = Script::new();
    let polling = Polling::start(&yaml(&[A, B]), Arc::new(script.clone()));
    begin(&script);
    script.list(
        workflow_id(),
        None,
        (28.5, 30.4),
        Reply::Err(ErrorKind::Forbidden),
    );
    for seconds in [28.5, 57.0, 85.0] {
        for step in [A, B] {
            script.step(id(step), (seconds, seconds + 6.0), got());
        }
    }
    polling.until(91.5).await;
    script.assert_played();
    for step in [A, B] {
        assert_eq!(shows(&polling, step, "last_poll_success"), Some(1.0));
    }
}
