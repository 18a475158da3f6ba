//! The pollers of all targets and regions: started, given another assignment, stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::live::{Polled, View};
use super::sharing::ShardAssignments;
use crate::api::ImageBuilder;
use crate::aws::Aws;
use crate::baseline::Baselines;
use crate::clock::Clock;
use crate::config::{Config, LimitKey, Metrics, Polling, Target};
use crate::finished::{Finished, FinishedSettings};
use crate::labels::LabelText;
use crate::poller::{Claims, Poller, RateLimiter, Tools};
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::shard::Shard;
use crate::tracker::{Assignment, own_labels};

/// Maximum wait for all clients. They are built at once unless the shared AWS configuration cannot
/// be read; then their calls wait instead.
const CLIENTS_WITHIN: Duration = Duration::from_secs(1);

/// A target's name and one of its regions.
type PollerKey = (String, String);

#[derive(Debug)]
pub(super) struct Pollers {
    aws: Aws,
    clock: Clock,
    process: Arc<ProcessMetrics>,
    finished: Arc<Finished>,
    baselines: Arc<Baselines>,
    running: JoinSet<Poller>,
    stop: watch::Sender<bool>,
    attempted: Vec<watch::Receiver<bool>>,
    limiters: HashMap<LimitKey, Arc<RateLimiter>>,
    sharing: ShardAssignments,
}

impl Pollers {
    pub(super) fn new(
        aws: Aws,
        clock: Clock,
        process: Arc<ProcessMetrics>,
        finished: Arc<Finished>,
        shard: Shard,
    ) -> Self {
        Self {
            aws,
            clock,
            process,
            finished,
            baselines: Arc::default(),
            running: JoinSet::new(),
            stop: watch::Sender::new(false),
            attempted: Vec::new(),
            limiters: HashMap::new(),
            sharing: ShardAssignments::new(shard),
        }
    }

    /// Polls this shard's part of what `config` says from now on, and nothing else. A target keeps what is known of its
    /// steps unless its role, profile or endpoint changed: then it is another one of the same name.
    pub(super) async fn assign(&mut self, config: Config) -> View {
        let mut before = self.stop().await;
        self.share_limits(&config);
        let staying = going_on(&config, self.sharing.shard(), before.values());
        let assignments = self.sharing.own(&config);
        let pollers = assignments.iter();
        let pollers = pollers.map(|one| (one.target.name.as_str(), one.region.as_str()));
        let pollers: Vec<_> = pollers.collect();
        let counting = counting(&config.metrics);
        self.finished = Arc::new(self.finished.configured(
            &counting,
            &staying,
            &pollers,
            self.clock.now().instant,
        ));
        let retention = counting.retention;
        let baselines = self
            .baselines
            .configured(&config.baselines, retention, &staying, &pollers);
        self.baselines = Arc::new(baselines);
        // Ownership is decided again, in the order of the file.
        let claims = Arc::new(Claims::default());
        let mut polled = Vec::new();
        let patience = self.clock.now().instant + CLIENTS_WITHIN;
        for assignment in assignments {
            let (target, region) = (&assignment.target, &assignment.region);
            let key = (target.name.clone(), region.clone());
            let known = before.remove(&key).filter(|poller| {
                let assigned = &poller.assignment().target;
                has_same_access(assigned, target)
            });
            let (name, region) = (Arc::from(target.name.as_str()), Arc::from(region.as_str()));
            let claims = claims.clone();
            let poller = self.poller(known, assignment, claims, patience).await;
            polled.push(Polled {
                target: name,
                region,
                published: poller.published().clone(),
                metrics: poller.tools().metrics.clone(),
                limiter: poller.tools().limiter.clone(),
            });
            self.start(poller);
        }
        View {
            shard: self.sharing.shard(),
            config: Arc::new(config),
            polled,
            finished: self.finished.clone(),
            baselines: self.baselines.clone(),
        }
    }

    /// Returns for each poller whether the first attempt for each of its steps has ended.
    pub(super) fn attempted(&self) -> Vec<watch::Receiver<bool>> {
        self.attempted.clone()
    }

    /// Never ends. A poller contains its panics; panics if one did so outside of that.
    pub(super) async fn watch(&mut self) {
        match self.running.join_next().await {
            Some(Err(failure)) => std::panic::resume_unwind(failure.into_panic()),
            Some(Ok(_)) | None => std::future::pending().await,
        }
    }

