//! Families about steps.

use super::super::steps::{StepSeries, TypicalDuration};
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::Family;
use crate::labels::names::*;
use crate::model::{RollbackStatus, StepStatus};
use crate::snapshot::Phase;

const IDENTITY: &[&str] = &[ACCOUNT_ID, REGION, IMAGE, WORKFLOW, STEP, STEP_EXECUTION_ID];
const POLL_IDENTITY: &[&str] = &[TARGET, REGION, STEP_EXECUTION_ID];

pub(super) static FAMILIES: &[Row] = &[
    step(
        "imagebuilder_workflow_step_info",
        &[
            TARGET,
            ACTION,
            ON_FAILURE,
            IMAGE_VERSION,
            WORKFLOW_TYPE,
            WORKFLOW_VERSION,
            WORKFLOW_EXECUTION_ID,
            IMAGE_BUILD_VERSION_ARN,
            WORKFLOW_BUILD_VERSION_ARN,
        ],
        "Static information about the step execution. Always 1.",
        StepSeries::Info,
    ),
    step(
        "imagebuilder_workflow_step_status",
        &[STATUS],
        "Status of the step execution: 1 for the current status, 0 for all others.",
        StepSeries::Status {
            known: StepStatus::KNOWN,
            current: |observed| Some(observed.values.status.as_str()),
        },
    ),
    step(
        "imagebuilder_workflow_step_rollback_status",
        &[STATUS],
        "Status of the step's rollback: 1 for the current status, 0 for all others. All are 0 without a rollback.",
        StepSeries::Status {
            known: RollbackStatus::KNOWN,
            current: |observed| {
                observed
                    .values
                    .rollback_status
                    .as_ref()
                    .map(RollbackStatus::as_str)
            },
        },
    ),
    step(
        "imagebuilder_workflow_step_unresolved_failure",
        &[IMAGE_VERSION, ON_FAILURE, CAUSE],
        "The step execution failed for good, and neither a retry of the build nor a later success resolved that. Always 1; cause is timeout or failure.",
        StepSeries::Unresolved(|unresolved| unresolved.failure.as_ref()),
    ),
    step(
        "imagebuilder_workflow_step_unresolved_rollback_failure",
        &[IMAGE_VERSION],
        "The rollback of the step execution failed, and neither a retry of the build nor a later success resolved that. Always 1.",
        StepSeries::Unresolved(|unresolved| unresolved.rollback.as_ref()),
    ),
    step(
        "imagebuilder_workflow_step_running_seconds",
        &[],
        "Elapsed time of a RUNNING step execution in seconds; absent for other steps, and 15 minutes after the last successful poll.",
        StepSeries::RunningTime,
    ),
    step(
        "imagebuilder_workflow_step_start_time_seconds",
        &[],
        "Start time of the step execution, in Unix time (seconds).",
        StepSeries::Value(|observed| observed.start.map(time)),
    ),
    step(
        "imagebuilder_workflow_step_end_time_seconds",
        &[],
        "End time of the step execution, in Unix time (seconds).",
        StepSeries::Value(|observed| observed.end.map(time)),
    ),
    step(
        "imagebuilder_workflow_step_duration_seconds",
        &[],
        "Duration of the step execution in seconds; for a running step, elapsed time at the scrape.",
        StepSeries::AtTime(|record, now| record.duration_millis(now).map(SampleValue::Millis)),
    ),
    step(
        "imagebuilder_workflow_step_timeout_seconds",
        &[],
        "Timeout of the step in seconds, as the service reports it.",
        StepSeries::Value(|observed| {
            Some(SampleValue::Count(observed.values.timeout_seconds?.into()))
        }),
    ),
    step(
        "imagebuilder_workflow_step_timeout_breached",
        &[],
        "Whether the step reached its timeout, as a RUNNING or FAILED step (1), or not (0).",
        StepSeries::AtTime(|record, now| record.timeout_breached(now).map(SampleValue::Flag)),
    ),
    step(
        "imagebuilder_workflow_step_budget_seconds",
        &[],
        "Duration budget of the step in seconds, from the exporter's configuration.",
        StepSeries::Value(|observed| observed.values.budget_millis.map(SampleValue::Millis)),
    ),
    step(
        "imagebuilder_workflow_step_budget_exceeded",
        &[],
        "Whether the duration of the step exceeds its budget (1) or not (0).",
        StepSeries::AtTime(|record, now| record.budget_exceeded(now).map(SampleValue::Flag)),
    ),
    (
        Family::gauge(
            "imagebuilder_workflow_step_typical_duration_seconds",
            &[ACCOUNT_ID, REGION, IMAGE, WORKFLOW, STEP],
            &[],
            "Median duration of the step in its last executions that COMPLETED, in seconds; only with three or more, and without retries.",
        ),
        Series::Typical(TypicalDuration),
    ),
    step(
        "imagebuilder_workflow_step_slow",
        &[],
        "Whether the RUNNING step, at its last successful poll, had run longer than its last executions explain (1) or not (0).",
        StepSeries::Baseline(|baseline, runs| baseline.is_slow(runs).map(SampleValue::Flag)),
    ),
    step(
        "imagebuilder_workflow_step_slow_after_seconds",
        &[],
        "Duration after which the RUNNING step counts as slow, in seconds, from its last executions.",
        StepSeries::Baseline(|baseline, _| baseline.slow_after_millis().map(SampleValue::Millis)),
    ),
    step(
        "imagebuilder_workflow_step_attempt",
        &[],
        "Number of the current attempt, as the service reports it.",
        StepSeries::Value(|observed| Some(SampleValue::Count(observed.values.attempt?.into()))),
    ),
    step(
        "imagebuilder_workflow_step_max_attempts",
        &[],
        "Maximum number of attempts for the step.",
        StepSeries::Value(|observed| {
            Some(SampleValue::Count(observed.values.max_attempts?.into()))
        }),
    ),
    step(
        "imagebuilder_workflow_step_waiting_for_action",
        &[],
        "Whether the step waits for a person to resume or stop it (1) or not (0).",
        StepSeries::Value(|observed| Some(SampleValue::Flag(observed.waiting_for_action()))),
    ),
    step(
        "imagebuilder_workflow_step_message_info",
        &[MESSAGE],
        "Message of the service about the step, truncated to 256 characters. Always 1; exposed only with message_labels.",
        StepSeries::Message,
    ),
    step(
        "imagebuilder_workflow_step_last_poll_success",
        &[],
        "Whether the last poll of the step succeeded (1) or failed (0).",
        StepSeries::Poll(|record| SampleValue::Flag(record.last_poll_success())),
    ),
    step(
        "imagebuilder_workflow_step_settled",
        &[],
        "Whether the step is settled: its state is final and no longer polled (1) or not (0).",
        StepSeries::Poll(|record| SampleValue::Flag(record.phase == Phase::Settled)),
    ),
    step(
        "imagebuilder_workflow_step_last_success_timestamp_seconds",
        &[],
        "Time of the last successful poll of the step, in Unix time (seconds).",
        StepSeries::LastSuccess,
    ),
];

const fn step(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    series: StepSeries,
) -> Row {
    let identity = match series {
        StepSeries::Poll(_) | StepSeries::LastSuccess => POLL_IDENTITY,
        _ => IDENTITY,
    };
    let family = Family::gauge(name, identity, labels, help);
    (family, Series::Step(series))
}
