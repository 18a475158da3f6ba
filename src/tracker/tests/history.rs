//! Earlier builds are read once, for the baselines alone, whatever the service answers.

use super::*;

/// The calls about the history and what they returned, until none is due for an hour.
struct Reads {
    calls: Vec<Call>,
    /// The steps that the baselines get.
    fed: Vec<StepExecutionId>,
}

impl Driver {
    /// Answers each call about earlier builds, and no other.
    fn read_history(
        &mut self,
        mut answer: impl FnMut(&Call) -> Result<Payload, ErrorKind>,
    ) -> Reads {
        let (mut calls, mut fed) = (Vec::new(), Vec::new());
        loop {
            let due = self.tracker.next_history_due(self.now);
            let Some(due) = due.filter(|due| *due < self.now.instant + HOUR / 2) else {
                return Reads { calls, fed };
            };
            self.pass(due.saturating_duration_since(self.now.instant));
            let (call, page) = self.next_history_call();
            calls.push(call.clone());
            let result = answer(&call);
            let changes = self.history_returned(call, page, result);
            assert!(changes.steps.is_empty() && changes.notices.is_empty());
            fed.extend(changes.history.iter().map(|step| step.id));
        }
    }

    /// Begins the next call about earlier builds. The responses of all others are lost.
    fn next_history_call(&mut self) -> (Call, Page) {
        while let Some((due, page)) = self.tracker.next_call(self.now) {
            match due.purpose {
                Purpose::History => return (due.call, page),
                Purpose::Polling => self.tracker.c.queue.end(&due.call),
            }
        }
        panic!("nothing is due");
    }

    fn history_returned(
        &mut self,
        call: Call,
        page: Page,
        result: Result<Payload, ErrorKind>,
    ) -> Changes {
        let response = Response {
            call,
            purpose: Purpose::History,
            page,
            asked: self.now.instant,
            result: match result {
                Ok(payload) => Ok(Parsed::from(payload)),
                Err(kind) => Err(ApiError::new(kind, "it went wrong")),
            },
        };
        self.tracker.handle(response, &self.owners, self.now)
    }

    /// Pending, read and failed builds.
    fn history(&self) -> [u64; 3] {
        let progress = self.tracker.snapshot().history.expect("it is read");
        [progress.pending, progress.read, progress.failed]
    }
}

fn selecting(images: &str, baselines: &str) -> Assignment {
    let yaml = format!(
        "polling: {{interval: 30s, discovery_interval: 2m}}\n\
         baselines: {baselines}\n\
         targets: [{{name: t, regions: [us-west-2], images: ['{images}']}}]\n"
    );
    let read = Config::read("test.yaml", &yaml, &|_| None).expect("it is right");
    Assignment::all(&read.config).remove(0)
}

/// An image that was available so many days before the start.
fn old(number: usize, days: u64) -> Image {
    let created = start().time.minus(HOUR * 24 * days as u32);
    Image {
        created: Some(created),
        ..image(&image_arn(number), "AVAILABLE", start())
    }
}

/// A tracker that has listed these images, and nothing else.
fn listing_images(baselines: &str, images: &[Image]) -> Driver {
    let mut driver = Driver::new(selecting("*", baselines), 1);
    driver.listed_images(images);
    driver
}

/// What an account answers whose executions and steps all have this status.
fn account(
    execution_status: &str,
    step_status: &str,
) -> impl FnMut(&Call) -> Result<Payload, ErrorKind> {
    let statuses = [execution_status, step_status].map(str::to_owned);
    move |call| {
        let [execution_status, step_status] = &statuses;
        Ok(match call {
            Call::ListWorkflowExecutions(arn) => {
                let first = usize::from(arn.as_str().ends_with("/1"));
                let id = execution_id(&step_id(first * 2));
                let page = ListPage {
                    entries: vec![(id, Some(execution(execution_status)))],
                    next: None,
                };
                Payload::ListWorkflowExecutions(arn.clone(), page)
            }
            Call::ListWorkflowStepExecutions(id) => {
                let page = ListPage {
                    entries: steps_of(*id, step_status, None),
                    next: None,
                };
                Payload::ListWorkflowStepExecutions(*id, page)
            }
            other => panic!("{other:?} is no call about earlier builds"),
        })
    }
}

#[test]
fn newest_builds_are_read_one_call_after_the_other() {
    let images = [old(0, 3), old(1, 2), old(2, 1)];
    let mut driver = listing_images("{history: 2}", &images);
    assert_eq!(driver.history(), [2, 0, 0]);
    let Reads { calls, fed } = driver.read_history(account("COMPLETED", "COMPLETED"));
    let listed = |number| Call::ListWorkflowExecutions(image_arn(number));
    assert_eq!(calls[0], listed(2));
    assert_eq!(calls[2], listed(1));
    assert_eq!((calls.len(), fed.len()), (4, 4));
    assert_eq!(driver.history(), [0, 2, 0]);
    // Later passes return the same builds.
    driver.pass(INTERVAL * 4);
    driver.listed_images(&images);
    assert_eq!(driver.history(), [0, 2, 0]);
}

