//! What recovers: executions, images and steps that were lost, denied or unknown for a while.

use super::*;
use crate::snapshot::Phase;

/// An execution that is no longer named, of an image that another target owns.
#[test]
fn unnamed_execution_of_a_foreign_image_is_dropped_at_once() {
    let arn = image_arn(0);
    let id = execution_id(&step_id(0));
    let mut both = assignment("images: ['*']", true);
    both.target.workflow_executions = vec![id];
    let mut driver = Driver::new(both, 1);
    driver
        .owners
        .wanted
        .borrow_mut()
        .insert(Resource::Image(arn.clone()));
    let building = image(&arn, "BUILDING", driver.now);
    driver.listed_images(&[building]);
    assert!(!driver.tracker.workflows.images.is_tracked(&arn));
    driver.got_execution(
        id,
        WorkflowExecution {
            image: Some(arn),
            ..execution("RUNNING")
        },
    );
    driver.configure(assignment("images: ['*']", true));
    let snapshot = driver.tracker.snapshot();
    let shown: Vec<_> = snapshot
        .workflows
        .iter()
        .filter(|r| r.observed.is_some())
        .map(|r| r.id)
        .collect();
    assert_eq!(shown, []);
}

/// An execution that the service did not know for over an hour, and knows again.
#[test]
fn steps_of_a_gone_execution_come_back_when_its_list_succeeds() {
    let step = step_id(0);
    let id = execution_id(&step);
    let mut driver = gone(step);
    driver.listed_steps(id, &[(step, "RUNNING")], None);
    let record = driver.tracker.workflows.steps.record(&step).unwrap();
    assert_eq!(record.phase, Phase::Active);
}

#[test]
fn execution_that_came_back_and_runs_is_not_evicted() {
    let step = step_id(0);
    let id = execution_id(&step);
    let mut driver = gone(step);
    driver.listed_steps(id, &[(step, "RUNNING"), (step_id(1), "RUNNING")], None);
    driver.got_execution(id, execution("RUNNING"));
    for _ in 0..(4 * 120) {
        driver.pass(INTERVAL);
        driver.listed_steps(id, &[(step, "RUNNING"), (step_id(1), "RUNNING")], None);
    }
    let _ = driver.tracker.handle_timeout(driver.now);
    assert!(
        driver.tracker.workflows.executions.contains(id),
        "evicted while RUNNING"
    );
}

fn gone(step: StepExecutionId) -> Driver {
    let id = execution_id(&step);
    let mut driver = Driver::new(naming(&[id]), 1);
    driver.got_execution(id, execution("RUNNING"));
    driver.listed_steps(id, &[(step, "RUNNING")], None);
    driver.got_step(step, "RUNNING").steps.clear();
    let call = Call::ListWorkflowStepExecutions(id);
    for _ in 0..130 {
        driver.pass(INTERVAL);
        let _ = driver.respond(
            call.clone(),
            first(),
            driver.now.instant,
            Err(ErrorKind::Client),
        );
    }
    let record = driver.tracker.workflows.steps.record(&step).unwrap();
    assert_eq!(record.phase, Phase::Gone);
    driver
}

/// A page of an image's executions that arrives while another target owns it.
#[test]
fn late_page_does_not_make_the_next_list_begin_at_its_token() {
    let arn = image_arn(0);
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    let building = image(&arn, "BUILDING", driver.now);
    driver.got_image(&building);
    assert!(driver.tracker.workflows.images.is_tracked(&arn));
    // The call is in flight while the image is lost.
    driver.drain();
    driver
        .owners
        .wanted
        .borrow_mut()
        .insert(Resource::Image(arn.clone()));
    let _ = driver.tracker.review_ownership(&driver.owners, driver.now);
    let page = ListPage {
        entries: vec![(execution_id(&step_id(0)), Some(execution("RUNNING")))],
        next: Some("stale".to_owned()),
    };
    let call = Call::ListWorkflowExecutions(arn.clone());
    let _ = driver.returned(call.clone(), Payload::ListWorkflowExecutions(arn, page));
    driver.pass(INTERVAL);
    driver.owners.wanted.borrow_mut().clear();
    let _ = driver.tracker.review_ownership(&driver.owners, driver.now);
    let mut asked = None;
    while let Some((due, page)) = driver.tracker.next_call(driver.now) {
        if due.call == call {
            asked = Some(page);
        }
    }
    assert_eq!(asked.unwrap().token, None);
}

