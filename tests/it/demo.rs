//! What the demo promises, proven on the pure world and what the configuration makes of it: no
//! socket, no clock.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imagebuilder_exporter::baseline::Baselines;
use imagebuilder_exporter::config::Config;
use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{
    ImageStatus, RollbackStatus, StepStatus, Timestamp, WorkflowStatus,
};
use imagebuilder_exporter::simulator::{
    DEMO_SEED, DEMO_SPEED, FailureView, ImageView, Scenario, StepView, WorkflowView, World,
};
use imagebuilder_exporter::snapshot::{Phase, StepRecord};

const START: Timestamp = Timestamp::from_millis(1_788_981_143_418);

/// For how long the promises are proven.
const PROMISED: Duration = Duration::from_secs(30 * 60);

/// The demo's world, seen through its configuration.
struct Demo {
    world: World,
    config: Config,
}

/// What is shown at one moment.
#[derive(Default)]
struct Shown {
    images: Vec<ImageView>,
    workflows: Vec<WorkflowView>,
    steps: Vec<StepView>,
}

impl Demo {
    fn new() -> Self {
        let text = std::fs::read_to_string(root().join("config/demo.yaml")).unwrap();
        let checked = Config::read("config/demo.yaml", &text, &|_| None);
        Self {
            world: World::new(Scenario::demo(), DEMO_SEED, DEMO_SPEED, START),
            config: checked.unwrap_or_else(|wrong| panic!("{wrong:?}")).config,
        }
    }

    /// What discovery shows at the least: all executions of the images that are in the lists, until
    /// they have been over for their retention.
    fn shown(&self, now: Timestamp) -> Shown {
        let mut shown = Shown::default();
        for region in self.regions() {
            for image in self.world.images(region, None, now) {
                let workflows = self.world.workflows_of(&image.arn, now);
                let workflows = workflows.unwrap_or_default().into_iter();
                let stay: Vec<_> = workflows
                    .filter(|workflow| self.stays(&image, workflow, now))
                    .collect();
                if !stay.is_empty() {
                    shown.images.push(image);
                }
                for workflow in stay {
                    let steps = self.world.steps_of(&workflow.id, now);
                    shown.steps.extend(steps.expect("its workflow is known"));
                    shown.workflows.push(workflow);
                }
            }
        }
        shown
    }

    fn stays(&self, image: &ImageView, workflow: &WorkflowView, now: Timestamp) -> bool {
        let failed = image.status == ImageStatus::Failed
            || matches!(
                workflow.status,
                WorkflowStatus::Failed | WorkflowStatus::RollbackCompleted
            );
        let retention = match failed {
            true => self.config.metrics.retention_failed,
            false => self.config.metrics.retention,
        };
        let over = workflow.end.filter(|_| workflow.status.is_terminal());
        over.is_none_or(|end| now < end.plus(retention))
    }

    fn regions(&self) -> BTreeSet<&str> {
        let targets = self.config.targets.iter();
        let regions = targets.flat_map(|target| &target.regions);
        regions.map(String::as_str).collect()
    }

