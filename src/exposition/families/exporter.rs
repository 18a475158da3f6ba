//! Families about the exporter itself whose values are computed at the scrape.

use super::super::series::begin;
use super::super::text::{self, SampleValue};
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::labels::names;
use crate::snapshot::Phase;

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_exporter_target_up",
            kind: Kind::Gauge,
            labels: &[names::TARGET, names::REGION],
            help: "Whether the last API calls for the target succeeded (1) or all failed on credentials, permissions, network or service errors (0).",
        },
        Series::Source(|family, source, labels, out| {
            if let Some(up) = source.up {
                begin(out, family, &[labels]);
                text::end_labels(out);
                text::value(out, SampleValue::Flag(up));
            }
        }),
    ),
    (
        Family {
            name: "imagebuilder_exporter_discovery_last_success_timestamp_seconds",
            kind: Kind::Gauge,
            labels: &[names::TARGET, names::REGION],
            help: "Time of the last successful discovery pass, in Unix time (seconds).",
        },
        Series::Source(|family, source, labels, out| {
            if let Some(at) = source.snapshot.discovered {
                begin(out, family, &[labels]);
                text::end_labels(out);
                text::value(out, time(at));
            }
        }),
    ),
    (
        Family {
            name: "imagebuilder_exporter_clock_skew_seconds",
            kind: Kind::Gauge,
            labels: &[names::TARGET, names::REGION],
            help: "Service clock minus exporter clock in seconds, from the Date header of the last response. Accurate to 0.5 s plus half of the response time.",
        },
        Series::Source(|family, source, labels, out| {
            if let Some(millis) = source.metrics.service_clock().skew_millis() {
                begin(out, family, &[labels]);
                text::end_labels(out);
                text::value(out, SampleValue::Millis(millis));
            }
        }),
    ),
    (
        Family {
            name: "imagebuilder_exporter_selector_matches",
            kind: Kind::Gauge,
            labels: &[names::TARGET, names::REGION, names::KIND, names::SELECTOR],
            help: "Number of pipelines or images that match a selector (a pattern or an ARN) in the configuration.",
        },
        Series::Selector(|selector| SampleValue::Count(selector.matches as u64)),
    ),
    (
        Family {
            name: "imagebuilder_exporter_tracked_steps",
            kind: Kind::Gauge,
            labels: &[names::TARGET, names::REGION, names::STATE],
            help: "Number of tracked steps by state: pending (never observed), active (polled), settled (final), or gone (unknown to the service).",
        },
        Series::Source(|family, source, labels, out| {
            for phase in Phase::ALL {
                begin(out, family, &[labels]);
                text::label(out, names::STATE, phase.as_str());
                text::end_labels(out);
                text::value(
                    out,
                    SampleValue::Count(source.snapshot.steps.in_phase(phase) as u64),
                );
            }
        }),
    ),
];
