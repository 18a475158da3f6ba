//! Steps.

use super::super::steps::StepSeries;
use super::super::text::Value;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::model::{RollbackStatus, StepStatus, Timestamp};
use crate::snapshot::{Observation, Phase, StepRecord};

const IDENTITY: &[&str] = &[
    "account_id",
    "region",
    "image",
    "workflow",
    "step",
    "step_execution_id",
];
const IDENTITY_AND_STATUS: &[&str] = &[
    "account_id",
    "region",
    "image",
    "workflow",
    "step",
    "step_execution_id",
    "status",
];
const POLL: &[&str] = &["target", "region", "step_execution_id"];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_step_info",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "workflow",
                "step",
                "step_execution_id",
                "target",
                "action",
                "on_failure",
                "image_version",
                "workflow_type",
                "workflow_version",
                "workflow_execution_id",
                "image_build_version_arn",
                "workflow_build_version_arn",
            ],
            help: "1, by what is known of the step and does not change.",
        },
        Series::Step(StepSeries::Info),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_status",
            kind: Kind::Gauge,
            labels: IDENTITY_AND_STATUS,
            help: "1 for the status the step has, 0 for the others.",
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
            help: "1 for the status the step's rollback has, 0 for the others, and for all where there is none.",
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
        "When the step started, as Unix time in seconds.",
        |_, observed, _| observed.start.map(time),
    ),
    value(
        "imagebuilder_workflow_step_end_time_seconds",
        "When the step ended, as Unix time in seconds.",
        |_, observed, _| observed.end.map(time),
    ),
    value(
        "imagebuilder_workflow_step_duration_seconds",
        "How long the step took, or has taken until this scrape, in seconds.",
        |record, _, now| record.duration_millis(now).map(Value::Millis),
    ),
    value(
        "imagebuilder_workflow_step_timeout_seconds",
        "How long the service lets the step run, in seconds.",
        |_, observed, _| Some(Value::Count(observed.timeout_seconds?.into())),
    ),
    value(
        "imagebuilder_workflow_step_timeout_breached",
        "1 where the step runs, or failed, at its timeout, else 0.",
        |record, _, now| record.timeout_breached(now).map(Value::Flag),
    ),
    value(
        "imagebuilder_workflow_step_budget_seconds",
        "How long the configuration lets the step take, in seconds.",
        |_, observed, _| observed.budget_millis.map(Value::Millis),
    ),
    value(
        "imagebuilder_workflow_step_budget_exceeded",
        "1 where the step takes, or took, longer than its budget, else 0.",
        |record, _, now| record.budget_exceeded(now).map(Value::Flag),
    ),
    value(
        "imagebuilder_workflow_step_attempt",
        "Which attempt this is, counted as the service counts.",
        |_, observed, _| Some(Value::Count(observed.attempt?.into())),
    ),
    value(
        "imagebuilder_workflow_step_max_attempts",
        "How many attempts the step has.",
        |_, observed, _| Some(Value::Count(observed.max_attempts?.into())),
    ),
    value(
        "imagebuilder_workflow_step_waiting_for_action",
        "1 where the step waits for a person to resume or stop it, else 0.",
        |_, observed, _| Some(Value::Flag(observed.waiting_for_action())),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_message_info",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "workflow",
                "step",
                "step_execution_id",
                "message",
            ],
            help: "1, by what the service says of the step, cut to 256 characters. Only with message_labels.",
        },
        Series::Step(StepSeries::Message),
    ),
    poll(
        "imagebuilder_workflow_step_last_poll_success",
        "1 where the last poll of the step succeeded, else 0.",
        |record| Some(Value::Flag(record.last_poll_success())),
    ),
    poll(
        "imagebuilder_workflow_step_settled",
        "1 where what is shown of the step is final and no longer asked for, else 0.",
        |record| Some(Value::Flag(record.phase == Phase::Settled)),
    ),
    poll(
        "imagebuilder_workflow_step_last_success_timestamp_seconds",
        "When a poll of the step last succeeded, as Unix time in seconds.",
        |record| record.last_success.map(time),
    ),
];

const fn value(
    name: &'static str,
    help: &'static str,
    value: fn(&StepRecord, &Observation, Timestamp) -> Option<Value>,
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
    value: fn(&StepRecord) -> Option<Value>,
) -> Row {
    let family = Family {
        name,
        kind: Kind::Gauge,
        labels: POLL,
        help,
    };
    (family, Series::Step(StepSeries::Poll(value)))
}
