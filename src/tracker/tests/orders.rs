//! Single orders of events, each of which was once handled wrongly.

use super::*;
use crate::model::{Pipeline, PipelineArn};

fn pipeline_arn() -> PipelineArn {
    let arn = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/nightly";
    PipelineArn::parse(arn).expect("it is one")
}

/// The account has one pipeline, without tags.
fn listed_pipelines(driver: &mut Driver) -> Changes {
    let pipeline = Pipeline {
        recipe: Some("golden".to_owned()),
        ..Pipeline::with_arn(pipeline_arn())
    };
    let page = ListPage {
        entries: vec![pipeline],
        next: None,
    };
    let call = Call::ListImagePipelines(Account);
    driver.returned(call, Payload::ListImagePipelines(Account, page))
}

#[test]
fn pipeline_stays_disabled_while_its_entry_has_no_status() {
    let mut driver = Driver::new(assignment("pipelines: [nightly]", true), 1);
    let mut list = |enabled| {
        let pipeline = Pipeline {
            enabled,
            ..Pipeline::with_arn(pipeline_arn())
        };
        let page = ListPage {
            entries: vec![pipeline],
            next: None,
        };
        let call = Call::ListImagePipelines(Account);
        let _ = driver.returned(call, Payload::ListImagePipelines(Account, page));
        let pipelines = driver.tracker.snapshot().pipelines;
        let enabled: Vec<_> = pipelines.iter().map(|pipeline| pipeline.enabled).collect();
        enabled
    };
    assert_eq!(list(Some(false)), [Some(false)]);
    assert_eq!(list(None), [Some(false)]);
    assert_eq!(list(Some(true)), [Some(true)]);
}

/// An image of the pipeline that was built.
fn built(arn: &ImageArn, now: Now) -> Image {
    Image {
        pipeline: Some(pipeline_arn()),
        ..image(arn, "AVAILABLE", now)
    }
}

/// A tracker that selects every image, and so tracks this one.
fn tracking(image: &Image, longer: bool) -> Driver {
    let mut driver = Driver::new(assignment("images: ['*']", longer), 1);
    driver.got_image(image);
    assert!(driver.tracker.workflows.images.is_tracked(&image.arn));
    driver
}

fn retention_of(driver: &Driver, id: WorkflowExecutionId) -> Duration {
    let tracker = &driver.tracker;
    tracker.workflows.retention_of(id, &tracker.c)
}

#[test]
fn unlisted_step_that_no_list_has_told_of_leaves_with_its_execution() {
    let step = step_id(0);
    let mut both = naming(&[execution_id(&step)]);
    both.target.step_executions = listing([step]);
    let mut driver = Driver::new(both, 1);
    let _ = driver.got_step(step, "RUNNING");
    driver.configure(naming(&[execution_id(&step)]));
    assert!(driver.tracker.workflows.steps.contains(&step));
    driver.configure(nothing(true));
    assert!(!driver.tracker.workflows.steps.contains(&step));
}

#[test]
fn execution_that_goes_on_is_listed_again_also_where_its_list_was_broken_off() {
    let step = step_id(0);
    let id = execution_id(&step);
    let mut driver = Driver::new(naming(&[id]), 1);
    driver.got_execution(id, execution("COMPLETED"));
    driver.pass(INTERVAL);
    driver.listed_steps(id, &[(step, "RUNNING")], None);
    driver.pass(INTERVAL);
    driver.listed_steps(id, &[], Some("token"));
    let changes = driver.got_step(step, "COMPLETED");
    assert_eq!(
        changes.steps[0].after.phase,
        crate::snapshot::Phase::Settled
    );
    driver.pass(INTERVAL);
    driver.got_execution(id, execution("RUNNING"));
    assert!(driver.waits(&Call::ListWorkflowStepExecutions(id)));
}