/// One step that the list leaves out and the service does not know.
#[test]
fn ended_execution_with_a_gone_step_expires() {
    let [one, other] = [step_id(0), step_id(1)];
    let id = execution_id(&one);
    let mut driver = Driver::new(naming(&[id]), 1);
    driver.got_execution(id, execution("RUNNING"));
    driver.listed_steps(id, &[(one, "RUNNING"), (other, "RUNNING")], None);
    let _ = driver.got_step(one, "RUNNING");
    let _ = driver.got_step(other, "RUNNING");
    driver.pass(INTERVAL);
    driver.listed_steps(id, &[(one, "RUNNING")], None);
    for _ in 0..130 {
        driver.pass(INTERVAL);
        let call = Call::GetWorkflowStepExecution(other);
        let _ = driver.respond(call, first(), driver.now.instant, Err(ErrorKind::Client));
        driver.listed_steps(id, &[(one, "RUNNING")], None);
    }
    assert_eq!(
        driver.tracker.workflows.steps.record(&other).unwrap().phase,
        Phase::Gone
    );
    driver.got_execution(id, execution("COMPLETED"));
    driver.pass(INTERVAL);
    driver.listed_steps(id, &[(one, "COMPLETED")], None);
    driver.pass(INTERVAL);
    driver.listed_steps(id, &[(one, "COMPLETED")], None);
    assert_eq!(
        driver.tracker.workflows.steps.record(&one).unwrap().phase,
        Phase::Settled
    );
    let expires = driver
        .tracker
        .workflows
        .executions
        .all_steps(id)
        .unwrap()
        .expires;
    assert!(expires.is_some(), "never evicted");
}

/// A pass without news.
#[test]
fn pass_without_news_publishes_the_same_chunk() {
    let arn = image_arn(0);
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    let building = image(&arn, "BUILDING", driver.now);
    driver.listed_images(std::slice::from_ref(&building));
    let before = driver.tracker.snapshot();
    driver.pass(INTERVAL);
    driver.listed_images(std::slice::from_ref(&building));
    let after = driver.tracker.snapshot();
    let first = |s: &crate::snapshot::Snapshot| s.images.iter().next().map(std::ptr::from_ref);
    assert_eq!(first(&before).unwrap(), first(&after).unwrap());
}

/// Tags become known after the execution.
#[test]
fn named_execution_gets_the_tag_labels_of_its_image_once_they_are_known() {
    let arn = image_arn(0);
    let id = execution_id(&step_id(0));
    let mut both = assignment("images: ['*']", true);
    both.target.workflow_executions = vec![id];
    both.metrics.tag_labels = {
        let yaml = "metrics: {tag_labels: [Team]}\ntargets: [{name: t, regions: [us-west-2], images: ['*']}]\n";
        Config::read("t", yaml, &|_| None)
            .unwrap()
            .config
            .metrics
            .tag_labels
    };
    let mut driver = Driver::new(both.clone(), 1);
    let run = WorkflowExecution {
        image: Some(arn.clone()),
        ..execution("RUNNING")
    };
    driver.got_execution(id, run.clone());
    driver.listed_steps(id, &[(step_id(0), "RUNNING")], None);
    let mut building = image(&arn, "BUILDING", driver.now);
    building.tags = [("Team".to_owned(), "a".to_owned())].into_iter().collect();
    driver.listed_images(std::slice::from_ref(&building));
    driver.listed_executions(&arn, &[(id, "RUNNING")]);
    driver.got_execution(id, run);
    driver.listed_steps(id, &[(step_id(0), "RUNNING")], None);
    let labels = |d: &Driver| {
        let s = d.tracker.snapshot();
        let w = s
            .workflows
            .iter()
            .next()
            .unwrap()
            .info_labels
            .as_str()
            .to_owned();
        let st = s
            .steps
            .iter()
            .next()
            .unwrap()
            .extra
            .info
            .as_str()
            .to_owned();
        (w, st)
    };
    let before = labels(&driver);
    driver.configure(both);
    assert_eq!(
        before,
        labels(&driver),
        "before and after a reload of the same file"
    );
}

/// Named executions of an image that is not tracked; GetWorkflowExecution is denied later.
#[test]
fn pending_named_execution_is_polled_though_another_one_seemed_to_run() {
    let [one, other] = [step_id(0), step_id(2)];
    let [a, b] = [execution_id(&one), execution_id(&other)];
    let run = |status: &str| WorkflowExecution {
        image: Some(image_arn(0)),
        ..execution(status)
    };
    let mut driver = Driver::new(naming(&[a, b]), 1);
    driver.drain();
    driver.got_execution(a, run("RUNNING"));
    driver.got_execution(b, run("PENDING"));
    driver.listed_steps(a, &[(one, "RUNNING")], None);
    driver.listed_steps(b, &[(other, "PENDING")], None);
    let _ = driver.got_step(one, "RUNNING");
    let _ = driver.got_step(other, "PENDING");
    // From here on GetWorkflowExecution is denied, and all else succeeds.
    let mut polled = 0;
    driver.poll(60, |call| match call {
        Call::GetWorkflowExecution(_) => Err(ErrorKind::Forbidden),
        Call::ListWorkflowStepExecutions(id) => {
            let (step_, status) = if *id == a {
                (one, "COMPLETED")
            } else {
                (other, "RUNNING")
            };
            polled += usize::from(*id == b);
            Ok(Payload::ListWorkflowStepExecutions(
                *id,
                ListPage {
                    entries: vec![(step_, Some(step(step_, status, None)))],
                    next: None,
                },
            ))
        }
        Call::GetWorkflowStepExecution(id) => {
            polled += usize::from(*id == other);
            let status = if *id == one { "COMPLETED" } else { "RUNNING" };
            Ok(Payload::GetWorkflowStepExecution(
                *id,
                Box::new(step(*id, status, None)),
            ))
        }
        other => panic!("{other:?}"),
    });
    assert!(polled > 0, "never polled in 30 minutes");
}

