//! Which failures of steps are unresolved, and when they are.

use proptest::prelude::*;

use super::*;
use crate::labels::LabelText;
use crate::model::{OnFailure, WorkflowArn};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A step execution of a build.
#[derive(Clone, Copy)]
pub(super) struct Execution {
    pub(super) id: usize,
    pub(super) build: usize,
    pub(super) status: &'static str,
    pub(super) started: Timestamp,
    pub(super) on_failure: Option<&'static str>,
    pub(super) attempts: Option<(u32, u32)>,
    pub(super) rollback: Option<&'static str>,
}

impl Execution {
    pub(super) fn new(id: usize, build: usize, status: &'static str, started: Timestamp) -> Self {
        Self {
            id,
            build,
            status,
            started,
            on_failure: Some("Abort"),
            attempts: None,
            rollback: None,
        }
    }

    /// The response about it; it takes a minute, and its timeout is an hour.
    pub(super) fn response(self) -> StepExecution {
        let workflow = "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.2/1";
        StepExecution {
            name: Some("ApplyBuildComponents".into()),
            image: Some(image_arn(self.build)),
            workflow: WorkflowArn::parse(workflow),
            start: Some(self.started),
            end: (self.status != "RUNNING").then(|| self.started.plus(MINUTE)),
            timeout_seconds: Some(3_600),
            on_failure: self.on_failure.map(OnFailure::parse),
            attempt: self.attempts.map(|(attempt, _)| attempt),
            max_attempts: self.attempts.map(|(_, most)| most),
            ..step(step_id(self.id), self.status, self.rollback)
        }
    }
}

impl Driver {
    pub(super) fn got(&mut self, step: Execution) {
        let id = step_id(step.id);
        let payload = Payload::GetWorkflowStepExecution(id, Box::new(step.response()));
        let _ = self.returned(Call::GetWorkflowStepExecution(id), payload);
    }

    /// A List returns the step, without what only a Get has.
    pub(super) fn listed(&mut self, step: Execution) {
        let id = execution_id(&step_id(step.id));
        let response = StepExecution {
            on_failure: None,
            timeout_seconds: None,
            ..step.response()
        };
        let page = ListPage {
            entries: vec![(step_id(step.id), Some(response))],
            next: None,
        };
        let payload = Payload::ListWorkflowStepExecutions(id, page);
        let _ = self.returned(Call::ListWorkflowStepExecutions(id), payload);
    }

    fn ago(&self, time: Duration) -> Timestamp {
        Timestamp::from_millis(self.now.time.millis() - time.as_millis() as i64)
    }

    pub(super) fn failure_of(&self, id: usize) -> Option<String> {
        let record = self.tracker.workflows.steps.record(&step_id(id))?;
        let failure = record.unresolved.as_ref()?.failure.as_ref();
        failure.map(|labels| labels.as_str().to_owned())
    }

    pub(super) fn failure_of_build(&self, build: usize) -> Option<String> {
        let images = &self.tracker.workflows.images.exposed;
        let labels = images.get(&image_arn(build))?.unresolved.as_ref();
        labels.map(LabelText::as_str).map(str::to_owned)
    }

    fn time_out(&mut self) {
        let _ = self.tracker.handle_timeout(self.now);
    }
}

/// A failure that is exposed is one; and the failures of tracked steps are all that is remembered.
pub(super) fn check(tracker: &Tracker) -> Result<(), TestCaseError> {
    for (record, _) in tracker.workflows.steps.table().rows().rows() {
        let id = record.id;
        let Some(observed) = &record.observed else {
            prop_assert!(record.unresolved.is_none(), "{id} was never observed");
            continue;
        };
        let failed = observed.values.status == StepStatus::Failed;
        let remembered = tracker.c.failures.steps.contains_key(&id);
        prop_assert_eq!(failed, remembered, "{}", id);
        let exposed = record.unresolved.is_some();
        prop_assert!(!exposed || failed, "{id} has not failed");
    }
    for id in tracker.c.failures.steps.keys() {
        prop_assert!(tracker.workflows.steps.contains(id), "{id} is not tracked");
    }
    Ok(())
}

const ABORT: &str = r#"image_version="1.0.0/0",on_failure="Abort",cause="failure","#;
const UNKNOWN: &str = r#"image_version="1.0.0/0",cause="failure","#;

/// A tracker that discovers images, and has begun a while ago.
pub(super) fn discovering() -> Driver {
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    driver.listed_images(&[]);
    driver.pass(Duration::from_secs(10 * 60));
    driver
}

