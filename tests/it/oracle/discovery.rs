//! Discovery in random worlds: every rule of it holds at every moment.

mod case;
mod observation;
mod rules;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;

use super::exposed::{ExposedObject, ExposedStep, distinct};
use super::truth::{Selectors, Truth};
use super::world::{Chances, Logged, WorldApi};
use crate::support::exposition::Sample;
use crate::support::paused;
use crate::support::poller::{EPOCH, Polling};
use case::{Case, case, case_with_clock_steps};
use observation::Observation;
use rules::{
    finished_steps_are_counted_once, settled_resources_are_not_polled,
    steps_are_listed_while_they_can_change,
};

const LATENCY: Duration = Duration::from_secs(1);
/// How long the responses of one poll may take, with all pages.
const ANSWERS: Duration = Duration::from_secs(25);
/// How long a discovery pass may take.
const PASS: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// The longest backoff, twice: for the call that failed, and for the one that has to follow it.
const BACKOFF: Duration = Duration::from_secs(11 * 60);

/// A case that is played through the exporter.
struct Play<'a> {
    case: &'a Case,
    truth: Truth,
    api: WorldApi,
    polling: Polling,
    selectors: Selectors,
    /// Since when these selectors are in force.
    since: Timestamp,
    all_selectors: Vec<Selectors>,
    reload: Option<(u64, Option<Selectors>)>,
    /// From when on no call fails.
    calm: Timestamp,
    /// Calls before this one are too long ago to matter.
    recent: usize,
    /// The counters of finished steps, by their labels.
    counters: HashMap<BTreeMap<String, String>, f64>,
}

impl<'a> Play<'a> {
    fn start(case: &'a Case) -> Result<Self, TestCaseError> {
        let scenario = Scenario::parse(&case.scenario, "random")
            .map_err(|error| TestCaseError::fail(format!("{error}\n{}", case.scenario)))?;
        let world = Arc::new(World::new(scenario, case.seed, 1.0, EPOCH));
        let truth = Truth::of(world.clone());
        let mut selectors = case.names.add_to(&truth, case.selectors.clone());
        if selectors.is_empty() {
            selectors.images = vec!["*"];
        }
        let calm = match case.fault > 0.0 {
            true => truth.end().plus(HOUR),
            false => EPOCH,
        };
        let chances = Chances {
            latency: LATENCY,
            fault: case.fault,
            faults_until: calm,
            expiry: 0.02,
            page: 8,
        };
        let api = WorldApi::new(world, case.seed, chances);
        let yaml = selectors.write(&case.pace.write());
        let polling = Polling::start_with_steps(&case.clock_steps, &yaml, Arc::new(api.clone()));
        api.tell_time(polling.service_clock());
        Ok(Self {
            case,
            truth,
            polling,
            api,
            all_selectors: vec![selectors.clone()],
            selectors,
            since: EPOCH,
            reload: case.reload.clone(),
            calm,
            recent: 0,
            counters: HashMap::new(),
        })
    }

    /// Lets time pass until so many seconds after the start, with the reload if that is due by then.
    async fn until(mut self, moment: f64) -> Self {
        let is_due = |(minutes, _): &mut _| moment >= *minutes as f64 * 60.0;
        if let Some((minutes, other)) = self.reload.take_if(is_due) {
            self.polling.until(minutes as f64 * 60.0).await;
            let other = other.map(|other| self.case.names.add_to(&self.truth, other));
            if let Some(other) = other.filter(|other| !other.is_empty()) {
                self.selectors = other;
                self.since = self.polling.now();
                self.all_selectors.push(self.selectors.clone());
            }
            let yaml = self.selectors.write(&self.case.pace.write());
            self.polling = self.polling.reassign(&yaml).await;
        }
        self.polling.until(moment).await;
        self
    }

