//! Builds whose steps take the same time in each execution.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::Baselines;
use super::*;
use crate::labels::LabelText;
use crate::model::{Image, ImageStatus, StepExecution, StepTotals, WorkflowArn, WorkflowExecution};
use crate::snapshot::{Phase, Records, StepTable, WorkflowRecord};

const EPOCH: Timestamp = Timestamp::from_millis(1_788_981_000_000);
const IMAGE: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/";

/// The workflow executions of a build: the parallel group of each, and what its steps take, in
/// seconds. Those of a group are neighbours.
type Plan = Vec<(Option<u8>, Vec<u64>)>;

fn at(seconds: u64) -> Timestamp {
    EPOCH.plus(Duration::from_secs(seconds))
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

fn execution_id(number: usize) -> WorkflowExecutionId {
    format!("wf-{}", uuid(number)).parse().unwrap()
}

/// When each execution starts and ends, in seconds.
fn spans(plan: &Plan) -> Vec<(u64, u64)> {
    let (mut spans, mut start, mut end) = (Vec::new(), 0, 0);
    for (number, (group, steps)) in plan.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| plan[before].0);
        if group.is_none() || *group != before {
            start = end;
        }
        let own = start + steps.iter().sum::<u64>();
        end = own.max(end);
        spans.push((start, own));
    }
    spans
}

fn step(number: usize, place: usize, start: u64, took: u64, now: u64) -> StepRecord {
    let status = match now {
        now if now < start => StepStatus::Pending,
        now if now < start + took => StepStatus::Running,
        _ => StepStatus::Completed,
    };
    let (started, ended) = (now >= start, now >= start + took);
    let response = StepExecution {
        name: Some(format!("Step{place}")),
        image: ImageArn::parse(&format!("{IMAGE}1")),
        workflow: WorkflowArn::parse(&format!(
            "arn:aws:imagebuilder:us-west-2:aws:workflow/build/workflow{number}/1.0.0/1"
        )),
        workflow_execution_id: Some(execution_id(number)),
        start: started.then(|| at(start)),
        end: ended.then(|| at(start + took)),
        ..StepExecution::with_status(status)
    };
    let id = format!("step-{}", uuid(100 * number + place));
    let unseen = StepRecord::unseen(id.parse().unwrap(), LabelText::default());
    unseen.after_response(response, "us-west-2", at(now))
}

/// All steps of a build so many seconds after its start.
fn steps(plan: &Plan, now: u64) -> Vec<StepRecord> {
    let mut all = Vec::new();
    for (number, (span, (_, steps))) in spans(plan).into_iter().zip(plan).enumerate() {
        let mut start = span.0;
        for (place, took) in steps.iter().enumerate() {
            all.push(step(number, place, start, *took, now));
            start += took;
        }
    }
    all
}

fn records(plan: &Plan, now: u64) -> Records {
    let mut records = Records {
        steps: StepTable::new(steps(plan, now)),
        ..Records::default()
    };
    for (number, ((start, end), (group, steps))) in spans(plan).into_iter().zip(plan).enumerate() {
        let status = match now {
            now if now < start => WorkflowStatus::Pending,
            now if now < end => WorkflowStatus::Running,
            _ => WorkflowStatus::Completed,
        };
        let response = WorkflowExecution {
            image: ImageArn::parse(&format!("{IMAGE}1")),
            parallel_group: group.map(|group| group.to_string()),
            totals: Some(StepTotals {
                planned: steps.len() as u32,
                succeeded: 0,
                failed: 0,
                skipped: 0,
            }),
            ..WorkflowExecution::with_status(status)
        };
        let labels = LabelText::default;
        let unseen = WorkflowRecord::unseen(execution_id(number), labels(), labels());
        records
            .workflows
            .put(unseen.after_response(&response, "us-west-2"));
    }
    records
}

