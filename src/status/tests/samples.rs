//! Sample records for several tests.

use super::*;
use crate::api::ErrorKind;
use crate::model::{PipelineArn, RegionFailure, RollbackStatus, StepOutputs, StepTotals};

/// Returns a failed step with every member.
pub(super) fn failed_step() -> StepExecution {
    StepExecution {
        rollback_status: Some(RollbackStatus::Failed),
        action: Some("ExecuteComponents".into()),
        on_failure: Some(OnFailure::Abort),
        start: Some(ago(4_560)),
        end: Some(ago(60)),
        timeout_seconds: Some(4_500),
        attempt: Some(2),
        max_attempts: Some(2),
        message: Some("Document failed".into()),
        ..named("ApplyBuildComponents", StepStatus::Failed)
    }
}

pub(super) fn with_step(
    step: StepExecution,
    change: impl FnOnce(StepRecord) -> StepRecord,
) -> Known {
    let mut records = TargetRecords::default();
    let arn = image_arn("golden", 3);
    let failed = Image {
        failure: Some(ImageFailure {
            step: Some("ApplyBuildComponents".into()),
            component: Some("install-agent".into()),
            phase: Some("build".into()),
            component_step: Some("StartAgent".into()),
            component_action: Some("ExecuteBash".into()),
            ..ImageFailure::default()
        }),
        created: Some(ago(5_000)),
        platform: Some("Linux".into()),
        ..Image::with_status(arn.clone(), ImageStatus::Failed)
    };
    records.put_image(&failed);
    records.execution(1, &arn, execution(WorkflowStatus::Failed, 4_600));
    let record = records.step(1, &arn, step);
    records.store.borrow_mut().steps.put(change(record));
    records.known()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn full_failure() -> ImageFailure {
    ImageFailure {
        step: text("ApplyBuildComponents"),
        reason: text("Workflow execution failed"),
        stage: text("BUILDING"),
        step_execution_id: None,
        component: text("install-agent"),
        phase: text("build"),
        component_step: text("StartAgent"),
        component_action: text("ExecuteBash"),
        component_error: text("exit status 1"),
        distribution_error: text("1 of 2 regions failed"),
        regions: vec![RegionFailure {
            region: text("eu-west-1"),
            account_id: text("444455556666"),
            status: text("TIMED_OUT"),
            configuration_step: text("EXPORT_AMI"),
            error: text("The copy timed out"),
        }],
    }
}

fn full_outputs() -> StepOutputs {
    StepOutputs {
        error: text("Command failed"),
        run_command_id: text("a7b4f0ce-1d6e-4b8a-9f4e-0d6f2c7f8a11"),
        log_url: text("s3://logs/bundle.zip"),
        instance_id: text("i-0123456789abcdef0"),
    }
}

/// Returns records without any missing value.
pub(super) fn everything_known() -> Known {
    let mut records = TargetRecords::default();
    let arn = image_arn("golden", 3);
    let pipeline = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden";
    let failed = Image {
        failure: Some(full_failure()),
        log_group: text("/builds/golden"),
        created: Some(ago(5_000)),
        platform: text("Linux"),
        kind: text("AMI"),
        build_type: text("SCHEDULED"),
        pipeline: PipelineArn::parse(pipeline),
        ..Image::with_status(arn.clone(), ImageStatus::Failed)
    };
    records.put_image(&failed);
    let totals = StepTotals {
        planned: 7,
        succeeded: 1,
        failed: 1,
        skipped: 0,
    };
    let failed_execution = WorkflowExecution {
        end: Some(ago(30)),
        totals: Some(totals),
        parallel_group: text("tests"),
        retried: Some(false),
        message: text("Step ApplyBuildComponents failed"),
        ..execution(WorkflowStatus::Failed, 4_600)
    };
    records.execution(1, &arn, failed_execution);
    let failed_step = StepExecution {
        outputs: Some(full_outputs()),
        ..failed_step()
    };
    records.unseen_step();
    let mut record = records.step(1, &arn, failed_step);
    record.set_own_labels(LabelText::new([("change", "CHG0042")]));
    if let Some(observed) = &mut record.observed {
        observed.values_mut().budget_millis = Some(2_700_000);
    }
    records
        .store
        .borrow_mut()
        .steps
        .put(record.after_failure(ErrorKind::Timeout, ago(5)));
    records.store.borrow_mut().discovered = Some(ago(125));
    let mut known = records.known();
    known.sources[0].health = troubled();
    known.sources[0].health.panicked = Some(ago(5));
    known.shard = Some((1, 3));
    known
}