    fn observe(&mut self) -> Result<Observation<'_>, TestCaseError> {
        let now = self.polling.now();
        let log = self.api.log();
        let lately = now.minus(self.case.pace.discovery * 4 + PASS * 2);
        let recent = &log[self.recent..];
        let expired = recent.iter().any(|call| call.expired && call.at >= lately);
        self.recent += recent.iter().take_while(|call| call.at < lately).count();
        let samples = distinct(&self.polling.metrics())?;
        let objects = |prefix: &str, key: &[&str]| ExposedObject::all(&samples, prefix, key);
        Ok(Observation {
            case: self.case,
            truth: &self.truth,
            selectors: &self.selectors,
            since: self.since,
            now,
            faulty: self.case.fault > 0.0 && now < self.calm.plus(BACKOFF * 2),
            expired,
            steps: ExposedStep::all(&samples),
            executions: objects(
                "imagebuilder_workflow_execution_",
                &["workflow_execution_id"],
            ),
            images: objects("imagebuilder_image_", &["image", "image_version"]),
            pipelines: objects("imagebuilder_pipeline_", &["pipeline"]),
            samples,
        })
    }

    fn check_exposed(&mut self) -> Result<(), TestCaseError> {
        let seen = self.observe()?;
        let counters = counters(&seen.samples);
        let after = seen.now.millis_since(EPOCH) / 1_000;
        rules::check(&seen)
            .map_err(|error| TestCaseError::fail(format!("after {after} s: {error}")))?;
        if self.all_selectors.len() == 1 {
            for (labels, count) in &self.counters {
                let now = counters.get(labels);
                prop_assert!(
                    now >= Some(count),
                    "after {after} s: {labels:?} fell to {now:?}"
                );
            }
        }
        self.counters = counters;
        Ok(())
    }

    fn check_finished(&self) -> Result<(), TestCaseError> {
        let samples = distinct(&self.polling.metrics())?;
        let counts = finished_steps_are_counted_once::expected(
            self.case.pace,
            &self.truth,
            &self.all_selectors,
        );
        finished_steps_are_counted_once::check(&samples, &counts)
    }

    /// Checks all calls, with what was seen at the end and the number of calls before it.
    fn check_calls(&mut self, end: Timestamp, before: usize) -> Result<(), TestCaseError> {
        let log = self.api.log();
        if self.case.fault == 0.0 {
            let seen = Observation {
                now: end,
                faulty: false,
                expired: true,
                ..self.observe()?
            };
            steps_are_listed_while_they_can_change::check(&seen, &log)?;
        }
        settled_resources_are_not_polled::check(&self.selectors, &log[before..])
    }
}

/// The counters of finished steps, by their labels.
fn counters(samples: &[Sample]) -> HashMap<BTreeMap<String, String>, f64> {
    let finished = "imagebuilder_workflow_steps_finished_total";
    let counters = samples.iter().filter(|sample| sample.name == finished);
    counters
        .map(|sample| (sample.labels.clone(), sample.value))
        .collect()
}

async fn play(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::start(case)?;
    let api = play.api.clone();
    let print = |_: &TestCaseError| print_log(&api.log());
    let ends = play.truth.end();
    let settled = ends.plus(HOUR * 2 + case.pace.retention_failed + BACKOFF * 2);
    let mut chance = fastrand::Rng::with_seed(case.seed);
    let mut moment = 0.0;
    while EPOCH.plus(Duration::from_secs_f64(moment)) < settled {
        let active = EPOCH.plus(Duration::from_secs_f64(moment)) < ends.plus(HOUR);
        moment += chance.f64() * if active { 900.0 } else { 7_200.0 };
        play = play.until(moment).await;
        play.check_exposed().inspect_err(print)?;
    }
    play.check_finished().inspect_err(print)?;

    // Nothing is left to discover.
    let (end, before) = (play.polling.now(), api.log().len());
    play.polling.until(moment + 3.0 * 3_600.0).await;
    play.check_calls(end, before).inspect_err(print)
}

/// Prints the calls of a case that failed, where the environment asks for them.
fn print_log(log: &[Logged]) {
    if std::env::var_os("ORACLE_LOG").is_none() {
        return;
    }
    for call in log {
        let at = call.at.millis_since(EPOCH) as f64 / 1_000.0;
        let page = if call.first { "" } else { "next page" };
        println!("{at:9.1} {:?} {} {page}", call.operation, call.id);
    }
}

fn run(case: &Case) -> Result<(), TestCaseError> {
    paused(play(case))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn selected_resources_are_exposed_as_the_service_has_them_and_counted_once(case in case(0.0)) {
        run(&case)?;
    }

    #[test]
    fn selected_resources_are_discovered_and_counted_once_despite_failed_calls(case in case(0.1)) {
        run(&case)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn selected_resources_are_exposed_and_counted_once_though_the_wall_clock_steps(
        case in case_with_clock_steps(),
    ) {
        run(&case)?;
    }
}
