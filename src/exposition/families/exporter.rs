//! What the exporter tells of itself and counts at the scrape.

use super::super::series::begin;
use super::super::text::{self, Value};
use super::row::{Row, Series, time};
use crate::family::{Family, Kind};
use crate::snapshot::Phase;

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_exporter_target_up",
            kind: Kind::Gauge,
            labels: &["target", "region"],
            help: "0 where the service cannot be used for want of credentials, of a network or of its own answers, else 1.",
        },
        Series::Source(|family, source, labels, out| {
            if let Some(up) = source.up {
                begin(out, family, &[labels]);
                text::end_labels(out);
                text::value(out, Value::Flag(up));
            }
        }),
    ),
    (
        Family {
            name: "imagebuilder_exporter_discovery_last_success_timestamp_seconds",
            kind: Kind::Gauge,
            labels: &["target", "region"],
            help: "When what is there to follow was last looked for with success, as Unix time in seconds.",
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
            labels: &["target", "region"],
            help: "The service's clock minus the exporter's, in seconds, as the Date header of its last answer told: right to half a second and half of the time that the answer took.",
        },
        Series::Source(|family, source, labels, out| {
            if let Some(millis) = source.metrics.service_clock().skew_millis() {
                begin(out, family, &[labels]);
                text::end_labels(out);
                text::value(out, Value::Millis(millis));
            }
        }),
    ),
    (
        Family {
            name: "imagebuilder_exporter_selector_matches",
            kind: Kind::Gauge,
            labels: &["target", "region", "kind", "selector"],
            help: "How many pipelines or images a pattern or ARN of the configuration chooses.",
        },
        Series::Selector(|selector| Value::Count(selector.matches as u64)),
    ),
    (
        Family {
            name: "imagebuilder_exporter_tracked_steps",
            kind: Kind::Gauge,
            labels: &["target", "region", "state"],
            help: "Steps that are known of: never seen, still asked for, settled, and gone from the service.",
        },
        Series::Source(|family, source, labels, out| {
            for phase in Phase::ALL {
                begin(out, family, &[labels]);
                text::label(out, "state", phase.as_str());
                text::end_labels(out);
                text::value(
                    out,
                    Value::Count(source.snapshot.steps.in_phase(phase) as u64),
                );
            }
        }),
    ),
];