/// Knows the steps of three builds like this one.
fn baselines(plan: &Plan) -> BaselineSnapshot {
    let baselines = Baselines::default();
    for build in 1..=3 {
        for record in steps(plan, 1_000_000) {
            let number = record
                .id
                .to_string()
                .replace("step-0", &format!("step-{build}"));
            let settled = StepRecord {
                id: number.parse().unwrap(),
                phase: Phase::Settled,
                ..record
            };
            baselines.feed("a", &LabelText::default(), &settled);
        }
    }
    baselines.snapshot()
}

/// The expected ends of the executions and of their image, in seconds after the start.
fn ends(plan: &Plan, records: &Records, now: u64) -> (Vec<Option<u64>>, Option<u64>) {
    let snapshot = records.snapshot();
    let ends = ExpectedEnds::of([&*snapshot].into_iter(), &baselines(plan), at(now));
    let seconds = |end: Timestamp| end.millis_since(EPOCH) as u64 / 1_000;
    let executions = (0..plan.len()).map(|number| {
        let end = ends.of_execution(execution_id(number));
        end.map(seconds)
    });
    let of_image = |status| {
        let arn = ImageArn::parse(&format!("{IMAGE}1")).unwrap();
        let image = Image::with_status(arn, status);
        let labels = LabelText::default;
        let record = ImageRecord::new(&image, labels(), labels(), "us-west-2");
        ends.of_image(&record).map(seconds)
    };
    assert_eq!(of_image(ImageStatus::Failed), None);
    (executions.collect(), of_image(ImageStatus::Building))
}

fn change(records: &mut Records, step: usize, change: impl FnOnce(&mut Observation)) {
    let id = format!("step-{}", uuid(step)).parse().unwrap();
    records
        .steps
        .update(&id, |record| change(record.observed.as_mut().unwrap()));
}

fn plan() -> Plan {
    vec![
        (None, vec![60, 600, 60]),
        (Some(1), vec![60, 30]),
        (Some(1), vec![300]),
    ]
}

#[test]
fn build_ends_after_what_runs_and_what_is_to_come() {
    assert_eq!(
        ends(&plan(), &records(&plan(), 100), 100),
        (vec![Some(720), None, None], Some(1_020))
    );
    assert_eq!(
        ends(&plan(), &records(&plan(), 750), 750),
        (vec![None, Some(810), Some(1_020)], Some(1_020))
    );
}

#[test]
fn step_that_overruns_moves_the_end() {
    // The second step should have ended after 660 seconds.
    let stuck = records(&plan(), 650);
    assert_eq!(ends(&plan(), &stuck, 650).1, Some(1_020));
    assert_eq!(ends(&plan(), &stuck, 660).1, Some(1_020));
    let later = ends(&plan(), &stuck, 900);
    assert_eq!(later, (vec![Some(960), None, None], Some(1_260)));
    // Its polls have failed for so long that nobody knows whether it runs.
    assert_eq!(ends(&plan(), &stuck, 650 + 900), (vec![None; 3], None));
}

#[test]
fn nothing_has_an_end_without_baselines() {
    let mut ended = records(&plan(), 720);
    ended.workflows.put({
        let running = WorkflowExecution {
            image: ImageArn::parse(&format!("{IMAGE}1")),
            ..WorkflowExecution::with_status(WorkflowStatus::Running)
        };
        let labels = LabelText::default;
        let unseen = WorkflowRecord::unseen(execution_id(0), labels(), labels());
        unseen.after_response(&running, "us-west-2")
    });
    assert_eq!(ends(&plan(), &ended, 720).0[0], Some(720));
    let snapshot = ended.snapshot();
    let none = BaselineSnapshot::default();
    let ends = ExpectedEnds::of([&*snapshot].into_iter(), &none, at(720));
    assert_eq!(ends.of_execution(execution_id(0)), None);
}

