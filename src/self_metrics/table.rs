//! The table of the families about what the exporter does.

use crate::family::{Family, MetricType};
use crate::labels::names::*;

pub(super) const BUILD_INFO: Family = Family::gauge(
    "imagebuilder_exporter_build_info",
    &[],
    &[VERSION, REVISION, RUSTC_VERSION],
    "Version of the exporter, the commit it was built from, and the compiler version. Always 1.",
);
pub(super) const RELOAD_SUCCESSFUL: Family = Family::gauge(
    "imagebuilder_exporter_config_last_reload_successful",
    &[],
    &[],
    "Whether the last load of the configuration succeeded (1) or failed and the previous configuration stays effective (0).",
);
pub(super) const RELOAD_TIMESTAMP: Family = Family::gauge(
    "imagebuilder_exporter_config_last_reload_success_timestamp_seconds",
    &[],
    &[],
    "Time of the last successful load of the configuration, in Unix time (seconds).",
);
pub(super) const SHARDS: Family = Family::gauge(
    "imagebuilder_exporter_shards",
    &[],
    &[SHARD],
    "Configured number of shards; the label is this process's zero-based index.",
);
pub(super) const API_REQUESTS: Family = Family {
    name: "imagebuilder_exporter_api_requests_total",
    metric_type: MetricType::Counter,
    identity: &[TARGET, REGION],
    labels: &[OPERATION, RESULT],
    help: "Number of attempted calls to the EC2 Image Builder API, by operation and result.",
};
pub(super) const API_REQUEST_DURATION: Family = Family {
    name: "imagebuilder_exporter_api_request_duration_seconds",
    metric_type: MetricType::Histogram,
    identity: &[TARGET, REGION],
    labels: &[OPERATION],
    help: "Duration of each attempt to call the EC2 Image Builder API in seconds, successful or failed.",
};
pub(super) const RATE_LIMIT_WAIT: Family = Family {
    name: "imagebuilder_exporter_rate_limit_wait_seconds_total",
    metric_type: MetricType::Counter,
    identity: &[TARGET, REGION],
    labels: &[],
    help: "Total time that API calls have waited for the rate limiter, in seconds.",
};
pub(super) const POLL_LAG: Family = Family {
    name: "imagebuilder_exporter_poll_lag_seconds",
    metric_type: MetricType::Histogram,
    identity: &[TARGET, REGION],
    labels: &[],
    help: "Poll lag: delay between the due time and the start of a poll, in seconds.",
};
pub(super) const UNPARSABLE_FIELDS: Family = Family {
    name: "imagebuilder_exporter_unparsable_fields_total",
    metric_type: MetricType::Counter,
    identity: &[],
    labels: &[FIELD],
    help: "Number of response members that could not be parsed and were ignored, by member name.",
};

pub(super) const PANICS: Family = Family {
    name: "imagebuilder_exporter_panics_total",
    metric_type: MetricType::Counter,
    identity: &[],
    labels: &[SUBSYSTEM],
    help: "Number of panics in a part of the exporter: the polls of one target in one region, or the response to one request.",
};

/// Every family that `ProcessMetrics::gather` and `PollerMetrics::gather` can return.
pub static FAMILIES: &[Family] = &[
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
    SHARDS,
    API_REQUESTS,
    API_REQUEST_DURATION,
    RATE_LIMIT_WAIT,
    POLL_LAG,
    UNPARSABLE_FIELDS,
    PANICS,
    process(
        "process_cpu_seconds_total",
        MetricType::Counter,
        "Total user and system CPU time of the process, in seconds.",
    ),
    process(
        "process_open_fds",
        MetricType::Gauge,
        "Number of open file descriptors.",
    ),
    process(
        "process_max_fds",
        MetricType::Gauge,
        "Maximum number of open file descriptors.",
    ),
    process(
        "process_virtual_memory_bytes",
        MetricType::Gauge,
        "Virtual memory size of the process, in bytes.",
    ),
    process(
        "process_resident_memory_bytes",
        MetricType::Gauge,
        "Resident memory size of the process, in bytes.",
    ),
    process(
        "process_start_time_seconds",
        MetricType::Gauge,
        "Start time of the process, in Unix time (seconds).",
    ),
    process(
        "process_threads",
        MetricType::Gauge,
        "Number of threads in the process.",
    ),
];

/// Describes a family of the process collector in the `prometheus` crate.
const fn process(name: &'static str, metric_type: MetricType, help: &'static str) -> Family {
    Family {
        name,
        metric_type,
        identity: &[],
        labels: &[],
        help,
    }
}
