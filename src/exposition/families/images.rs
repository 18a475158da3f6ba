//! Image build versions, and the names they have in common.

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
            help: "1, by what is known of the image build version and does not change.",
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
            help: "1 for the status the image build version has, 0 for the others.",
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
            help: "When the image build version was created, as Unix time in seconds.",
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
            help: "1 while the image build version is FAILED, by where its build failed, as far as that is reported.",
        },
        Series::Image(ObjectSeries::Detail(|image| image.failure.as_ref())),
    ),
    (
        Family {
            name: "imagebuilder_image_last_available_timestamp_seconds",
            kind: Kind::Gauge,
            labels: &["account_id", "region", "image"],
            help: "When the newest AVAILABLE build of the image was created, as Unix time in seconds.",
        },
        Series::ImageName(ObjectSeries::Value(|name, _| {
            Some(time(name.last_available))
        })),
    ),
];
