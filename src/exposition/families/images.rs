//! Families about image build versions, and about image names, which several builds share.

use super::super::objects::ObjectSeries;
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::model::ImageStatus;

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_image_info",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "image_version",
                "target",
                "pipeline",
                "platform",
                "type",
                "build_type",
                "image_build_version_arn",
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
            labels: &["account_id", "region", "image", "image_version", "status"],
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
            labels: &["account_id", "region", "image", "image_version"],
            help: "Creation time of the image build version, in Unix time (seconds).",
        },
        Series::Image(ObjectSeries::Value(|image, _| image.created.map(time))),
    ),
    (
        Family {
            name: "imagebuilder_image_failure_info",
            kind: Kind::Gauge,
            labels: &[
                "account_id",
                "region",
                "image",
                "image_version",
                "failed_step",
                "step_execution_id",
                "component",
                "phase",
                "component_step",
                "component_action",
            ],
            help: "Location of the failure of a FAILED image build version, as far as the service reports it. Always 1.",
        },
        Series::Image(ObjectSeries::Detail(|image| image.failure.as_ref())),
    ),
    (
        Family {
            name: "imagebuilder_image_last_available_timestamp_seconds",
            kind: Kind::Gauge,
            labels: &["account_id", "region", "image"],
            help: "Creation time of the newest AVAILABLE build of the image, in Unix time (seconds).",
        },
        Series::ImageName(ObjectSeries::Value(|name, _| {
            Some(time(name.last_available))
        })),
    ),
];
