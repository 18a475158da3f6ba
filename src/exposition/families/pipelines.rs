//! Pipelines.

use super::super::objects::ObjectSeries;
use super::super::text::Value;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::model::{ImageStatus, Timestamp};
use crate::snapshot::PipelineRecord;

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_pipeline_info",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "pipeline",
                "target",
                "platform",
                "schedule",
            ],
            help: "1, by what the pipeline builds for, and when.",
        },
        Series::Pipeline(ObjectSeries::Info(|pipeline| {
            Some([&pipeline.details, &pipeline.info_labels])
        })),
    ),
    value(
        "imagebuilder_pipeline_enabled",
        "1 where the pipeline is enabled, else 0.",
        |pipeline, _| pipeline.enabled.map(Value::Flag),
    ),
    (
        Family {
            name: "imagebuilder_pipeline_last_run_status",
            kind: Kind::Gauge,
            labels: &["account_id", "region", "pipeline", "status"],
            help: "1 for the status that the image of the pipeline's last run has, 0 for the others.",
        },
        Series::Pipeline(ObjectSeries::Status {
            known: ImageStatus::KNOWN,
            current: |pipeline| Some(pipeline.last_run_status.as_ref()?.as_str()),
        }),
    ),
    value(
        "imagebuilder_pipeline_last_run_timestamp_seconds",
        "When the pipeline last ran, as Unix time in seconds.",
        |pipeline, _| pipeline.last_run.map(time),
    ),
    value(
        "imagebuilder_pipeline_next_run_timestamp_seconds",
        "When the pipeline is to run next, as Unix time in seconds.",
        |pipeline, _| pipeline.next_run.map(time),
    ),
    value(
        "imagebuilder_pipeline_consecutive_failures",
        "How many runs of the pipeline have failed in a row.",
        |pipeline, _| Some(Value::Count(pipeline.consecutive_failures?.into())),
    ),
];

const fn value(
    name: &'static str,
    help: &'static str,
    value: fn(&PipelineRecord, Timestamp) -> Option<Value>,
) -> Row {
    let family = Family {
        name,
        kind: Kind::Gauge,
        labels: &["account_id", "region", "pipeline"],
        help,
    };
    (family, Series::Pipeline(ObjectSeries::Value(value)))
}
