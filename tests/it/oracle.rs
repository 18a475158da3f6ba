//! Random worlds on tokio's paused clock: what /metrics shows is what the world says.

mod baselines;
mod counters;
mod discovery;
mod exposed;
mod fleet;
mod generate;
mod matrix;
mod reloads;
mod truth;
mod week;
mod world;

use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::model::{StepExecutionId, Timestamp};
use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::paused;
use crate::support::poller::{EPOCH, Polling};

use exposed::{ExposedStep, distinct};
use generate::workflows;
use world::{Chances, WorldApi};

/// How often a step is polled.
const INTERVAL: Duration = Duration::from_secs(30);
/// The longest that an answer takes.
const LATENCY: Duration = Duration::from_secs(2);
/// Until when builds begin.
const BEGUN: Duration = Duration::from_secs(10 * 60);
/// A step that stays PENDING settles an hour after its workflow's end.
const SETTLING: Duration = Duration::from_secs(2 * 60 * 60);

/// One pipeline of builds, in the words of a scenario.
fn pipeline() -> impl Strategy<Value = String> {
    (-3_600..600i32, workflows(1..3)).prop_map(|(first, workflows)| {
        format!(
            "account: \"111122223333\", region: us-west-2, every: 24h, builds: 1, first: {first}s, \
             workflows: [{workflows}]"
        )
    })
}

fn scenario() -> impl Strategy<Value = String> {
    prop::collection::vec(pipeline(), 1..4).prop_map(|pipelines| {
        let mut text = "announce: 24h\npipelines:\n".to_owned();
        for (at, pipeline) in pipelines.into_iter().enumerate() {
            text += &format!("  - {{name: image-{at}, {pipeline}}}\n");
        }
        text
    })
}

/// Watches a world through the exporter. Says what is exposed wrongly.
async fn watch(scenario: &str, seed: u64, fault_rate: f64) -> Result<(), TestCaseError> {
    let world = Scenario::parse(scenario, "random")
        .map_err(|error| TestCaseError::fail(format!("{error}\n{scenario}")))?;
    let world = Arc::new(World::new(world, seed, 1.0, EPOCH));
    let steps: Vec<StepExecutionId> = world
        .planned_steps(BEGUN)
        .into_iter()
        .map(|step| step.id)
        .collect();
    let chances = Chances {
        latency: LATENCY,
        fault: fault_rate,
        faults_until: Timestamp::from_millis(i64::MAX),
        expiry: 0.0,
        page: 3,
    };
    let api = WorldApi::new(world.clone(), seed, chances);
    let config = ConfigText::of([TargetText::new("t").unlimited().steps(&steps)])
        .with("polling: {interval: 30s, request_timeout: 10s}");
    let polling = Polling::start(&config.text(), Arc::new(api.clone()));
    let changes = steps.iter().flat_map(|id| world.changes_of_step(id));
    let last_change = changes.max().unwrap_or(EPOCH).millis_since(EPOCH);
    let watched = Duration::from_millis(last_change.max(0).unsigned_abs()) + INTERVAL * 4;
    let mut moment = 0.0;
    while moment < watched.as_secs_f64() {
        // Not in step with the polls.
        moment += 53.7;
        polling.until(moment).await;
        let exposed = ExposedStep::all(&distinct(&polling.metrics())?);
        for id in &steps {
            check(
                &world,
                id,
                &exposed[&id.to_string()],
                polling.now(),
                fault_rate,
            )?;
        }
    }
    polling.until((watched + SETTLING).as_secs_f64()).await;
    let exposed = ExposedStep::all(&distinct(&polling.metrics())?);
    let calls = api.log().len();
    for id in &steps {
        let exposed = &exposed[&id.to_string()];
        prop_assert!(exposed.settled, "{id} never settles: {exposed:?}");
    }
    polling.until((watched + SETTLING * 12).as_secs_f64()).await;
    prop_assert_eq!(api.log().len(), calls, "settled steps are asked for");
    Ok(())
}

fn check(
    world: &World,
    id: &StepExecutionId,
    exposed: &ExposedStep,
    now: Timestamp,
    fault_rate: f64,
) -> Result<(), TestCaseError> {
    let Some(last_success) = exposed.last_success else {
        prop_assert!(fault_rate > 0.0, "{id} has not been seen");
        return Ok(());
    };
    let seen = Timestamp::from_millis((last_success * 1_000.0).round() as i64);
    let changes = world.changes_of_step(id);
    let was_so_within = |from: Timestamp, to: Timestamp| {
        let within = changes.iter().filter(|at| (from..=to).contains(at));
        std::iter::once(&from).chain(within).any(|at| {
            world
                .step(id, *at)
                .is_some_and(|view| exposed.is(&view.to_model(), now))
        })
    };
    let before = |time: Timestamp, by: Duration| {
        Timestamp::from_millis(time.millis() - by.as_millis() as i64)
    };
    prop_assert!(
        was_so_within(before(seen, LATENCY), seen),
        "{id} shows what was not so when it was seen, {} ms ago: {exposed:?}, but {:?}",
        now.millis_since(seen),
        world.step(id, seen)
    );
    if exposed.settled {
        let later = changes.iter().find(|at| **at > seen);
        prop_assert_eq!(later, None, "{} is settled and changes later", id);
    } else if fault_rate == 0.0 {
        // At most an interval and an answer's time late.
        prop_assert!(
            was_so_within(before(now, INTERVAL + LATENCY), now),
            "{id} shows what has long not been so: {exposed:?}"
        );
    }
    Ok(())
}

fn run(scenario: &str, seed: u64, fault_rate: f64) -> Result<(), TestCaseError> {
    paused(watch(scenario, seed, fault_rate))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn exposed_values_are_at_most_an_interval_old(
        scenario in scenario(),
        seed: u64,
    ) {
        run(&scenario, seed, 0.0)?;
    }

    #[test]
    fn exposed_values_were_true_when_polled_although_calls_fail(scenario in scenario(), seed: u64) {
        run(&scenario, seed, 0.3)?;
    }
}
