//! The series of workflow executions.

use super::super::limit::{by_resource, limited, total};
use super::*;
use crate::baseline::{BaselineSnapshot, Baselines};

#[test]
fn workflow_execution_exposes_all_its_series() {
    let running = workflow(&execution(WorkflowStatus::Running));
    let scrape = scrape_of(|store| store.workflows.put(running));
    assert_eq!(
        shown(scrape, "imagebuilder_workflow_execution_", WORKFLOW),
        expected(
            r#"imagebuilder_workflow_execution_info{ID,target="production",workflow_type="build",workflow_version="1.0.3/1",image_version="1.0.0/1",parallel_group="group-1",image_build_version_arn="arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",workflow_build_version_arn="arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1",tag_env="a\"b"} 1
            imagebuilder_workflow_execution_status{ID,status="PENDING"} 0
            imagebuilder_workflow_execution_status{ID,status="SKIPPED"} 0
            imagebuilder_workflow_execution_status{ID,status="RUNNING"} 1
            imagebuilder_workflow_execution_status{ID,status="COMPLETED"} 0
            imagebuilder_workflow_execution_status{ID,status="FAILED"} 0
            imagebuilder_workflow_execution_status{ID,status="ROLLBACK_IN_PROGRESS"} 0
            imagebuilder_workflow_execution_status{ID,status="ROLLBACK_COMPLETED"} 0
            imagebuilder_workflow_execution_status{ID,status="CANCELLED"} 0
            imagebuilder_workflow_execution_steps{ID,result="succeeded"} 3
            imagebuilder_workflow_execution_steps{ID,result="failed"} 1
            imagebuilder_workflow_execution_steps{ID,result="skipped"} 0
            imagebuilder_workflow_execution_steps_planned{ID} 7
            imagebuilder_workflow_execution_start_time_seconds{ID} 1788981143.418
            imagebuilder_workflow_execution_duration_seconds{ID} 1.25"#
        )
    );
}

/// The usual duration of the step is 9 s.
fn baselines() -> BaselineSnapshot {
    let baselines = Baselines::default();
    for at in 1..4 {
        let settled = StepRecord {
            id: id(at),
            phase: Phase::Settled,
            ..ended(StepStatus::Completed, 9_000)
        };
        baselines.feed("production", &own(), &settled);
    }
    baselines.snapshot()
}

fn building() -> ImageRecord {
    let image = Image::with_status(image_arn(1), ImageStatus::Building);
    ImageRecord::new(&image, own(), LabelText::default(), REGION)
}

/// Executions that wait are kept out first, and their image runs longer than those that are kept.
#[test]
fn limit_of_series_changes_no_expected_end_of_what_it_keeps() {
    let listed = |status| WorkflowExecution {
        totals: None,
        parallel_group: None,
        ..execution(status)
    };
    let waits = "wf-265b0d0a-657c-4b7e-8706-ff24da9afa02".parse().unwrap();
    let mut scrape = scrape_of(|store| {
        let to_come = StepExecution {
            workflow_execution_id: Some(waits),
            start: None,
            ..response(StepStatus::Pending)
        };
        let to_come = StepRecord {
            id: id(9),
            ..seen(to_come)
        };
        store.steps = StepTable::new([running(), to_come]);
        store
            .workflows
            .put(workflow(&listed(WorkflowStatus::Running)));
        let waiting = WorkflowRecord::unseen(waits, own(), tags());
        let waiting = waiting.after_response(&listed(WorkflowStatus::Pending), REGION);
        store.workflows.put(waiting);
        store.images.put(building());
    });
    scrape.baselines = baselines();
    let all = by_resource(&rendered(scrape.clone(), Format::Text));
    let is_end = |line: &String| line.contains("_expected_end_");
    let mut kept_without_another = 0;
    for limit in 1..total(&scrape) {
        let scrape = limited(&scrape, limit);
        let exposed = series_usage(&scrape).exposed as usize;
        let kept = by_resource(&rendered(scrape, Format::Text));
        assert_eq!(
            kept.values().map(|lines| lines.len()).sum::<usize>(),
            exposed
        );
        for (resource, lines) in &kept {
            assert_eq!(lines, &all[resource], "{limit}");
        }
        let executions = kept
            .keys()
            .filter(|one| one.contains("workflow_execution_"));
        let ends = kept.values().flatten().filter(|line| is_end(line));
        kept_without_another += usize::from(executions.count() == 1 && ends.count() == 2);
    }
    assert!(kept_without_another > 0);
}