#[test]
fn listed_step_that_no_list_has_told_of_is_polled_when_its_execution_is_dropped() {
    let arn = image_arn(0);
    let [first, second] = [step_id(0), step_id(2)];
    let waiting = execution_id(&second);
    let mut named = nothing(true);
    named.target.image_build_versions = vec![arn.clone()];
    let mut driver = Driver::new(named.clone(), 1);
    driver.got_image(&image(&arn, "BUILDING", driver.now));
    let executions = [(execution_id(&first), "RUNNING"), (waiting, "PENDING")];
    driver.listed_executions(&arn, &executions);
    assert!(
        driver
            .tracker
            .workflows
            .executions
            .tracks_all_steps(waiting)
    );
    driver.drain();
    driver.listed_steps(waiting, &[], None);
    named.target.step_executions = listing([second]);
    driver.configure(named);
    driver.drain();
    let _ = driver.got_step(second, "PENDING");
    let executions = &driver.tracker.workflows.executions;
    assert!(executions.waits_behind_another(waiting));
    { driver.owners.wanted.borrow_mut() }.insert(Resource::Image(arn));
    let _ = driver.tracker.review_ownership(&driver.owners, driver.now);
    assert!(driver.waits(&Call::GetWorkflowStepExecution(second)));
}

#[test]
fn image_of_a_pipeline_that_is_no_longer_selected_matters_no_more() {
    let mut driver = Driver::new(assignment("pipelines: [nightly]", true), 1);
    let image = image(&image_arn(0), "AVAILABLE", driver.now);
    let _ = listed_pipelines(&mut driver);
    driver.listed_images(std::slice::from_ref(&image));
    assert_eq!(driver.tracker.names.exposed.records().len(), 1);
    driver.configure(assignment("images: [other]", true));
    driver.listed_images(&[image]);
    assert_eq!(driver.tracker.names.exposed.records().len(), 0);
}

#[test]
fn name_matters_not_for_an_image_of_which_only_the_pipelines_will_tell() {
    let built = built(&image_arn(0), start());
    let mut driver = tracking(&built, true);
    driver.configure(assignment("pipelines: ['*'], tags: {Team: a}", true));
    driver.listed_images(std::slice::from_ref(&built));
    assert!(driver.tracker.workflows.images.is_tracked(&built.arn));
    assert_eq!(driver.tracker.names.exposed.records().len(), 0);
}

#[test]
fn evicted_image_that_is_no_longer_selected_takes_its_failed_executions_along() {
    let arn = image_arn(0);
    let mut driver = tracking(&built(&arn, start()), true);
    driver.drain();
    driver.listed_executions(&arn, &[]);
    driver.pass(driver.tracker.c.pace.retention + INTERVAL);
    let _ = driver.tracker.handle_timeout(driver.now);
    assert!(driver.is_evicted(&arn));
    driver.configure(assignment("pipelines: ['*'], tags: {Team: a}", true));
    let changes = listed_pipelines(&mut driver);
    assert_eq!(changes.released, [Resource::Image(arn)]);
}

#[test]
fn named_execution_is_kept_longer_only_for_a_failed_image_that_is_tracked() {
    let arn = image_arn(0);
    let id = execution_id(&step_id(0));
    let mut other = assignment("images: [other]", true);
    other.target.workflow_executions = vec![id];
    let mut driver = Driver::new(other.clone(), 1);
    let failed = image(&arn, "FAILED", driver.now);
    let page = ListPage {
        entries: vec![(arn.clone(), Some(failed.clone()))],
        next: Some("token".to_owned()),
    };
    let call = Call::ListImageBuildVersions(Account);
    let _ = driver.returned(call, Payload::ListImageBuildVersions(Account, page));
    let cancelled = WorkflowExecution {
        image: Some(arn.clone()),
        ..execution("CANCELLED")
    };
    driver.got_execution(id, cancelled);
    assert_eq!(retention_of(&driver, id), HOUR * 3);
    other.target.image_build_versions = vec![arn];
    driver.configure(other);
    driver.got_image(&failed);
    assert_eq!(retention_of(&driver, id), HOUR * 24);
}

