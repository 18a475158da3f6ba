//! Families about workflow executions.

use super::super::objects::ObjectSeries;
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::labels::names;
use crate::model::{Timestamp, WorkflowStatus};
use crate::snapshot::WorkflowRecord;

const IDENTITY: &[&str] = &[
    names::ACCOUNT_ID,
    names::REGION,
    names::IMAGE,
    names::WORKFLOW,
    names::WORKFLOW_EXECUTION_ID,
];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_execution_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::WORKFLOW,
                names::WORKFLOW_EXECUTION_ID,
                names::TARGET,
                names::WORKFLOW_TYPE,
                names::WORKFLOW_VERSION,
                names::IMAGE_VERSION,
                names::PARALLEL_GROUP,
                names::IMAGE_BUILD_VERSION_ARN,
                names::WORKFLOW_BUILD_VERSION_ARN,
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
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::WORKFLOW,
                names::WORKFLOW_EXECUTION_ID,
                names::STATUS,
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
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::WORKFLOW,
                names::WORKFLOW_EXECUTION_ID,
                names::RESULT,
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
