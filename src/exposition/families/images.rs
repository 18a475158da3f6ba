//! Families about image build versions, and about image names, which several builds share.

use super::super::objects::ObjectSeries;
use super::row::{Row, Series, time};
use crate::family::Family;
use crate::labels::names::*;
use crate::model::ImageStatus;
use crate::snapshot::{ImageNameRecord, ImageRecord};

pub(super) static FAMILIES: &[Row] = &[
    image(
        "imagebuilder_image_info",
        &[
            TARGET,
            PIPELINE,
            PLATFORM,
            TYPE,
            BUILD_TYPE,
            IMAGE_BUILD_VERSION_ARN,
        ],
        "Static information about the image build version. Always 1.",
        ObjectSeries::Info(|image| Some([&image.details, &image.info_labels])),
    ),
    image(
        "imagebuilder_image_status",
        &[STATUS],
        "Status of the image build version: 1 for the current status, 0 for all others.",
        ObjectSeries::Status {
            known: ImageStatus::KNOWN,
            current: |image| Some(image.status.as_str()),
        },
    ),
    image(
        "imagebuilder_image_created_timestamp_seconds",
        &[],
        "Creation time of the image build version, in Unix time (seconds).",
        ObjectSeries::Value(|image| image.created.map(time)),
    ),
    image(
        "imagebuilder_image_expected_end_timestamp_seconds",
        &[],
        "Expected end of the workflow executions of an image build, in Unix time (seconds), from typical durations; absent where a step that runs or is to come has none.",
        ObjectSeries::ExpectedEnd(|image, ends| ends.of_image(image)),
    ),
    image(
        "imagebuilder_image_failure_info",
        &[
            STAGE,
            FAILED_STEP,
            STEP_EXECUTION_ID,
            COMPONENT,
            PHASE,
            COMPONENT_STEP,
            COMPONENT_ACTION,
            TARGET_REGION,
            TARGET_ACCOUNT_ID,
            CONFIGURATION_STEP,
        ],
        "Location of the failure of a FAILED image build version, as far as the service reports it; for a failed distribution, one series for each failed region. Always 1.",
        ObjectSeries::Details(|image| {
            { image.failure.as_ref() }.map_or(&[], |failure| &failure.labels)
        }),
    ),
    image(
        "imagebuilder_image_unresolved_failure",
        &[FAILED_STEP, STEP_EXECUTION_ID],
        "The image build version failed, and neither a retry nor a newer AVAILABLE build of the image resolved that. Always 1; step_execution_id is the tracked step execution that failed the build, if any.",
        ObjectSeries::Details(|image| image.unresolved.as_slice()),
    ),
    image_name(
        "imagebuilder_image_last_available_timestamp_seconds",
        &[],
        "Creation time of the newest AVAILABLE build of the image, in Unix time (seconds).",
        ObjectSeries::Value(|name| Some(time(name.newest.created))),
    ),
    image_name(
        "imagebuilder_image_output_info",
        &[IMAGE_VERSION, OUTPUT_REGION, OUTPUT_ACCOUNT_ID, AMI_ID],
        "AMIs of the newest AVAILABLE build of the image, one series for each. Always 1.",
        ObjectSeries::Details(|name| &name.outputs),
    ),
];

const fn image(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    series: ObjectSeries<ImageRecord>,
) -> Row {
    let family = Family::gauge(
        name,
        &[ACCOUNT_ID, REGION, IMAGE, IMAGE_VERSION],
        labels,
        help,
    );
    (family, Series::Image(series))
}

const fn image_name(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    series: ObjectSeries<ImageNameRecord>,
) -> Row {
    let family = Family::gauge(name, &[ACCOUNT_ID, REGION, IMAGE], labels, help);
    (family, Series::ImageName(series))
}
