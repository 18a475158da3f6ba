//! Counts what the exporter does: API calls, poll lag, reloads and unparsable members.
//!
//! Owns the table of these families and their registries. [`ProcessMetrics`] exists once in a
//! process, [`PollerMetrics`] once for each target and region; dropping one drops its series.
//! `exposition` reads both. It also declares the families whose values are computed at the scrape,
//! such as `target_up` and `clock_skew_seconds`.

#[cfg(target_os = "linux")]
mod process;
mod table;

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
};

use crate::api::{ErrorKind, Operation, ServiceClock};
use crate::family::Family;
use crate::labels::names::*;
use crate::model::Timestamp;
pub use table::FAMILIES;
use table::{
    API_REQUEST_DURATION, API_REQUESTS, BUILD_INFO, PANICS, POLL_LAG, RATE_LIMIT_WAIT,
    RELOAD_SUCCESSFUL, RELOAD_TIMESTAMP, SHARDS, UNPARSABLE_FIELDS,
};

/// The reason why registering a metric cannot fail.
const DISTINCT: &str = "names of the table are distinct";

/// The label value `result` of a successful call.
const OK: &str = "ok";

/// Upper bounds in seconds. Most responses take tens of milliseconds; a call times out after 10 s
/// by default.
const REQUEST_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Upper bounds in seconds. The lag is milliseconds when the rate limit suffices, otherwise minutes.
const LAG_BUCKETS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Holds the metrics that exist once in a process.
#[derive(Debug)]
pub struct ProcessMetrics {
    registry: Registry,
    reload_successful: Gauge,
    reload_timestamp: Gauge,
    shards: GaugeVec,
    unparsable_fields: IntCounterVec,
    panics: IntCounterVec,
}

/// A part of the exporter that contains its panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsystem {
    /// The polls of one target in one region.
    Poller,
    /// The response to one request.
    Http,
}

impl Subsystem {
    pub const ALL: [Self; 2] = [Self::Poller, Self::Http];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poller => "poller",
            Self::Http => "http",
        }
    }
}

impl ProcessMetrics {
    /// Creates the metrics. The counters of `unparsable_fields` and of panics start at 0, so that
    /// `increase()` counts the first occurrence.
    pub fn new(unparsable_fields: &[&'static str]) -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(process::Process::new()))
            .expect(DISTINCT);
        let info = valid(Gauge::with_opts(
            opts(&BUILD_INFO)
                .const_label(VERSION, env!("CARGO_PKG_VERSION"))
                .const_label(REVISION, env!("BUILD_REVISION"))
                .const_label(RUSTC_VERSION, env!("BUILD_RUSTC_VERSION")),
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
        let panics = valid(IntCounterVec::new(opts(&PANICS), PANICS.labels));
        for subsystem in Subsystem::ALL {
            panics.with_label_values(&[subsystem.as_str()]);
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
            panics: register(&registry, panics),
            registry,
        }
    }

    /// Sets the index of this shard and the number of shards.
    pub fn shard(&self, index: u32, total: u32) {
        let shard = self.shards.with_label_values(&[index.to_string()]);
        shard.set(total.into());
    }

    /// Records a load of the configuration, at the start or on a reload.
    pub fn config_reloaded(&self, success: bool, at: Timestamp) {
        self.reload_successful.set(f64::from(u8::from(success)));
        if success {
            self.reload_timestamp.set(at.millis() as f64 / 1_000.0);
        }
    }

    /// Counts a response member that could not be parsed. `field` is its name in the service model.
    pub fn unparsable_field(&self, field: &'static str) {
        self.unparsable_fields.with_label_values(&[field]).inc();
    }

    /// Counts a panic that was contained.
    pub fn panicked(&self, subsystem: Subsystem) {
        self.panics.with_label_values(&[subsystem.as_str()]).inc();
    }

    /// Returns the number of panics that were contained.
    pub fn panics(&self, subsystem: Subsystem) -> u64 {
        self.panics.with_label_values(&[subsystem.as_str()]).get()
    }

    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// Holds the metrics of one target and region.
///
/// They are dropped together with their poller, and so are their series. A call that is still in
/// flight then can update its counters, but they are no longer gathered.
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
    /// Creates the metrics, with a counter at 0 for each result of each operation.
    ///
    /// `increase()` misses a failure that creates its own series, and alerts depend on the first
    /// failure. The series of durations appear with the first call, as a rate without calls has no
    /// use.
    pub fn new(target: &str, region: &str) -> Self {
        let registry = Registry::new();
        let opts = |family| {
            opts(family)
                .const_label(TARGET, target)
                .const_label(REGION, region)
        };
        let histogram =
            |family, buckets: &[f64]| HistogramOpts::from(opts(family)).buckets(buckets.to_vec());
        let requests = valid(IntCounterVec::new(opts(&API_REQUESTS), API_REQUESTS.labels));
        for operation in Operation::ALL {
            requests.with_label_values(&[operation.as_str(), OK]);
            for kind in ErrorKind::ALL {
                requests.with_label_values(&[operation.as_str(), kind.as_str()]);
            }
        }
        let durations = valid(HistogramVec::new(
            histogram(&API_REQUEST_DURATION, REQUEST_BUCKETS),
            API_REQUEST_DURATION.labels,
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

    /// Records the end of one attempt. `took` is `None` if no request was sent.
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

    /// Adds the time that a call waited for the rate limiter.
    pub fn rate_limit_wait(&self, waited: Duration) {
        self.rate_limit_wait.inc_by(waited.as_secs_f64());
    }

    /// Records the delay between the due time and the start of a poll.
    pub fn poll_lag(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }

    /// Returns the clock that records the `Date` header of each response.
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
                let mut expected = [family.identity, family.labels].concat();
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
    fn failed_reload_keeps_the_time_of_the_last_successful_one() {
        let metrics = ProcessMetrics::new(&[]);
        metrics.config_reloaded(true, Timestamp::from_millis(1_500));
        metrics.config_reloaded(false, Timestamp::from_millis(9_000));
        assert_eq!(metrics.reload_successful.get(), 0.0);
        assert_eq!(metrics.reload_timestamp.get(), 1.5);
    }
}
