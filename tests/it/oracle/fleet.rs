//! The pollers of one process, and how it reloads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::PARSED_MEMBERS;
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::config::{Config, RateLimit};
use imagebuilder_exporter::finished::{Finished, FinishedSettings};
use imagebuilder_exporter::poller::{Claims, Poller, Published, RateLimiter, Tools};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics, Subsystem};
use imagebuilder_exporter::tracker::Assignment;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::world::WorldApi;

/// The pollers of a configuration, as the exporter runs them.
pub struct Fleet {
    /// The API of the next configuration.
    pub api: Arc<WorldApi>,
    clock: Clock,
    process: Arc<ProcessMetrics>,
    running: JoinSet<Poller>,
    pub published: Vec<(String, Arc<Published>)>,
    pub finished: Arc<Finished>,
    stop: watch::Sender<bool>,
}

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
            published: Vec::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Reloads another configuration.
    pub async fn assign(&mut self, yaml: &str) {
        self.stop.send_replace(true);
        let mut before = HashMap::new();
        while let Some(poller) = self.running.join_next().await {
            let poller = poller.expect("the poller does not panic");
            before.insert(poller.assignment().target.name.clone(), poller);
        }
        self.stop = watch::Sender::new(false);
        self.published.clear();
        let checked = Config::read("test.yaml", yaml, &|_| None);
        let config = checked.unwrap_or_else(|problems| panic!("{problems:?}\n{yaml}"));
        let claims = Arc::<Claims>::default();
        for assignment in Assignment::all(&config.config) {
            let name = assignment.target.name.clone();
            let known = before.remove(&name);
            let tools = Tools {
                api: self.api.clone(),
                claims: claims.clone(),
                ..known
                    .as_ref()
                    .map_or_else(|| self.tools(), |poller| poller.tools().clone())
            };
            let poller = match known {
                Some(mut poller) => {
                    poller.reassign(assignment, tools);
                    poller
                }
                None => Poller::new(assignment, tools),
            };
            self.published.push((name, poller.published().clone()));
            let attempted = watch::Sender::new(false);
            self.running
                .spawn(poller.run(self.stop.subscribe(), attempted));
        }
    }

    fn tools(&self) -> Tools {
        let limit = RateLimit {
            requests_per_second: 1_000.0,
            burst: std::num::NonZeroU32::MIN,
        };
        Tools {
            api: self.api.clone(),
            limiter: Arc::new(RateLimiter::new(limit, self.clock.now().instant)),
            clock: self.clock,
            metrics: Arc::new(PollerMetrics::new("t", "us-west-2")),
            process: self.process.clone(),
            finished: self.finished.clone(),
            baselines: Arc::default(),
            claims: Arc::default(),
            seed: 7,
        }
    }

    /// What each resource is exposed as, and by which targets.
    pub fn exposed(&self) -> BTreeMap<String, Vec<String>> {
        assert_eq!(self.process.panics(Subsystem::Poller), 0);
        let mut exposed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (target, published) in &self.published {
            let snapshot = published.get().snapshot;
            let steps = snapshot.steps.iter().map(|step| {
                let seen = step
                    .observed
                    .as_ref()
                    .map(|observed| observed.status.as_str());
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
