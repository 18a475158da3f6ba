//! Usual durations in random worlds: those of the executions that an exporter reads at its start, and
//! of those that it sees.

mod agreement;
mod fed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;

use super::exposed::distinct;
use super::fleet::REGIONS;
use super::generate::workflows;
use super::truth::Truth;
use super::world::{Chances, WorldApi};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::Sample;
use crate::support::paused;
use crate::support::poller::{EPOCH, Polling};
use fed::{Durations, Facts, Key, Start, durations, median};

const TYPICAL: &str = "imagebuilder_workflow_step_typical_duration_seconds";
const PENDING: &str = "imagebuilder_exporter_baseline_history_builds";
const HOUR: Duration = Duration::from_secs(3_600);
const RETENTION: Duration = HOUR;
const RETENTION_FAILED: Duration = Duration::from_secs(20 * 3_600);
/// Which of these executions are found in time cannot be said.
const UNSURE: Duration = HOUR;
/// When all builds have ended.
const ENDS: Duration = Duration::from_secs(16 * 3_600);

#[derive(Clone, Debug)]
struct Case {
    scenario: String,
    seed: u64,
    history: usize,
    fault: f64,
}

/// Builds of one image: some of earlier days, and one or two that begin now. Each execution of a
/// step takes another time, and most builds succeed.
fn pipeline() -> impl Strategy<Value = String> {
    let fails = prop::bool::weighted(0.3);
    let builds = (3..10u32, 1..3u32, 0..3_600u32, fails, workflows(1..3));
    builds.prop_map(|(before, after, first, fails, workflows)| {
        let mut workflows = workflows.replace("duration: ", "duration: 1s..");
        for outcome in ["failed", "hang", "wait", "skipped", "cancelled"] {
            if !fails {
                let other = format!(" outcome: {outcome},");
                workflows = workflows.replace(&other, " outcome: completed,");
            }
        }
        let (builds, first) = (before + after, before * 7 * 3_600 - first);
        format!(
            "account: \"111122223333\", every: 7h, builds: {builds}, first: -{first}s, \
             workflows: [{workflows}]"
        )
    })
}

/// Pipelines in these regions, in turn. Those of different regions build images of one name.
fn scenario(regions: &'static [&str]) -> impl Strategy<Value = String> {
    prop::collection::vec(pipeline(), 1..4).prop_map(|pipelines| {
        let mut text = "pipelines:\n".to_owned();
        for (at, pipeline) in pipelines.into_iter().enumerate() {
            let (number, region) = (at / regions.len(), regions[at % regions.len()]);
            text += &format!("  - {{name: image-{number}, region: {region}, {pipeline}}}\n");
        }
        text
    })
}

fn case() -> impl Strategy<Value = Case> {
    let fault = prop_oneof![Just(0.0), Just(0.1)];
    let case = (scenario(&REGIONS[..1]), any::<u64>(), 0..8usize, fault);
    case.prop_map(|(scenario, seed, history, fault)| Case {
        scenario,
        seed,
        history,
        fault,
    })
}

/// The values of a metric, by the step.
fn by_step(samples: &[Sample], name: &str) -> BTreeMap<Key, f64> {
    let samples = samples.iter().filter(|sample| sample.name == name);
    let labels = ["region", "image", "workflow", "step"];
    let key = |sample: &Sample| labels.map(|label| sample.labels[label].clone());
    samples.map(|sample| (key(sample), sample.value)).collect()
}

async fn play(case: &Case) -> Result<(), TestCaseError> {
    let scenario = Scenario::parse(&case.scenario, "random")
        .map_err(|error| TestCaseError::fail(format!("{error}\n{}", case.scenario)))?;
    let world = Arc::new(World::new(scenario, case.seed, 1.0, EPOCH));
    let truth = Truth::of(world.clone());
    let chances = Chances {
        latency: Duration::from_secs(1),
        fault: case.fault,
        faults_until: EPOCH.plus(HOUR * 2),
        expiry: 0.02,
        page: 3,
    };
    let api = WorldApi::new(world, case.seed, chances);
    let target = TargetText::new("t").unlimited().with("images: ['*']");
    let config = ConfigText::of([target]).with(&format!(
        "baselines: {{history: {}}}\nmetrics: {{retention: {}s, retention_failed: {}s}}",
        case.history,
        RETENTION.as_secs(),
        RETENTION_FAILED.as_secs()
    ));
    let polling = Polling::start(&config.text(), Arc::new(api));
    polling.until(ENDS.as_secs_f64()).await;
    let samples = distinct(&polling.metrics())?;
    let pending = samples.iter().filter(|sample| sample.name == PENDING);
    for sample in pending.filter(|sample| sample.labels["state"] != "read") {
        prop_assert_eq!(sample.value, 0.0, "{:?}", sample.labels);
    }
    let mut exposed = by_step(&samples, TYPICAL);
    let facts = Facts {
        truth: &truth,
        unsure: UNSURE,
    };
    let start = Start {
        at: EPOCH,
        history: case.history,
    };
    let until = EPOCH.plus(ENDS * 2);
    let fed = |image: &_, workflow: &_, _: &_| facts.is_fed(start, until, image, workflow);
    for (key, Durations { certain, possible }) in durations(&truth, fed) {
        let found = exposed.remove(&key);
        if certain.len() == possible.len() {
            prop_assert_eq!(found, median(&certain), "{:?}", key);
        } else if let Some(found) = found {
            let seconds = possible.iter().map(|(_, millis)| *millis as f64 / 1e3);
            let (least, most) = seconds.fold((f64::MAX, 0.0_f64), |(least, most), one| {
                (least.min(one), most.max(one))
            });
            prop_assert!((least..=most).contains(&found), "{key:?}: {found}");
        }
    }
    prop_assert!(exposed.is_empty(), "of no execution: {exposed:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn usual_durations_are_those_of_the_executions_that_completed(case in case()) {
        paused(play(&case))?;
    }
}
