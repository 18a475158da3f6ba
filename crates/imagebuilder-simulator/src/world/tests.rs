//! What holds for every world, whatever its script, and what the scripts' words come to.

mod failures;
mod images;
mod pipelines;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use imagebuilder_model::{RollbackStatus, StepStatus, WorkflowStatus};

const START: Timestamp = Timestamp::from_millis(1_788_981_143_418);
const HOUR: Duration = Duration::from_secs(3600);

fn world(pipelines: &str, speed: f64) -> World {
    let scenario = Scenario::parse(pipelines, "test").unwrap();
    World::new(scenario, 7, speed, START)
}

/// A world of one own workflow, whose build begins at the start.
fn one(options: &str, workflow: &str) -> World {
    let text = format!(
        "pipelines: [{{name: golden, account: '111122223333', region: us-west-2, {options} \
         workflows: [{{name: own, {workflow}}}]}}]"
    );
    world(&text, 1.0)
}

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn ids(world: &World) -> Vec<PlannedStep> {
    world.planned_steps(Duration::ZERO)
}

/// Every moment at which anything of these steps changes, and the one before it.
fn moments(world: &World, steps: &[PlannedStep]) -> BTreeSet<Timestamp> {
    let changes = steps
        .iter()
        .flat_map(|step| world.changes_of_step(&step.id));
    changes.flat_map(|at| [at.plus_millis(-1), at]).collect()
}

fn statuses(world: &World, id: &StepExecutionId) -> Vec<(i64, String)> {
    let changes = world.changes_of_step(id).into_iter();
    changes
        .map(|at| {
            let view = world.step(id, at).unwrap();
            let rollback = view.rollback_status.map(|status| format!("+{status}"));
            let status = format!("{}{}", view.status, rollback.unwrap_or_default());
            (at.millis_since(START) / 1000, status)
        })
        .collect()
}

