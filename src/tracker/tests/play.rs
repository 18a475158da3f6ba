//! Random orders of events, and what holds after each of them.

use proptest::prelude::*;

use super::*;
use crate::snapshot::Phase;
use crate::tracker::retention::Expiring;
use crate::tracker::steps::SLOWLY_ALONE;

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    /// So many milliseconds pass.
    Pass(u64),
    /// The call that has been due longest begins.
    Begin,
    /// The call that has been in flight longest returns, so.
    Return(Outcome),
    /// A reload lists the steps whose bit is set.
    List(u8),
    /// A reload names the workflow executions and images whose bit is set, and keeps things longer
    /// or not.
    Name(u8, u8, bool),
    /// Another target takes an image.
    Lose(usize),
    /// A moment comes at which things are evicted.
    Evict,
}

#[derive(Clone, Debug)]
enum Outcome {
    Ok {
        status: &'static str,
        rollback: Option<&'static str>,
        execution_status: &'static str,
        image_status: &'static str,
    },
    Failed(ErrorKind),
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop::sample::select(vec!["PENDING", "RUNNING", "COMPLETED", "FAILED", "NEW"]);
    let rollback = prop::option::weighted(0.3, prop::sample::select(vec!["RUNNING", "COMPLETED"]));
    let image_status = prop::sample::select(vec!["BUILDING", "FAILED", "AVAILABLE"]);
    let execution_status = prop::sample::select(vec![
        "PENDING",
        "RUNNING",
        "ROLLBACK_IN_PROGRESS",
        "COMPLETED",
        "FAILED",
        "NEW",
    ]);
    let ok = (status, rollback, execution_status, image_status).prop_map(
        |(status, rollback, execution_status, image_status)| Outcome::Ok {
            status,
            rollback,
            execution_status,
            image_status,
        },
    );
    let failed = prop::sample::select(ErrorKind::ALL.to_vec()).prop_map(Outcome::Failed);
    let outcome = prop_oneof![3 => ok, 1 => failed].prop_map(Event::Return);
    prop_oneof![
        2 => (0..600_000u64).prop_map(Event::Pass),
        4 => Just(Event::Begin),
        4 => outcome,
        1 => any::<u8>().prop_map(Event::List),
    ]
}

/// What happens where workflow executions and images are named too.
fn naming_event() -> impl Strategy<Value = Event> {
    let named = (0..16u8, 0..4u8, any::<bool>());
    prop_oneof![
        20 => event(),
        1 => named.prop_map(|(executions, images, longer)| Event::Name(executions, images, longer)),
        1 => (0..2usize).prop_map(Event::Lose),
        2 => Just(Event::Evict),
    ]
}

fn executions_of(image: &ImageArn) -> [WorkflowExecutionId; 2] {
    let first = usize::from(image.as_str().ends_with("/1")) * 4;
    [first, first + 2].map(|step| execution_id(&step_id(step)))
}

/// Plays events and keeps to what the poller keeps to.
struct Play {
    driver: Driver,
    assignment: Assignment,
    in_flight: Vec<(Call, Page, Instant)>,
    /// Whether anything was named.
    names: bool,
}

impl Play {
    fn event(&mut self, event: Event) -> Result<(), TestCaseError> {
        let set = |bits: u8, at: usize| bits & (1 << at) != 0;
        match event {
            Event::Pass(millis) => self.driver.pass(Duration::from_millis(millis)),
            Event::Begin => {
                let now = self.driver.now;
                if let Some((due, page)) = self.driver.tracker.next_call(now) {
                    let twice = self.in_flight.iter().any(|(call, ..)| *call == due.call);
                    prop_assert!(!twice, "{:?} twice at once", due.call);
                    self.in_flight.push((due.call, page, now.instant));
                }
            }
            Event::Return(outcome) if !self.in_flight.is_empty() => {
                let (call, page, asked) = self.in_flight.remove(0);
                self.returns(call, page, asked, outcome)?;
            }
            Event::Return(_) => {}
            Event::List(bits) => {
                let steps = (0..8).filter(|at| set(bits, *at)).map(step_id);
                self.assignment.target.step_executions = listing(steps);
                self.driver.configure(self.assignment.clone());
            }
            Event::Name(executions, images, longer) => {
                self.names = true;
                let ids = (0..4).filter(|at| set(executions, *at));
                let ids = ids.map(|at| execution_id(&step_id(2 * at)));
                self.assignment.target.workflow_executions = ids.collect();
                let arns = (0..2).filter(|at| set(images, *at)).map(image_arn);
                self.assignment.target.image_build_versions = arns.collect();
                self.assignment.metrics = nothing(longer).metrics;
                self.driver.configure(self.assignment.clone());
            }
            Event::Lose(image) => {
                let resource = Resource::Image(image_arn(image));
                let Driver {
                    tracker,
                    owners,
                    now,
                } = &mut self.driver;
                owners.wanted.borrow_mut().insert(resource);
                let _ = tracker.review_ownership(owners, *now);
                owners.wanted.borrow_mut().clear();
            }
            Event::Evict => {
                let _ = self.driver.tracker.handle_timeout(self.driver.now);
            }
        }
        self.check()
    }

