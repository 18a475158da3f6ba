//! Properties of the plan that no script of calls may break.

use proptest::prelude::*;

use super::*;
use crate::labels::LabelText;
use crate::model::{StepExecution, WorkflowExecution, WorkflowStatus};
use crate::store::StepRecord;

const INTERVAL: Duration = Duration::from_secs(30);

/// What happens next to a plan.
#[derive(Clone, Debug)]
enum Event {
    /// So many milliseconds pass.
    Pass(u64),
    /// The call that has been due longest begins.
    Begin,
    /// The call that has been under way longest ends, so.
    End(End),
    /// A reload follows the steps whose bit is set.
    Follow(u8),
}

#[derive(Clone, Debug)]
enum End {
    Ok {
        status: &'static str,
        rollback: Option<&'static str>,
        workflow_status: &'static str,
    },
    Failed(ErrorKind),
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop::sample::select(vec!["PENDING", "RUNNING", "COMPLETED", "FAILED", "NEW"]);
    let rollback = prop::option::weighted(0.3, prop::sample::select(vec!["RUNNING", "COMPLETED"]));
    let workflow_status = prop::sample::select(vec![
        "RUNNING",
        "ROLLBACK_IN_PROGRESS",
        "COMPLETED",
        "FAILED",
        "NEW",
    ]);
    let ok = (status, rollback, workflow_status).prop_map(|(status, rollback, workflow_status)| {
        End::Ok {
            status,
            rollback,
            workflow_status,
        }
    });
    let failed = prop::sample::select(ErrorKind::ALL.to_vec()).prop_map(End::Failed);
    let end = prop_oneof![3 => ok, 1 => failed].prop_map(Event::End);
    prop_oneof![
        2 => (0..600_000u64).prop_map(Event::Pass),
        4 => Just(Event::Begin),
        4 => end,
        1 => any::<u8>().prop_map(Event::Follow),
    ]
}

fn step_id(number: usize) -> StepExecutionId {
    let text = format!("step-aaaaaaaa-0000-0000-0000-00000000000{number}");
    text.parse().expect("it is one")
}

/// Two steps a workflow execution.
fn workflow_id(step: &StepExecutionId) -> WorkflowExecutionId {
    let number = step.uuid().as_bytes()[35] - b'0';
    let text = format!("wf-bbbbbbbb-0000-0000-0000-00000000000{}", number / 2);
    text.parse().expect("it is one")
}

fn steps(bits: u8) -> impl Iterator<Item = (StepExecutionId, Duration)> {
    let set = (0..8).filter(move |number| bits & (1 << number) != 0);
    set.map(|number| (step_id(number), INTERVAL))
}

fn observation(id: StepExecutionId, status: &str, rollback: Option<&str>) -> Observation {
    let answer = StepExecution {
        workflow_execution_id: Some(workflow_id(&id)),
        rollback_status: rollback.map(RollbackStatus::parse),
        ..StepExecution::with_status(StepStatus::parse(status))
    };
    let unseen = StepRecord::unseen(id, LabelText::new([]));
    let record = unseen.answered(answer, "us-west-2", Timestamp::from_millis(0));
    record.observed.expect("it was just answered")
}

/// Plays events and keeps to what the poller keeps to.
struct Play {
    plan: Plan,
    now: Now,
    under_way: Vec<(Call, Instant)>,
}