fn seconds_and_statuses(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected
        .iter()
        .map(|(at, status)| (*at, (*status).to_owned()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn executions_are_consistent_at_every_moment(seed: u64, speed in 1.0..500.0f64) {
        let world = World::new(Scenario::demo(), seed, speed, START);
        let steps = world.planned_steps(Duration::from_secs_f64(6.0 * 3600.0 / speed));
        let unique: BTreeSet<_> = steps.iter().map(|step| step.id).collect();
        prop_assert_eq!(unique.len(), steps.len());
        for (nth, now) in moments(&world, &steps).into_iter().step_by(13).enumerate() {
            for step in steps.iter().skip(nth % 11).step_by(11) {
                check_step(&world, step, now)?;
            }
        }
    }
}

fn check_step(world: &World, planned: &PlannedStep, now: Timestamp) -> Result<(), TestCaseError> {
    let Some(step) = world.step(&planned.id, now) else {
        return Ok(());
    };
    let workflow = world.workflow(&step.workflow_execution_id, now).unwrap();
    let started = step.start.is_some();
    match step.status {
        StepStatus::Pending => prop_assert!(!started && step.end.is_none()),
        StepStatus::Running => prop_assert!(started && step.end.is_none()),
        StepStatus::Skipped => prop_assert_eq!(step.start, step.end),
        StepStatus::Cancelled => prop_assert_eq!(started, step.end.is_some()),
        _ => prop_assert!(started && step.end.is_some()),
    }
    prop_assert!(step.start <= Some(now) && step.end <= Some(now));
    if let (Some(start), Some(end)) = (step.start, step.end) {
        prop_assert!(start <= end);
        let timeout = i64::from(step.timeout_seconds) * 1000;
        prop_assert!(timeout == 0 || end.millis_since(start) <= timeout);
    }
    if step.rollback_status.is_some() {
        prop_assert_eq!(&step.status, &StepStatus::Completed);
    }
    if workflow.status.is_terminal() {
        prop_assert!(workflow.end.is_some() || workflow.status == WorkflowStatus::Cancelled);
        prop_assert_ne!(&step.status, &StepStatus::Running);
        prop_assert_ne!(&step.rollback_status, &Some(RollbackStatus::Running));
    }
    let siblings = world.steps_of(&step.workflow_execution_id, now).unwrap();
    prop_assert!(siblings.contains(&step));
    let counted = workflow.succeeded + workflow.failed + workflow.skipped;
    prop_assert!(counted <= workflow.total_steps);
    let model = step.to_model();
    prop_assert!(model.image.is_some() && model.workflow.is_some());
    Ok(())
}

#[test]
fn same_seed_gives_the_same_world_and_another_seed_another() {
    let planned = |seed| World::new(Scenario::demo(), seed, 1.0, START).planned_steps(HOUR);
    assert_eq!(planned(1), planned(1));
    assert_ne!(planned(1)[0].id, planned(2)[0].id);
}

#[test]
fn ids_do_not_depend_on_the_speed_and_durations_do() {
    let slow = world(DEFAULT, 1.0);
    let fast = world(DEFAULT, 60.0);
    assert_eq!(ids(&slow)[0].id, ids(&fast)[0].id);
    let took = |world: &World| {
        let step = ids(world)[0].clone();
        let view = world.step(&step.id, at(3600)).unwrap();
        view.end.unwrap().millis_since(view.start.unwrap())
    };
    assert!((took(&slow) - 60 * took(&fast)).abs() <= 60);
}

const DEFAULT: &str = "pipelines: [{name: golden, account: '111122223333', region: us-west-2, \
                       workflows: [{managed: build-image}]}]";

#[test]
fn managed_workflow_has_its_own_names_and_actions() {
    let world = world(DEFAULT, 1.0);
    let id = ids(&world)[0].workflow_execution_id;
    let steps = world.steps_of(&id, START).unwrap();
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "LaunchBuildInstance",
            "ApplyBuildComponents",
            "InventoryCollection",
            "RunSanitizeScript",
            "RunSysPrepScript",
            "CreateOutputAMI",
            "TerminateBuildInstance"
        ]
    );
    assert_eq!(
        steps[0].workflow_arn,
        "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1"
    );
    assert_eq!(steps[0].timeout_seconds, 4500);
}

#[test]
fn hanging_step_fails_at_exactly_its_compressed_timeout() {
    for speed in [1.0, 7.0, 60.0, 10_000.0] {
        let text = "keep: 9999d\npipelines: [{name: golden, account: '111122223333', \
                    region: us-west-2, workflows: [{name: own, steps: [{name: Hangs, action: RunCommand, \
                    outcome: hang, timeout: 10m}]}]}]";
        let world = world(text, speed);
        let id = ids(&world)[0].id;
        let view = world.step(&id, at(3600)).unwrap();
        let expected = (600.0 / speed).ceil() as u32;
        assert_eq!(view.timeout_seconds, expected);
        assert_eq!(view.status, StepStatus::Failed);
        let took = view.end.unwrap().millis_since(view.start.unwrap());
        assert_eq!(took, i64::from(expected) * 1000);
    }
}

#[test]
fn failed_step_is_tried_again_while_attempts_are_left() {
    let world = one(
        "",
        "steps: [{name: Flaky, action: RunCommand, duration: 10s, \
         attempts: {max: 3, fails: 2, pause: 5s}}]",
    );
    let id = ids(&world)[0].id;
    assert_eq!(
        statuses(&world, &id),
        seconds_and_statuses(&[
            (2, "RUNNING"),
            (12, "FAILED"),
            (17, "RUNNING"),
            (27, "FAILED"),
            (32, "RUNNING"),
            (42, "COMPLETED"),
        ])
    );
    let attempt = |seconds| world.step(&id, at(seconds)).unwrap().attempt;
    assert_eq!(
        [attempt(0), attempt(3), attempt(30), attempt(50)],
        [None, Some(1), Some(2), Some(3)]
    );
}

