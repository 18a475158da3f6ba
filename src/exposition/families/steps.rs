//! Families about steps.

use super::super::steps::StepSeries;
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::labels::names;
use crate::model::{RollbackStatus, StepStatus, Timestamp};
use crate::snapshot::{Observation, Phase, StepRecord};

const IDENTITY: &[&str] = &[
    names::ACCOUNT_ID,
    names::REGION,
    names::IMAGE,
    names::WORKFLOW,
    names::STEP,
    names::STEP_EXECUTION_ID,
];
const IDENTITY_AND_STATUS: &[&str] = &[
    names::ACCOUNT_ID,
    names::REGION,
    names::IMAGE,
    names::WORKFLOW,
    names::STEP,
    names::STEP_EXECUTION_ID,
    names::STATUS,
];
const POLL: &[&str] = &[names::TARGET, names::REGION, names::STEP_EXECUTION_ID];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_step_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::WORKFLOW,
                names::STEP,
                names::STEP_EXECUTION_ID,
                names::TARGET,
                names::ACTION,
                names::ON_FAILURE,
                names::IMAGE_VERSION,
                names::WORKFLOW_TYPE,
                names::WORKFLOW_VERSION,
                names::WORKFLOW_EXECUTION_ID,
                names::IMAGE_BUILD_VERSION_ARN,
                names::WORKFLOW_BUILD_VERSION_ARN,
            ],
            help: "Static information about the step execution. Always 1.",
        },
        Series::Step(StepSeries::Info),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_status",
            kind: Kind::Gauge,
            labels: IDENTITY_AND_STATUS,
            help: "Status of the step execution: 1 for the current status, 0 for all others.",
        },
        Series::Step(StepSeries::Status {
            known: StepStatus::KNOWN,
            current: |observed| Some(observed.status.as_str()),
        }),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_rollback_status",
            kind: Kind::Gauge,
            labels: IDENTITY_AND_STATUS,
            help: "Status of the step's rollback: 1 for the current status, 0 for all others. All are 0 without a rollback.",
        },
        Series::Step(StepSeries::Status {
            known: RollbackStatus::KNOWN,
            current: |observed| {
                observed
                    .rollback_status
                    .as_ref()
                    .map(RollbackStatus::as_str)
            },
        }),
    ),
    value(
        "imagebuilder_workflow_step_start_time_seconds",
        "Start time of the step execution, in Unix time (seconds).",
        |_, observed, _| observed.start.map(time),
    ),
    value(
        "imagebuilder_workflow_step_end_time_seconds",
        "End time of the step execution, in Unix time (seconds).",
        |_, observed, _| observed.end.map(time),
    ),
    value(
        "imagebuilder_workflow_step_duration_seconds",
        "Duration of the step execution in seconds; for a running step, elapsed time at the scrape.",
        |record, _, now| record.duration_millis(now).map(SampleValue::Millis),
    ),
    value(
        "imagebuilder_workflow_step_timeout_seconds",
        "Timeout of the step in seconds, as the service reports it.",
        |_, observed, _| Some(SampleValue::Count(observed.timeout_seconds?.into())),
    ),
    value(
        "imagebuilder_workflow_step_timeout_breached",
        "Whether the step reached its timeout while RUNNING or before it FAILED (1) or not (0).",
        |record, _, now| record.timeout_breached(now).map(SampleValue::Flag),
    ),
    value(
        "imagebuilder_workflow_step_budget_seconds",
        "Duration budget of the step in seconds, from the exporter's configuration.",
        |_, observed, _| observed.budget_millis.map(SampleValue::Millis),
    ),
    value(
        "imagebuilder_workflow_step_budget_exceeded",
        "Whether the duration of the step exceeds its budget (1) or not (0).",
        |record, _, now| record.budget_exceeded(now).map(SampleValue::Flag),
    ),
    value(
        "imagebuilder_workflow_step_attempt",
        "Number of the current attempt, as the service reports it.",
        |_, observed, _| Some(SampleValue::Count(observed.attempt?.into())),
    ),
    value(
        "imagebuilder_workflow_step_max_attempts",
        "Maximum number of attempts for the step.",
        |_, observed, _| Some(SampleValue::Count(observed.max_attempts?.into())),
    ),
    value(
        "imagebuilder_workflow_step_waiting_for_action",
        "Whether the step waits for a person to resume or stop it (1) or not (0).",
        |_, observed, _| Some(SampleValue::Flag(observed.waiting_for_action())),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_message_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::WORKFLOW,
                names::STEP,
                names::STEP_EXECUTION_ID,
                names::MESSAGE,
            ],
            help: "Message of the service about the step, truncated to 256 characters. Always 1; exposed only with message_labels.",
        },
        Series::Step(StepSeries::Message),
    ),
    poll(
        "imagebuilder_workflow_step_last_poll_success",
        "Whether the last poll of the step succeeded (1) or failed (0).",
        |record| Some(SampleValue::Flag(record.last_poll_success())),
    ),
    poll(
        "imagebuilder_workflow_step_settled",
        "Whether the step is settled: its state is final and no longer polled (1) or not (0).",
        |record| Some(SampleValue::Flag(record.phase == Phase::Settled)),
    ),
    poll(
        "imagebuilder_workflow_step_last_success_timestamp_seconds",
        "Time of the last successful poll of the step, in Unix time (seconds).",
        |record| record.last_success.map(time),
    ),
];

const fn value(
    name: &'static str,
    help: &'static str,
    value: fn(&StepRecord, &Observation, Timestamp) -> Option<SampleValue>,
) -> Row {
    let family = Family {
        name,
        kind: Kind::Gauge,
        labels: IDENTITY,
        help,
    };
    (family, Series::Step(StepSeries::Value(value)))
}

const fn poll(
    name: &'static str,
    help: &'static str,
    value: fn(&StepRecord) -> Option<SampleValue>,
) -> Row {
    let family = Family {
        name,
        kind: Kind::Gauge,
        labels: POLL,
        help,
    };
    (family, Series::Step(StepSeries::Poll(value)))
}
