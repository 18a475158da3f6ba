//! Families about pipelines.

use super::super::objects::ObjectSeries;
use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::labels::names;
use crate::model::{ImageStatus, Timestamp};
use crate::snapshot::PipelineRecord;

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_pipeline_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::PIPELINE,
                names::TARGET,
                names::PLATFORM,
                names::SCHEDULE,
            ],
            help: "Information about the pipeline, such as its platform and schedule. Always 1.",
        },
        Series::Pipeline(ObjectSeries::Info(|pipeline| {
            Some([&pipeline.details, &pipeline.info_labels])
        })),
    ),
    value(
        "imagebuilder_pipeline_enabled",
        "Whether the pipeline is enabled (1) or not (0).",
        |pipeline, _| pipeline.enabled.map(SampleValue::Flag),
    ),
    (
        Family {
            name: "imagebuilder_pipeline_last_run_status",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::PIPELINE,
                names::STATUS,
            ],
            help: "Status of the image from the last run of the pipeline: 1 for the current status, 0 for all others.",
        },
        Series::Pipeline(ObjectSeries::Status {
            known: ImageStatus::KNOWN,
            current: |pipeline| Some(pipeline.last_run_status.as_ref()?.as_str()),
        }),
    ),
    value(
        "imagebuilder_pipeline_last_run_timestamp_seconds",
        "Time of the last run of the pipeline, in Unix time (seconds).",
        |pipeline, _| pipeline.last_run.map(time),
    ),
    value(
        "imagebuilder_pipeline_next_run_timestamp_seconds",
        "Time of the next scheduled run of the pipeline, in Unix time (seconds).",
        |pipeline, _| pipeline.next_run.map(time),
    ),
    value(
        "imagebuilder_pipeline_consecutive_failures",
        "Number of consecutive failed runs of the pipeline.",
        |pipeline, _| Some(SampleValue::Count(pipeline.consecutive_failures?.into())),
    ),
];

const fn value(
    name: &'static str,
    help: &'static str,
    value: fn(&PipelineRecord, Timestamp) -> Option<SampleValue>,
) -> Row {
    let family = Family {
        name,
        kind: Kind::Gauge,
        labels: &[names::ACCOUNT_ID, names::REGION, names::PIPELINE],
        help,
    };
    (family, Series::Pipeline(ObjectSeries::Value(value)))
}