const ABORTED: &str = "steps: [\
    {name: First, action: LaunchInstance, duration: 10s, rollback_duration: 20s},\
    {name: Second, action: RunCommand, duration: 10s, rollback: failed, rollback_duration: 30s},\
    {name: Third, action: RunCommand, duration: 10s, outcome: failed},\
    {name: Fourth, action: RunCommand}]";

#[test]
fn abort_rolls_back_what_completed_the_last_step_first() {
    let world = one("", ABORTED);
    let steps = ids(&world);
    let expected: [&[(i64, &str)]; 4] = [
        &[
            (2, "RUNNING"),
            (12, "COMPLETED"),
            (70, "COMPLETED+RUNNING"),
            (90, "COMPLETED+COMPLETED"),
        ],
        &[
            (14, "RUNNING"),
            (24, "COMPLETED"),
            (38, "COMPLETED+RUNNING"),
            (68, "COMPLETED+FAILED"),
        ],
        &[(26, "RUNNING"), (36, "FAILED")],
        &[],
    ];
    for (step, expected) in steps.iter().zip(expected) {
        let seen = statuses(&world, &step.id);
        assert_eq!(seen, seconds_and_statuses(expected), "{}", step.name);
    }
    let status = |seconds| {
        let id = &steps[0].workflow_execution_id;
        world.workflow(id, at(seconds)).unwrap().status
    };
    assert_eq!(status(35), WorkflowStatus::Running);
    assert_eq!(status(36), WorkflowStatus::RollbackInProgress);
    assert_eq!(status(92), WorkflowStatus::RollbackCompleted);
    let last = world.step(&steps[3].id, at(3600)).unwrap();
    assert_eq!(last.status, StepStatus::Pending);
}

#[test]
fn workflow_can_say_failed_while_a_rollback_still_runs() {
    let world = one("", &format!("rollback: while_failed, {ABORTED}"));
    let steps = ids(&world);
    let workflow = world
        .workflow(&steps[0].workflow_execution_id, at(72))
        .unwrap();
    assert_eq!(workflow.status, WorkflowStatus::Failed);
    assert_eq!(workflow.end, Some(at(36)));
    let step = world.step(&steps[0].id, at(72)).unwrap();
    assert_eq!(step.rollback_status, Some(RollbackStatus::Running));
}

#[test]
fn failure_that_continues_leaves_the_workflow_completed() {
    let world = one(
        "",
        "steps: [{name: First, action: RunCommand, outcome: failed, on_failure: Continue}, \
         {name: Second, action: RunCommand}]",
    );
    let steps = ids(&world);
    let workflow = world
        .workflow(&steps[0].workflow_execution_id, at(3600))
        .unwrap();
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!((workflow.succeeded, workflow.failed), (1, 1));
}

#[test]
fn cancelled_build_cancels_what_had_not_begun() {
    let world = one(
        "",
        "steps: [{name: First, action: RunCommand, duration: 10s, outcome: cancelled}, \
         {name: Second, action: RunCommand}]",
    );
    let steps = ids(&world);
    let second = world.step(&steps[1].id, at(60)).unwrap();
    assert_eq!(second.status, StepStatus::Cancelled);
    assert_eq!((second.start, second.end), (None, None));
    let workflow = world
        .workflow(&steps[0].workflow_execution_id, at(60))
        .unwrap();
    assert_eq!(workflow.status, WorkflowStatus::Cancelled);
}

#[test]
fn retry_supersedes_the_failed_run_under_the_same_build_version() {
    let steps = "type: test, \
                 steps: [{name: Fails, action: RunCommand, duration: 10s, outcome: failed}]";
    let world = one("retries: 1, retry_after: 60s,", steps);
    let steps = ids(&world);
    assert_eq!(steps.len(), 2);
    let (arn, retry) = (&steps[0].image_arn, &steps[1]);
    assert_eq!(&retry.image_arn, arn);
    assert!(world.step(&retry.id, at(60)).is_none());
    let retried = |seconds| {
        let workflows = world.workflows_of(arn, at(seconds)).unwrap();
        workflows
            .iter()
            .map(|workflow| workflow.retried)
            .collect::<Vec<_>>()
    };
    assert_eq!(retried(60), [false]);
    assert_eq!(retried(90), [true, false]);
    let view = world.step(&retry.id, at(120)).unwrap();
    assert_eq!(view.status, StepStatus::Completed);
}

