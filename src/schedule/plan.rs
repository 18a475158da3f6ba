//! What is due, and when next: plain functions of the time they are given.
//!
//! Owns the due times of the tracked steps of one target and region and of their workflow
//! executions, and decides what is settled and what is gone. Makes no call and reads no clock.

mod backoff;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

pub use backoff::Jitter;
use queue::Queue;

use crate::api::ErrorKind;
use crate::clock::Now;
use crate::model::{
    RollbackStatus, StepExecutionId, StepStatus, Timestamp, WorkflowExecution, WorkflowExecutionId,
    WorkflowStatus,
};
use crate::store::{Observation, Phase};

/// How soon after a step's timeout it is looked at: the service needs a moment to fail it.
const AFTER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the service must have said that it does not know a step before it is gone; also how
/// often such a step, or a workflow execution that can't be looked at, is asked for again.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// A step whose workflow execution can't be looked at is followed this long after its last change.
/// No step runs for more than 12 hours, so a change within it is seen.
const FOLLOWED_ALONE: Duration = Duration::from_secs(24 * 60 * 60);
/// What is unlikely to change is asked for this many times less often.
const SLOWLY: u32 = 10;

/// One call to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    Step(StepExecutionId),
    Workflow(WorkflowExecutionId),
}

/// A call that has become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueCall {
    pub call: Call,
    /// When it became due.
    pub due: Instant,
}

/// The schedule of one target and region.
#[derive(Debug)]
pub struct Plan {
    steps: HashMap<StepExecutionId, StepPlan>,
    workflows: HashMap<WorkflowExecutionId, WorkflowPlan>,
    queue: Queue,
    /// Calls that were taken and have not come back; none of them waits in the queue.
    in_flight: HashSet<Call>,
    jitter: Jitter,
    /// Steps whose first attempt has not ended.
    unattempted: usize,
}

#[derive(Clone, Copy, Debug)]
struct StepPlan {
    interval: Duration,
    attempted: bool,
    failures: u32,
    /// Since when the service has said that it does not know the step.
    unknown_since: Option<Instant>,
    phase: Phase,
    workflow: Option<WorkflowExecutionId>,
    /// What the last successful poll saw; `None` before it.
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    ended: bool,
    /// When the service says, or else when it was noticed, that the state began.
    changed: Timestamp,
}

#[derive(Debug, Default)]
struct WorkflowPlan {
    /// Steps of it that are followed.
    followed: Vec<StepExecutionId>,
    failures: u32,
    unknown_since: Option<Instant>,
    /// Neither the right to look at it nor hope that it is still there.
    unavailable: bool,
    end: Option<WorkflowEnd>,
}

