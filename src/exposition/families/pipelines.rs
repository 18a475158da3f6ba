//! Families about pipelines.

use super::super::objects::ObjectSeries;
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::Family;
use crate::labels::names::*;
use crate::model::ImageStatus;
use crate::snapshot::PipelineRecord;

pub(super) static FAMILIES: &[Row] = &[
    pipeline(
        "imagebuilder_pipeline_info",
        &[TARGET, PLATFORM, SCHEDULE],
        "Information about the pipeline, such as its platform and schedule. Always 1.",
        ObjectSeries::Info(|pipeline| Some([&pipeline.details, &pipeline.info_labels])),
    ),
    pipeline(
        "imagebuilder_pipeline_enabled",
        &[],
        "Whether the pipeline is enabled (1) or not (0).",
        ObjectSeries::Value(|pipeline| pipeline.enabled.map(SampleValue::Flag)),
    ),
    pipeline(
        "imagebuilder_pipeline_last_run_status",
        &[STATUS],
        "Status of the image from the last run of the pipeline: 1 for the current status, 0 for all others.",
        ObjectSeries::Status {
            known: ImageStatus::KNOWN,
            current: |pipeline| Some(pipeline.last_run_status.as_ref()?.as_str()),
        },
    ),
    pipeline(
        "imagebuilder_pipeline_last_run_timestamp_seconds",
        &[],
        "Time of the last run of the pipeline, in Unix time (seconds).",
        ObjectSeries::Value(|pipeline| pipeline.last_run.map(time)),
    ),
    pipeline(
        "imagebuilder_pipeline_next_run_timestamp_seconds",
        &[],
        "Time of the next scheduled run of the pipeline, in Unix time (seconds).",
        ObjectSeries::Value(|pipeline| pipeline.next_run.map(time)),
    ),
    pipeline(
        "imagebuilder_pipeline_run_overdue_seconds",
        &[],
        "Time from the scheduled next run of an enabled pipeline to the last discovery pass, in seconds; exposed while that pass found the run due and not started.",
        ObjectSeries::Value(|pipeline| pipeline.overdue_millis().map(SampleValue::Millis)),
    ),
    pipeline(
        "imagebuilder_pipeline_consecutive_failures",
        &[],
        "Number of consecutive failed runs of the pipeline.",
        ObjectSeries::Value(|pipeline| {
            Some(SampleValue::Count(pipeline.consecutive_failures?.into()))
        }),
    ),
];

const fn pipeline(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    series: ObjectSeries<PipelineRecord>,
) -> Row {
    let family = Family::gauge(name, &[ACCOUNT_ID, REGION, PIPELINE], labels, help);
    (family, Series::Pipeline(series))
}