    /// Stops all pollers; what they know is handed back. Their calls in flight go on.
    pub(super) async fn stop(&mut self) -> HashMap<PollerKey, Poller> {
        self.stop.send_replace(true);
        let mut stopped = HashMap::new();
        while let Some(poller) = self.running.join_next().await {
            match poller {
                Ok(poller) => {
                    let assignment = poller.assignment();
                    let key = (assignment.target.name.clone(), assignment.region.clone());
                    stopped.insert(key, poller);
                }
                Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            }
        }
        self.stop = watch::Sender::new(false);
        self.attempted.clear();
        stopped
    }

    async fn poller(
        &self,
        known: Option<Poller>,
        assignment: Assignment,
        claims: Arc<Claims>,
        patience: Instant,
    ) -> Poller {
        let target = &assignment.target;
        let polling = &assignment.polling;
        let limiter = self.limiters[&target.limit_key(&assignment.region)].clone();
        let kept = known.as_ref().map(|poller| poller.tools());
        let same_client = known
            .as_ref()
            .is_some_and(|poller| same_client(&poller.assignment().polling, polling));
        let metrics = match kept {
            Some(tools) => tools.metrics.clone(),
            None => Arc::new(PollerMetrics::new(&target.name, &assignment.region)),
        };
        let api: Arc<dyn ImageBuilder> = match kept {
            Some(tools) if same_client => {
                tools.api.renew_credentials();
                tools.api.clone()
            }
            _ => {
                let clock = metrics.service_clock().clone();
                let client = self.aws.client(target, &assignment.region, polling, clock);
                client.wait_until_built(patience).await;
                Arc::new(client)
            }
        };
        let tools = Tools {
            api,
            limiter,
            clock: self.clock,
            metrics,
            process: self.process.clone(),
            finished: self.finished.clone(),
            baselines: self.baselines.clone(),
            claims,
            seed: fastrand::u64(..),
        };
        match known {
            Some(mut poller) => {
                poller.reassign(assignment, tools);
                poller
            }
            None => Poller::new(assignment, tools),
        }
    }

    fn start(&mut self, poller: Poller) {
        let (attempted, receiver) = watch::channel(false);
        self.attempted.push(receiver);
        self.running
            .spawn(poller.run(self.stop.subscribe(), attempted));
    }

    /// Creates one limiter for all targets that share an AWS limit, with the smallest of their
    /// configured limits.
    fn share_limits(&mut self, config: &Config) {
        let shard = self.sharing.shard();
        let limits = config.shared_limits(|target, region| shard.has(target, region));
        let now = self.clock.now().instant;
        let mut before = std::mem::take(&mut self.limiters);
        for (key, limit) in limits {
            let limiter = match before.remove(&key) {
                Some(limiter) => {
                    limiter.configure(limit, now);
                    limiter
                }
                None => Arc::new(RateLimiter::new(limit, now)),
            };
            self.limiters.insert(key, limiter);
        }
    }
}

/// The targets whose finished steps go on being shown, with their own labels: all but those that are
/// others of the same name, and those of which this shard polls nothing.
fn going_on<'a>(
    config: &Config,
    shard: Shard,
    before: impl Iterator<Item = &'a Poller> + Clone,
) -> Vec<(String, LabelText)> {
    let is_another = |target: &&Target| {
        before
            .clone()
            .map(|poller| &poller.assignment().target)
            .any(|assigned| assigned.name == target.name && !has_same_access(assigned, target))
    };
    let is_polled = |target: &Target| {
        target
            .regions
            .iter()
            .any(|region| shard.has(target, region))
    };
    let targets = config.targets.iter();
    let targets = targets.filter(|target| is_polled(target) && !is_another(target));
    targets
        .map(|target| (target.name.clone(), own_labels(target, None)))
        .collect()
}

/// Returns the settings for counting finished steps.
pub(super) fn counting(metrics: &Metrics) -> FinishedSettings {
    FinishedSettings {
        warmup: metrics.counter_warmup,
        keep: metrics.retention.max(metrics.retention_failed),
        retention: Some(metrics.counter_retention).filter(|retention| !retention.is_zero()),
        buckets: metrics.duration_buckets.clone(),
    }
}

/// Returns whether both settings need the same client.
fn same_client(one: &Polling, other: &Polling) -> bool {
    one.request_timeout == other.request_timeout && one.failure_details == other.failure_details
}

fn has_same_access(one: &Target, other: &Target) -> bool {
    one.profile == other.profile
        && one.assume_role == other.assume_role
        && one.endpoint_url == other.endpoint_url
}
