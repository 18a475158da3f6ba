//! Tests the bars and marks of a workflow execution's timeline, and the notes of its steps.

use super::*;
use crate::model::{RollbackStatus, StepTotals};

/// Returns a step that started and ended so many seconds before now.
fn step(status: StepStatus, start: i64, end: Option<i64>) -> StepExecution {
    StepExecution {
        start: Some(ago(start)),
        end: end.map(ago),
        ..named("Apply", status)
    }
}

fn rendered(execution: WorkflowExecution, step: StepExecution, budget: Option<i64>) -> String {
    let mut records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    records.execution(1, &arn, execution);
    let mut record = records.step(1, &arn, step);
    if let Some(observed) = &mut record.observed {
        observed.values_mut().budget_millis = budget.map(|seconds| seconds * 1_000);
    }
    records.store.borrow_mut().steps.put(record);
    page_of(&records.known(), "")
}

/// Returns the value, in percent, of an attribute of the element that contains this text.
fn percent(page: &str, element: &str, attribute: &str) -> Option<f64> {
    let element = page.split('<').find(|tag| tag.contains(element))?;
    let (_, value) = element.split_once(&format!(" {attribute}=\""))?;
    value.split('%').next()?.parse().ok()
}

/// Returns the left end and the width of the bar.
fn bar(page: &str) -> (f64, f64) {
    let at = |attribute| percent(page, "fill=\"url(#p-", attribute).expect("there is a bar");
    (at("x"), at("width"))
}

fn marks(page: &str) -> (Option<f64>, Option<f64>) {
    let page = page.split("<summary>").last().unwrap_or_default();
    let at = |mark| percent(page, mark, "x1");
    (at("mark budget"), at("mark timeout"))
}

#[test]
fn axis_extends_from_the_start_of_the_execution_to_its_end() {
    let ended = |end| WorkflowExecution {
        end,
        ..execution(WorkflowStatus::Completed, 100)
    };
    let completed = |start, end| step(StepStatus::Completed, start, Some(end));
    for (workflow, step, expected) in [
        (ended(Some(ago(0))), completed(100, 50), (0.0, 50.0)),
        (ended(Some(ago(0))), completed(75, 50), (25.0, 25.0)),
        (ended(None), completed(100, 50), (0.0, 100.0)),
        // A step without a duration is visible, also at the end of the axis.
        (ended(Some(ago(0))), completed(50, 50), (50.0, 0.4)),
        (ended(Some(ago(0))), completed(0, 0), (99.6, 0.4)),
        // The service's times may contradict each other.
        (ended(Some(ago(0))), completed(200, 0), (0.0, 100.0)),
    ] {
        let what = format!("{step:?}");
        assert_eq!(bar(&rendered(workflow, step, None)), expected, "{what}");
    }
}

#[test]
fn axis_has_space_after_a_growing_bar_only() {
    for (workflow, step, expected) in [
        (
            WorkflowStatus::Running,
            step(StepStatus::Running, 100, None),
            95.238,
        ),
        (
            WorkflowStatus::Running,
            step(StepStatus::Completed, 100, Some(0)),
            100.0,
        ),
        (
            WorkflowStatus::RollbackInProgress,
            step(StepStatus::Running, 100, None),
            100.0,
        ),
    ] {
        let what = format!("{workflow:?} {:?}", step.status);
        let page = rendered(execution(workflow, 100), step, None);
        assert_eq!(bar(&page), (0.0, expected), "{what}");
    }
}

#[test]
fn near_limits_are_marked_and_extend_the_axis() {
    let running = |timeout| StepExecution {
        timeout_seconds: timeout,
        ..step(StepStatus::Running, 100, None)
    };
    // A limit is near up to three times the elapsed time. 5 % of the axis remain after it.
    for (timeout, budget, width, expected) in [
        (Some(50), None, 95.238, (None, Some(47.619))),
        (Some(250), None, 38.095, (None, Some(95.238))),
        (Some(250), Some(50), 38.095, (Some(19.048), Some(95.238))),
        (Some(300), None, 31.746, (None, Some(95.238))),
        (Some(301), None, 95.238, (None, None)),
        (Some(4_000), Some(200), 47.619, (Some(95.238), None)),
        (None, None, 95.238, (None, None)),
    ] {
        let workflow = execution(WorkflowStatus::Running, 100);
        let page = rendered(workflow, running(timeout), budget);
        let what = format!("{timeout:?} {budget:?}");
        assert_eq!(bar(&page), (0.0, width), "{what}");
        assert_eq!(marks(&page), expected, "{what}");
    }
}

#[test]
fn execution_is_unfolded_if_it_runs_or_failed_and_is_not_superseded() {
    let retried = |status, retried| WorkflowExecution {
        retried: Some(retried),
        ..execution(status, 600)
    };
    for (workflow, open, superseded) in [
        (retried(WorkflowStatus::Failed, false), true, false),
        (retried(WorkflowStatus::Failed, true), false, true),
        (retried(WorkflowStatus::Completed, false), false, false),
        (retried(WorkflowStatus::Running, false), true, false),
    ] {
        let what = format!("{:?} {:?}", workflow.status, workflow.retried);
        let page = rendered(workflow, step(StepStatus::Completed, 100, Some(0)), None);
        let id = "id=\"wf-00000000-0000-0000-0000-000000000001\"";
        assert_eq!(page.contains(&format!("{id} open>")), open, "{what}");
        let class = page.contains("class=\"execution superseded\"");
        let said = text_of(&page).contains("superseded by a retry");
        assert_eq!((class, said), (superseded, superseded), "{what}");
    }
    let mut records = TargetRecords::default();
    records.unseen_step();
    let page = page_of(&records.known(), "");
    assert!(
        page.contains("<details class=\"execution\" open>"),
        "{page}"
    );
}

