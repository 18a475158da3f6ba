//! Families about workflow executions.

use super::super::objects::ObjectSeries;
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::model::{Timestamp, WorkflowStatus};
use crate::snapshot::WorkflowRecord;

const IDENTITY: &[&str] = &[
    "account_id",
    "region",
    "image",
    "workflow",
    "workflow_execution_id",
];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_execution_info",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "workflow",
                "workflow_execution_id",
                "target",
                "workflow_type",
                "workflow_version",
                "image_version",
                "parallel_group",
                "image_build_version_arn",
                "workflow_build_version_arn",
            ],
            help: "Static information about the workflow execution. Always 1.",
        },
        Series::Workflow(ObjectSeries::Info(|record| {
            let observed = record.observed.as_ref()?;
            Some([&observed.details, &record.info_labels])
        })),
    ),
    (
        Family {
            name: "imagebuilder_workflow_execution_status",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "workflow",
                "workflow_execution_id",
                "status",
            ],
            help: "Status of the workflow execution: 1 for the current status, 0 for all others.",
        },
        Series::Workflow(ObjectSeries::Status {
            known: WorkflowStatus::KNOWN,
            current: |record| Some(record.observed.as_ref()?.status.as_str()),
        }),
    ),
    (
        Family {
            name: "imagebuilder_workflow_execution_steps",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "workflow",
                "workflow_execution_id",
                "result",
            ],
            help: "Number of steps in the workflow execution by result.",
        },
        Series::Workflow(ObjectSeries::Results(|record| {
            record.observed.as_ref()?.results
        })),
    ),
    value(
        "imagebuilder_workflow_execution_steps_planned",
        "Total number of steps in the workflow execution.",
        |record, _| {
            Some(SampleValue::Count(
                record.observed.as_ref()?.planned?.into(),
            ))
        },
    ),
    value(
        "imagebuilder_workflow_execution_start_time_seconds",
        "Start time of the workflow execution, in Unix time (seconds).",
        |record, _| record.observed.as_ref()?.start.map(time),
    ),
    value(
        "imagebuilder_workflow_execution_end_time_seconds",
        "End time of the workflow execution, in Unix time (seconds).",
        |record, _| record.observed.as_ref()?.end.map(time),
    ),
    value(
        "imagebuilder_workflow_execution_duration_seconds",
        "Duration of the workflow execution in seconds; for a running execution, elapsed time at the scrape.",
        |record, now| record.duration_millis(now).map(SampleValue::Millis),
    ),
    value(
        "imagebuilder_workflow_execution_retried",
        "Whether a retry of the image build superseded the workflow execution (1) or not (0).",
        |record, _| record.observed.as_ref()?.retried.map(SampleValue::Flag),
    ),
];

const fn value(
    name: &'static str,
    help: &'static str,
    value: fn(&WorkflowRecord, Timestamp) -> Option<SampleValue>,
) -> Row {
    let family = Family {
        name,
        kind: Kind::Gauge,
        labels: IDENTITY,
        help,
    };
    (family, Series::Workflow(ObjectSeries::Value(value)))
}