    fn returns(
        &mut self,
        call: Call,
        page: Page,
        asked: Instant,
        outcome: Outcome,
    ) -> Result<(), TestCaseError> {
        let result = match outcome {
            Outcome::Failed(kind) => Err(kind),
            Outcome::Ok {
                status,
                rollback,
                execution_status,
                image_status,
            } => Ok(match &call {
                Call::GetWorkflowStepExecution(id) => {
                    Payload::GetWorkflowStepExecution(*id, Box::new(step(*id, status, rollback)))
                }
                Call::ListWorkflowStepExecutions(id) => {
                    let page = ListPage {
                        entries: steps_of(*id, status, rollback),
                        next: (execution_status == "NEW").then(|| "token".to_owned()),
                    };
                    Payload::ListWorkflowStepExecutions(*id, page)
                }
                Call::GetWorkflowExecution(id) => {
                    Payload::GetWorkflowExecution(*id, execution(execution_status))
                }
                Call::ListWorkflowExecutions(arn) => {
                    let listed =
                        [execution_status, "PENDING"].map(|status| Some(execution(status)));
                    let entries = executions_of(arn).into_iter().zip(listed);
                    let page = ListPage {
                        entries: entries.collect(),
                        next: None,
                    };
                    Payload::ListWorkflowExecutions(arn.clone(), page)
                }
                Call::GetImage(arn) => {
                    let image = image(arn, image_status, self.driver.now);
                    Payload::GetImage(arn.clone(), Box::new(image))
                }
                other => panic!("{other:?}, and nothing is selected"),
            }),
        };
        let succeeded = result.is_ok();
        let _ = self.driver.respond(call.clone(), page, asked, result);
        match call {
            Call::GetWorkflowStepExecution(id) if succeeded => self.check_polled(id, asked),
            _ => Ok(()),
        }
    }

    /// A step that was just polled, and is not settled, is polled again within its interval.
    fn check_polled(&self, id: StepExecutionId, asked: Instant) -> Result<(), TestCaseError> {
        let workflows = &self.driver.tracker.workflows;
        let Some(record) = workflows.steps.record(&id) else {
            return Ok(());
        };
        if record.phase == Phase::Settled {
            return Ok(());
        }
        let observed = record.observed.as_ref().expect("it was just polled");
        let bound = match observed.values.status.is_terminal() {
            true => INTERVAL * SLOWLY_ALONE,
            false => INTERVAL,
        };
        let latest = (asked + bound).max(self.driver.now.instant);
        let calls = [
            Call::GetWorkflowStepExecution(id),
            Call::ListWorkflowStepExecutions(execution_id(&id)),
        ];
        let queue = &self.driver.tracker.c.queue;
        let due = calls.iter().filter_map(|call| queue.due(call)).min();
        let behind = workflows.executions.waits_behind_another(execution_id(&id));
        prop_assert!(
            behind || due.is_none_or(|due| due <= latest),
            "{id} is due at {due:?}"
        );
        Ok(())
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let in_flight: HashSet<Call> = self
            .in_flight
            .iter()
            .map(|(call, ..)| call.clone())
            .collect();
        let tracker = &mut self.driver.tracker;
        prop_assert_eq!(tracker.c.queue.all_in_flight(), &in_flight);
        for call in tracker.c.queue.calls() {
            prop_assert!(!in_flight.contains(call), "{call:?} waits and is in flight");
            let workflows = &tracker.workflows;
            let tracked = match call {
                Call::GetWorkflowStepExecution(id) => workflows.steps.contains(id),
                Call::ListWorkflowStepExecutions(id) | Call::GetWorkflowExecution(id) => {
                    workflows.executions.contains(*id)
                }
                Call::ListWorkflowExecutions(arn) | Call::GetImage(arn) => {
                    tracker.workflows.images.contains(arn)
                }
                other => panic!("{other:?}, and nothing is selected"),
            };
            prop_assert!(tracked, "{call:?} waits and is not tracked");
        }
        let steps = &tracker.workflows.steps;
        let unattempted = steps.ids(|_, schedule| !schedule.attempted);
        prop_assert_eq!(steps.all_attempted(), unattempted.is_empty());
        self.check_steps()?;
        self.check_executions()?;
        failures::check(&self.driver.tracker)?;
        self.check_retention()
    }

