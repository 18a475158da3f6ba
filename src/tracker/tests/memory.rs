//! What a listed step takes once it has settled.

use super::*;
use crate::snapshot::Phase;

const STEPS: usize = 4_000;

/// All of them have ended long ago, and none has a workflow execution.
fn settled() -> Driver {
    let id = |at| format!("step-00000000-0000-4000-8000-{at:012x}");
    let mut assignment = nothing(true);
    assignment.target.step_executions = listing((0..STEPS).map(|at| id(at).parse().unwrap()));
    let mut driver = Driver::new(assignment, 1);
    let ended = driver.now.time.plus_millis(-48 * 3_600_000);
    // The first polls are spread over the time that the rate limit needs for them.
    driver.poll(30, |call| match call {
        Call::GetWorkflowStepExecution(id) => {
            let step = StepExecution {
                end: Some(ended),
                ..StepExecution::with_status(StepStatus::Completed)
            };
            Ok(Payload::GetWorkflowStepExecution(*id, Box::new(step)))
        }
        _ => Err(ErrorKind::Forbidden),
    });
    driver
}

#[test]
fn settled_listed_step_takes_at_most_245_bytes_with_its_entry_in_the_configuration() {
    let mut driver = None;
    let held = allocation_counter::measure(|| driver = Some(settled())).bytes_current;
    let snapshot = driver.unwrap().tracker.snapshot();
    assert_eq!(snapshot.steps.in_phase(Phase::Settled), STEPS);
    let step = held / STEPS as i64;
    assert!(step <= 245, "{step}");
}

#[test]
fn assignments_share_the_listed_steps_of_the_configuration() {
    let yaml = format!(
        "targets: [{{name: t, regions: [us-west-2], step_executions: [{}]}}]",
        step_id(0)
    );
    let config = Config::read("test.yaml", &yaml, &|_| None).unwrap().config;
    let assignment = Assignment::all(&config).remove(0);
    let shared = &config.targets[0].step_executions;
    assert!(Arc::ptr_eq(shared, &assignment.target.step_executions));
}
