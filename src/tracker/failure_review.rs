//! Unresolved failures: the steps and image builds that failed for good, and were not fixed since.
//!
//! Owns what resolves a failure: a retry of the build, a later COMPLETED execution of the same step,
//! or a newer build of the same image that became AVAILABLE. The tracker calls it after each
//! response; the records of steps and images hold the result.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::discovery::Discovery;
use super::failures::step_key;
use super::retention::Expiring;
use super::step::StepSchedule;
use super::workflows::Workflows;
use crate::api::{Call, Operation};
use crate::clock::Past;
use crate::model::{
    ImageArn, OnFailure, StepExecutionId, StepStatus, Timestamp, WorkflowExecutionId,
};
use crate::snapshot::{ImageName, ImageRecord, Observation, Phase, StepRecord};

/// The service starts the next attempt of a FAILED step within seconds. A step without one for this
/// long has failed for good, whatever its number of attempts.
const NEXT_ATTEMPT_WITHIN: Duration = Duration::from_secs(15 * 60);
/// The longest time that the failure of a build waits for the steps that may explain it.
const STEPS_WITHIN: Duration = Duration::from_secs(2 * 60);
const FEW_HISTORIES: usize = 256;

/// The failures, with what they depend on.
pub(super) struct FailureReview<'a> {
    pub workflows: &'a mut Workflows,
    pub discovery: &'a Discovery,
    pub c: &'a mut Context,
}

