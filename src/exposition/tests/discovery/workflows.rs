//! The series of workflow executions.

use super::*;
use crate::baseline::Baselines;

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

#[test]
fn what_runs_exposes_its_expected_end() {
    let baselines = Baselines::default();
    for at in 1..4 {
        let settled = StepRecord {
            id: id(at),
            phase: Phase::Settled,
            ..ended(StepStatus::Completed, 9_000)
        };
        baselines.feed("production", &own(), &settled);
    }
    let of_step = |step: StepRecord| {
        let listed = execution(WorkflowStatus::Running);
        let mut scrape = scrape_of(|store| {
            store.steps = StepTable::new([step]);
            store.workflows.put(workflow(&WorkflowExecution {
                totals: None,
                ..listed
            }));
            let building = Image::with_status(image_arn(1), ImageStatus::Building);
            let record = ImageRecord::new(&building, own(), LabelText::default(), REGION);
            store.images.put(record);
        });
        scrape.baselines = baselines.snapshot();
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