#[test]
fn failed_image_whose_retry_succeeded_between_two_lists_stays_until_its_executions_are_told() {
    let arn = image_arn(0);
    let failed = image(&arn, "FAILED", start());
    let mut driver = tracking(&failed, false);
    driver.drain();
    driver.listed_executions(&arn, &[]);
    driver.pass(driver.tracker.c.pace.retention + INTERVAL);
    let succeeded = Image {
        status: ImageStatus::Available,
        failure: None,
        ..failed
    };
    driver.listed_images(&[succeeded]);
    let _ = driver.tracker.handle_timeout(driver.now);
    assert!(driver.tracker.workflows.images.is_tracked(&arn));
    assert!(driver.waits(&Call::ListWorkflowExecutions(arn.clone())));
    driver.drain();
    driver.listed_executions(&arn, &[]);
    assert!(driver.is_evicted(&arn));
}

/// A tracker whose Lists returned two steps a while ago, which no Get has returned yet.
fn told_by_lists() -> (Driver, [StepExecutionId; 2]) {
    let steps = [step_id(0), step_id(2)];
    let mut driver = Driver::new(naming(&steps.map(|step| execution_id(&step))), 1);
    for step in steps {
        driver.listed_steps(execution_id(&step), &[(step, "PENDING")], None);
    }
    driver.pass(INTERVAL * 10);
    (driver, steps)
}

#[test]
fn step_that_failed_is_polled_before_all_that_has_waited_longer() {
    let (mut driver, [_, step]) = told_by_lists();
    driver.listed_steps(execution_id(&step), &[(step, "FAILED")], None);
    let (first, _) = driver.tracker.next_call(driver.now).unwrap();
    assert_eq!(first.call, Call::GetWorkflowStepExecution(step));
    assert_eq!(first.urgency, Urgency::Hurried);
}

#[test]
fn step_that_failed_is_not_polled_in_vain_at_each_list() {
    let (mut driver, [_, step]) = told_by_lists();
    let call = Call::GetWorkflowStepExecution(step);
    let begin = driver.now;
    driver.listed_steps(execution_id(&step), &[(step, "FAILED")], None);
    for kind in [ErrorKind::Client, ErrorKind::Forbidden] {
        driver.now = begin;
        let _ = driver.respond(call.clone(), first(), begin.instant, Err(kind));
        driver.pass(INTERVAL);
        driver.listed_steps(execution_id(&step), &[(step, "FAILED")], None);
        let due = driver.tracker.c.queue.due(&call).unwrap();
        assert!(due >= begin.instant + HOUR * 9 / 10, "{kind:?}");
    }
}

#[test]
fn execution_that_stays_unknown_is_evicted_when_it_was_to_be() {
    let id = execution_id(&step_id(0));
    let call = Call::ListWorkflowStepExecutions(id);
    let mut driver = Driver::new(naming(&[id]), 1);
    let unknown_now = |driver: &mut Driver| {
        // A large page is refused first, whatever is unknown.
        for _ in 0..2 {
            let asked = driver.now.instant;
            let _ = driver.respond(call.clone(), first(), asked, Err(ErrorKind::Client));
        }
        let all = driver.tracker.workflows.executions.all_steps(id);
        all.and_then(|all| all.expires)
    };
    assert_eq!(unknown_now(&mut driver), None);
    driver.pass(HOUR);
    let expires = Some(driver.now.instant + HOUR * 3);
    assert_eq!(unknown_now(&mut driver), expires);
    driver.pass(HOUR);
    assert_eq!(unknown_now(&mut driver), expires);
    driver.pass(HOUR * 2);
    let _ = driver.tracker.handle_timeout(driver.now);
    assert!(!driver.tracker.workflows.executions.contains(id));
}
