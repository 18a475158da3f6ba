//! What is due, and when next: plain functions of the time they are given.
//!
//! Owns the due times of the tracked steps of one target and region, of their workflow executions
//! and of what is discovered, and decides what is settled, what is gone and what leaves. Makes no
//! call and reads no clock.
//!
//! A step is asked for by itself once, for its timeout and what its failure means. From then on one
//! List refreshes all steps of a workflow execution that are followed, where there are several.
//!
//! Some workflow executions are followed as a whole (`whole`): those that the configuration names,
//! and those (`executions`) of the images (`image`) it names or that the lists of the account (`round`)
//! tell of. Most executions of an image wait for the one before (`order`). When all has settled, what
//! was discovered leaves (`leave`).

mod backoff;
mod complete;
mod executions;
mod image;
mod leave;
mod list;
mod order;
mod queue;
mod round;
mod step;
mod whole;
mod workflow;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

pub use backoff::Jitter;
use image::ImagePlan;
pub use image::{ImageNews, ImageSource};
use leave::Leaver;
pub use leave::{Elsewhere, Left};
pub use queue::Urgency;
use queue::{Queue, Slot};
use round::Rounds;
pub use round::{Lists, RoundRead};
use step::{Seen, State, StepPlan, times_out};
use workflow::WorkflowPlan;

use crate::api::{ErrorKind, Operation};
use crate::clock::Now;
use crate::model::{
    ImageArn, RollbackStatus, StepExecutionId, StepStatus, Timestamp, WorkflowExecutionId,
};
use crate::store::{Observation, Phase};

/// How long the service must have said that it does not know a step before it is gone; also how
/// often such a step, or what can't be looked at, is asked for again.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// A step whose workflow execution can't be looked at is followed this long after its last change.
/// No step runs for more than 12 hours, so a change within it is seen.
const FOLLOWED_ALONE: Duration = Duration::from_secs(24 * 60 * 60);
/// For how many intervals none of the steps of a FAILED workflow execution must have been seen being
/// rolled back until that is believed to be over. Two cover the time between the last look at a step
/// that was, and the first at the next.
const QUIET_INTERVALS: f64 = 2.5;
/// A workflow execution that will hardly have ended is asked for this many times less often.
const SLOWLY: u32 = 10;
/// A step that ended, of a workflow execution that can't be looked at, is asked for this many times
/// less often: often enough to tell within five intervals that the target can be polled.
const SLOWLY_ALONE: u32 = 4;

/// One call to make.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// A step by itself.
    Step(StepExecutionId),
    /// The next page of all steps of a workflow execution.
    Steps(WorkflowExecutionId),
    Workflow(WorkflowExecutionId),
    /// The next page of all workflow executions of an image.
    Workflows(ImageArn),
    Image(ImageArn),
    /// The next page of all images of the account.
    Images,
    /// The next page of all pipelines of the account.
    Pipelines,
}

/// A call that has become due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCall {
    pub call: Call,
    /// When it became due.
    pub due: Instant,
    pub urgency: Urgency,
}

/// How often is looked at what, and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Of the steps that are not listed one by one.
    pub interval: Duration,
    pub discovery_interval: Duration,
    pub retention: Duration,
    /// Of what failed.
    pub retention_failed: Duration,
}

/// How a step was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    Get,
    /// Everything but `timeoutSeconds` and `onFailure`.
    List,
}

/// The schedule of one target and region.
#[derive(Debug)]
pub struct Plan {
    steps: HashMap<StepExecutionId, StepPlan>,
    workflows: HashMap<WorkflowExecutionId, WorkflowPlan>,
    images: HashMap<ImageArn, ImagePlan>,
    rounds: Rounds,
    /// What leaves when.
    leaving: BTreeSet<(Timestamp, Leaver)>,
    pace: Pace,
    queue: Queue,
    /// Calls that were taken and have not come back; none of them waits in the queue.
    in_flight: HashSet<Call>,
    jitter: Jitter,
    /// Steps whose first attempt has not ended.
    unattempted: usize,
    /// Until when operations are not tried, as they are denied.
    denied_until: HashMap<Operation, Instant>,
}

impl Plan {
    pub fn new(seed: u64, pace: Pace) -> Self {
        Self {
            steps: HashMap::new(),
            workflows: HashMap::new(),
            images: HashMap::new(),
            rounds: Rounds::default(),
            leaving: BTreeSet::new(),
            pace,
            queue: Queue::default(),
            in_flight: HashSet::new(),
            jitter: Jitter::new(seed),
            unattempted: 0,
            denied_until: HashMap::new(),
        }
    }