    /// Every moment of the promised time at which a step changes, and the first of all. Between two
    /// of them things only leave, which the last moment before the next would miss: so that is one
    /// as well.
    fn moments(&self) -> Vec<Timestamp> {
        let steps = self.world.planned_steps(PROMISED);
        let changes = steps
            .iter()
            .flat_map(|step| self.world.changes_of_step(&step.id));
        let end = START.plus(PROMISED);
        let changes: BTreeSet<_> = changes.filter(|at| START < *at && *at < end).collect();
        let before = |at: &Timestamp| Timestamp::from_millis(at.millis() - 1);
        let ends: Vec<_> = changes.iter().map(before).collect();
        let mut moments: Vec<_> = changes.into_iter().chain(ends).chain([START]).collect();
        moments.sort_unstable();
        moments
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn demo_always_has_four_statuses_a_failure_a_breach_and_a_rollback() {
    let demo = Demo::new();
    for now in demo.moments() {
        let steps = demo.shown(now).steps;
        let after = now.millis_since(START);
        let statuses: BTreeSet<_> = steps.iter().map(|step| step.status.as_str()).collect();
        assert!(statuses.len() >= 4, "{statuses:?} after {after} ms");
        assert!(steps.iter().any(is_breached), "after {after} ms");
        let rolled_back = Some(RollbackStatus::Completed);
        assert!(
            steps.iter().any(|step| step.rollback_status == rolled_back),
            "after {after} ms"
        );
    }
}

#[test]
fn hung_step_of_the_demo_becomes_slow_within_a_minute() {
    let demo = Demo::new();
    let hung = |now| {
        let steps = demo.shown(now).steps.into_iter();
        let mut hung = steps.filter(|step| step.name == "CheckData");
        hung.next().expect("the step hangs")
    };
    let (at_first, soon) = (hung(START), START.plus(Duration::from_secs(60)));
    assert_eq!(at_first.status, StepStatus::Running);
    let baselines = Baselines::default();
    let labels = LabelText::default();
    for image in demo.world.images("us-west-2", None, START) {
        for workflow in { demo.world.workflows_of(&image.arn, START) }.unwrap_or_default() {
            for step in demo.world.steps_of(&workflow.id, START).unwrap() {
                let unseen = StepRecord::unseen(step.id, labels.clone());
                let settled = StepRecord {
                    phase: Phase::Settled,
                    ..unseen.after_response(step.to_model(), "us-west-2", START)
                };
                baselines.feed("staging", &labels, &settled);
            }
        }
    }
    let observed = StepRecord::unseen(at_first.id, labels).after_response(
        at_first.to_model(),
        "us-west-2",
        START,
    );
    let snapshot = baselines.snapshot();
    let baseline = snapshot.of(observed.observed.as_ref().unwrap());
    let is_slow = |now: Timestamp| {
        let runs = now.millis_since(at_first.start.unwrap());
        baseline.unwrap().is_slow(runs)
    };
    assert_eq!([START, soon].map(is_slow), [Some(false), Some(true)]);
    // The timeout is far away.
    let breached = START.plus(Duration::from_secs(10 * 60));
    assert_eq!(hung(breached).status, StepStatus::Running);
}

fn is_breached(view: &StepView) -> bool {
    let took = view
        .end
        .zip(view.start)
        .map(|(end, start)| end.millis_since(start));
    view.status == StepStatus::Failed && took == Some(i64::from(view.timeout_seconds) * 1000)
}

#[test]
fn demo_keeps_moving_for_half_an_hour() {
    let demo = Demo::new();
    let moments = demo.moments();
    for minute in 0..30 {
        let from = START.plus(Duration::from_secs(minute * 60));
        let to = from.plus(Duration::from_secs(60));
        let is_within = |at: &&Timestamp| from < **at && **at < to;
        let moves = moments.iter().filter(is_within).any(|at| {
            let before = Timestamp::from_millis(at.millis() - 1);
            demo.shown(*at).steps != demo.shown(before).steps
        });
        assert!(moves, "nothing moves in minute {minute}");
    }
}

#[test]
fn demo_has_every_kind_of_build_within_a_few_minutes() {
    let demo = Demo::new();
    let wait = Duration::from_secs(5 * 60);
    let soon = START.plus(wait);
    let mut missing: Option<BTreeSet<&str>> = None;
    let moments = demo.moments().into_iter();
    for now in moments.take_while(|now| *now < soon) {
        let absent = sights(&demo.shown(now))
            .into_iter()
            .filter(|(_, is_there)| !is_there)
            .map(|(what, _)| what);
        let absent: BTreeSet<&str> = absent.collect();
        missing = Some(match missing {
            Some(missing) => missing.intersection(&absent).copied().collect(),
            None => absent,
        });
    }
    let missing = missing.expect("the demo has moments");
    assert!(missing.is_empty(), "not within {wait:?}: {missing:?}");
}

fn failed(shown: &Shown, so: impl Fn(&FailureView) -> bool) -> bool {
    let mut failures = shown
        .images
        .iter()
        .filter_map(|image| image.failure.as_ref());
    failures.any(so)
}

/// What a visitor of the demo is to see, and whether it is there.
fn sights(shown: &Shown) -> [(&'static str, bool); 10] {
    let moving = shown
        .images
        .iter()
        .filter(|image| !image.status.is_terminal());
    let moving: Vec<_> = moving.map(|image| (&image.account, &image.name)).collect();
    let names: BTreeSet<_> = moving.iter().collect();
    let runs = |workflow: &WorkflowView| workflow.status == WorkflowStatus::Running;
    let running = shown.workflows.iter().filter(|workflow| runs(workflow));
    let running: Vec<_> = running.map(|workflow| &workflow.image_arn).collect();
    let builds: BTreeSet<_> = running.iter().collect();
    [
        (
            "two builds of one image at once",
            moving.len() > names.len(),
        ),
        (
            "a component that failed",
            failed(shown, |failure| failure.component().is_some()),
        ),
        (
            "a distribution that failed",
            failed(shown, |failure| {
                failure.step.is_none() && failure.regions.len() == 1
            }),
        ),
        (
            "a retried workflow execution",
            shown.workflows.iter().any(|workflow| workflow.retried),
        ),
        (
            "two workflow executions at once",
            running.len() > builds.len(),
        ),
        (
            "a step that waits for somebody",
            shown
                .steps
                .iter()
                .any(|step| step.action == "WaitForAction" && step.status == StepStatus::Running),
        ),
        (
            "a later attempt",
            shown.steps.iter().any(|step| step.attempt > Some(1)),
        ),
        (
            "a cancelled build",
            { shown.images.iter() }.any(|image| image.status == ImageStatus::Cancelled),
        ),
        (
            "a container",
            { shown.images.iter() }.any(|image| image.name == "Edge Proxy"),
        ),
        (
            "an image without a pipeline",
            shown
                .images
                .iter()
                .any(|image| image.pipeline_arn.is_none()),
        ),
    ]
}

#[test]
fn demo_has_seven_pipelines_in_two_accounts_and_two_regions() {
    let demo = Demo::new();
    let later = START.plus(Duration::from_secs(120));
    let pipelines: Vec<_> = { demo.regions().into_iter() }
        .flat_map(|region| demo.world.pipelines(region, None, later))
        .collect();
    assert_eq!(pipelines.len(), 7);
    let part = |arn: &str, place| arn.split(':').nth(place).unwrap().to_owned();
    let places: BTreeSet<_> = { pipelines.iter() }
        .map(|pipeline| (part(&pipeline.arn, 4), part(&pipeline.arn, 3)))
        .collect();
    assert_eq!(places.len(), 4, "{places:?}");
    let disabled = pipelines
        .iter()
        .filter(|pipeline| pipeline.status() == "DISABLED");
    let failures: Vec<_> = disabled
        .map(|disabled| disabled.consecutive_failures)
        .collect();
    assert_eq!(failures, [3]);
}

#[test]
fn every_shipped_scenario_is_read_and_played() {
    let directory = std::fs::read_dir(root().join("config/scenarios")).unwrap();
    let mut read = 0;
    for entry in directory {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let world = World::new(scenario, 1, 60.0, START);
        let steps = world.planned_steps(Duration::from_secs(600));
        assert!(!steps.is_empty(), "{} has no steps", path.display());
        read += 1;
    }
    assert!(read >= 4, "{read} scenarios");
}
