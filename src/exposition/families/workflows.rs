//! Families about workflow executions.

use super::super::objects::ObjectSeries;
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::Family;
use crate::labels::names::*;
use crate::model::WorkflowStatus;
use crate::snapshot::WorkflowRecord;

const IDENTITY: &[&str] = &[ACCOUNT_ID, REGION, IMAGE, WORKFLOW, WORKFLOW_EXECUTION_ID];

pub(super) static FAMILIES: &[Row] = &[
    workflow(
        "imagebuilder_workflow_execution_info",
        &[
            TARGET,
            WORKFLOW_TYPE,
            WORKFLOW_VERSION,
            IMAGE_VERSION,
            PARALLEL_GROUP,
            IMAGE_BUILD_VERSION_ARN,
            WORKFLOW_BUILD_VERSION_ARN,
        ],
        "Static information about the workflow execution. Always 1.",
        ObjectSeries::Info(|record| {
            let observed = record.observed.as_ref()?;
            Some([&observed.details, &record.info_labels])
        }),
    ),
    workflow(
        "imagebuilder_workflow_execution_status",
        &[STATUS],
        "Status of the workflow execution: 1 for the current status, 0 for all others.",
        ObjectSeries::Status {
            known: WorkflowStatus::KNOWN,
            current: |record| Some(record.observed.as_ref()?.status.as_str()),
        },
    ),
    workflow(
        "imagebuilder_workflow_execution_steps",
        &[RESULT],
        "Number of steps in the workflow execution by result.",
        ObjectSeries::Results(|record| record.observed.as_ref()?.results),
    ),
    workflow(
        "imagebuilder_workflow_execution_steps_planned",
        &[],
        "Total number of steps in the workflow execution.",
        ObjectSeries::Value(|record| {
            Some(SampleValue::Count(
                record.observed.as_ref()?.planned?.into(),
            ))
        }),
    ),
    workflow(
        "imagebuilder_workflow_execution_start_time_seconds",
        &[],
        "Start time of the workflow execution, in Unix time (seconds).",
        ObjectSeries::Value(|record| record.observed.as_ref()?.start.map(time)),
    ),
    workflow(
        "imagebuilder_workflow_execution_end_time_seconds",
        &[],
        "End time of the workflow execution, in Unix time (seconds).",
        ObjectSeries::Value(|record| record.observed.as_ref()?.end.map(time)),
    ),
    workflow(
        "imagebuilder_workflow_execution_duration_seconds",
        &[],
        "Duration of the workflow execution in seconds; for a running execution, elapsed time at the scrape.",
        ObjectSeries::AtTime(|record, now| record.duration_millis(now).map(SampleValue::Millis)),
    ),
    workflow(
        "imagebuilder_workflow_execution_expected_end_timestamp_seconds",
        &[],
        "Expected end of a RUNNING workflow execution, in Unix time (seconds), from typical durations; absent where a step that runs or is to come has none.",
        ObjectSeries::ExpectedEnd(|record, ends| ends.of_execution(record.id)),
    ),
    workflow(
        "imagebuilder_workflow_execution_retried",
        &[],
        "Whether a retry of the image build superseded the workflow execution (1) or not (0).",
        ObjectSeries::Value(|record| record.observed.as_ref()?.retried.map(SampleValue::Flag)),
    ),
];

const fn workflow(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    series: ObjectSeries<WorkflowRecord>,
) -> Row {
    let family = Family::gauge(name, IDENTITY, labels, help);
    (family, Series::Workflow(series))
}
