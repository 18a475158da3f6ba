//! Exporters that started at different times, were reloaded, or share the work: each has the baselines of
//! the executions that it knows, and so equal ones where these are the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::{StepExecution, Timestamp};
use imagebuilder_exporter::shard::Shard;
use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;
use tokio::time::Instant;

use super::super::exposed::distinct;
use super::super::fleet::{Fleet, REGIONS};
use super::super::truth::{ImageTruth, Truth, WorkflowTruth};
use super::super::world::{Chances, WorldApi};
use super::fed::{Durations, Facts, Key, Start, durations, key, median, slow_after};
use super::{PENDING, RETENTION, RETENTION_FAILED, TYPICAL, by_step, scenario};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::Sample;
use crate::support::paused;
use crate::support::poller::EPOCH;

const SLOW_AFTER: &str = "imagebuilder_workflow_step_slow_after_seconds";
const STATUS: &str = "imagebuilder_workflow_step_status";
const ENDS: Duration = Duration::from_secs(16 * 3_600);
/// How late an exporter may know what happened, or has read its history.
const UNSURE: Duration = Duration::from_secs(30 * 60);
/// From one check to the next.
const TICK: Duration = Duration::from_secs(34 * 60);

/// What a configuration says. Every configuration has the same images, by other targets.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    /// The targets, each with the images that it selects.
    targets: Vec<(&'static str, Vec<&'static str>)>,
    enabled: bool,
    history: usize,
    excludes: Option<&'static str>,
}

impl Settings {
    fn text(&self) -> String {
        let targets = self.targets.iter().map(|(name, images)| {
            let target = TargetText::new(name).unlimited();
            let target = target.with(&format!("regions: [{}]", REGIONS.join(", ")));
            target.with(&format!("images: {images:?}"))
        });
        let exclude = self.excludes.map(|step| format!("{{step: {step}}}"));
        ConfigText::of(targets)
            .with("polling: {interval: 4m, discovery_interval: 8m}")
            .with(&format!(
                "baselines: {{enabled: {}, history: {}, exclude: [{}]}}",
                self.enabled,
                self.history,
                exclude.unwrap_or_default()
            ))
            .with(&format!(
                "metrics: {{retention: {}s, retention_failed: {}s, status_format: sparse}}",
                RETENTION.as_secs(),
                RETENTION_FAILED.as_secs()
            ))
            .text()
    }

    fn selects(&self, image: &str) -> bool {
        let mut images = self.targets.iter().flat_map(|(_, images)| images);
        images.any(|glob| *glob == "*" || *glob == image)
    }

    fn wants(&self, step: &str) -> bool {
        self.enabled && self.excludes != Some(step)
    }

    fn reads_again_after(&self, before: &Self, image: &str) -> bool {
        let of = |one: &Self| (one.enabled, one.history, one.excludes);
        of(self) != of(before) || self.forgets_all_of(before) || !before.selects(image)
    }

    /// Targets of other names know nothing of what the ones before knew.
    fn forgets_all_of(&self, before: &Self) -> bool {
        self.targets[0].0 != before.targets[0].0
    }

    /// Another configuration: other targets, another division of the images, or other baselines.
    fn draw(chance: &mut fastrand::Rng, history: usize) -> Self {
        let targets = match chance.usize(..5) {
            0 => vec![("renamed", vec!["*"])],
            1 => vec![("one", vec!["image-0"]), ("two", vec!["image-1"])],
            2 => vec![("one", vec!["image-1"]), ("two", vec!["image-0"])],
            3 => vec![("t", vec!["image-0"])],
            _ => vec![("t", vec!["*"])],
        };
        Self {
            targets,
            enabled: chance.usize(..5) > 0,
            history: [history, history, 2][chance.usize(..3)],
            excludes: Some("Step1").filter(|_| chance.usize(..3) == 0),
        }
    }
}

/// A process, or several that share a configuration; since when it has which configuration.
struct Subject {
    name: &'static str,
    fleets: Vec<Fleet>,
    settings: Vec<(Timestamp, Settings)>,
}

impl Subject {
    async fn configure(&mut self, settings: Settings, now: Timestamp) {
        for fleet in &mut self.fleets {
            fleet.assign(&settings.text()).await;
        }
        self.settings.push((now, settings));
    }