/// A build whose step was listed as FAILED a minute ago.
pub(super) fn listed_failure(driver: &mut Driver) -> Execution {
    let arn = image_arn(0);
    let id = execution_id(&step_id(0));
    driver.listed_images(&[image(&arn, "BUILDING", driver.now)]);
    driver.listed_executions(&arn, &[(id, "RUNNING")]);
    let failed = Execution::new(0, 0, "FAILED", driver.now.time);
    driver.pass(MINUTE * 2);
    driver.listed(failed);
    failed
}

pub(super) fn failed_build(driver: &mut Driver) {
    let failed = listed_failure(driver);
    driver.got(failed);
}

#[test]
fn failure_appears_once_the_get_has_its_last_label() {
    let mut driver = discovering();
    let failed = listed_failure(&mut driver);
    assert_eq!(driver.failure_of(0), None);
    driver.got(failed);
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
}

#[test]
fn failure_whose_get_fails_appears_without_that_label_and_keeps_its_labels() {
    for kind in [ErrorKind::Forbidden, ErrorKind::Server] {
        let mut driver = discovering();
        let failed = listed_failure(&mut driver);
        let call = Call::GetWorkflowStepExecution(step_id(0));
        let asked = driver.now.instant;
        let _ = driver.respond(call, first(), asked, Err(kind));
        assert_eq!(driver.failure_of(0).as_deref(), Some(UNKNOWN), "{kind:?}");
        driver.got(failed);
        assert_eq!(driver.failure_of(0).as_deref(), Some(UNKNOWN), "{kind:?}");
    }
}