#[test]
fn build_is_known_from_its_announcement_until_it_is_forgotten() {
    let text = "announce: 1h\nkeep: 1h\npipelines: [{name: golden, account: '111122223333', \
                region: us-west-2, first: 2h, workflows: [{name: own, \
                steps: [{name: Only, action: RunCommand, duration: 58s}]}]}]";
    let world = world(text, 1.0);
    let id = world.planned_steps(3 * HOUR)[0].id;
    let known = |seconds| world.step(&id, at(seconds)).is_some();
    assert_eq!([known(3599), known(3600)], [false, true]);
    assert_eq!(
        world.step(&id, at(7200)).unwrap().status,
        StepStatus::Pending
    );
    assert_eq!([known(10_859), known(10_860)], [true, false]);
}

#[test]
fn workflows_of_one_group_run_at_the_same_time() {
    let steps = "steps: [{name: Only, action: RunCommand, duration: 10s}]";
    let text = format!(
        "pipelines: [{{name: golden, account: '111122223333', region: us-west-2, workflows: [\
         {{name: build, {steps}}}, {{name: a, type: test, parallel_group: tests, {steps}}}, \
         {{name: b, type: test, parallel_group: tests, {steps}}}]}}]"
    );
    let world = world(&text, 1.0);
    let arn = ids(&world)[0].image_arn.clone();
    let workflows = world.workflows_of(&arn, at(60)).unwrap();
    let starts: Vec<_> = workflows.iter().map(|workflow| workflow.start).collect();
    assert_eq!(starts, [Some(at(2)), Some(at(14)), Some(at(14))]);
}

#[test]
fn chances_come_as_often_as_they_weigh() {
    let world = one(
        "every: 1h,",
        "steps: [{name: Dice, action: RunCommand, chances: {completed: 3, failed: 1}}]",
    );
    let mut seen = BTreeMap::new();
    for step in world.planned_steps(400 * HOUR) {
        let end = *world.changes_of_step(&step.id).last().unwrap();
        let status = world.step(&step.id, end).unwrap().status.to_string();
        *seen.entry(status).or_insert(0) += 1;
    }
    assert_eq!(seen.values().sum::<i32>(), 401);
    assert!((70..130).contains(&seen["FAILED"]), "{seen:?}");
}

#[test]
fn running_status_can_be_one_the_model_does_not_know() {
    let world = one(
        "",
        "steps: [{name: Approve, action: WaitForAction, running_status: WAITING}]",
    );
    let view = world.step(&ids(&world)[0].id, at(3)).unwrap();
    assert_eq!(view.status.as_str(), "WAITING");
}

#[test]
fn mistakes_of_a_scenario_are_told_all_at_once_with_the_file() {
    let text = "pipelines: [{name: Golden, account: '1', region: us-west-2, workflows: [\
                {managed: build-image, steps: [{name: Launch}]}]}]";
    let error = Scenario::parse(text, "worlds/a.yaml")
        .unwrap_err()
        .to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "worlds/a.yaml: pipeline Golden: \"Golden\" cannot be part of an ARN; use a-z, 0-9, - and _",
            "worlds/a.yaml: pipeline Golden: account \"1\" is not twelve digits",
        ]
    );
    assert!(lines[2].contains("there is no step \"Launch\"; there are LaunchBuildInstance,"));
    let error = Scenario::parse("pipeline: []", "a.yaml")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("a.yaml: ") && error.contains("unknown field `pipeline`"),
        "{error}"
    );
}
