//! Families about image build versions, and about image names, which several builds share.

use super::super::objects::ObjectSeries;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::labels::names;
use crate::model::ImageStatus;

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_image_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::IMAGE_VERSION,
                names::TARGET,
                names::PIPELINE,
                names::PLATFORM,
                names::TYPE,
                names::BUILD_TYPE,
                names::IMAGE_BUILD_VERSION_ARN,
            ],
            help: "Static information about the image build version. Always 1.",
        },
        Series::Image(ObjectSeries::Info(|image| {
            Some([&image.details, &image.info_labels])
        })),
    ),
    (
        Family {
            name: "imagebuilder_image_status",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::IMAGE_VERSION,
                names::STATUS,
            ],
            help: "Status of the image build version: 1 for the current status, 0 for all others.",
        },
        Series::Image(ObjectSeries::Status {
            known: ImageStatus::KNOWN,
            current: |image| Some(image.status.as_str()),
        }),
    ),
    (
        Family {
            name: "imagebuilder_image_created_timestamp_seconds",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::IMAGE_VERSION,
            ],
            help: "Creation time of the image build version, in Unix time (seconds).",
        },
        Series::Image(ObjectSeries::Value(|image, _| image.created.map(time))),
    ),
    (
        Family {
            name: "imagebuilder_image_failure_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::IMAGE_VERSION,
                names::STAGE,
                names::FAILED_STEP,
                names::STEP_EXECUTION_ID,
                names::COMPONENT,
                names::PHASE,
                names::COMPONENT_STEP,
                names::COMPONENT_ACTION,
                names::TARGET_REGION,
                names::TARGET_ACCOUNT_ID,
                names::CONFIGURATION_STEP,
            ],
            help: "Location of the failure of a FAILED image build version, as far as the service reports it; for a failed distribution, one series for each failed region. Always 1.",
        },
        Series::Image(ObjectSeries::Details(|image| {
            { image.failure.as_ref() }.map_or(&[], |failure| &failure.labels)
        })),
    ),
    (
        Family {
            name: "imagebuilder_image_last_available_timestamp_seconds",
            kind: Kind::Gauge,
            labels: &[names::ACCOUNT_ID, names::REGION, names::IMAGE],
            help: "Creation time of the newest AVAILABLE build of the image, in Unix time (seconds).",
        },
        Series::ImageName(ObjectSeries::Value(|name, _| {
            Some(time(name.newest.created))
        })),
    ),
    (
        Family {
            name: "imagebuilder_image_output_info",
            kind: Kind::Gauge,
            labels: &[
                names::ACCOUNT_ID,
                names::REGION,
                names::IMAGE,
                names::IMAGE_VERSION,
                names::OUTPUT_REGION,
                names::OUTPUT_ACCOUNT_ID,
                names::AMI_ID,
            ],
            help: "AMIs of the newest AVAILABLE build of the image, one series for each. Always 1.",
        },
        Series::ImageName(ObjectSeries::Details(|name| &name.outputs)),
    ),
];