impl FailureReview<'_> {
    /// Reviews what the response to this call may have changed.
    pub(super) fn after(&mut self, call: &Call) {
        for at in 0..self.c.changes.steps.len() {
            self.step_changed(at);
        }
        match call {
            // It has the last label of a failure, or was to have it.
            Call::GetWorkflowStepExecution(id) => self.review_step(*id),
            // It shows which executions a retry superseded.
            Call::ListWorkflowExecutions(image) => {
                for id in self.workflows.executions.of_image(image).to_vec() {
                    let all = self.workflows.executions.all_steps(id);
                    for step in all.map(|all| all.steps.clone()).unwrap_or_default() {
                        self.review_step(step);
                    }
                }
            }
            _ => {}
        }
        if self.c.failures.complete {
            for arn in self.c.failures.undecided.clone() {
                self.review_image(&arn);
            }
        }
    }

    /// The first attempt of every call has ended.
    pub(super) fn complete(&mut self) {
        self.c.failures.complete = true;
        self.review_all();
    }

    pub(super) fn review_all(&mut self) {
        let steps: Vec<_> = self.c.failures.steps.keys().copied().collect();
        for id in steps {
            self.review_step(id);
        }
        let exposed = self.workflows.images.exposed.records();
        let failed = exposed.iter().filter(|image| image.failed());
        let failed: Vec<_> = failed.map(|image| image.arn.clone()).collect();
        for arn in failed {
            self.review_image(&arn);
        }
    }

    fn step_changed(&mut self, at: usize) {
        let change = &self.c.changes.steps[at];
        let Some(observed) = &change.after.observed else {
            return;
        };
        let id = change.after.id;
        if !self.workflows.steps.contains(&id) {
            return;
        }
        let before = change.before.observed.as_ref();
        let completed = observed.values.status == StepStatus::Completed
            && before.is_none_or(|before| before.values.status != StepStatus::Completed);
        let key = step_key(observed);
        let failed = observed.has_failed();
        let started = observed.start.or(observed.end);
        if let Some(key) = key.filter(|_| completed || failed) {
            self.sweep();
            let failures = &mut self.c.failures;
            let history = failures.histories.entry(key).or_default();
            if failed && !failures.steps.contains_key(&id) {
                history.failed.push(id);
            }
            if completed {
                history.completed = history.completed.max(started);
                for id in history.failed.clone() {
                    self.review_step(id);
                }
            }
        }
        if failed {
            self.c.failures.steps.entry(id).or_default();
        }
        self.review_step(id);
    }

    /// Removes the histories of steps that are no longer tracked, each time their number has doubled.
    fn sweep(&mut self) {
        let failures = &mut self.c.failures;
        if failures.histories.len() < failures.sweep_at.max(FEW_HISTORIES) {
            return;
        }
        let steps = self.workflows.steps.table().rows().rows();
        let observed = steps.filter_map(|(record, _)| record.observed.as_ref());
        let mut kept = HashMap::new();
        for key in observed.filter_map(step_key) {
            if let Some((key, mut history)) = failures.histories.remove_entry(&key) {
                history.failed.retain(|id| failures.steps.contains_key(id));
                kept.insert(key, history);
            }
        }
        failures.sweep_at = kept.len() * 2;
        failures.histories = kept;
    }

    /// Decides whether the failure of a step is exposed.
    pub(super) fn review_step(&mut self, id: StepExecutionId) {
        let Some(&before) = self.c.failures.steps.get(&id) else {
            return;
        };
        let rows = self.workflows.steps.table().rows();
        let Some((record, schedule)) = rows.row(&id) else {
            return;
        };
        let observed = record.observed.as_ref();
        let Some(observed) = observed.filter(|observed| observed.has_failed()) else {
            // The next attempt of it has begun.
            self.c.failures.forget(&id, &mut self.c.retention);
            self.workflows
                .steps
                .update(&id, |record| record.unresolved = None);
            return;
        };
        let Some(ended) = schedule.changed() else {
            return;
        };
        let now = self.c.now;
        let until = ended.plus(self.c.pace.retention(true));
        let is_old = ended.is_before(self.c.since) && !self.c.failures.complete;
        let resolved = self.is_resolved(observed) || self.is_superseded(schedule.execution(record));
        let (mut unresolved, mut review) = (None, None);
        if !resolved && !is_old && until > now.instant {
            let next_attempt = next_attempt_within(record, ended).filter(|at| *at > now.instant);
            review = Some(next_attempt.map_or(until, |at| at.min(until)));
            let shown = record.unresolved.as_deref();
            let exposed = shown.is_some_and(|shown| shown.failure.is_some());
            let for_good = observed.values.status == StepStatus::Failed && next_attempt.is_none();
            let known = exposed || self.knows_on_failure(record, schedule);
            unresolved = record.unresolved(for_good && known, now.time);
        }
        if unresolved != record.unresolved {
            self.workflows
                .steps
                .update(&id, |record| record.unresolved = unresolved);
        }
        let what = Expiring::Failure(id);
        match review {
            Some(at) => self.c.retention.schedule(what, at, before),
            None => self.c.retention.cancel(&what, before),
        }
        self.c.failures.steps.insert(id, review);
    }

    /// Whether a later success resolved the failure of a step.
    fn is_resolved(&self, observed: &Observation) -> bool {
        let started = observed.start.or(observed.end);
        let key = step_key(observed);
        let history = key.and_then(|key| self.c.failures.histories.get(&key));
        let completed = history.and_then(|history| history.completed);
        let image = observed.subject.image.as_ref();
        let state = image.and_then(|arn| self.workflows.images.get(arn)?.observed.as_ref());
        let created = state.and_then(|image| image.created).or(started);
        let built = image.and_then(|arn| self.newest_build(arn));
        let later = |success: Option<Timestamp>, failure: Option<Timestamp>| {
            success
                .zip(failure)
                .is_some_and(|(success, failure)| success > failure)
        };
        later(completed, started) || later(built, created)
    }

    /// Whether a retry of the build superseded the workflow execution of a step.
    fn is_superseded(&self, execution: Option<WorkflowExecutionId>) -> bool {
        let record = execution.and_then(|id| self.workflows.executions.table().get(&id));
        let observed = record.and_then(|record| record.observed.as_ref());
        observed.is_some_and(|observed| observed.retried == Some(true))
    }

    /// Whether the Get that has `on_failure` succeeded, has failed or is denied.
    fn knows_on_failure(&self, record: &StepRecord, schedule: &StepSchedule) -> bool {
        let operation = Operation::GetWorkflowStepExecution;
        record.full
            || schedule.completion().failures > 0
            || schedule.retries().failures > 0
            || self.c.queue.denied(operation, self.c.now.instant).is_some()
    }

    /// When the newest build of the image's name was created that is or was AVAILABLE.
    fn newest_build(&self, image: &ImageArn) -> Option<Timestamp> {
        self.discovery.newest_build(&ImageName::of(image))
    }

    /// Decides whether the failure of a build is exposed.
    fn review_image(&mut self, arn: &ImageArn) {
        let image = self.workflows.images.exposed.get(arn);
        let Some(image) = image.filter(|image| image.failed()) else {
            self.c.failures.undecided.remove(arn);
            return;
        };
        let newest = self.newest_build(arn);
        let resolved = newest
            .zip(image.created)
            .is_some_and(|(newest, created)| newest > created);
        if !resolved && (image.unresolved.is_some() || !self.c.failures.complete) {
            return;
        }
        let unresolved = match resolved {
            true => None,
            false => match self.explaining_step(image) {
                Some(step) => {
                    let record = step.and_then(|step| self.workflows.steps.record(&step));
                    Some(image.unresolved_labels(record))
                }
                None => return,
            },
        };
        self.c.failures.undecided.remove(arn);
        self.workflows
            .images
            .exposed
            .update(arn, |image| image.unresolved = unresolved);
    }

    /// Returns the tracked step whose failure failed the build, `Some(None)` if there is none, and `None`
    /// while that is unknown.
    fn explaining_step(&self, image: &ImageRecord) -> Option<Option<StepExecutionId>> {
        let named = image
            .failure
            .as_ref()
            .and_then(|record| record.failure.step_execution_id);
        let executions = self.workflows.executions.of_image(&image.arn).iter();
        let executions = executions.filter_map(|id| self.workflows.executions.all_steps(*id));
        let steps = executions.flat_map(|all| all.steps.iter().copied());
        let mut steps = named.into_iter().chain(steps);
        if let Some(step) = steps.find(|step| self.fails_build(step)) {
            return Some(Some(step));
        }
        let state = self.workflows.images.get(&image.arn)?;
        let settled = state.expires.is_some();
        let over = state.over_since.map(|over| over.instant + STEPS_WITHIN);
        (settled || over.is_some_and(|over| over <= self.c.now.instant)).then_some(None)
    }

    /// Whether the step FAILED for good, and its workflow with it.
    fn fails_build(&self, id: &StepExecutionId) -> bool {
        let row = self.workflows.steps.table().rows().row(id);
        row.is_some_and(|(record, schedule)| {
            let observed = record.observed.as_ref();
            let on_failure = observed.and_then(|one| one.definition.on_failure.as_ref());
            record.finished() == Some(&StepStatus::Failed)
                && on_failure != Some(&OnFailure::Continue)
                && self.knows_on_failure(record, schedule)
        })
    }
}

/// Until when a FAILED step that has attempts left may run again.
fn next_attempt_within(record: &StepRecord, ended: Past) -> Option<Instant> {
    let observed = record.observed.as_ref()?;
    let waits = observed.will_be_retried() && record.phase != Phase::Settled;
    (waits && observed.end.is_some()).then(|| ended.plus(NEXT_ATTEMPT_WITHIN))
}
