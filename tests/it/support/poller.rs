//! One poller on tokio's clock, and what it would show on /metrics.

use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::{ImageBuilder, PARSED_MEMBERS, ServiceClock};
use imagebuilder_exporter::baseline::Baselines;
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::config::Config;
use imagebuilder_exporter::exposition::{Scrape, ScrapeSource};
use imagebuilder_exporter::finished::{Finished, FinishedSettings};
use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::poller::{Claims, Poller, Published, RateLimiter, Tools};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics, Subsystem};
use imagebuilder_exporter::snapshot::{Failing, Snapshot};
use imagebuilder_exporter::tracker::{Assignment, own_labels};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::exposition;
use super::wall_clock::{ClockStep, machine_clock};

/// A moment on a round millisecond to begin at: 2026-09-09T19:12:23Z.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_788_981_143_000);

/// A running poller of the first region of a configuration's first target.
pub struct Polling {
    config: Config,
    clock: Clock,
    started: Instant,
    published: Arc<Published>,
    metrics: Arc<PollerMetrics>,
    process: Arc<ProcessMetrics>,
    finished: Arc<Finished>,
    baselines: Arc<Baselines>,
    /// The claims of this poller, and of others that a test makes up.
    pub claims: Arc<Claims>,
    stop: watch::Sender<bool>,
    attempted: watch::Receiver<bool>,
    task: JoinHandle<Poller>,
    may_panic: bool,
}

impl Polling {
    pub fn start(yaml: &str, api: Arc<dyn ImageBuilder>) -> Self {
        Self::start_with_steps(&[], yaml, api)
    }

    /// Starts a poller on a machine whose wall clock steps; scrapes have the right time.
    pub fn start_with_steps(steps: &[ClockStep], yaml: &str, api: Arc<dyn ImageBuilder>) -> Self {
        let limit = config(yaml).targets[0].rate_limit;
        let limiter = RateLimiter::new(limit, Instant::now());
        Self::start_sharing(Arc::new(limiter), steps, yaml, api)
    }

    /// Starts a poller that takes its tokens where others take theirs.
    pub fn start_sharing(
        limiter: Arc<RateLimiter>,
        steps: &[ClockStep],
        yaml: &str,
        api: Arc<dyn ImageBuilder>,
    ) -> Self {
        let started = Instant::now();
        let clock = Clock::Tokio(Now {
            instant: started,
            time: EPOCH,
        });
        let config = config(yaml);
        let process = Arc::new(ProcessMetrics::new(&PARSED_MEMBERS));
        let metrics = Arc::new(PollerMetrics::new("t", "us-west-2"));
        let finished = Arc::new(Finished::new(started, &counting(&config)));
        let tools = Tools {
            api,
            limiter,
            clock: machine_clock(started, steps),
            metrics,
            process,
            finished,
            baselines: Arc::new(Baselines::default().configured(&config.baselines, None, &[], &[])),
            claims: Arc::default(),
            seed: 7,
        };
        let poller = Poller::new(assignment(&config), tools);
        Self::run(poller, config, clock, started)
    }

    fn run(poller: Poller, config: Config, clock: Clock, started: Instant) -> Self {
        let Tools {
            metrics,
            process,
            finished,
            baselines,
            claims,
            ..
        } = poller.tools().clone();
        let stop = watch::Sender::new(false);
        let (attempt, attempted) = watch::channel(false);
        Self {
            published: poller.published().clone(),
            task: tokio::spawn(poller.run(stop.subscribe(), attempt)),
            config,
            clock,
            started,
            metrics,
            process,
            finished,
            baselines,
            claims,
            stop,
            attempted,
            may_panic: false,
        }
    }

    /// Allows the poller to panic.
    pub fn that_may_panic(self) -> Self {
        Self {
            may_panic: true,
            ..self
        }
    }

    /// Goes on with another configuration, as a reload does.
    pub async fn reassign(self, yaml: &str) -> Self {
        let now = self.clock.now().instant;
        self.stop.send_replace(true);
        let mut poller = self.task.await.expect("the poller does not panic");
        let config = config(yaml);
        let mut tools = poller.tools().clone();
        let target = &config.targets[0];
        let targets = [(target.name.clone(), own_labels(target, None))];
        let polled = [(target.name.as_str(), "us-west-2")];
        let counting = counting(&config);
        let finished = { &tools.finished }.configured(&counting, &targets, &polled, now);
        tools.finished = Arc::new(finished);
        let baselines = tools
            .baselines
            .configured(&config.baselines, None, &targets, &polled);
        tools.baselines = Arc::new(baselines);
        poller.reassign(assignment(&config), tools);
        Self::run(poller, config, self.clock, self.started)
    }

    /// Lets time pass until so many seconds after the start.
    pub async fn until(&self, seconds: f64) {
        tokio::time::sleep_until(self.started + Duration::from_secs_f64(seconds)).await;
    }

    /// Lets so many seconds pass.
    pub async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// What is published. The poller publishes each time it wakes up, so the snapshot is another one.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.get().snapshot
    }

    pub fn all_attempted(&self) -> bool {
        *self.attempted.borrow()
    }

    /// The service's clock as the poller knows it.
    pub fn service_clock(&self) -> ServiceClock {
        self.metrics.service_clock().clone()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now().time
    }

    /// Since when, and why, polls of this step fail.
    pub fn failing(&self, step: &str) -> Option<Failing> {
        let id = step.parse().expect("it is an id");
        let snapshot = self.published.get().snapshot;
        let record = snapshot.steps.iter().find(|record| record.id == id);
        let failing = record.expect("the step is tracked").failing.as_deref();
        failing.copied()
    }

    /// What a scrape shows now.
    pub fn metrics(&self) -> String {
        if !self.may_panic {
            assert_eq!(self.process.panics(Subsystem::Poller), 0);
        }
        let now = self.clock.now();
        let interval = self.config.polling.interval;
        let published = self.published.get();
        let scrape = Scrape {
            now: now.time,
            status_format: self.config.metrics.status_format,
            message_labels: self.config.metrics.message_labels,
            sources: vec![ScrapeSource {
                target: Arc::from("t"),
                region: Arc::from("us-west-2"),
                up: published.health.is_up(now.instant, interval),
                snapshot: published.snapshot,
                metrics: self.metrics.clone(),
            }],
            finished: self.finished.snapshot(now.instant),
            baselines: self.baselines.snapshot(),
            process: self.process.clone(),
            series_limit: 0,
            derived: Default::default(),
        };
        exposition::text(scrape)
    }
}

fn config(yaml: &str) -> Config {
    let checked = Config::read("test.yaml", yaml, &|_| None);
    checked
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .config
}

fn counting(config: &Config) -> FinishedSettings {
    let metrics = &config.metrics;
    FinishedSettings {
        warmup: metrics.counter_warmup,
        keep: metrics.retention.max(metrics.retention_failed),
        retention: Some(metrics.counter_retention).filter(|retention| !retention.is_zero()),
        buckets: metrics.duration_buckets.clone(),
    }
}

fn assignment(config: &Config) -> Assignment {
    Assignment::all(config).remove(0)
}
