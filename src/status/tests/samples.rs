//! What several tests show.

use super::*;
use crate::api::ErrorKind;
use crate::model::{PipelineArn, RollbackStatus, StepTotals};

/// A failed step with everything a step can have.
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

/// A records in which nothing is absent.
pub(super) fn everything_known() -> Known {
    let mut records = TargetRecords::default();
    let arn = image_arn("golden", 3);
    let text = |text: &str| Some(text.to_owned());
    let pipeline = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden";
    let failed = Image {
        failure: Some(ImageFailure {
            step: text("ApplyBuildComponents"),
            step_execution_id: Some(records.unseen_step().id),
            component: text("install-agent"),
            phase: text("build"),
            component_step: text("StartAgent"),
            component_action: text("ExecuteBash"),
            ..ImageFailure::default()
        }),
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
    let told = WorkflowExecution {
        end: Some(ago(30)),
        totals: Some(totals),
        parallel_group: text("tests"),
        retried: Some(false),
        ..execution(WorkflowStatus::Failed, 4_600)
    };
    records.execution(1, &arn, told);
    let mut record = records.step(1, &arn, failed_step());
    record.own_labels = LabelText::new([("change", "CHG0042")]);
    if let Some(observed) = &mut record.observed {
        observed.budget_millis = Some(2_700_000);
    }
    records
        .store
        .borrow_mut()
        .steps
        .put(record.unanswered(ErrorKind::Timeout, ago(5)));
    records.store.borrow_mut().discovered = Some(ago(125));
    let mut known = records.known();
    known.sources[0].health = troubled();
    known.shard = Some((1, 3));
    known
}