#[derive(Clone, Copy, Debug)]
struct WorkflowEnd {
    /// When the answer that said so was there. A step seen before may have changed since.
    noticed: Instant,
    /// When the service says, or else when it was noticed.
    ended: Timestamp,
    /// Of a FAILED one, since when none of its steps was seen being rolled back: the service rolls
    /// one back after the other, and may say FAILED before it begins.
    quiet_since: Option<Instant>,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        Self {
            steps: HashMap::new(),
            workflows: HashMap::new(),
            queue: Queue::default(),
            in_flight: HashSet::new(),
            jitter: Jitter::new(seed),
            unattempted: 0,
        }
    }

    /// Follows just these steps from now on, each at its interval. What is known of one that was
    /// followed before stays; the first polls of the others are spread over `spread`.
    pub fn follow(
        &mut self,
        steps: impl IntoIterator<Item = (StepExecutionId, Duration)>,
        spread: Duration,
        now: Now,
    ) {
        let mut before = std::mem::take(&mut self.steps);
        for (id, interval) in steps {
            if let Some(step) = before.remove(&id) {
                if interval < step.interval && self.queue.is_waiting(&Call::Step(id)) {
                    self.queue.no_later(Call::Step(id), now.instant + interval);
                }
                self.steps.insert(id, StepPlan { interval, ..step });
            } else {
                let due = now.instant + self.jitter.below(spread.min(interval));
                if !self.in_flight.contains(&Call::Step(id)) {
                    self.queue.put(Call::Step(id), due);
                }
                self.unattempted += 1;
                self.steps.insert(id, StepPlan::new(interval));
            }
        }
        for (id, step) in before {
            self.queue.remove(&Call::Step(id));
            self.unattempted -= usize::from(!step.attempted);
            self.unfollow_workflow(id, step.workflow);
        }
    }

    /// Whether the first attempt for every step has ended, well or not.
    pub fn all_attempted(&self) -> bool {
        self.unattempted == 0
    }

    /// When the next call is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|due| due.due)
    }

    /// The call that has been due longest, which is in flight from now on.
    pub fn take_due(&mut self, now: Instant) -> Option<DueCall> {
        let due = self.queue.first().filter(|first| first.due <= now)?;
        self.queue.remove(&due.call);
        self.in_flight.insert(due.call);
        Some(due)
    }

    /// A poll of a step that began at `asked` was answered. Returns where the step stands now.
    pub fn step_answered(
        &mut self,
        id: StepExecutionId,
        observed: &Observation,
        asked: Instant,
        now: Now,
    ) -> Option<Phase> {
        self.in_flight.remove(&Call::Step(id));
        let step = self.steps.get_mut(&id)?;
        self.unattempted -= usize::from(!step.attempted);
        let ended = has_ended(observed);
        let since = observed.end.or(observed.start);
        let changed = match step.seen {
            Some(seen) if seen.ended == ended => since.unwrap_or(seen.changed),
            _ => since.unwrap_or(now.time),
        };
        let left = match observed.subject.workflow_execution_id {
            known if known == step.workflow => None,
            other => std::mem::replace(&mut step.workflow, other),
        };
        *step = StepPlan {
            attempted: true,
            failures: 0,
            unknown_since: None,
            phase: Phase::Active,
            seen: Some(Seen { ended, changed }),
            ..*step
        };
        self.unfollow_workflow(id, left);
        self.follow_workflow(id, now);
        if observed.rollback_status == Some(RollbackStatus::Running) {
            self.postpone_quiet(id, now.instant);
        }
        if self.is_settled(id, asked, now) {
            let workflow = self.steps.get_mut(&id).and_then(|step| {
                step.phase = Phase::Settled;
                step.workflow
            });
            self.unfollow_workflow(id, workflow);
            return Some(Phase::Settled);
        }
        let next = self.next_look(id, observed, asked, now);
        self.queue.put(Call::Step(id), next);
        Some(Phase::Active)
    }

    /// A call for a step that is no longer followed has come back.
    pub fn forget(&mut self, id: StepExecutionId) {
        self.in_flight.remove(&Call::Step(id));
    }

    /// Whether the last poll of a step was the first of its polls in a row to fail.
    pub fn first_failure(&self, id: &StepExecutionId) -> bool {
        self.steps.get(id).is_some_and(|step| step.failures == 1)
    }

    /// A poll of a step failed. Returns where the step stands now.
    pub fn step_failed(
        &mut self,
        id: StepExecutionId,
        kind: ErrorKind,
        now: Instant,
    ) -> Option<Phase> {
        self.in_flight.remove(&Call::Step(id));
        let step = self.steps.get_mut(&id)?;
        self.unattempted -= usize::from(!step.attempted);
        step.attempted = true;
        step.failures = step.failures.saturating_add(1);
        let mut wait = self.jitter.backoff(step.interval, step.failures);
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
        self.queue.put(Call::Step(id), now + wait);
        Some(step.phase)
    }

    /// A look at a workflow execution was answered. Returns whether it has ended.
    pub fn workflow_answered(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
        now: Now,
    ) -> bool {
        self.in_flight.remove(&Call::Workflow(id));
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return false;
        };
        workflow.failures = 0;
        workflow.unknown_since = None;
        workflow.unavailable = false;
        if answer.status.is_terminal() {
            workflow.end = Some(WorkflowEnd {
                noticed: now.instant,
                ended: answer.end.unwrap_or(now.time),
                quiet_since: (answer.status == WorkflowStatus::Failed).then_some(now.instant),
            });
            // Each step may have changed since it was last seen: one more look at each.
            for step in &workflow.followed {
                let call = Call::Step(*step);
                if !self.in_flight.contains(&call) {
                    self.queue.no_later(call, now.instant);
                }
            }
        } else if let Some(wait) = self.workflow_interval(id) {
            let next = (asked + self.jitter.nearly(wait)).max(now.instant);
            self.queue.put(Call::Workflow(id), next);
        }
        answer.status.is_terminal()
    }

    /// A look at a workflow execution failed. Returns whether its steps are followed without it
    /// from now on, where they were not before.
    pub fn workflow_failed(
        &mut self,
        id: WorkflowExecutionId,
        kind: ErrorKind,
        now: Instant,
    ) -> bool {
        self.in_flight.remove(&Call::Workflow(id));
        let interval = self.smallest_interval(id);
        let Some((workflow, interval)) = self.workflows.get_mut(&id).zip(interval) else {
            return false;
        };
        workflow.failures = workflow.failures.saturating_add(1);
        let mut wait = self.jitter.backoff(interval, workflow.failures);
        let forgotten = match kind {
            ErrorKind::Client => now >= *workflow.unknown_since.get_or_insert(now) + HOUR,
            _ => false,
        };
        let was = workflow.unavailable;
        workflow.unavailable |= forgotten || kind == ErrorKind::Forbidden;
        if workflow.unavailable {
            wait = self.jitter.nearly(HOUR);
        }
        let became = workflow.unavailable && !was;
        self.queue.put(Call::Workflow(id), now + wait);
        became
    }

    fn follow_workflow(&mut self, id: StepExecutionId, now: Now) {
        let Some(workflow_id) = self.steps.get(&id).and_then(|step| step.workflow) else {
            return;
        };
        let workflow = self.workflows.entry(workflow_id).or_default();
        if !workflow.followed.contains(&id) {
            workflow.followed.push(id);
        }
        let call = Call::Workflow(workflow_id);
        let in_flight = self.in_flight.contains(&call);
        if in_flight || workflow.end.is_some() || workflow.unavailable {
            return;
        }
        // The first look is at once: what the workflow says decides how its steps are followed.
        // A step that ended makes the next one earlier.
        if !self.queue.is_waiting(&call) {
            self.queue.put(call, now.instant);
        } else if workflow.failures == 0
            && let Some(wait) = self.workflow_interval(workflow_id)
        {
            self.queue.no_later(call, now.instant + wait);
        }
    }

    fn unfollow_workflow(&mut self, id: StepExecutionId, workflow: Option<WorkflowExecutionId>) {
        let Some(workflow_id) = workflow else { return };
        if let Some(workflow) = self.workflows.get_mut(&workflow_id) {
            workflow.followed.retain(|step| *step != id);
            if workflow.followed.is_empty() {
                self.workflows.remove(&workflow_id);
                self.queue.remove(&Call::Workflow(workflow_id));
            }
        }
    }

    /// A step of the execution was seen being rolled back: others may follow.
    fn postpone_quiet(&mut self, id: StepExecutionId, now: Instant) {
        let workflow = self.steps.get(&id).and_then(|step| step.workflow);
        let end = workflow
            .and_then(|id| self.workflows.get_mut(&id))
            .and_then(|workflow| workflow.end.as_mut());
        if let Some(since) = end.and_then(|end| end.quiet_since.as_mut()) {
            *since = now;
        }
    }

    /// Whether what was asked for at `asked` is final.
    fn is_settled(&self, id: StepExecutionId, asked: Instant, now: Now) -> bool {
        let Some((step, seen)) = self.seen(id) else {
            return false;
        };
        match self.workflow_of(step) {
            Some(workflow) if !workflow.unavailable => workflow.end.is_some_and(|end| {
                let long_ago = now.time.millis_since(end.ended) >= HOUR.as_millis() as i64;
                // Less than an interval, so that the look after the next is the last one.
                let quiet = end
                    .quiet_since
                    .is_none_or(|since| asked >= since + step.interval.mul_f64(0.9));
                asked >= end.noticed && ((seen.ended && quiet) || long_ago)
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
        let wait = if alone && seen.ended {
            step.interval * SLOWLY
        } else {
            step.interval
        };
        let settles = match end {
            _ if alone => Some(seen.changed.plus(FOLLOWED_ALONE)),
            Some(end) if asked < end.noticed => return now.instant,
            Some(end) => Some(end.ended.plus(HOUR)),
            None => None,
        };
        [settles, times_out(observed)]
            .into_iter()
            .flatten()
            .map(|moment| now.instant_at(moment))
            .filter(|moment| *moment > now.instant)
            .fold(asked + self.jitter.nearly(wait), Instant::min)
            .max(now.instant)
    }

    /// How often to look at a workflow execution: at the smallest interval of its steps once one
    /// of them has ended, seldom while all are still to move.
    fn workflow_interval(&self, id: WorkflowExecutionId) -> Option<Duration> {
        let interval = self.smallest_interval(id)?;
        let ended = |step: &StepExecutionId| {
            let seen = self.steps.get(step).and_then(|step| step.seen);
            seen.is_some_and(|seen| seen.ended)
        };
        Some(if self.workflows[&id].followed.iter().any(ended) {
            interval
        } else {
            interval * SLOWLY
        })
    }

    fn smallest_interval(&self, id: WorkflowExecutionId) -> Option<Duration> {
        let followed = self.workflows.get(&id)?.followed.iter();
        followed
            .filter_map(|step| Some(self.steps.get(step)?.interval))
            .min()
    }

    fn seen(&self, id: StepExecutionId) -> Option<(&StepPlan, Seen)> {
        let step = self.steps.get(&id)?;
        Some((step, step.seen?))
    }

    fn workflow_of(&self, step: &StepPlan) -> Option<&WorkflowPlan> {
        self.workflows.get(&step.workflow?)
    }
}

impl StepPlan {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            attempted: false,
            failures: 0,
            unknown_since: None,
            phase: Phase::Pending,
            workflow: None,
            seen: None,
        }
    }
}

/// When a running step is to be looked at for its timeout.
fn times_out(observed: &Observation) -> Option<Timestamp> {
    if observed.status != StepStatus::Running {
        return None;
    }
    let timeout = Duration::from_secs(observed.timeout_seconds?.into());
    Some(observed.start?.plus(timeout + AFTER_TIMEOUT))
}

/// Whether the step has come to an end that only its workflow execution can undo: by a rollback, or
/// by another attempt.
fn has_ended(observed: &Observation) -> bool {
    observed.status.is_terminal() && observed.rollback_status != Some(RollbackStatus::Running)
}
