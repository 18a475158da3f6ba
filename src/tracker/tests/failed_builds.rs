//! Which failures of builds are unresolved, and the steps that explain them.

use super::failures::*;
use super::*;
use crate::model::ImageFailure;

#[test]
fn failed_build_names_the_step_that_failed_it() {
    let mut driver = discovering();
    let created = driver.now;
    failed_build(&mut driver);
    driver.listed_images(&[image(&image_arn(0), "FAILED", created)]);
    let expected = format!(
        r#"failed_step="ApplyBuildComponents",step_execution_id="{}","#,
        step_id(0)
    );
    assert_eq!(driver.failure_of_build(0), Some(expected));
    // A retry moves it.
    driver.listed_images(&[image(&image_arn(0), "TESTING", created)]);
    assert_eq!(driver.failure_of_build(0), None);
}

#[test]
fn step_that_its_workflow_goes_on_without_does_not_fail_the_build() {
    let mut driver = discovering();
    let created = driver.now;
    let failed = listed_failure(&mut driver);
    driver.got(Execution {
        on_failure: Some("Continue"),
        ..failed
    });
    driver.listed_images(&[image(&image_arn(0), "FAILED", created)]);
    driver.pass(MINUTE * 2);
    driver.listed_images(&[image(&image_arn(0), "FAILED", created)]);
    assert_eq!(driver.failure_of_build(0).as_deref(), Some(""));
}

#[test]
fn failed_build_without_a_failed_step_appears_once_its_steps_have_settled() {
    let mut driver = discovering();
    let arn = image_arn(0);
    let id = execution_id(&step_id(0));
    let created = driver.now;
    driver.listed_images(&[image(&arn, "DISTRIBUTING", created)]);
    driver.listed_executions(&arn, &[(id, "COMPLETED")]);
    let done = Execution::new(0, 0, "COMPLETED", driver.now.time);
    driver.pass(MINUTE * 2);
    driver.listed(done);
    driver.got(done);
    let failed = Image {
        failure: Some(ImageFailure {
            stage: Some("DISTRIBUTING".into()),
            ..ImageFailure::default()
        }),
        ..image(&arn, "FAILED", created)
    };
    driver.listed_images(std::slice::from_ref(&failed));
    assert_eq!(driver.failure_of_build(0), None);
    driver.drain();
    driver.listed_executions(&arn, &[(id, "COMPLETED")]);
    assert_eq!(driver.failure_of_build(0).as_deref(), Some(""));
}

#[test]
fn failed_build_whose_steps_stay_unknown_appears_after_two_minutes() {
    let mut driver = discovering();
    let arn = image_arn(0);
    let created = driver.now;
    driver.listed_images(&[image(&arn, "BUILDING", created)]);
    let id = execution_id(&step_id(0));
    driver.listed_executions(&arn, &[(id, "RUNNING")]);
    driver.listed_images(&[image(&arn, "FAILED", created)]);
    driver.pass(MINUTE);
    driver.listed_images(&[image(&arn, "FAILED", created)]);
    assert_eq!(driver.failure_of_build(0), None);
    driver.pass(MINUTE);
    driver.listed_images(&[image(&arn, "FAILED", created)]);
    assert_eq!(driver.failure_of_build(0).as_deref(), Some(""));
}

#[test]
fn pending_steps_of_a_failed_execution_are_not_kept_beyond_a_short_retention() {
    let arn = image_arn(0);
    let id = execution_id(&step_id(0));
    let mut short = nothing(true);
    short.target.image_build_versions = vec![arn.clone()];
    short.metrics.retention_failed = MINUTE * 5;
    let mut driver = Driver::new(short, 1);
    let failed = image(&arn, "FAILED", driver.now);
    let ended = WorkflowExecution {
        image: Some(arn.clone()),
        end: Some(driver.now.time),
        ..execution("FAILED")
    };
    let listed = |id| {
        let of_it = [(step_id(0), "FAILED"), (step_id(1), "PENDING")];
        let page = ListPage {
            entries: of_it
                .map(|(id, status)| (id, Some(step(id, status, None))))
                .into(),
            next: None,
        };
        Payload::ListWorkflowStepExecutions(id, page)
    };
    driver.got_image(&failed);
    driver.listed_executions(&arn, &[(id, "FAILED")]);
    let executions = ListPage {
        entries: vec![(id, Some(ended.clone()))],
        next: None,
    };
    let answer = |call: &Call| match call {
        Call::GetWorkflowExecution(id) => Ok(Payload::GetWorkflowExecution(*id, ended.clone())),
        Call::GetImage(arn) => Ok(Payload::GetImage(arn.clone(), Box::new(failed.clone()))),
        Call::ListWorkflowStepExecutions(id) => Ok(listed(*id)),
        Call::ListWorkflowExecutions(arn) => Ok(Payload::ListWorkflowExecutions(
            arn.clone(),
            executions.clone(),
        )),
        _ => Err(ErrorKind::Timeout),
    };
    driver.poll(9, answer);
    assert!(driver.tracker.workflows.steps.contains(&step_id(1)));
    driver.poll(4, answer);
    let _ = driver.tracker.handle_timeout(driver.now);
    assert!(driver.is_evicted(&arn));
    assert!(!driver.tracker.workflows.steps.contains(&step_id(1)));
}