#[test]
fn nothing_is_due_or_unattempted_because_of_earlier_builds() {
    let driver = listing_images("{history: 5}", &[old(0, 1)]);
    assert!(driver.tracker.next_history_due(driver.now).is_some());
    assert!(driver.tracker.all_attempted());
    let next = driver.tracker.next_due().expect("the next pass");
    assert!(next > driver.now.instant + INTERVAL);
    assert_eq!(
        driver.tracker.snapshot().behind(driver.now.instant),
        Duration::ZERO
    );
}

#[test]
fn only_completed_steps_of_completed_executions_are_read() {
    for (execution_status, step_status) in [("FAILED", "COMPLETED"), ("COMPLETED", "FAILED")] {
        let mut driver = listing_images("{history: 5}", &[old(0, 1)]);
        let Reads { fed, .. } = driver.read_history(account(execution_status, step_status));
        assert!(fed.is_empty(), "{execution_status}, {step_status}");
        assert_eq!(driver.history(), [0, 1, 0]);
    }
}

#[test]
fn superseded_and_tracked_executions_are_left_out() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1)]);
    let tracked = execution_id(&step_id(0));
    driver
        .tracker
        .workflows
        .track_all_steps(tracked, &mut driver.tracker.c);
    let Reads { calls, .. } = driver.read_history(|call| {
        let Call::ListWorkflowExecutions(arn) = call else {
            panic!("{call:?}");
        };
        let superseded = WorkflowExecution {
            retried: Some(true),
            ..execution("COMPLETED")
        };
        let entries = vec![
            (execution_id(&step_id(2)), Some(superseded)),
            (tracked, Some(execution("COMPLETED"))),
            (execution_id(&step_id(4)), None),
        ];
        let page = ListPage {
            entries,
            next: None,
        };
        Ok(Payload::ListWorkflowExecutions(arn.clone(), page))
    });
    assert_eq!(calls.len(), 1);
    assert_eq!(driver.history(), [0, 1, 0]);
}

#[test]
fn what_the_service_has_forgotten_is_no_failure() {
    for forgets_steps in [false, true] {
        let mut driver = listing_images("{history: 5}", &[old(0, 1), old(1, 2)]);
        let mut knows = account("COMPLETED", "COMPLETED");
        let Reads { calls, fed } = driver.read_history(|call| match (call, forgets_steps) {
            (Call::ListWorkflowExecutions(_), true) => knows(call),
            _ => Err(ErrorKind::Client),
        });
        assert_eq!(calls.len(), if forgets_steps { 4 } else { 2 });
        assert!(fed.is_empty());
        assert_eq!(driver.history(), [0, 2, 0]);
    }
}

#[test]
fn failed_call_is_retried_until_its_build_is_given_up() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1), old(1, 2)]);
    let mut knows = account("COMPLETED", "COMPLETED");
    let broken = Call::ListWorkflowExecutions(image_arn(0));
    let begun = driver.now.instant;
    let Reads { calls, fed } = driver.read_history(|call| match *call == broken {
        true => Err(ErrorKind::Server),
        false => knows(call),
    });
    assert_eq!(calls.iter().filter(|call| **call == broken).count(), 10);
    assert_eq!(fed.len(), 2);
    assert_eq!(driver.history(), [0, 1, 1]);
    let took = driver.now.instant - begun;
    assert!(took > Duration::from_secs(10 * 60), "{took:?}");
}

#[test]
fn throttled_call_of_any_kind_pauses_the_reads() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1)]);
    let page = first();
    let call = Call::ListImageBuildVersions(Account);
    let asked = driver.now.instant;
    let _ = driver.respond(call, page, asked, Err(ErrorKind::Throttled));
    let due = driver.tracker.next_history_due(driver.now);
    assert_eq!(due, Some(asked + Duration::from_secs(20)));
}

#[test]
fn steady_throttling_does_not_stop_the_reads() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1)]);
    let throttle = |driver: &mut Driver| {
        let asked = driver.now.instant;
        let call = Call::ListImageBuildVersions(Account);
        let _ = driver.respond(call, first(), asked, Err(ErrorKind::Throttled));
        driver.tracker.next_history_due(driver.now)
    };
    let due = throttle(&mut driver);
    for _ in 0..3 {
        driver.pass(Duration::from_secs(6));
        assert_eq!(throttle(&mut driver), due);
    }
}