    /// Follows just these listed steps from now on, each at its interval. What is known of one that
    /// was followed before stays; the first polls of the others are spread over `spread`.
    pub fn follow(
        &mut self,
        steps: impl IntoIterator<Item = (StepExecutionId, Duration)>,
        spread: Duration,
        now: Now,
    ) {
        let listed = self.steps.iter().filter(|(_, step)| step.listed);
        let mut before: HashSet<StepExecutionId> = listed.map(|(id, _)| *id).collect();
        for (id, interval) in steps {
            before.remove(&id);
            if let Some(step) = self.steps.get_mut(&id) {
                let was = std::mem::replace(&mut step.interval, interval);
                step.listed = true;
                if interval < was {
                    self.look_no_later(id, now.instant + interval);
                }
            } else {
                let due = now.instant + self.jitter.below(spread.min(interval));
                self.unattempted += 1;
                self.steps.insert(id, StepPlan::new(interval, true));
                self.look_at(id, due);
            }
        }
        for id in before {
            let workflow = self.steps.get(&id).and_then(|step| step.workflow);
            match workflow.and_then(|workflow| self.whole_mut(workflow)) {
                // It stays as one of the steps of its workflow execution, and leaves with it, also where
                // no List has told of it yet.
                Some(whole) => {
                    if !whole.steps.contains(&id) {
                        whole.steps.push(id);
                    }
                    if let Some(step) = self.steps.get_mut(&id) {
                        step.listed = false;
                        step.interval = self.pace.interval;
                    }
                }
                None => self.drop_step(id, now.instant),
            }
        }
    }

    fn drop_step(&mut self, id: StepExecutionId, now: Instant) {
        let Some(step) = self.steps.remove(&id) else {
            return;
        };
        self.queue.remove(&Call::Step(id));
        self.unattempted -= usize::from(!step.attempted);
        self.unfollow_workflow(id, step.workflow, now);
    }

    /// Whether a step is followed.
    pub fn follows(&self, id: &StepExecutionId) -> bool {
        self.steps.contains_key(id)
    }

    /// Whether a step is followed as the configuration lists it by itself.
    pub fn lists(&self, id: &StepExecutionId) -> bool {
        self.steps.get(id).is_some_and(|step| step.listed)
    }

    /// Whether the first attempt for everything that was named has ended, well or not, and for what
    /// the first lists told of.
    pub fn all_attempted(&self) -> bool {
        self.unattempted == 0 && self.discovery_attempted()
    }

