//! What the demo promises, proven on the pure world: no socket, no clock.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imagebuilder_exporter::model::{RollbackStatus, StepStatus, Timestamp};
use imagebuilder_exporter::simulator::{
    DEMO_SEED, DEMO_SPEED, PlannedStep, Scenario, StepView, World,
};

const START: Timestamp = Timestamp::from_millis(1_788_981_143_418);

/// The builds that config/demo.yaml lists begin within this.
const LISTED: Duration = Duration::from_secs(30 * 60);

fn demo() -> World {
    World::new(Scenario::demo(), DEMO_SEED, DEMO_SPEED, START)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn demo_shows_four_statuses_a_failure_a_breach_and_a_rollback_all_the_time() {
    let world = demo();
    let listed = world.planned_steps(LISTED);
    let workflows: BTreeSet<_> = listed
        .iter()
        .map(|step| step.workflow_execution_id)
        .collect();
    let end = START.plus(LISTED);
    // Between two changes nothing differs, so every moment is proven, not a sample of them.
    let mut moments = changes(&world, &listed);
    moments.insert(START);
    for now in moments.range(START..end).copied() {
        let views: Vec<StepView> = workflows
            .iter()
            .flat_map(|id| world.steps_of(id, now).expect("announced and kept"))
            .collect();
        let after = now.millis_since(START);
        let statuses: BTreeSet<_> = views.iter().map(|view| view.status.as_str()).collect();
        assert!(statuses.len() >= 4, "{statuses:?} after {after} ms");
        assert!(views.iter().any(is_breached), "after {after} ms");
        let rolled_back = Some(RollbackStatus::Completed);
        assert!(
            views.iter().any(|view| view.rollback_status == rolled_back),
            "after {after} ms"
        );
    }
}

fn is_breached(view: &StepView) -> bool {
    let took = view
        .end
        .zip(view.start)
        .map(|(end, start)| end.millis_since(start));
    view.status == StepStatus::Failed && took == Some(i64::from(view.timeout_seconds) * 1000)
}

fn changes(world: &World, steps: &[PlannedStep]) -> BTreeSet<Timestamp> {
    let changes = steps
        .iter()
        .flat_map(|step| world.changes_of_step(&step.id));
    changes.collect()
}

#[test]
fn demo_keeps_moving_for_half_an_hour() {
    let world = demo();
    let changes = changes(&world, &world.planned_steps(LISTED));
    for minute in 0..30 {
        let from = START.plus(Duration::from_secs(minute * 60));
        let to = from.plus(Duration::from_secs(60));
        let count = changes.range(from..to).count();
        assert!(count > 0, "nothing moves in minute {minute}");
    }
}

#[test]
fn demo_configuration_lists_what_the_seed_yields() {
    let path = root().join("config/demo.yaml");
    let expected = configuration(&demo().planned_steps(LISTED));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "config/demo.yaml is not what the scenario's seed yields; run the test with UPDATE_DOCS=1"
    );
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

fn configuration(steps: &[PlannedStep]) -> String {
    let mut text = HEAD.to_owned();
    for (account, target) in TARGETS {
        text.push_str(target);
        let (mut image, mut workflow) = ("", None);
        for step in steps.iter().filter(|step| step.account == account) {
            if (image, workflow) != (&step.image_arn, Some(step.workflow_execution_id)) {
                (image, workflow) = (&step.image_arn, Some(step.workflow_execution_id));
                let (_, name) = image.split_once(":image/").unwrap();
                writeln!(text, "      # {name}, {}", step.workflow_execution_id).unwrap();
            }
            writeln!(text, "      - {}  # {}", step.id, step.name).unwrap();
        }
    }
    text
}

const HEAD: &str = "\
# What `imagebuilder_exporter demo` follows: the steps that the built-in scenario's builds have
# within half an hour. Written by the test `demo_configuration_lists_what_the_seed_yields`
# (UPDATE_DOCS=1); with `imagebuilder_exporter simulate --speed=10 --seed=1` on port 10851, and any
# AWS credentials in the environment, it works by itself too.
polling:
  interval: 2s
  request_timeout: 5s
duration_budgets:
  - step: \"Apply*Components\"
    image: \"golden-*\"
    max_duration: 1m
  - step: ApproveRelease
    max_duration: 45s
  - step: CreateOutputAMI
    max_duration: 40s
targets:
";

const TARGETS: [(&str, &str); 2] = [
    (
        "111122223333",
        "  - name: production
    regions: [us-west-2]
    endpoint_url: \"${IMAGEBUILDER_SIMULATOR_URL:-http://127.0.0.1:10851}\"
    rate_limit: {requests_per_second: 150, burst: 150}
    labels: {team: platform, environment: production}
    step_executions:
",
    ),
    (
        "444455556666",
        "  - name: staging
    regions: [eu-west-1]
    endpoint_url: \"${IMAGEBUILDER_SIMULATOR_URL:-http://127.0.0.1:10851}\"
    rate_limit: {requests_per_second: 150, burst: 150}
    labels: {team: web, environment: staging}
    step_executions:
",
    ),
];