#[test]
fn what_runs_exposes_its_expected_end() {
    let of_step = |step: StepRecord| {
        let listed = execution(WorkflowStatus::Running);
        let mut scrape = scrape_of(|store| {
            store.steps = StepTable::new([step]);
            store.workflows.put(workflow(&WorkflowExecution {
                totals: None,
                ..listed
            }));
            store.images.put(building());
        });
        scrape.baselines = baselines();
        let ends = |family, id| shown(scrape.clone(), family, id);
        [
            ends("imagebuilder_workflow_execution_expected", WORKFLOW),
            ends("imagebuilder_image_expected", IMAGE),
        ]
        .concat()
    };
    assert_eq!(
        of_step(running()),
        "imagebuilder_workflow_execution_expected_end_timestamp_seconds{ID} 1788981152.418\n\
         imagebuilder_image_expected_end_timestamp_seconds{ID} 1788981152.418\n"
    );
    let other = StepExecution {
        name: Some("Other".into()),
        ..response(StepStatus::Running)
    };
    assert_eq!(of_step(seen(other)), "");
}

#[test]
fn ended_workflow_execution_exposes_its_end_and_whether_it_was_retried() {
    let ended = workflow(&WorkflowExecution {
        end: Some(after(147_404)),
        totals: None,
        retried: Some(true),
        ..execution(WorkflowStatus::parse("PAUSED"))
    });
    let scrape = sparse(scrape_of(|store| store.workflows.put(ended)));
    let shown = shown(scrape, "imagebuilder_workflow_execution_", WORKFLOW);
    let (_, behind_info) = shown.split_once('\n').unwrap();
    assert_eq!(
        behind_info,
        expected(
            r#"imagebuilder_workflow_execution_status{ID,status="PAUSED"} 1
            imagebuilder_workflow_execution_start_time_seconds{ID} 1788981143.418
            imagebuilder_workflow_execution_end_time_seconds{ID} 1788981290.822
            imagebuilder_workflow_execution_duration_seconds{ID} 147.404
            imagebuilder_workflow_execution_retried{ID} 1"#
        )
    );
}

#[test]
fn duration_of_a_workflow_execution_goes_on_while_it_runs_or_rolls_back() {
    let duration = |status, start, end| {
        let record = workflow(&WorkflowExecution {
            start: Some(start),
            end,
            ..execution(status)
        });
        let scrape = scrape_of(|store| store.workflows.put(record));
        let family = "imagebuilder_workflow_execution_duration_seconds";
        behind_id(scrape, family, WORKFLOW).join(" ")
    };
    let rolling_back = WorkflowStatus::RollbackInProgress;
    assert_eq!(duration(rolling_back, START, None), "1.25");
    assert_eq!(duration(WorkflowStatus::Running, after(9_000), None), "0");
    assert_eq!(duration(WorkflowStatus::Failed, START, None), "");
    assert_eq!(
        duration(WorkflowStatus::Completed, after(900), Some(START)),
        "0"
    );
}

#[test]
fn unseen_workflow_execution_is_not_exposed() {
    let id = "wf-165b0d0a-657c-4b7e-8706-ff24da9afa01".parse().unwrap();
    let unseen = WorkflowRecord::unseen(id, own(), tags());
    let scrape = scrape_of(|store| store.workflows.put(unseen));
    assert_eq!(shown(scrape, "imagebuilder_workflow_", WORKFLOW), "");
}