    /// When there is something to do next.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.first_due()
    }

    /// The call whose turn it is, which is in flight until [`Self::ended`].
    pub fn take_due(&mut self, now: Instant) -> Option<DueCall> {
        loop {
            let due = self.queue.take(now)?;
            let denied = match &due.call {
                Call::Steps(id) if !self.may_list(*id, now) => {
                    self.look_one_by_one(*id, due.due);
                    continue;
                }
                Call::Workflows(_) => self.denied(Operation::ListWorkflowExecutions, now),
                Call::Image(_) => self.denied(Operation::GetImage, now),
                _ => None,
            };
            if let Some(until) = denied {
                self.queue.put(due.call, Slot::new(until, due.urgency));
                continue;
            }
            self.in_flight.insert(due.call.clone());
            return Some(due);
        }
    }

    /// Until when an operation is not tried, where it is denied.
    fn denied(&self, operation: Operation, now: Instant) -> Option<Instant> {
        let until = self.denied_until.get(&operation).copied();
        until.filter(|until| *until > now)
    }

    /// What is denied, and until when it is left alone.
    pub fn left_alone(&self) -> impl Iterator<Item = (Operation, Instant)> {
        self.denied_until
            .iter()
            .map(|(operation, until)| (*operation, *until))
    }

    /// An operation was answered.
    pub fn allowed(&mut self, operation: Operation) {
        self.denied_until.remove(&operation);
    }

    /// An operation was denied. Returns whether it had not been before.
    fn deny(&mut self, operation: Operation, now: Instant) -> bool {
        let before = self.denied_until.insert(operation, now + HOUR);
        before.is_none()
    }

    /// A call has come back, however it went; what it told comes next.
    pub fn ended(&mut self, call: &Call) {
        self.in_flight.remove(call);
    }

    /// Whether the last poll of a step was the first of its polls in a row to fail.
    pub fn first_failure(&self, id: &StepExecutionId) -> bool {
        self.steps.get(id).is_some_and(|step| step.failures == 1)
    }

    /// A call that began at `asked` told of a step. Returns where the step stands now.
    pub fn step_answered(
        &mut self,
        id: StepExecutionId,
        observed: &Observation,
        by: SeenBy,
        asked: Instant,
        now: Now,
    ) -> Option<Phase> {
        let step = self.steps.get_mut(&id)?;
        self.unattempted -= usize::from(!step.attempted);
        let state = State::of(observed);
        let rolled = observed.rollback_status.is_some();
        let rolls = observed.rollback_status == Some(RollbackStatus::Running)
            || step.seen.is_some_and(|seen| seen.rolled != rolled);
        let since = observed.end.or(observed.start);
        let changed = match step.seen {
            Some(seen) if seen.state == state => since.unwrap_or(seen.changed),
            _ => since.unwrap_or(now.time),
        };
        let times_out = times_out(observed).map(|moment| now.instant_at(moment));
        let left = match observed.subject.workflow_execution_id {
            known if known == step.workflow => None,
            other => std::mem::replace(&mut step.workflow, other),
        };
        *step = StepPlan {
            attempted: true,
            full: step.full || by == SeenBy::Get,
            unlisted: step.unlisted && left.is_none(),
            failures: 0,
            unknown_since: None,
            phase: Phase::Active,
            seen: Some(Seen {
                state,
                rolled,
                changed,
                times_out,
                failed: observed.status == StepStatus::Failed,
            }),
            ..*step
        };
        self.unfollow_workflow(id, left, now.instant);
        self.follow_workflow(id, now);
        if rolls {
            self.postpone_quiet(id, now.instant);
        }
        if self.is_settled(id, asked, now) {
            let workflow = self.steps.get_mut(&id).and_then(|step| {
                step.phase = Phase::Settled;
                step.workflow
            });
            if !self.wants_get(&id) {
                self.queue.remove(&Call::Step(id));
            }
            self.unfollow_workflow(id, workflow, now.instant);
            self.want_get(id, now.instant);
            return Some(Phase::Settled);
        }
        let next = self.next_look(id, observed, asked, now);
        self.look_at(id, next);
        self.want_get(id, now.instant);
        Some(Phase::Active)
    }

    /// A poll of a step by itself failed. Returns where the step stands now.
    pub fn step_failed(
        &mut self,
        id: StepExecutionId,
        kind: ErrorKind,
        now: Instant,
    ) -> Option<Phase> {
        let step = self.steps.get_mut(&id)?;
        self.unattempted -= usize::from(!step.attempted);
        step.attempted = true;
        step.failures = step.failures.saturating_add(1);
        let mut wait = self
            .jitter
            .after_failure(kind, step.interval, step.failures);
        if kind == ErrorKind::Client {
            let since = *step.unknown_since.get_or_insert(now);
            let gone_at = since + HOUR;
            if now >= gone_at {
                step.phase = Phase::Gone;
                wait = self.jitter.nearly(HOUR);
            } else {
                wait = wait.min(gone_at - now);
            }
        } else if step.phase == Phase::Gone {
            wait = self.jitter.nearly(HOUR);
        }
        let phase = step.phase;
        let next = step.before_timeout(now + wait, now);
        let slot = step.slot(next);
        self.queue.put(Call::Step(id), slot);
        Some(phase)
    }

    /// Whether what was asked for at `asked` is final.
    fn is_settled(&self, id: StepExecutionId, asked: Instant, now: Now) -> bool {
        let Some((step, seen)) = self.seen(id) else {
            return false;
        };
        match self.workflow_of(step) {
            Some(workflow) if !workflow.unavailable => workflow.end.is_some_and(|end| {
                let long_ago = now.time.millis_since(end.ended) >= HOUR.as_millis() as i64;
                let quiet = end.quiet_since.is_none_or(|since| {
                    let interval = self.largest_interval(workflow);
                    asked >= since + interval.mul_f64(QUIET_INTERVALS)
                });
                // A FAILED step with attempts left gets none of them in a workflow that ended.
                let ended = seen.state == State::Ended || seen.state == State::Retrying;
                asked >= end.noticed && ((ended && quiet) || long_ago)
            }),
            _ => {
                let bound = FOLLOWED_ALONE.as_millis() as i64;
                now.time.millis_since(seen.changed) >= bound
            }
        }
    }

    /// When a step that was just seen, and is not settled, is to be seen again: an interval after
    /// this look began, or earlier where something is known to happen earlier.
    fn next_look(
        &mut self,
        id: StepExecutionId,
        observed: &Observation,
        asked: Instant,
        now: Now,
    ) -> Instant {
        let Some((step, seen)) = self.seen(id) else {
            return now.instant;
        };
        let workflow = self.workflow_of(step);
        let alone = workflow.is_none_or(|workflow| workflow.unavailable);
        let end = workflow.and_then(|workflow| workflow.end);
        let wait = if alone && seen.state == State::Ended {
            step.interval * SLOWLY_ALONE
        } else {
            step.interval
        };
        let settles = match end {
            _ if alone => Some(seen.changed.plus(FOLLOWED_ALONE)),
            Some(end) if asked < end.noticed => return now.instant,
            Some(end) => Some(end.ended.plus(HOUR)),
            None => None,
        };
        // What came while this look was under way is still to be looked at.
        let under_way = (now.instant - asked).as_millis() as i64;
        [settles, times_out(observed)]
            .into_iter()
            .flatten()
            .filter(|moment| now.time.millis_since(*moment) < under_way)
            .map(|moment| now.instant_at(moment))
            .fold(asked + self.jitter.nearly(wait), Instant::min)
            .max(now.instant)
    }

    fn seen(&self, id: StepExecutionId) -> Option<(&StepPlan, Seen)> {
        let step = self.steps.get(&id)?;
        Some((step, step.seen?))
    }
}