impl Play {
    fn event(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis)),
            Event::Begin => {
                if let Some(due) = self.plan.take_due(self.now.instant) {
                    let twice = self.under_way.iter().any(|(call, _)| *call == due.call);
                    prop_assert!(!twice, "{:?} twice at once", due.call);
                    self.under_way.push((due.call, self.now.instant));
                }
            }
            Event::End(end) if !self.under_way.is_empty() => {
                let (call, asked) = self.under_way.remove(0);
                self.plan.ended(&call);
                match call {
                    Call::Step(id) => self.step_ends(id, asked, end)?,
                    Call::Steps(id) => self.list_ends(id, asked, end),
                    Call::Workflow(id) => self.workflow_ends(id, asked, end),
                    other => panic!("{other:?}, and nothing is discovered"),
                }
            }
            Event::End(_) => {}
            Event::Follow(bits) => self.plan.follow(steps(bits), INTERVAL, self.now),
        }
        self.check()
    }

    fn step_ends(
        &mut self,
        id: StepExecutionId,
        asked: Instant,
        end: End,
    ) -> Result<(), TestCaseError> {
        if !self.plan.steps.contains_key(&id) {
            return Ok(());
        }
        match end {
            End::Ok {
                status, rollback, ..
            } => {
                let observed = observation(id, status, rollback);
                let phase = self
                    .plan
                    .step_answered(id, &observed, SeenBy::Get, asked, self.now);
                if phase == Some(Phase::Settled) {
                    return Ok(());
                }
                let slowly = observed.status.is_terminal();
                let bound = if slowly {
                    INTERVAL * SLOWLY_ALONE
                } else {
                    INTERVAL
                };
                let latest = (asked + bound).max(self.now.instant);
                let due = self.due(id);
                prop_assert!(
                    due.is_none_or(|due| due <= latest),
                    "{id} is due at {due:?}"
                );
            }
            End::Failed(kind) => {
                self.plan.step_failed(id, kind, self.now.instant);
            }
        }
        Ok(())
    }

    /// The List tells of the first step of two, or of both.
    fn list_ends(&mut self, id: WorkflowExecutionId, asked: Instant, end: End) {
        let (status, rollback, next) = match end {
            End::Ok {
                status,
                rollback,
                workflow_status,
            } => (
                status,
                rollback,
                (workflow_status == "NEW").then(|| "token".to_owned()),
            ),
            End::Failed(kind) => {
                self.plan.list_failed(id, kind, self.now);
                return;
            }
        };
        let of_it = |step: &StepExecutionId| workflow_id(step) == id;
        let listed: Vec<_> = (0..8).map(step_id).filter(of_it).collect();
        let mut told = Vec::new();
        for step in listed.into_iter().take(if status == "NEW" { 1 } else { 2 }) {
            told.push(step);
            if !self.plan.refreshes(id, &step) {
                continue;
            }
            if status == "PENDING" && rollback.is_some() {
                self.plan.step_untold(step, self.now.instant);
            } else {
                let observed = observation(step, status, rollback);
                let by = SeenBy::List;
                self.plan
                    .step_answered(step, &observed, by, asked, self.now);
            }
        }
        self.plan.page_read(id, told, next, asked, self.now.instant);
    }

    /// When a step is to be looked at, by itself or with its siblings; `None` while it is.
    fn due(&self, id: StepExecutionId) -> Option<Instant> {
        let calls = [Call::Step(id), Call::Steps(workflow_id(&id))];
        calls
            .iter()
            .filter_map(|call| self.plan.queue.due(call))
            .min()
    }

    fn workflow_ends(&mut self, id: WorkflowExecutionId, asked: Instant, end: End) {
        match end {
            End::Ok {
                workflow_status, ..
            } => {
                let answer = WorkflowExecution::with_status(WorkflowStatus::parse(workflow_status));
                self.plan.workflow_answered(id, &answer, asked, self.now);
            }
            End::Failed(kind) => {
                self.plan.workflow_failed(id, kind, self.now.instant);
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let under_way: HashSet<Call> = self
            .under_way
            .iter()
            .map(|(call, _)| call.clone())
            .collect();
        prop_assert_eq!(&self.plan.in_flight, &under_way);
        for (id, step) in &self.plan.steps {
            let alone = Call::Step(*id);
            let waits = self.plan.queue.due(&alone).is_some();
            let flies = under_way.contains(&alone);
            let list = Call::Steps(workflow_id(id));
            let carried = step.workflow.is_some_and(|wf| self.plan.refreshes(wf, id))
                && (self.plan.queue.due(&list).is_some() || under_way.contains(&list));
            prop_assert!(!(waits && flies), "{id} waits and is under way");
            if step.phase == Phase::Settled {
                prop_assert!(!waits && !flies, "{id} is settled and asked for");
            } else {
                prop_assert!(waits || flies || carried, "{id} is forgotten: {step:?}");
            }
        }
        for (id, workflow) in &self.plan.workflows {
            prop_assert!(!workflow.followed.is_empty(), "{id} is followed for nobody");
            let call = Call::Workflow(*id);
            let waits = self.plan.queue.due(&call).is_some();
            let flies = under_way.contains(&call);
            let wanted = workflow.end.is_none();
            prop_assert!(
                (waits || flies) == wanted,
                "{id}: waits {waits}, under way {flies}"
            );
            prop_assert!(!(waits && flies), "{id} waits and is under way");
        }
        let unattempted = self.plan.steps.values().filter(|step| !step.attempted);
        prop_assert_eq!(self.plan.unattempted, unattempted.count());
        for call in self.plan.queue.calls() {
            let followed = match call {
                Call::Step(id) => self.plan.steps.contains_key(id),
                Call::Steps(id) | Call::Workflow(id) => self.plan.workflows.contains_key(id),
                other => panic!("{other:?}, and nothing is discovered"),
            };
            prop_assert!(followed, "{call:?} waits and is not followed");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_happens_each_step_waits_or_is_under_way_until_it_is_settled(
        seed: u64,
        events in prop::collection::vec(event(), 1..200),
    ) {
        #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
        let start = Instant::now();
        let now = Now {
            instant: start,
            time: Timestamp::from_millis(1_788_981_143_000),
        };
        let mut play = Play {
            plan: Plan::new(
                seed,
                Pace {
                    interval: INTERVAL,
                    discovery_interval: INTERVAL * 4,
                    retention: HOUR * 2,
                    retention_failed: HOUR * 24,
                },
            ),
            now,
            under_way: Vec::new(),
        };
        play.event(Event::Follow(0xff))?;
        for event in events {
            play.event(event)?;
        }
    }
}
