//! The exporter's own metrics: what it has done, how it fares, what it is.
//!
//! Owns their table and the counters behind it, on registries that belong to a value and go with
//! it. Fed by the program ([`ProcessMetrics`]) and by the schedule of each target and region
//! ([`PollerMetrics`]); read by `exposition`, which also has the families that are no counters but
//! taken at the scrape, such as `target_up` and `clock_skew_seconds`.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
};

use crate::api::{ErrorKind, Operation, ServiceClock};
use crate::family::{Family, Kind};
use crate::model::Timestamp;

/// Why registering cannot fail.
const DISTINCT: &str = "names of the table are distinct";

/// `result` of a call that was answered.
const OK: &str = "ok";

/// Seconds. The service answers in tens of milliseconds; a call ends at its timeout, by default 10 s.
const REQUEST_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Seconds. Milliseconds where the rate limit suffices, minutes where it does not.
const LAG_BUCKETS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

const BUILD_INFO: Family = Family {
    name: "imagebuilder_exporter_build_info",
    kind: Kind::Gauge,
    labels: &["version", "revision", "rustc_version"],
    help: "1, by the version of the exporter, the commit it was built from and the compiler that built it.",
};
const RELOAD_SUCCESSFUL: Family = Family {
    name: "imagebuilder_exporter_config_last_reload_successful",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 where the configuration was taken when it was last read, 0 where it was refused and the old one kept.",
};
const RELOAD_TIMESTAMP: Family = Family {
    name: "imagebuilder_exporter_config_last_reload_success_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "When a configuration was last taken, as Unix time in seconds.",
};
const SHARDS: Family = Family {
    name: "imagebuilder_exporter_shards",
    kind: Kind::Gauge,
    labels: &["shard"],
    help: "How many shards there are, as the one of this number, counted from 0, was told.",
};
const API_REQUESTS: Family = Family {
    name: "imagebuilder_exporter_api_requests_total",
    kind: Kind::Counter,
    labels: &["target", "region", "operation", "result"],
    help: "Attempts to call the EC2 Image Builder API, by operation and result.",
};
const API_REQUEST_DURATION: Family = Family {
    name: "imagebuilder_exporter_api_request_duration_seconds",
    kind: Kind::Histogram,
    labels: &["target", "region", "operation"],
    help: "How long attempts to call the EC2 Image Builder API took, in seconds, whatever came of them.",
};
const RATE_LIMIT_WAIT: Family = Family {
    name: "imagebuilder_exporter_rate_limit_wait_seconds_total",
    kind: Kind::Counter,
    labels: &["target", "region"],
    help: "How long calls have waited for the rate limit, in seconds, all of them together.",
};
const POLL_LAG: Family = Family {
    name: "imagebuilder_exporter_poll_lag_seconds",
    kind: Kind::Histogram,
    labels: &["target", "region"],
    help: "How late polls that were due began, in seconds.",
};
const UNPARSABLE_FIELDS: Family = Family {
    name: "imagebuilder_exporter_unparsable_fields_total",
    kind: Kind::Counter,
    labels: &["field"],
    help: "Members of the service's answers that could not be understood and were left out, by member.",
};

/// Everything that [`ProcessMetrics::gather`] and [`PollerMetrics::gather`] can give.
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
    process(
        "process_cpu_seconds_total",
        Kind::Counter,
        "CPU time the process has used, user and system, in seconds.",
    ),
    process(
        "process_open_fds",
        Kind::Gauge,
        "File descriptors the process has open.",
    ),
    process(
        "process_max_fds",
        Kind::Gauge,
        "File descriptors the process may have open.",
    ),
    process(
        "process_virtual_memory_bytes",
        Kind::Gauge,
        "Virtual memory of the process, in bytes.",
    ),
    process(
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Resident memory of the process, in bytes.",
    ),
    process(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process started, as Unix time in seconds.",
    ),
    process("process_threads", Kind::Gauge, "Threads of the process."),
];

/// One of the families that the collector of the `prometheus` crate names.
const fn process(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family {
        name,
        kind,
        labels: &[],
        help,
    }
}

/// What there is one of in a process.
#[derive(Debug)]
pub struct ProcessMetrics {
    registry: Registry,
    reload_successful: Gauge,
    reload_timestamp: Gauge,
    shards: GaugeVec,
    unparsable_fields: IntCounterVec,
}

