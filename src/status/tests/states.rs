//! Tests the states of builds, and the order of builds and executions.

use super::super::builds::BuildState;
use super::*;

fn state(records: TargetRecords) -> BuildState {
    let known = records.known();
    let query = Query::default();
    let status = Status::of(&known, &query);
    let [build] = &status.builds[..] else {
        panic!("{:?}", status.builds);
    };
    build.state
}

#[test]
fn state_of_a_build_is_the_worst_of_its_image_and_its_executions() {
    use ImageStatus::{Available, Building, Cancelled, Failed};
    for (image, workflow, expected) in [
        (
            Some(Building),
            Some(WorkflowStatus::Completed),
            BuildState::Running,
        ),
        (
            Some(Available),
            Some(WorkflowStatus::Running),
            BuildState::Running,
        ),
        (
            Some(Failed),
            Some(WorkflowStatus::Completed),
            BuildState::Failed,
        ),
        (
            Some(Available),
            Some(WorkflowStatus::Failed),
            BuildState::Failed,
        ),
        (
            Some(Cancelled),
            Some(WorkflowStatus::Cancelled),
            BuildState::Ended,
        ),
        (Some(Failed), None, BuildState::Failed),
        (Some(Building), None, BuildState::Running),
        (Some(Available), None, BuildState::Ended),
        (None, Some(WorkflowStatus::Skipped), BuildState::Ended),
    ] {
        let records = TargetRecords::default();
        let what = format!("{image:?} {workflow:?}");
        if let Some(status) = image {
            records.image("golden", 1, status, ago(60));
        }
        if let Some(status) = workflow {
            records.execution(1, &image_arn("golden", 1), execution(status, 60));
        }
        assert_eq!(state(records), expected, "{what}");
    }
}

#[test]
fn without_an_execution_the_steps_determine_the_state_and_whether_it_may_change() {
    let completed = || named("One", StepStatus::Completed);
    let running = || named("Two", StepStatus::Running);
    let failed = |on_failure, attempt| StepExecution {
        on_failure: Some(on_failure),
        attempt: Some(attempt),
        max_attempts: Some(3),
        ..named("Two", StepStatus::Failed)
    };
    for (step, phase, expected) in [
        (completed(), Phase::Active, BuildState::Ended),
        (running(), Phase::Active, BuildState::Running),
        (running(), Phase::Settled, BuildState::Ended),
        (running(), Phase::Gone, BuildState::Ended),
        (
            failed(OnFailure::Abort, 1),
            Phase::Active,
            BuildState::Running,
        ),
        (
            failed(OnFailure::Continue, 3),
            Phase::Active,
            BuildState::Ended,
        ),
        (
            failed(OnFailure::Abort, 3),
            Phase::Active,
            BuildState::Failed,
        ),
    ] {
        let what = format!("{:?} {phase:?}", step.status);
        let records = || {
            let mut records = TargetRecords::default();
            let arn = image_arn("golden", 1);
            records.step(1, &arn, completed());
            let record = records.step(1, &arn, step.clone());
            records
                .store
                .borrow_mut()
                .steps
                .put(StepRecord { phase, ..record });
            records
        };
        assert_eq!(state(records()), expected, "{what}");
        let mut known = records().known();
        known.sources[0].health.up = Some(false);
        let outdated = page_of(&known, "").contains("may be out of date");
        assert_eq!(outdated, expected == BuildState::Running, "{what}");
    }
}

#[test]
fn running_image_may_be_out_of_date_only_if_the_target_is_known_to_be_down() {
    let records = TargetRecords::default();
    records.image("golden", 1, ImageStatus::Building, ago(60));
    let done = execution(WorkflowStatus::Completed, 60);
    records.execution(1, &image_arn("golden", 1), done);
    let mut known = records.known();
    for (up, expected) in [(Some(true), false), (None, false), (Some(false), true)] {
        known.sources[0].health.up = up;
        let outdated = page_of(&known, "").contains("may be out of date");
        assert_eq!(outdated, expected, "{up:?}");
    }
}

#[test]
fn failure_that_is_not_superseded_counts() {
    let records = TargetRecords::default();
    let failed = WorkflowExecution {
        retried: Some(false),
        ..execution(WorkflowStatus::Failed, 60)
    };
    records.execution(1, &image_arn("golden", 1), failed);
    assert_eq!(state(records), BuildState::Failed);
}

#[test]
fn builds_without_executions_are_ordered_by_creation() {
    let records = TargetRecords::default();
    for (name, seconds) in [("middle", 200), ("old", 300), ("new", 100)] {
        records.image(name, 1, ImageStatus::Available, ago(seconds));
    }
    let json = json_of(&records.known(), "");
    assert_eq!(all(&json, "images", "image"), ["new", "middle", "old"]);
}

#[test]
fn executions_are_ordered_by_start_and_pending_ones_come_last() {
    let records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    let waits = WorkflowExecution::with_status(WorkflowStatus::Pending);
    records.execution(1, &arn, waits);
    records.execution(2, &arn, execution(WorkflowStatus::Running, 100));
    records.execution(3, &arn, execution(WorkflowStatus::Completed, 200));
    let ids = [3, 2, 1].map(|number| workflow_id(number).to_string());
    let json = json_of(&records.known(), "");
    assert_eq!(all(&json, "executions", "workflow_execution_id"), ids);
}

#[test]
fn execution_that_two_targets_have_is_rendered_once_from_one_of_them() {
    let arn = image_arn("golden", 1);
    let targets = [
        ("before", WorkflowStatus::Running),
        ("after", WorkflowStatus::Completed),
    ];
    let known = known(targets.map(|(target, status)| {
        let records = TargetRecords::default();
        records.execution(1, &arn, execution(status, 60));
        (target, records)
    }));
    let json = json_of(&known, "");
    assert_eq!(all(&json, "executions", "target"), ["after"]);
    assert_eq!(all(&json, "executions", "status"), ["COMPLETED"]);
}