#[test]
fn denied_call_is_made_once_an_hour_and_delays_no_poll() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1), old(1, 2)]);
    let Reads { calls, .. } = driver.read_history(|_| Err(ErrorKind::Forbidden));
    assert_eq!(calls.len(), 1);
    let operation = calls[0].operation();
    assert!(!driver.tracker.c.queue.was_denied(operation));
    driver.pass(HOUR);
    let Reads { fed, .. } = driver.read_history(account("COMPLETED", "COMPLETED"));
    assert_eq!(fed.len(), 4);
    assert_eq!(driver.history(), [0, 2, 0]);
}

#[test]
fn page_that_failed_is_read_again_from_the_first_one() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1)]);
    let mut knows = account("COMPLETED", "COMPLETED");
    let mut answers = vec![Err(ErrorKind::Client), Ok(Some("token".to_owned()))];
    let Reads { calls, .. } = driver.read_history(|call| {
        let mut payload = knows(call)?;
        if let Payload::ListWorkflowStepExecutions(_, page) = &mut payload {
            page.next = answers.pop().unwrap_or(Ok(None))?;
        }
        Ok(payload)
    });
    // Two pages, and the list again.
    assert_eq!(calls.len(), 4);
    assert_eq!(driver.history(), [0, 1, 0]);
}

#[test]
fn image_that_is_no_longer_selected_is_not_read_on() {
    let mut driver = listing_images("{history: 5}", &[old(0, 1), old(1, 2)]);
    let (call, page) = driver.next_history_call();
    driver.configure(selecting("other", "{history: 5}"));
    let result = account("COMPLETED", "COMPLETED")(&call);
    let _ = driver.history_returned(call, page, result);
    assert_eq!(driver.history(), [0, 0, 0]);
}

#[test]
fn newest_build_of_each_image_name_comes_before_older_ones() {
    let other = |number: usize, days| {
        let arn = image_arn(number).to_string().replace("golden", "other");
        let arn = ImageArn::parse(&arn).expect("it is one");
        Image {
            arn,
            ..old(number, days)
        }
    };
    let images = [old(0, 4), old(1, 3), other(0, 2), other(1, 1)];
    let mut driver = listing_images("{history: 2}", &images);
    let mut read = Vec::new();
    let mut answer = account("COMPLETED", "COMPLETED");
    let _ = driver.read_history(|call: &Call| {
        if let Call::ListWorkflowExecutions(arn) = call {
            read.push(format!("{} {}", arn.name(), arn.version()));
        }
        answer(call)
    });
    let expected = [
        "golden 1.0.0/1",
        "other 1.0.0/1",
        "golden 1.0.0/0",
        "other 1.0.0/0",
    ];
    assert_eq!(read, expected);
}

#[test]
fn changed_settings_are_applied_to_steps_that_settled_before() {
    let images = [image(&image_arn(0), "AVAILABLE", start())];
    let mut driver = listing_images("{history: 1, enabled: false}", &images);
    let ids = [0, 2].map(step_id);
    let of = |step: &_| execution_id(step);
    let executions = [(of(&ids[0]), "COMPLETED"), (of(&ids[1]), "FAILED")];
    driver.listed_executions(&image_arn(0), &executions);
    for id in ids {
        driver.listed_steps(of(&id), &[(id, "COMPLETED")], None);
    }
    let mut fed_by = |baselines: &str| {
        let assignment = selecting("*", baselines);
        let (tracker, owners) = (&mut driver.tracker, &driver.owners);
        let changes = tracker.configure(assignment, owners, driver.now);
        let history = changes.history.into_iter().map(|step| step.id);
        history.collect::<Vec<_>>()
    };
    assert_eq!(fed_by("{history: 1}"), [ids[0]]);
    assert_eq!(fed_by("{history: 1}"), []);
}

#[test]
fn build_is_not_given_up_for_failures_that_are_not_its_own() {
    let mut driver = listing_images("{history: 1}", &[old(0, 1)]);
    for _ in 0..20 {
        driver.now = driver.now.plus(HOUR);
        let (call, page) = driver.next_history_call();
        let _ = driver.history_returned(call, page, Err(ErrorKind::Credentials));
    }
    assert_eq!(driver.history(), [1, 0, 0]);
}

#[test]
fn reload_reads_again_only_where_the_settings_have_changed() {
    let images = [old(0, 1), old(1, 2)];
    let mut driver = listing_images("{history: 1}", &images);
    let _ = driver.read_history(account("COMPLETED", "COMPLETED"));
    driver.configure(selecting("*", "{history: 1}"));
    driver.listed_images(&images);
    assert_eq!(driver.history(), [0, 1, 0]);
    driver.configure(selecting("*", "{history: 2}"));
    driver.listed_images(&images);
    assert_eq!(driver.history(), [2, 0, 0]);
    driver.configure(selecting("*", "{history: 2, enabled: false}"));
    assert_eq!(driver.tracker.snapshot().history, None);
    assert_eq!(driver.tracker.next_history_due(driver.now), None);
}