impl ProcessMetrics {
    /// The counts of `unparsable_fields` are there at 0, so that `increase()` sees the first.
    pub fn new(unparsable_fields: &[&'static str]) -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect(DISTINCT);
        let info = valid(Gauge::with_opts(
            opts(&BUILD_INFO)
                .const_label("version", env!("CARGO_PKG_VERSION"))
                .const_label("revision", env!("BUILD_REVISION"))
                .const_label("rustc_version", env!("BUILD_RUSTC_VERSION")),
        ));
        info.set(1.0);
        register(&registry, info);
        let fields = valid(IntCounterVec::new(
            opts(&UNPARSABLE_FIELDS),
            UNPARSABLE_FIELDS.labels,
        ));
        for field in unparsable_fields {
            fields.with_label_values(&[field]);
        }
        Self {
            reload_successful: register(
                &registry,
                valid(Gauge::with_opts(opts(&RELOAD_SUCCESSFUL))),
            ),
            reload_timestamp: register(&registry, valid(Gauge::with_opts(opts(&RELOAD_TIMESTAMP)))),
            shards: register(
                &registry,
                valid(GaugeVec::new(opts(&SHARDS), SHARDS.labels)),
            ),
            unparsable_fields: register(&registry, fields),
            registry,
        }
    }

    /// Which of how many shards the process is.
    pub fn shard(&self, index: u32, total: u32) {
        let shard = self.shards.with_label_values(&[index.to_string()]);
        shard.set(total.into());
    }

    /// The configuration was read, at the start or again, and taken or refused.
    pub fn config_reloaded(&self, success: bool, at: Timestamp) {
        self.reload_successful.set(f64::from(u8::from(success)));
        if success {
            self.reload_timestamp.set(at.millis() as f64 / 1_000.0);
        }
    }

    /// A member of an answer could not be understood. `field` is its name in the service's model.
    pub fn unparsable_field(&self, field: &'static str) {
        self.unparsable_fields.with_label_values(&[field]).inc();
    }

    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// What there is one of for each target and region. Dropped with the poller it counts for, and all
/// its series with it: a call still in flight can count on, but nobody gathers it.
#[derive(Debug)]
pub struct PollerMetrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    rate_limit_wait: Counter,
    lag: Histogram,
    service_clock: ServiceClock,
}

impl PollerMetrics {
    /// Every operation has a count of every result from the start: `increase()` sees no failure
    /// that comes with its own series, and a first failure is just what an alert is for. The
    /// durations appear with the first call, since a rate of them without calls tells nothing.
    pub fn new(target: &str, region: &str) -> Self {
        let registry = Registry::new();
        let opts = |family| {
            opts(family)
                .const_label("target", target)
                .const_label("region", region)
        };
        let histogram =
            |family, buckets: &[f64]| HistogramOpts::from(opts(family)).buckets(buckets.to_vec());
        let requests = valid(IntCounterVec::new(
            opts(&API_REQUESTS),
            &["operation", "result"],
        ));
        for operation in Operation::ALL {
            requests.with_label_values(&[operation.as_str(), OK]);
            for kind in ErrorKind::ALL {
                requests.with_label_values(&[operation.as_str(), kind.as_str()]);
            }
        }
        let durations = valid(HistogramVec::new(
            histogram(&API_REQUEST_DURATION, REQUEST_BUCKETS),
            &["operation"],
        ));
        let wait = valid(Counter::with_opts(opts(&RATE_LIMIT_WAIT)));
        let lag = valid(Histogram::with_opts(histogram(&POLL_LAG, LAG_BUCKETS)));
        Self {
            requests: register(&registry, requests),
            durations: register(&registry, durations),
            rate_limit_wait: register(&registry, wait),
            lag: register(&registry, lag),
            service_clock: ServiceClock::default(),
            registry,
        }
    }

    /// One attempt of one call has ended. `took` is `None` where nothing was sent.
    pub fn request(
        &self,
        operation: Operation,
        result: Result<(), ErrorKind>,
        took: Option<Duration>,
    ) {
        let result = match result {
            Ok(()) => OK,
            Err(kind) => kind.as_str(),
        };
        self.requests
            .with_label_values(&[operation.as_str(), result])
            .inc();
        if let Some(took) = took {
            self.durations
                .with_label_values(&[operation.as_str()])
                .observe(took.as_secs_f64());
        }
    }

    /// A call has waited so long for the rate limit.
    pub fn rate_limit_wait(&self, waited: Duration) {
        self.rate_limit_wait.inc_by(waited.as_secs_f64());
    }

    /// A poll that was due began so late.
    pub fn poll_lag(&self, late: Duration) {
        self.lag.observe(late.as_secs_f64());
    }

    /// To be told of every answer of the service.
    pub fn service_clock(&self) -> &ServiceClock {
        &self.service_clock
    }

    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

fn valid<T>(metric: prometheus::Result<T>) -> T {
    metric.expect("names and labels of the table are valid")
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> C {
    registry.register(Box::new(metric.clone())).expect(DISTINCT);
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(gathered: &[MetricFamily]) -> Vec<&str> {
        gathered.iter().map(MetricFamily::name).collect()
    }

    #[test]
    fn everything_gathered_is_in_the_table_with_its_labels() {
        let process = ProcessMetrics::new(&["startTime"]);
        let poller = PollerMetrics::new("production", "us-west-2");
        poller.request(
            Operation::GetWorkflowStepExecution,
            Ok(()),
            Some(Duration::from_millis(3)),
        );
        for gathered in process.gather().iter().chain(&poller.gather()) {
            let family = FAMILIES
                .iter()
                .find(|family| family.name == gathered.name())
                .unwrap_or_else(|| panic!("{} is not in the table", gathered.name()));
            for metric in gathered.get_metric() {
                let mut labels: Vec<_> = metric.get_label().iter().map(|l| l.name()).collect();
                let mut expected = family.labels.to_vec();
                labels.sort_unstable();
                expected.sort_unstable();
                assert_eq!(labels, expected, "{}", family.name);
            }
        }
    }

    #[test]
    fn everything_in_the_table_is_gathered() {
        let process = ProcessMetrics::new(&["startTime"]);
        process.shard(0, 1);
        let poller = PollerMetrics::new("production", "us-west-2");
        poller.request(
            Operation::GetWorkflowExecution,
            Ok(()),
            Some(Duration::ZERO),
        );
        let (process, poller) = (process.gather(), poller.gather());
        for family in FAMILIES {
            if cfg!(target_os = "linux") || !family.name.starts_with("process_") {
                let known =
                    names(&process).contains(&family.name) || names(&poller).contains(&family.name);
                assert!(known, "{}", family.name);
            }
        }
    }

    #[test]
    fn refused_configuration_keeps_the_time_of_the_last_taken_one() {
        let metrics = ProcessMetrics::new(&[]);
        metrics.config_reloaded(true, Timestamp::from_millis(1_500));
        metrics.config_reloaded(false, Timestamp::from_millis(9_000));
        assert_eq!(metrics.reload_successful.get(), 0.0);
        assert_eq!(metrics.reload_timestamp.get(), 1.5);
    }
}
