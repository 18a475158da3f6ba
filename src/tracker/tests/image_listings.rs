//! The lists of an image's executions that fail, and those that are needed while one runs.

use super::*;
use crate::snapshot::ImageName;

/// Answers what does not concern an execution: the account has this image alone.
fn about_image(call: &Call, image: &Image) -> Option<Payload> {
    Some(match call {
        Call::GetImage(arn) => Payload::GetImage(arn.clone(), Box::new(image.clone())),
        Call::ListImageBuildVersions(_) => {
            let page = ListPage {
                entries: vec![(image.arn.clone(), Some(image.clone()))],
                next: None,
            };
            Payload::ListImageBuildVersions(Account, page)
        }
        _ => return None,
    })
}

#[test]
fn failed_image_whose_executions_cannot_be_listed_is_exposed_and_retried_seldom() {
    // A client error may speak of the size of the page, so that each attempt is made with two sizes.
    for (kind, most) in [(ErrorKind::Client, 48), (ErrorKind::Server, 24)] {
        let arn = image_arn(0);
        let mut driver = Driver::new(assignment("images: ['*']", true), 1);
        let failed = image(&arn, "FAILED", driver.now);
        let mut lists = 0;
        let mut answer = |call: &Call| {
            lists += usize::from(matches!(call, Call::ListWorkflowExecutions(_)));
            about_image(call, &failed).ok_or(kind)
        };
        driver.poll(1, &mut answer);
        let images = driver.tracker.snapshot().images;
        let exposed: Vec<_> = images.iter().map(|image| image.status.as_str()).collect();
        assert_eq!(exposed, ["FAILED"], "{kind:?}");
        driver.poll(120, &mut answer);
        assert!(lists <= most, "{kind:?}: {lists} lists in an hour");
    }
}

#[test]
fn execution_that_begins_beside_a_running_one_is_tracked_within_a_discovery_interval_and_a_poll() {
    let (arn, early, late) = (
        image_arn(0),
        execution_id(&step_id(0)),
        execution_id(&step_id(2)),
    );
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    let testing = image(&arn, "TESTING", driver.now);
    let answer = |executions: &[WorkflowExecutionId], call: &Call| {
        let running = Ok(Payload::GetWorkflowExecution(early, execution("RUNNING")));
        match call {
            Call::ListWorkflowExecutions(_) => {
                let entries = executions.iter();
                let page = ListPage {
                    entries: entries
                        .map(|id| (*id, Some(execution("RUNNING"))))
                        .collect(),
                    next: None,
                };
                Ok(Payload::ListWorkflowExecutions(arn.clone(), page))
            }
            Call::ListWorkflowStepExecutions(id) => {
                let page = ListPage {
                    entries: steps_of(*id, "RUNNING", None),
                    next: None,
                };
                Ok(Payload::ListWorkflowStepExecutions(*id, page))
            }
            Call::GetWorkflowStepExecution(id) => {
                let step = Box::new(step(*id, "RUNNING", None));
                Ok(Payload::GetWorkflowStepExecution(*id, step))
            }
            Call::GetWorkflowExecution(_) => running,
            _ => about_image(call, &testing).ok_or(ErrorKind::Client),
        }
    };
    driver.poll(10, |call| answer(&[early], call));
    assert_eq!(driver.tracker.snapshot().workflows.iter().count(), 1);
    driver.poll(5, |call| answer(&[early, late], call));
    assert_eq!(driver.tracker.snapshot().workflows.iter().count(), 2);
    let mut count = 0;
    driver.poll(100, |call| {
        count += 1;
        answer(&[early, late], call)
    });
    assert!(
        count <= 300,
        "{count} calls in 100 intervals for two executions"
    );
}

#[test]
fn execution_that_settled_before_its_image_was_known_is_kept_as_long_as_a_failed_image() {
    let (arn, one) = (image_arn(0), step_id(0));
    let id = execution_id(&one);
    let mut assignment = assignment("images: ['*']", false);
    assignment.target.workflow_executions = vec![id];
    let mut driver = Driver::new(assignment, 1);
    driver.got_execution(id, execution("CANCELLED"));
    driver.listed_steps(id, &[(one, "CANCELLED")], None);
    driver.got_image(&image(&arn, "FAILED", driver.now));
    driver.listed_executions(&arn, &[(id, "CANCELLED")]);
    // Retention is 15 minutes, and 24 hours for what failed.
    driver.pass(Duration::from_secs(20 * 60));
    let _ = driver.tracker.handle_timeout(driver.now);
    let exposed = driver.tracker.snapshot().workflows;
    assert_eq!(exposed.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
}

#[test]
fn listed_build_without_a_status_stays_the_newest_available_one() {
    let (old, new) = (image_arn(0), image_arn(1));
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    let mut builds = [&old, &new].map(|arn| image(arn, "AVAILABLE", driver.now));
    builds[0].created = driver
        .now
        .time
        .minus(Duration::from_secs(3 * 86_400))
        .into();
    builds[1].created = driver
        .now
        .time
        .minus(Duration::from_secs(2 * 86_400))
        .into();
    let newest = |driver: &Driver| {
        let names = driver.tracker.snapshot().image_names;
        let newest = names.iter().map(|name| name.newest.version.clone());
        newest.collect::<Vec<_>>()
    };
    driver.listed_images(&builds);
    assert_eq!(newest(&driver), [new.version()]);
    let entries = vec![(old.clone(), Some(builds[0].clone())), (new.clone(), None)];
    driver.listed_page(ListPage {
        entries,
        next: None,
    });
    assert_eq!(newest(&driver), [new.version()]);
    driver.listed_images(&builds[..1]);
    assert_eq!(newest(&driver), [old.version()]);
}

#[test]
fn names_of_listed_builds_are_in_use_only_while_lists_are_read() {
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    let mut build = image(&image_arn(0), "AVAILABLE", driver.now);
    build.created = Some(driver.now.time.minus(Duration::from_secs(90 * 86_400)));
    driver.listed_images(&[build]);
    let names = |driver: &Driver| driver.tracker.listed_image_names().map(Iterator::count);
    assert_eq!(names(&driver), Some(1));
    driver.configure(nothing(true));
    assert_eq!(names(&driver), Some(0));
}

#[test]
fn target_uses_the_names_that_it_exposes_and_not_others_of_the_account() {
    let mut driver = Driver::new(assignment("images: ['*']", true), 1);
    driver.listed_images(&[image(&image_arn(0), "AVAILABLE", driver.now)]);
    let used = |driver: &Driver| driver.tracker.used_image_names();
    let name = Some(ImageName::of(&image_arn(0)));
    assert_eq!(used(&driver), HashSet::from([name]));
    let mut other = Driver::new(assignment("images: ['other-*']", true), 1);
    other.listed_images(&[image(&image_arn(0), "AVAILABLE", other.now)]);
    assert_eq!(used(&other), HashSet::new());
    let listed = other.tracker.listed_image_names();
    assert_eq!(listed.map(Iterator::count), Some(1));
}
