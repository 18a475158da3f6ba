//! A week of two processes that share an account: faults, reloads and moved targets. After the
//! first day nothing grows.

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::simulator::{Scenario, World};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::fleet::Fleet;
use super::world::{Chances, WorldApi};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::paused;
use crate::support::poller::EPOCH;
use crate::support::scenario_text::{PipelineText, ScenarioText};

const HOUR: Duration = Duration::from_secs(3_600);
const DAYS: usize = 7;
const BUILDS_A_DAY: usize = 24;
const PIPELINES: [&str; 6] = ["base", "web", "database", "worker", "build", "desktop"];
const POLLING: &str = "polling: {interval: 2m, discovery_interval: 20m}\n\
                       metrics: {retention: 2h, retention_failed: 4h}";

/// Six pipelines that each build every six hours. One fails each time.
fn scenario() -> String {
    let pipelines = PIPELINES.into_iter().enumerate().map(|(place, name)| {
        let outcome = if place == 0 { "failed" } else { "completed" };
        let last = format!("Last, action: RunCommand, duration: 20m, outcome: {outcome}");
        PipelineText::new(name)
            .with(&format!("first: {}m", 60 * place))
            .with("every: 6h")
            .with("builds: 29")
            .workflow(
                "make, type: build",
                ["First, action: RunCommand, duration: 30m", &last],
            )
    });
    ScenarioText::of(pipelines).to_string()
}

/// What the processes hold, and how late their polls are.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    steps: usize,
    executions: usize,
    images: usize,
    pipelines: usize,
    remembered: usize,
    series: usize,
    tasks: usize,
    lag: Duration,
}

impl Held {
    fn of(fleets: &[Fleet]) -> Self {
        let mut held = Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            ..Self::default()
        };
        for fleet in fleets {
            held.remembered += fleet.finished.remembered();
            held.series += fleet
                .finished
                .snapshot(Instant::now())
                .series
                .iter()
                .count();
            for polled in &fleet.polled {
                let published = polled.published.get();
                let snapshot = &published.snapshot;
                held.steps.add_assign(snapshot.steps.iter().count());
                held.executions.add_assign(snapshot.workflows.len());
                held.images.add_assign(snapshot.images.len());
                held.pipelines.add_assign(snapshot.pipelines.iter().count());
                held.lag = held.lag.max(snapshot.behind(Instant::now()));
            }
        }
        held
    }

    /// The largest of each.
    fn max(self, other: Self) -> Self {
        Self {
            steps: self.steps.max(other.steps),
            executions: self.executions.max(other.executions),
            images: self.images.max(other.images),
            pipelines: self.pipelines.max(other.pipelines),
            remembered: self.remembered.max(other.remembered),
            series: self.series.max(other.series),
            tasks: self.tasks.max(other.tasks),
            lag: self.lag.max(other.lag),
        }
    }

    fn counts(self) -> [usize; 7] {
        [
            self.steps,
            self.executions,
            self.images,
            self.pipelines,
            self.remembered,
            self.series,
            self.tasks,
        ]
    }
}

/// Gives three targets the pipelines, and two processes the targets, by chance.
fn configurations(chance: &mut fastrand::Rng) -> [String; 2] {
    let mut pipelines = PIPELINES;
    chance.shuffle(&mut pipelines);
    let mut targets: Vec<_> = ["x", "y", "z"]
        .into_iter()
        .zip(pipelines.chunks(2))
        .collect();
    chance.shuffle(&mut targets);
    let (first, second) = targets.split_at(chance.usize(1..=2));
    [first, second].map(|targets| {
        let targets = targets.iter().map(|(name, pipelines)| {
            let target = TargetText::new(name).unlimited();
            target.with(&format!("pipelines: [{}]", pipelines.join(", ")))
        });
        ConfigText::of(targets).with(POLLING).text()
    })
}

/// Returns the largest values of each day.
async fn live() -> Vec<Held> {
    let scenario = Scenario::parse(&scenario(), "week").unwrap();
    let world = Arc::new(World::new(scenario, 1, 1.0, EPOCH));
    let api = |fault| {
        let chances = Chances {
            latency: Duration::from_secs(2),
            fault,
            faults_until: Timestamp::from_millis(i64::MAX),
            expiry: 0.02,
            page: 1_000,
        };
        Arc::new(WorldApi::new(world.clone(), 3, chances))
    };
    let (usual, outage) = (api(0.02), api(1.0));
    let clock = Clock::Tokio(Now {
        instant: Instant::now(),
        time: EPOCH,
    });
    let mut chance = fastrand::Rng::with_seed(11);
    let mut fleets = [Fleet::new(&usual, clock), Fleet::new(&usual, clock)];
    let mut days = Vec::new();
    for _ in 0..DAYS {
        let mut most = Held::default();
        for hour in 0..24 {
            if hour % 3 == 0 {
                let configurations = configurations(&mut chance);
                for (fleet, text) in fleets.iter_mut().zip(configurations) {
                    // An outage of three hours each day.
                    fleet.api = if hour == 12 {
                        outage.clone()
                    } else {
                        usual.clone()
                    };
                    fleet.assign(&text).await;
                }
            }
            tokio::time::sleep(HOUR).await;
            most = most.max(Held::of(&fleets));
        }
        days.push(most);
    }
    days
}

#[test]
fn nothing_grows_in_a_week_of_faults_reloads_and_moved_targets() {
    let days = paused(live());
    let most = |days: &[Held]| days.iter().copied().fold(Held::default(), Held::max);
    let (early, late) = (most(&days[1..4]), most(&days[4..]));
    assert!(early.counts().iter().all(|count| *count > 0), "{early:?}");
    // A leak of all that ends doubles a count.
    let mut pairs = early.counts().into_iter().zip(late.counts());
    assert!(
        pairs.all(|(before, after)| after * 2 <= before * 3),
        "{late:?} is more than {early:?}: {days:#?}"
    );
    assert!(late.images < BUILDS_A_DAY, "{late:?}");
    assert!(late.lag <= Duration::from_secs(120), "{late:?}");
}
