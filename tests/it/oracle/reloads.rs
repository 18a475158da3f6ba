//! Random histories of reloads: afterwards the targets expose what a fresh start with the last
//! configuration exposes, each resource by one target.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::PARSED_MEMBERS;
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::config::{Config, RateLimit};
use imagebuilder_exporter::finished::{Finished, FinishedSettings};
use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::poller::{Claims, Poller, Published, RateLimiter, Tools};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics, Subsystem};
use imagebuilder_exporter::simulator::{Scenario, World};
use imagebuilder_exporter::tracker::Assignment;
use proptest::prelude::*;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{Chances, WorldApi};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::poller::EPOCH;
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Longer than every first attempt, two discovery passes and the polls that follow from them.
const SETTLED: Duration = Duration::from_secs(20 * 60);

/// A failed build, one that runs, one that is available, and one whose test fails and is retried.
fn scenario() -> String {
    let ended = |name: &str, kind: &str, outcome: &str| {
        let last = format!("Last, action: RunCommand, duration: 2m, outcome: {outcome}");
        PipelineText::new(name).with("first: -40m").workflow(
            &format!("make, type: {kind}, rollback: none"),
            ["First, action: RunCommand, duration: 2m".to_owned(), last],
        )
    };
    let running = PipelineText::new("running").workflow(
        "make",
        [
            "First, action: RunCommand, duration: 5m",
            "Last, action: RunCommand, duration: 10h",
        ],
    );
    let retried = ended("retried", "test", "failed")
        .with("retries: 1")
        .with("retry_after: 44m");
    let pipelines = [
        ended("failed", "build", "failed"),
        running,
        ended("available", "build", "completed"),
        retried,
    ];
    ScenarioText::of(pipelines)
        .with("listed_after: 0s")
        .to_string()
}

/// The pollers of a configuration, as the exporter runs them.
struct Fleet {
    api: Arc<WorldApi>,
    clock: Clock,
    process: Arc<ProcessMetrics>,
    running: JoinSet<Poller>,
    published: Vec<(String, Arc<Published>)>,
    stop: watch::Sender<bool>,
}

impl Fleet {
    fn new(api: &Arc<WorldApi>, clock: Clock) -> Self {
        Self {
            api: api.clone(),
            clock,
            process: Arc::new(ProcessMetrics::new(&PARSED_MEMBERS)),
            running: JoinSet::new(),
            published: Vec::new(),
            stop: watch::Sender::new(false),
        }
    }

    async fn assign(&mut self, yaml: &str) {
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
        let counting = FinishedSettings {
            warmup: Duration::ZERO,
            keep: Duration::from_secs(3_600),
            retention: None,
            buckets: vec![Duration::from_secs(60)],
        };
        Tools {
            api: self.api.clone(),
            limiter: Arc::new(RateLimiter::new(limit, self.clock.now().instant)),
            clock: self.clock,
            metrics: Arc::new(PollerMetrics::new("t", "us-west-2")),
            process: self.process.clone(),
            finished: Arc::new(Finished::new(self.clock.now().instant, &counting)),
            baselines: Arc::default(),
            claims: Arc::default(),
            seed: 7,
        }
    }

    /// What each resource is exposed as, and by which targets.
    fn exposed(&self) -> BTreeMap<String, Vec<String>> {
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

/// Configurations of the targets `a`, `b` and `c`, in any order, that select and name something.
fn history(world: &World, chance: &mut fastrand::Rng) -> Vec<String> {
    let planned = world.planned_steps(Duration::ZERO);
    let globs = ["'*'", "failed", "running", "available", "retried"];
    let configuration = |chance: &mut fastrand::Rng| {
        let mut names = vec!["a", "b", "c"];
        chance.shuffle(&mut names);
        names.truncate(chance.usize(1..=3));
        let mut planned = planned.clone();
        chance.shuffle(&mut planned);
        let targets = names.into_iter().map(|name| {
            let mut keys = Vec::new();
            for key in ["images", "pipelines"] {
                if chance.bool() {
                    let glob = globs[chance.usize(..globs.len())];
                    keys.push(format!("{key}: [{glob}]"));
                }
            }
            // What is named, is named by one target alone.
            for key in [
                "image_build_versions",
                "workflow_executions",
                "step_executions",
            ] {
                let Some(named) = planned.pop().filter(|_| chance.usize(..3) == 0) else {
                    continue;
                };
                let named = match key {
                    "image_build_versions" => format!("\"{}\"", named.image_arn),
                    "workflow_executions" => named.workflow_execution_id.to_string(),
                    _ => named.id.to_string(),
                };
                planned.retain(|one| {
                    let execution = one.workflow_execution_id.to_string();
                    ![one.image_arn.clone(), execution].contains(&named.replace('"', ""))
                });
                keys.push(format!("{key}: [{named}]"));
            }
            if keys.is_empty() {
                keys.push("images: ['*']".to_owned());
            }
            let target = TargetText::new(name).unlimited();
            keys.iter().fold(target, |target, key| target.with(key))
        });
        ConfigText::of(targets.collect::<Vec<_>>())
            .with("polling: {interval: 30s, discovery_interval: 2m}")
            .text()
    };
    (0..chance.usize(2..=4))
        .map(|_| configuration(chance))
        .collect()
}

async fn follow(seed: u64) -> Result<(), TestCaseError> {
    let scenario = Scenario::parse(&scenario(), "reloads").expect("it is right");
    let world = Arc::new(World::new(scenario, 1, 1.0, EPOCH));
    let chances = Chances {
        latency: Duration::from_secs(1),
        fault: 0.0,
        faults_until: Timestamp::from_millis(0),
        expiry: 0.0,
        page: 100,
    };
    let api = Arc::new(WorldApi::new(world.clone(), seed, chances));
    let clock = Clock::Tokio(Now {
        instant: Instant::now(),
        time: EPOCH,
    });
    let mut chance = fastrand::Rng::with_seed(seed);
    let history = history(&world, &mut chance);
    let mut reloaded = Fleet::new(&api, clock);
    for config in &history {
        reloaded.assign(config).await;
        tokio::time::sleep(Duration::from_secs(chance.u64(0..600))).await;
    }
    let mut fresh = Fleet::new(&api, clock);
    fresh.assign(history.last().expect("there is one")).await;
    tokio::time::sleep(SETTLED).await;
    let (reloaded, fresh) = (reloaded.exposed(), fresh.exposed());
    let history = history.join("\n---\n");
    for (resource, targets) in &fresh {
        prop_assert_eq!(
            targets.len(),
            1,
            "{} is exposed by {:?}\n{}",
            resource,
            targets,
            history
        );
    }
    prop_assert_eq!(&reloaded, &fresh, "seed {}\n{}", seed, history);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn targets_expose_the_same_after_reloads_as_after_a_fresh_start(seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(follow(seed))?;
    }
}