#[test]
fn end_is_unknown_where_a_part_is() {
    let changed = |step, change_it: fn(&mut Observation)| {
        let mut records = records(&plan(), 100);
        change(&mut records, step, change_it);
        ends(&plan(), &records, 100)
    };
    let renamed = |one: &mut Observation| {
        Arc::make_mut(&mut one.definition).identity = LabelText::new([("step", "Other")]);
    };
    let unknown = (vec![None; 3], None);
    assert_eq!(changed(1, renamed), unknown);
    assert_eq!(changed(2, renamed), unknown);
    // An execution to come matters for the image alone.
    assert_eq!(changed(100, renamed), (vec![Some(720), None, None], None));
    // What has ended takes no time.
    assert_eq!(changed(0, renamed).1, Some(1_020));
    for status in [StepStatus::Failed, StepStatus::Cancelled] {
        let mut records = records(&plan(), 100);
        change(&mut records, 0, |one| one.values_mut().status = status);
        assert_eq!(ends(&plan(), &records, 100), unknown);
    }
    let mut incomplete = records(&plan(), 100);
    let last = format!("step-{}", uuid(2)).parse().unwrap();
    incomplete.steps.remove(&last);
    assert_eq!(ends(&plan(), &incomplete, 100), unknown);
}

#[test]
fn failed_step_of_a_workflow_that_continues_has_ended() {
    let failed = |attempt, max_attempts| {
        let mut records = records(&plan(), 100);
        change(&mut records, 0, |one| {
            let values = one.values_mut();
            values.status = StepStatus::Failed;
            (values.attempt, values.max_attempts) = (Some(attempt), Some(max_attempts));
            Arc::make_mut(&mut one.definition).on_failure = Some(OnFailure::Continue);
        });
        ends(&plan(), &records, 100).1
    };
    assert_eq!(failed(1, 1), Some(1_020));
    assert_eq!(failed(1, 2), None);
}

#[test]
fn superseded_and_rolled_back_executions_are_not_waited_for() {
    let observe = |records: &mut Records, change: fn(&mut WorkflowObservation)| {
        records.workflows.update(&execution_id(0), |record| {
            change(record.observed.as_mut().unwrap());
        });
    };
    let mut superseded = records(&plan(), 100);
    observe(&mut superseded, |one| one.retried = Some(true));
    assert_eq!(ends(&plan(), &superseded, 100).1, Some(400));
    let mut rolled_back = records(&plan(), 100);
    observe(&mut rolled_back, |one| {
        one.status = WorkflowStatus::RollbackInProgress;
    });
    assert_eq!(ends(&plan(), &rolled_back, 100), (vec![None; 3], None));
}

fn some_plan() -> impl Strategy<Value = Plan> {
    let steps = proptest::collection::vec(1..900_u64, 1..5);
    let work = (proptest::option::weighted(0.6, 0..2_u8), steps);
    let plan = proptest::collection::vec(work, 1..5);
    // A group does not come back after another one.
    plan.prop_map(|mut plan: Plan| {
        plan.sort_by_key(|(group, _)| *group);
        plan
    })
}

proptest! {
    #[test]
    fn end_is_exact_for_constant_durations(plan in some_plan(), part in 0.0..1.0_f64) {
        let spans = spans(&plan);
        let end = spans.iter().map(|(_, end)| *end).max().unwrap();
        let now = (part * end as f64) as u64;
        let (executions, image) = ends(&plan, &records(&plan, now), now);
        prop_assert_eq!(image, Some(end));
        for (span, expected) in spans.iter().zip(executions) {
            let runs = (span.0..span.1).contains(&now);
            prop_assert_eq!(expected, runs.then_some(span.1));
        }
    }

    #[test]
    fn end_is_never_before_now_and_never_moves_back(
        plan in some_plan(),
        part in 0.0..1.0_f64,
        waits in proptest::collection::vec(0..200_u64, 4),
    ) {
        let end = spans(&plan).iter().map(|(_, end)| *end).max().unwrap();
        let mut now = (part * end as f64) as u64;
        let records = records(&plan, now);
        let mut before = (vec![None; plan.len()], None);
        for wait in waits {
            now += wait;
            let (executions, image) = ends(&plan, &records, now);
            prop_assert!(executions.iter().flatten().chain(&image).all(|end| *end >= now));
            prop_assert!(image >= before.1);
            prop_assert!(executions >= before.0);
            before = (executions, image);
        }
    }
}