    /// Each step waits, is in flight or is carried by a List until it is settled.
    fn check_steps(&mut self) -> Result<(), TestCaseError> {
        let names = self.names;
        let tracker = &mut self.driver.tracker;
        let polling = tracker.workflows.polling(&mut tracker.c);
        let queue = &polling.c.queue;
        for (record, schedule) in polling.steps.table().rows().rows() {
            let id = record.id;
            let alone = Call::GetWorkflowStepExecution(id);
            let (waits, flies) = (queue.is_waiting(&alone), queue.in_flight(&alone));
            let execution = schedule.execution(record);
            let list = Call::ListWorkflowStepExecutions(execution_id(&id));
            let carried = execution.is_some_and(|by| polling.is_refreshed(by, &id))
                && queue.is_pending(&list);
            let all = execution.and_then(|id| polling.executions.all_steps(id));
            // A step that the Lists leave out is evicted with its execution.
            let gone = all.is_some_and(|all| record.phase == Phase::Gone || all.expires.is_some());
            let behind = execution.is_some_and(|id| polling.executions.waits_behind_another(id));
            if record.phase == Phase::Settled {
                // A Get that still lacks goes on, also where the execution was evicted.
                let asked = (waits || flies && !names) && !polling.lacks_get(&id) && record.full;
                prop_assert!(!asked, "{id} is settled and polled");
            } else if !gone && !behind {
                prop_assert!(waits || flies || carried, "{id} is forgotten: {schedule:?}");
            }
        }
        Ok(())
    }

    /// Each execution waits, is in flight, or waits behind another until it expires.
    fn check_executions(&self) -> Result<(), TestCaseError> {
        let tracker = &self.driver.tracker;
        let (executions, queue) = (&tracker.workflows.executions, &tracker.c.queue);
        for (record, schedule) in executions.table().rows() {
            let id = record.id;
            let alone = Call::GetWorkflowExecution(id);
            let Some(all) = &schedule.all_steps else {
                prop_assert!(!schedule.unsettled.is_empty(), "{id} is tracked for nobody");
                let pending = queue.is_pending(&alone);
                let wanted = schedule.end.is_none();
                // A poll for its name's sake may still be in flight, or repeated after it failed.
                prop_assert!(
                    pending == wanted || (self.names && !wanted),
                    "{id}: pending {pending}"
                );
                continue;
            };
            let image = executions.image_of(id);
            let by_image = image
                .is_some_and(|arn| queue.is_pending(&Call::ListWorkflowExecutions(arn.clone())));
            let mut unsettled = schedule.unsettled.iter();
            let single =
                unsettled.any(|step| queue.is_pending(&Call::GetWorkflowStepExecution(*step)));
            let carried =
                queue.is_pending(&alone) || queue.is_pending(&Call::ListWorkflowStepExecutions(id));
            let behind = executions.waits_behind_another(id);
            prop_assert!(
                carried || single || by_image || behind || all.expires.is_some(),
                "{id} is forgotten: {schedule:?}"
            );
            if let Some(arn) = image {
                prop_assert!(
                    executions.of_image(arn).contains(&id),
                    "{id} is not its image's"
                );
            }
            for step in &all.steps {
                let tracked = tracker.workflows.steps.contains(step);
                prop_assert!(tracked, "{step} of {id} is not tracked");
            }
        }
        for (arn, _) in tracker.workflows.images.iter() {
            for id in executions.of_image(arn) {
                let tracked = executions.tracks_all_steps(*id);
                prop_assert!(tracked, "{id} of {arn} is not tracked");
            }
        }
        Ok(())
    }

    /// What expires is known to whoever expires, and nothing of what was evicted is kept.
    fn check_retention(&self) -> Result<(), TestCaseError> {
        let tracker = &self.driver.tracker;
        for (at, what) in tracker.c.retention.iter() {
            let known = match what {
                Expiring::Execution(id) => {
                    let all = tracker.workflows.executions.all_steps(*id);
                    all.and_then(|all| all.expires)
                }
                Expiring::Image(arn) => tracker
                    .workflows
                    .images
                    .get(arn)
                    .and_then(|image| image.expires),
                Expiring::Failure(id) => { tracker.c.failures.steps.get(id) }.copied().flatten(),
            };
            prop_assert_eq!(known, Some(*at), "{:?}", what);
        }
        Ok(())
    }
}

fn play(seed: u64, assignment: Assignment, events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut play = Play {
        driver: Driver::new(assignment.clone(), seed),
        assignment,
        in_flight: Vec::new(),
        names: false,
    };
    for event in events {
        play.event(event)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_each_step_waits_or_is_in_flight_until_it_is_settled(
        seed: u64,
        events in prop::collection::vec(event(), 1..200),
    ) {
        let mut all = vec![Event::List(0xff)];
        all.extend(events);
        play(seed, nothing(true), all)?;
    }

    #[test]
    fn whatever_happens_what_is_tracked_as_a_whole_is_polled_until_it_expires(
        seed: u64,
        events in prop::collection::vec(naming_event(), 1..300),
    ) {
        let mut all = vec![Event::Name(0b11, 0b11, true)];
        all.extend(events);
        play(seed, nothing(true), all)?;
    }
}