/// A named execution of a known image that is not selected; Lists of steps are denied.
#[test]
fn end_of_a_named_execution_is_noticed_where_lists_are_denied() {
    let arn = image_arn(0);
    let one = step_id(0);
    let id = execution_id(&one);
    let mut other = assignment("images: [other]", true);
    other.target.workflow_executions = vec![id];
    let mut driver = Driver::new(other, 1);
    let building = image(&arn, "BUILDING", driver.now);
    driver.drain();
    driver.listed_images(std::slice::from_ref(&building));
    driver.got_execution(
        id,
        WorkflowExecution {
            image: Some(arn),
            ..execution("RUNNING")
        },
    );
    driver.listed_steps(id, &[(one, "RUNNING")], None);
    let _ = driver.got_step(one, "RUNNING");
    driver.drain();
    let mut asked_execution = 0;
    driver.poll(4 * 120, |call| match call {
        Call::GetWorkflowExecution(_) => {
            asked_execution += 1;
            Ok(Payload::GetWorkflowExecution(id, execution("COMPLETED")))
        }
        Call::ListWorkflowExecutions(_) => {
            asked_execution += 1;
            Err(ErrorKind::Server)
        }
        Call::ListWorkflowStepExecutions(_) => Err(ErrorKind::Forbidden),
        Call::GetWorkflowStepExecution(id) => Ok(Payload::GetWorkflowStepExecution(
            *id,
            Box::new(step(*id, "COMPLETED", None)),
        )),
        Call::ListImageBuildVersions(_) => Ok(Payload::ListImageBuildVersions(
            Account,
            ListPage {
                entries: vec![(building.arn.clone(), Some(building.clone()))],
                next: None,
            },
        )),
        other => panic!("{other:?}"),
    });
    assert!(asked_execution > 0, "its end was never polled in 4 hours");
}

/// ListWorkflowExecutions is denied, and two images are tracked.
#[test]
fn all_is_attempted_where_lists_of_executions_are_denied() {
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    let images = [0, 1].map(|at| image(&image_arn(at), "BUILDING", driver.now));
    driver.listed_images(&images);
    for _ in 0..20 {
        while let Some((due, page)) = driver.tracker.next_call(driver.now) {
            let (call, asked) = (due.call, driver.now.instant);
            let result = match &call {
                Call::ListWorkflowExecutions(_) => Err(ErrorKind::Forbidden),
                Call::GetImage(arn) => Ok(Payload::GetImage(
                    arn.clone(),
                    Box::new(image(arn, "BUILDING", driver.now)),
                )),
                Call::ListImageBuildVersions(_) => Ok(Payload::ListImageBuildVersions(
                    Account,
                    ListPage {
                        entries: listed(&images),
                        next: None,
                    },
                )),
                other => panic!("{other:?}"),
            };
            let _ = driver.respond(call, page, asked, result);
        }
        driver.pass(INTERVAL);
    }
    assert!(driver.tracker.all_attempted(), "not ready after 10 minutes");
}

/// A large page is refused of what is no longer tracked.
#[test]
fn pages_are_large_again_where_the_refused_list_is_no_longer_wanted() {
    let arn = image_arn(0);
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    driver.got_image(&image(&arn, "BUILDING", driver.now));
    driver.drain();
    driver
        .owners
        .wanted
        .borrow_mut()
        .insert(Resource::Image(arn.clone()));
    let _ = driver.tracker.review_ownership(&driver.owners, driver.now);
    let large = Page {
        size: LARGE_PAGE,
        token: None,
    };
    let call = Call::ListWorkflowExecutions(arn);
    let _ = driver.respond(call, large, driver.now.instant, Err(ErrorKind::Client));
    for _ in 0..10 {
        driver.pass(INTERVAL);
        driver.listed_images(&[]);
    }
    assert_eq!(driver.tracker.page_size.get(), LARGE_PAGE);
}
