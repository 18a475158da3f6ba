//! The pollers of one process, and how it reloads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::PARSED_MEMBERS;
use imagebuilder_exporter::baseline::Baselines;
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::config::{Config, RateLimit, StatusFormat};
use imagebuilder_exporter::exposition::{Scrape, ScrapeSource};
use imagebuilder_exporter::finished::{Finished, FinishedSettings};
use imagebuilder_exporter::poller::{Claims, Poller, Published, RateLimiter, Tools};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics, Subsystem};
use imagebuilder_exporter::shard::Shard;
use imagebuilder_exporter::tracker::{Assignment, own_labels};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::world::WorldApi;
use crate::support::exposition;

/// The pollers of a configuration, as the exporter runs them.
pub struct Fleet {
    /// The API of the next configuration.
    pub api: Arc<WorldApi>,
    clock: Clock,
    process: Arc<ProcessMetrics>,
    running: JoinSet<Poller>,
    pub polled: Vec<Polled>,
    pub finished: Arc<Finished>,
    baselines: Arc<Baselines>,
    shard: Shard,
    stop: watch::Sender<bool>,
}

/// What scrapes read of one poller.
pub struct Polled {
    target: String,
    region: String,
    pub published: Arc<Published>,
    metrics: Arc<PollerMetrics>,
}

/// The regions that configurations may have.
pub const REGIONS: [&str; 3] = ["us-west-2", "us-east-1", "eu-west-1"];

impl Fleet {
    pub fn new(api: &Arc<WorldApi>, clock: Clock) -> Self {
        let counting = FinishedSettings {
            warmup: Duration::ZERO,
            keep: Duration::from_secs(3_600),
            retention: None,
            buckets: vec![Duration::from_secs(60)],
        };
        Self {
            finished: Arc::new(Finished::new(clock.now().instant, &counting)),
            api: api.clone(),
            clock,
            process: Arc::new(ProcessMetrics::new(&PARSED_MEMBERS)),
            running: JoinSet::new(),
            polled: Vec::new(),
            baselines: Arc::default(),
            shard: Shard::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// Polls the part of this shard alone.
    pub fn of_shard(self, shard: Shard) -> Self {
        Self { shard, ..self }
    }

    /// Reloads another configuration.
    pub async fn assign(&mut self, yaml: &str) {
        self.stop.send_replace(true);
        let mut before = HashMap::new();
        while let Some(poller) = self.running.join_next().await {
            let poller = poller.expect("the poller does not panic");
            let assignment = poller.assignment();
            let key = (assignment.target.name.clone(), assignment.region.clone());
            before.insert(key, poller);
        }
        self.stop = watch::Sender::new(false);
        self.polled.clear();
        let checked = Config::read("test.yaml", yaml, &|_| None);
        let config = checked.unwrap_or_else(|problems| panic!("{problems:?}\n{yaml}"));
        let config = config.config;
        let targets = config.targets.iter();
        let staying: Vec<_> = targets
            .map(|target| (target.name.clone(), own_labels(target, None)))
            .collect();
        let all = Assignment::all(&config);
        let own = all.iter().map(|one| (&one.target, one.region.as_str()));
        let own = own.filter(|(target, region)| self.shard.has(target, region));
        let polled: Vec<_> = own
            .map(|(target, region)| (target.name.as_str(), region))
            .collect();
        let baselines = { &self.baselines }.configured(&config.baselines, None, &staying, &polled);
        self.baselines = Arc::new(baselines);
        let claims = Arc::<Claims>::default();
        for assignment in Assignment::all(&config) {
            if !self.shard.has(&assignment.target, &assignment.region) {
                continue;
            }
            let key = (assignment.target.name.clone(), assignment.region.clone());
            let known = before.remove(&key);
            let metrics = match &known {
                Some(poller) => poller.tools().metrics.clone(),
                None => Arc::new(PollerMetrics::new(&key.0, &key.1)),
            };
            let mut tools = self.tools(&key.1, metrics.clone(), claims.clone());
            if let Some(poller) = &known {
                tools.limiter = poller.tools().limiter.clone();
            }
            let poller = match known {
                Some(mut poller) => {
                    poller.reassign(assignment, tools);
                    poller
                }
                None => Poller::new(assignment, tools),
            };
            let (target, region) = key;
            self.polled.push(Polled {
                target,
                region,
                published: poller.published().clone(),
                metrics,
            });
            let attempted = watch::Sender::new(false);
            self.running
                .spawn(poller.run(self.stop.subscribe(), attempted));
        }
    }

    fn tools(&self, region: &str, metrics: Arc<PollerMetrics>, claims: Arc<Claims>) -> Tools {
        let limit = RateLimit {
            requests_per_second: 1_000.0,
            burst: std::num::NonZeroU32::MIN,
        };
        let region = REGIONS.into_iter().find(|known| *known == region);
        Tools {
            api: Arc::new(self.api.in_region(region.expect("the region is known"))),
            limiter: Arc::new(RateLimiter::new(limit, self.clock.now().instant)),
            clock: self.clock,
            metrics,
            process: self.process.clone(),
            finished: self.finished.clone(),
            baselines: self.baselines.clone(),
            claims,
            seed: 7,
        }
    }

    /// What a scrape shows now.
    pub fn metrics(&self) -> String {
        let source = |polled: &Polled| ScrapeSource {
            target: polled.target.as_str().into(),
            region: polled.region.as_str().into(),
            up: Some(true),
            snapshot: polled.published.get().snapshot,
            metrics: polled.metrics.clone(),
        };
        let now = self.clock.now();
        let scrape = Scrape {
            now: now.time,
            status_format: StatusFormat::Sparse,
            message_labels: false,
            sources: self.polled.iter().map(source).collect(),
            finished: self.finished.snapshot(now.instant),
            baselines: self.baselines.snapshot(),
            process: self.process.clone(),
            series_limit: 0,
            derived: Default::default(),
        };
        exposition::text(scrape)
    }

    /// What each resource is exposed as, and by which targets.
    pub fn exposed(&self) -> BTreeMap<String, Vec<String>> {
        assert_eq!(self.process.panics(Subsystem::Poller), 0);
        let mut exposed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Polled {
            target, published, ..
        } in &self.polled
        {
            let snapshot = published.get().snapshot;
            let steps = snapshot.steps.iter().map(|step| {
                let seen = step
                    .observed
                    .as_ref()
                    .map(|observed| observed.values.status.as_str());
                (step.id.to_string(), seen.unwrap_or("unseen").to_owned())
            });
            let executions = snapshot.workflows.iter().filter_map(|execution| {
                let observed = execution.observed.as_ref()?;
                Some((
                    execution.id.to_string(),
                    observed.status.as_str().to_owned(),
                ))
            });
            let images = snapshot.images.iter();
            let images = images.map(|image| {
                (
                    image.arn.as_str().to_owned(),
                    image.status.as_str().to_owned(),
                )
            });
            let pipelines = snapshot.pipelines.iter();
            let pipelines = pipelines.map(|one| (one.arn.as_str().to_owned(), String::new()));
            let names = snapshot.image_names.iter();
            let names = names.map(|one| (one.key.name.to_string(), String::new()));
            let all = steps.chain(executions).chain(images).chain(pipelines);
            for (id, status) in all.chain(names) {
                let by = exposed.entry(format!("{id} {status}")).or_default();
                by.push(target.clone());
            }
        }
        exposed
    }
}
