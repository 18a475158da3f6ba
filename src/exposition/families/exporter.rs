//! Families about the exporter itself whose values are computed at the scrape.

use super::super::text::SampleValue;
use super::row::{Row, Series, time};
use crate::family::Family;
use crate::labels::names::*;
use crate::snapshot::Snapshot;

pub(super) static FAMILIES: &[Row] = &[
    source(
        "imagebuilder_exporter_target_up",
        &[],
        "Whether the last API calls for the target succeeded (1) or all failed on credentials, permissions, network or service errors (0).",
        Series::Source(|source, _| source.up.map(SampleValue::Flag)),
    ),
    source(
        "imagebuilder_exporter_discovery_last_success_timestamp_seconds",
        &[],
        "Time of the last successful discovery pass, in Unix time (seconds).",
        Series::Source(|source, _| source.snapshot.discovered.map(time)),
    ),
    source(
        "imagebuilder_exporter_discovery_age_seconds",
        &[],
        "Time since the last successful discovery pass in seconds; since the exporter began to poll the target if none has succeeded.",
        Series::Source(|source, now| {
            let Snapshot {
                discovered,
                discovery_began,
                ..
            } = &*source.snapshot;
            let since = discovered.or(*discovery_began)?;
            Some(SampleValue::Millis(now.millis_since(since).max(0)))
        }),
    ),
    source(
        "imagebuilder_exporter_clock_skew_seconds",
        &[],
        "Service clock minus exporter clock in seconds, from the Date header of the last response. Accurate to 0.5 s plus half of the response time.",
        Series::Source(|source, _| {
            let skew = source.metrics.service_clock().skew_millis();
            skew.map(SampleValue::Millis)
        }),
    ),
    source(
        "imagebuilder_exporter_selector_matches",
        &[KIND, SELECTOR],
        "Number of pipelines or images that match a selector (a pattern or an ARN) in the configuration.",
        Series::SelectorMatches,
    ),
    source(
        "imagebuilder_exporter_tracked_steps",
        &[STATE],
        "Number of tracked steps by state: pending (never observed), active (polled), settled (final), or gone (unknown to the service).",
        Series::TrackedSteps,
    ),
    source(
        "imagebuilder_exporter_baseline_history_builds",
        &[STATE],
        "Number of builds that the exporter reads for the baselines, since its start or the last change of their settings, by state: pending, read, or failed (given up after failed calls).",
        Series::History,
    ),
    (
        Family::gauge(
            "imagebuilder_exporter_series",
            &[],
            &[],
            "Number of series of resources and finished steps in this scrape; the exporter's own series are not included.",
        ),
        Series::Usage(|usage| usage.exposed),
    ),
    (
        Family::gauge(
            "imagebuilder_exporter_series_limit",
            &[],
            &[],
            "Maximum number of series of resources and finished steps in a scrape, from the exporter's configuration; 0 without a limit.",
        ),
        Series::Usage(|usage| usage.limit),
    ),
    (
        Family::gauge(
            "imagebuilder_exporter_series_dropped",
            &[],
            &[],
            "Number of series of resources and finished steps that the limit keeps out of this scrape.",
        ),
        Series::Usage(|usage| usage.dropped),
    ),
];

const fn source(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    series: Series,
) -> Row {
    (Family::gauge(name, &[TARGET, REGION], labels, help), series)
}
