//! The table of families, and a plain function for each.
//!
//! Owns names, help texts and values; `steps` puts a step's series together, and `text` has the
//! letters. The exporter's own counters have
//! their rows in `self_metrics`, and come last.

use super::Source;
use super::steps::begin;
use super::text::{self, Value};
use crate::family::{Family, Kind};
use crate::labels::LabelText;
use crate::model::{RollbackStatus, StepStatus, Timestamp};
use crate::self_metrics;
use crate::store::{Observation, Phase, StepRecord};

/// One family, and where its series come from.
#[derive(Debug)]
pub struct Entry {
    pub family: &'static Family,
    pub series: Series,
}

#[derive(Clone, Copy, Debug)]
pub enum Series {
    /// Of every step.
    Step(StepSeries),
    /// Of every target and region, whose labels come ready.
    Source(fn(&Family, &Source, &LabelText, &mut Vec<u8>)),
    /// What `self_metrics` gathers under the family's name.
    Gathered,
}

/// The families of a step: how its series are labelled, and the function that has their value.
#[derive(Clone, Copy, Debug)]
pub enum StepSeries {
    /// One series, where there is a value.
    Value(fn(&StepRecord, &Observation, Timestamp) -> Option<Value>),
    /// One series about the polling, also of a step never seen.
    Poll(fn(&StepRecord) -> Option<Value>),
    /// One series a known status, or only the current one.
    Status(Status),
    /// 1, with what is known of the step as further labels.
    Info,
    /// 1, with the step's message; only where the configuration wants it.
    Message,
}

#[derive(Clone, Copy, Debug)]
pub struct Status {
    pub known: &'static [&'static str],
    pub current: fn(&Observation) -> Option<&str>,
}

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

type Row = (Family, Series);

static FAMILIES: &[Row] = &[
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
        Series::Step(StepSeries::Status(Status {
            known: StepStatus::KNOWN,
            current: |observed| Some(observed.status.as_str()),
        })),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_rollback_status",
            kind: Kind::Gauge,
            labels: IDENTITY_AND_STATUS,
            help: "1 for the status the step's rollback has, 0 for the others, and for all where there is none.",
        },
        Series::Step(StepSeries::Status(Status {
            known: RollbackStatus::KNOWN,
            current: |observed| {
                observed
                    .rollback_status
                    .as_ref()
                    .map(RollbackStatus::as_str)
            },
        })),
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
        |record| Some(Value::Flag(record.last_poll_success)),
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
    (
        Family {
            name: "imagebuilder_exporter_target_up",
            kind: Kind::Gauge,
            labels: &["target", "region"],
            help: "0 where the service cannot be used for want of credentials, of a network or of its own answers, else 1.",
        },
        Series::Source(|family, source, labels, out| {
            if let Some(up) = source.up {
                begin(out, family, &[labels]);
                text::end_labels(out);
                text::value(out, Value::Flag(up));
            }
        }),
    ),
    (
        Family {
            name: "imagebuilder_exporter_tracked_steps",
            kind: Kind::Gauge,
            labels: &["target", "region", "state"],
            help: "Steps that are known of: never seen, still asked for, settled, and gone from the service.",
        },
        Series::Source(|family, source, labels, out| {
            for phase in Phase::ALL {
                begin(out, family, &[labels]);
                text::label(out, "state", phase.as_str());
                text::end_labels(out);
                text::value(out, Value::Count(source.store.steps.in_phase(phase) as u64));
            }
        }),
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

/// The family that stands at this place of the text; `None` behind the last.
pub fn entry(at: usize) -> Option<Entry> {
    if let Some((family, series)) = FAMILIES.get(at) {
        return Some(Entry {
            family,
            series: *series,
        });
    }
    self_metrics::FAMILIES
        .get(at - FAMILIES.len())
        .map(|family| Entry {
            family,
            series: Series::Gathered,
        })
}

fn time(at: Timestamp) -> Value {
    Value::Millis(at.millis())
}