#[test]
fn cause_is_the_timeout_where_the_step_ran_into_it() {
    let mut driver = discovering();
    let mut response = Execution::new(0, 0, "FAILED", driver.ago(MINUTE * 2)).response();
    response.timeout_seconds = Some(60);
    driver.configure(listed_steps_of([0]));
    let id = step_id(0);
    let payload = Payload::GetWorkflowStepExecution(id, Box::new(response));
    let _ = driver.returned(Call::GetWorkflowStepExecution(id), payload);
    let failure = driver.failure_of(0).expect("it failed");
    assert!(failure.ends_with(r#"cause="timeout","#), "{failure}");
}

fn listed_steps_of(ids: impl IntoIterator<Item = usize>) -> Assignment {
    let mut assignment = nothing(true);
    assignment.target.step_executions = listing(ids.into_iter().map(step_id));
    assignment
}

#[test]
fn step_with_attempts_left_has_not_failed_for_good_until_its_next_attempt_does_not_come() {
    let mut driver = Driver::new(listed_steps_of([0]), 1);
    driver.pass(MINUTE * 2);
    let started = driver.ago(MINUTE);
    let first = Execution {
        attempts: Some((1, 2)),
        ..Execution::new(0, 0, "FAILED", started)
    };
    driver.got(first);
    assert_eq!(driver.failure_of(0), None);
    let attempts = Some((2, 2));
    driver.got(Execution { attempts, ..first });
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
    driver.got(Execution {
        status: "RUNNING",
        ..first
    });
    assert_eq!(driver.failure_of(0), None);
    driver.got(first);
    driver.pass(MINUTE * 14);
    driver.time_out();
    assert_eq!(driver.failure_of(0), None);
    driver.pass(MINUTE);
    driver.time_out();
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
}

#[test]
fn later_success_of_the_step_resolves_its_failure_for_good() {
    let mut driver = Driver::new(listed_steps_of([0, 2]), 1);
    driver.pass(MINUTE * 10);
    driver.got(Execution::new(0, 0, "FAILED", driver.ago(MINUTE * 5)));
    let running = Execution::new(2, 1, "RUNNING", driver.ago(MINUTE * 2));
    driver.got(running);
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
    driver.got(Execution {
        status: "COMPLETED",
        ..running
    });
    assert_eq!(driver.failure_of(0), None);
    // The success may be evicted long before the failure.
    driver.configure(listed_steps_of([0]));
    driver.got(Execution::new(0, 0, "FAILED", driver.ago(MINUTE * 5)));
    assert_eq!(driver.failure_of(0), None);
}

#[test]
fn earlier_success_and_success_of_another_step_resolve_nothing() {
    let mut driver = Driver::new(listed_steps_of([0, 2, 4]), 1);
    driver.pass(MINUTE * 10);
    driver.got(Execution::new(2, 1, "COMPLETED", driver.ago(MINUTE * 8)));
    driver.got(Execution::new(0, 0, "FAILED", driver.ago(MINUTE * 5)));
    let mut other = Execution::new(4, 1, "COMPLETED", driver.ago(MINUTE)).response();
    other.name = Some("CreateOutputAMI".into());
    let payload = Payload::GetWorkflowStepExecution(step_id(4), Box::new(other));
    let _ = driver.returned(Call::GetWorkflowStepExecution(step_id(4)), payload);
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
}

#[test]
fn success_that_is_known_before_the_failure_resolves_it_too() {
    let mut driver = Driver::new(listed_steps_of([0, 2]), 1);
    driver.pass(MINUTE * 10);
    driver.got(Execution::new(2, 1, "COMPLETED", driver.ago(MINUTE * 2)));
    driver.got(Execution::new(0, 0, "FAILED", driver.ago(MINUTE * 5)));
    assert_eq!(driver.failure_of(0), None);
}

#[test]
fn retry_of_the_build_resolves_the_failures_of_the_executions_it_superseded() {
    let mut driver = discovering();
    failed_build(&mut driver);
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
    let superseded = WorkflowExecution {
        retried: Some(true),
        ..execution("FAILED")
    };
    let page = ListPage {
        entries: vec![(execution_id(&step_id(0)), Some(superseded))],
        next: None,
    };
    let call = Call::ListWorkflowExecutions(image_arn(0));
    let payload = Payload::ListWorkflowExecutions(image_arn(0), page);
    let _ = driver.returned(call, payload);
    assert_eq!(driver.failure_of(0), None);
}

#[test]
fn newer_available_build_resolves_failures_of_the_step_and_of_the_build() {
    let mut driver = discovering();
    let created = driver.now;
    failed_build(&mut driver);
    driver.listed_images(&[image(&image_arn(0), "FAILED", created)]);
    assert!(driver.failure_of(0).is_some() && driver.failure_of_build(0).is_some());
    driver.pass(MINUTE);
    let failed = image(&image_arn(0), "FAILED", created);
    driver.listed_images(&[failed.clone(), image(&image_arn(1), "BUILDING", driver.now)]);
    assert!(driver.failure_of(0).is_some() && driver.failure_of_build(0).is_some());
    driver.listed_images(&[failed, image(&image_arn(1), "AVAILABLE", driver.now)]);
    assert_eq!(
        (driver.failure_of(0), driver.failure_of_build(0)),
        (None, None)
    );
    // A reload reads the lists again.
    driver.configure(assignment("images: ['golden', '*']", true));
    assert_eq!(
        (driver.failure_of(0), driver.failure_of_build(0)),
        (None, None)
    );
}

#[test]
fn failure_of_a_listed_step_ends_with_the_retention_of_failures() {
    let mut driver = Driver::new(listed_steps_of([0]), 1);
    driver.pass(MINUTE * 2);
    driver.got(Execution::new(0, 0, "FAILED", driver.ago(MINUTE)));
    driver.pass(HOUR * 24 - MINUTE);
    driver.time_out();
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
    driver.pass(MINUTE);
    driver.time_out();
    assert_eq!(driver.failure_of(0), None);
    assert!(driver.tracker.workflows.steps.contains(&step_id(0)));
}

#[test]
fn failed_rollback_is_unresolved_whatever_the_step_ended_with() {
    let mut driver = Driver::new(listed_steps_of([0]), 1);
    driver.pass(MINUTE * 5);
    driver.got(Execution {
        rollback: Some("FAILED"),
        ..Execution::new(0, 0, "COMPLETED", driver.ago(MINUTE * 3))
    });
    let expected = r#"image_version="1.0.0/0","#;
    let record = driver.tracker.workflows.steps.record(&step_id(0));
    let unresolved = record.and_then(|record| record.unresolved.as_deref());
    let unresolved = unresolved.map(|one| (one.failure.is_none(), one.rollback.as_ref()));
    assert_eq!(
        unresolved,
        Some((true, Some(&LabelText::from_escaped(expected.into()))))
    );
}

/// After a restart, a failure of yesterday and the success that resolved it come in any order.
#[test]
fn failure_from_before_the_start_waits_until_everything_has_been_polled_once() {
    let mut driver = Driver::new(listed_steps_of([0, 2]), 1);
    let before = Execution::new(0, 0, "FAILED", driver.ago(MINUTE * 60));
    driver.got(before);
    assert_eq!(driver.failure_of(0), None);
    driver.got(Execution::new(2, 1, "FAILED", driver.now.time));
    assert_eq!(driver.failure_of(0).as_deref(), Some(ABORT));
}