#[test]
fn execution_has_its_duration_and_its_numbers_of_steps() {
    let workflow = |failed| WorkflowExecution {
        totals: Some(StepTotals {
            planned: 7,
            succeeded: 2,
            failed,
            skipped: 1,
        }),
        ..execution(WorkflowStatus::Running, 600)
    };
    let running = || step(StepStatus::Running, 600, None);
    let text = text_of(&rendered(workflow(0), running(), None));
    let line = "RUNNING for 10m 00s started 19:02:23 2 of 7 steps succeeded";
    assert!(
        text.contains(line) && !text.contains(", 0 failed"),
        "{text}"
    );
    let text = text_of(&rendered(workflow(1), running(), None));
    assert!(text.contains("2 of 7 steps succeeded, 1 failed"), "{text}");
}

#[test]
fn failed_step_is_unfolded() {
    for (status, open) in [(StepStatus::Failed, true), (StepStatus::Completed, false)] {
        let workflow = execution(WorkflowStatus::Running, 600);
        let page = rendered(workflow, step(status, 100, Some(0)), None);
        let id = "id=\"step-00000000-0000-0000-0000-000000000001\"";
        assert_eq!(page.contains(&format!("{id} open>")), open);
    }
}

/// Returns the notes beside a step's name, with their classes.
fn notes(step: StepExecution, budget: Option<i64>) -> Vec<String> {
    let page = rendered(execution(WorkflowStatus::Running, 600), step, budget);
    let notes = page.split("<span class=\"note").skip(1);
    let notes = notes.filter(|note| !note.starts_with("s\""));
    notes
        .map(|note| {
            let (class, text) = note.split_once("\">").unwrap();
            let text = text.split('<').next().unwrap();
            format!("{text}{}", class.replace(' ', ", "))
        })
        .collect()
}

#[test]
fn notes_of_a_step_have_classes_by_their_urgency() {
    let completed = || step(StepStatus::Completed, 100, Some(0));
    let failed = |on_failure, attempt| StepExecution {
        on_failure: Some(on_failure),
        attempt: Some(attempt),
        max_attempts: Some(3),
        ..step(StepStatus::Failed, 100, Some(0))
    };
    let rolled = |status| StepExecution {
        rollback_status: Some(status),
        ..completed()
    };
    let once = StepExecution {
        attempt: Some(1),
        max_attempts: Some(1),
        ..completed()
    };
    let odd = RollbackStatus::Unknown("HALFWAY".into());
    for (step, budget, expected) in [
        (completed(), None, &[][..]),
        (once, None, &[]),
        (completed(), Some(100), &[]),
        (completed(), Some(99), &["over its budget of 1m 39s, warn"]),
        (
            failed(OnFailure::Abort, 1),
            None,
            &["attempt 1 of 3", "will be retried"],
        ),
        (
            failed(OnFailure::Abort, 3),
            None,
            &["attempt 3 of 3", "ends the workflow, bad"],
        ),
        (
            failed(OnFailure::Continue, 3),
            None,
            &["attempt 3 of 3", "the workflow continues"],
        ),
        (
            rolled(RollbackStatus::Failed),
            None,
            &["rollback FAILED, bad"],
        ),
        (
            rolled(RollbackStatus::Running),
            None,
            &["being rolled back, warn"],
        ),
        (rolled(RollbackStatus::Completed), None, &["rolled back"]),
        (rolled(RollbackStatus::Skipped), None, &[]),
        (rolled(odd), None, &["rollback HALFWAY, warn"]),
    ] {
        let what = format!("{step:?} {budget:?}");
        assert_eq!(notes(step, budget), expected, "{what}");
    }
}

#[test]
fn empty_message_is_omitted() {
    let mut records = TargetRecords::default();
    let without_text = StepExecution {
        message: Some(String::new()),
        ..step(StepStatus::Failed, 100, Some(0))
    };
    records.step(1, &image_arn("golden", 1), without_text);
    let known = records.known();
    assert!(!page_of(&known, "").contains("class=\"message\""));
    assert!(json_of(&known, "")["steps"][0].get("message").is_none());
}

#[test]
fn step_has_its_target_if_it_differs_from_that_of_its_execution() {
    let arn = image_arn("golden", 1);
    let owner = TargetRecords::default();
    owner.execution(1, &arn, execution(WorkflowStatus::Running, 60));
    let mut other = TargetRecords::default();
    other.step(1, &arn, named("Apply", StepStatus::Running));
    let page = page_of(&known([("owner", owner), ("other", other)]), "");
    assert!(text_of(&page).contains("Polled by target other"), "{page}");
}

#[test]
fn settled_step_has_no_last_seen_time() {
    let mut records = TargetRecords::default();
    let ended = step(StepStatus::Completed, 100, Some(0));
    let record = records.step(1, &image_arn("golden", 1), ended);
    assert!(page_of(&records.known(), "").contains("Last seen"));
    let records = TargetRecords::default();
    records.store.borrow_mut().steps.put(StepRecord {
        phase: Phase::Settled,
        ..record
    });
    assert!(!page_of(&records.known(), "").contains("Last seen"));
}

#[test]
fn arn_of_an_image_is_not_on_the_page_and_once_in_the_json() {
    let records = TargetRecords::default();
    records.image("golden", 1, ImageStatus::Available, ago(60));
    let known = records.known();
    let text = text_of(&page_of(&known, ""));
    assert!(!text.contains("arn:aws:imagebuilder"), "{text}");
    let query = Query::default();
    let json = String::from_utf8(json(&Status::of(&known, &query), &site())).unwrap();
    assert_eq!(json.matches("\"image_build_version_arn\"").count(), 1);
}