    /// What all its processes expose: no series twice.
    fn samples(&self) -> Result<Vec<Sample>, TestCaseError> {
        let of_all = [TYPICAL, SLOW_AFTER, STATUS, PENDING];
        let texts: Vec<_> = self.fleets.iter().map(Fleet::metrics).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        let lines = lines.filter(|line| of_all.iter().any(|name| line.starts_with(name)));
        distinct(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// Whether it knows an execution of a step that COMPLETED; `None` where that cannot be said.
    fn knows(
        &self,
        facts: Facts<'_>,
        now: Timestamp,
        (image, workflow, key): (&ImageTruth, &WorkflowTruth, &Key),
    ) -> Option<bool> {
        let mut verdict = Some(false);
        // The image is selected until then.
        let mut until = now;
        for (at, (from, settings)) in self.settings.iter().enumerate().rev() {
            if !settings.wants(&key[3]) {
                break;
            }
            let before = at.checked_sub(1).map(|at| &self.settings[at].1);
            if !settings.selects(&key[1]) {
                until = *from;
            } else if before.is_none_or(|before| settings.reads_again_after(before, &key[1])) {
                let history = settings.history;
                let start = Start { at: *from, history };
                match facts.is_fed(start, until, image, workflow) {
                    Some(false) => {}
                    other if verdict == Some(false) || other.is_some() => verdict = other,
                    _ => {}
                }
            }
            if before.is_some_and(|before| settings.forgets_all_of(before)) {
                break;
            }
        }
        verdict
    }

    /// Compares what it exposes with what it knows. Returns how many values it compared.
    fn check(&self, account: &Account, now: Timestamp) -> Result<usize, TestCaseError> {
        let (since, settings) = self.settings.last().expect("it was configured");
        if *since > now.minus(UNSURE) {
            return Ok(0);
        }
        let samples = self.samples()?;
        let pending = samples.iter().filter(|sample| sample.name == PENDING);
        for sample in pending.filter(|sample| sample.labels["state"] != "read") {
            prop_assert_eq!(sample.value, 0.0, "{}: {:?}", self.name, sample.labels);
        }
        let facts = Facts {
            truth: &account.truth,
            unsure: UNSURE,
        };
        let known = durations(facts.truth, |image, workflow, key| {
            self.knows(facts, now, (image, workflow, key))
        });
        let about = |key: &Key| format!("{} at {now:?}: {key:?} in {:?}", self.name, self.settings);
        let typical = by_step(&samples, TYPICAL);
        let mut checked = 0;
        for (key, value) in &typical {
            prop_assert!(known.contains_key(key), "{}: {}", about(key), value);
        }
        for (key, durations) in known.iter().filter(|(_, known)| known.is_certain()) {
            let expected = median(&durations.certain);
            prop_assert_eq!(typical.get(key).copied(), expected, "{}", about(key));
            checked += usize::from(expected.is_some());
        }
        let slow: BTreeMap<_, _> = { samples.iter() }
            .filter(|sample| sample.name == SLOW_AFTER)
            .map(|sample| (&sample.labels["step_execution_id"], sample.value))
            .collect();
        let running = samples
            .iter()
            .filter(|sample| sample.name == STATUS && sample.labels["status"] == "RUNNING");
        for sample in running {
            let id = &sample.labels["step_execution_id"];
            let (key, last) = &account.steps[id];
            let expected = match known.get(key) {
                Some(known) if known.is_certain() => slow_after(&known.certain),
                Some(_) => continue,
                None => None,
            };
            if last.attempt.is_some_and(|attempt| attempt > 1) {
                continue;
            }
            let found = slow.get(id).copied();
            let differ = expected.unwrap_or_default() - found.unwrap_or_default();
            let agrees = expected.is_some() == found.is_some() && differ.abs() < 0.002;
            prop_assert!(agrees, "{}: {found:?}, not {expected:?}", about(key));
            checked += usize::from(expected.is_some());
        }
        prop_assert!(settings.enabled || typical.is_empty() && slow.is_empty());
        Ok(checked)
    }
}

impl Durations {
    fn is_certain(&self) -> bool {
        self.certain.len() == self.possible.len()
    }
}

#[derive(Clone, Debug)]
struct Case {
    scenario: String,
    seed: u64,
    history: usize,
    shards: u32,
}

/// Builds that run much of the time. The test of every other build fails, after a build workflow that
/// COMPLETED.
const USUAL: &str = "  - {name: image-1, region: eu-west-1, account: \"111122223333\", every: 150m, \
     builds: 16, first: -24h, workflows: [{name: own-0, type: build, steps: [\
       {name: Step0, action: RunCommand, duration: 1m..3m},\
       {name: Step1, action: RunCommand, duration: 40m..45m}]},\
     {name: own-1, type: test, steps: [\
       {name: Step0, action: RunCommand, in_turn: [completed, failed], duration: 9m..15m}]}]}\n";

fn case() -> impl Strategy<Value = Case> {
    let case = (scenario(&REGIONS), any::<u64>(), 2..11usize, 2..4u32);
    case.prop_map(|(scenario, seed, history, shards)| Case {
        scenario: scenario + USUAL,
        seed,
        history,
        shards,
    })
}

/// What happens, and the API that says it.
struct Account {
    truth: Truth,
    /// By id, the steps as they end.
    steps: HashMap<String, (Key, StepExecution)>,
    api: Arc<WorldApi>,
    clock: Clock,
}

impl Account {
    fn of(case: &Case) -> Result<Self, TestCaseError> {
        let scenario = Scenario::parse(&case.scenario, "random")
            .map_err(|error| TestCaseError::fail(format!("{error}\n{}", case.scenario)))?;
        let world = Arc::new(World::new(scenario, case.seed, 1.0, EPOCH));
        let truth = Truth::of(world.clone());
        let mut steps = HashMap::new();
        for image in &truth.images {
            for step in image.workflows.iter().flat_map(|one| &one.steps) {
                let known = (key(image, &step.last), step.last.clone());
                steps.insert(step.id.to_string(), known);
            }
        }
        let chances = Chances {
            latency: Duration::from_secs(1),
            fault: 0.0,
            faults_until: EPOCH,
            expiry: 0.02,
            page: 50,
        };
        Ok(Self {
            truth,
            steps,
            api: Arc::new(WorldApi::new(world, case.seed, chances)),
            clock: Clock::Tokio(Now {
                instant: Instant::now(),
                time: EPOCH,
            }),
        })
    }

    /// Processes that are still to be configured.
    fn subject(&self, name: &'static str, shards: u32) -> Subject {
        let shards = (0..shards).map(|index| Shard::new(index, shards));
        let shards = shards.map(|shard| shard.expect("there is such a shard"));
        Subject {
            name,
            fleets: shards
                .map(|shard| Fleet::new(&self.api, self.clock).of_shard(shard))
                .collect(),
            settings: Vec::new(),
        }
    }
}

async fn play(case: &Case) -> Result<(), TestCaseError> {
    let account = Account::of(case)?;
    let usual = Settings {
        targets: vec![("t", vec!["*"])],
        enabled: true,
        history: case.history,
        excludes: None,
    };
    let mut subjects = [
        account.subject("polls all along", 1),
        account.subject("is restarted", 1),
        account.subject("is reloaded", 1),
        account.subject("shards", case.shards),
    ];
    for subject in &mut subjects {
        subject.configure(usual.clone(), EPOCH).await;
    }
    let mut chance = fastrand::Rng::with_seed(case.seed);
    let ticks = ENDS.div_duration_f64(TICK) as usize;
    let restart = chance.usize(..ticks - 3);
    let mut checked = 0;
    for tick in 0..ticks {
        tokio::time::sleep(TICK).await;
        let now = account.clock.now().time;
        for subject in &subjects {
            checked += subject.check(&account, now)?;
        }
        if tick == restart {
            subjects[1] = account.subject("is restarted", 1);
            subjects[1].configure(usual.clone(), now).await;
        }
        if chance.usize(..5) == 0 {
            let settings = Settings::draw(&mut chance, case.history);
            subjects[2].configure(settings, now).await;
        }
    }
    prop_assert!(checked > 0, "no step has a baseline");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn exporters_that_know_the_same_executions_have_the_same_baselines(case in case()) {
        paused(play(&case))?;
    }
}
