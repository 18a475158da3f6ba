//! Random histories of reloads: afterwards the targets expose what a fresh start with the last
//! configuration exposes, each resource by one target.

use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;
use tokio::time::Instant;

use super::fleet::Fleet;
use super::world::{Chances, WorldApi};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::paused;
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
        paused(follow(seed))?;
    }
}
