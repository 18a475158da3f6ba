//! What answers about steps and their workflow executions mean for what is followed and shown.

use tokio::time::Instant;

use super::plan::{Call, SeenBy};
use super::{Poller, lock, news};
use crate::api::{ApiError, ErrorKind, Operation, Page, Parsed, StepPage};
use crate::clock::Now;
use crate::model::{StepExecution, StepExecutionId, WorkflowExecution, WorkflowExecutionId};
use crate::store::{Phase, StepRecord};

impl Poller {
    pub(super) fn step_polled(
        &mut self,
        id: StepExecutionId,
        result: Result<Box<Parsed<StepExecution>>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        let error = match result {
            Ok(parsed) => return self.step_seen(id, parsed.value, SeenBy::Get, asked, now),
            Err(error) => error,
        };
        // A reload may have taken the step away while the call was under way.
        let Some(before) = self.shown.store.steps.get(&id) else {
            return;
        };
        if self.plan.get_only_completes(&id, now.instant) {
            if self
                .plan
                .get_failed(id, error.about_operation(), now.instant)
            {
                let so = "steps have no timeout and no info series";
                let operation = Operation::GetWorkflowStepExecution;
                self.reporter.denied(operation, so, &error);
            }
            return;
        }
        let phase = self.plan.step_failed(id, error.kind, now.instant);
        if phase == Some(Phase::Gone) && before.phase != Phase::Gone {
            self.reporter.step_gone(&id, &error);
        } else if error.kind == ErrorKind::Client && self.plan.first_failure(&id) {
            self.reporter.step_unknown(&id, &error);
        }
        self.shown.store.steps.put(StepRecord {
            phase: phase.unwrap_or(before.phase),
            ..before.unanswered(error.kind, now.time)
        });
    }

    pub(super) fn step_seen(
        &mut self,
        id: StepExecutionId,
        answer: StepExecution,
        by: SeenBy,
        asked: Instant,
        now: Now,
    ) {
        let Some(before) = self.shown.store.steps.get(&id) else {
            return;
        };
        let mut record = before.answered(answer, &self.assignment.region, now.time);
        record.full |= by == SeenBy::Get;
        if let Some(observed) = &mut record.observed {
            observed.budget_millis = self.assignment.budgets.millis(observed);
            let phase = self.plan.step_answered(id, observed, by, asked, now);
            record.phase = phase.unwrap_or(record.phase);
        }
        let target = &self.assignment.target;
        if !self.is_old_news(&before, &record) {
            news::tell(&target.name, &self.assignment.region, &before, &record, now);
        }
        let (finished, labels) = (&self.tools.finished, &self.target_labels);
        finished.see(&target.name, labels, Some(&before), &record, now.time);
        self.shown.store.steps.put(record);
    }

    /// Whether a step that is discovered had ended before anybody looked: a restart tells no failure
    /// of yesterday anew.
    pub(super) fn is_old_news(&self, before: &StepRecord, after: &StepRecord) -> bool {
        let end = after.observed.as_ref().and_then(|observed| observed.end);
        before.observed.is_none()
            && !self.plan.lists(&after.id)
            && end.is_some_and(|end| end < self.since)
    }

    /// The step keeps what is known of it; a poll that was to refresh it failed.
    pub(super) fn step_missed(&self, id: &StepExecutionId, kind: ErrorKind, now: Now) {
        if let Some(before) = self.shown.store.steps.get(id) {
            let record = before.unanswered(kind, now.time);
            self.shown.store.steps.put(record);
        }
    }

    pub(super) fn steps_listed(
        &mut self,
        workflow: WorkflowExecutionId,
        page: &Page,
        result: Result<Parsed<StepPage>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        let kind = result.as_ref().err().map(|error| error.kind);
        if self.page_size.refused(&Call::Steps(workflow), page, kind) {
            return self.plan.page_too_large(workflow, now.instant);
        }
        let StepPage {
            entries: steps,
            next,
        } = match result {
            Ok(parsed) => parsed.value,
            Err(error) => {
                let failure = self
                    .plan
                    .list_failed(workflow, error.about_operation(), now);
                for id in &failure.steps {
                    self.step_missed(id, error.kind, now);
                }
                if failure.gone {
                    self.steps_gone(workflow, &failure.steps, &error);
                }
                if failure.denied {
                    self.reporter.lists_forbidden(&error);
                }
                return;
            }
        };
        let mut told = Vec::new();
        for (id, answer) in steps {
            told.push(id);
            self.step_found(id, workflow);
            if !self.plan.refreshes(workflow, &id) {
                continue;
            }
            match answer {
                Some(answer) => self.step_seen(id, answer, SeenBy::List, asked, now),
                None => {
                    self.plan.step_untold(id, now.instant);
                    self.step_missed(&id, ErrorKind::Parse, now);
                }
            }
        }
        let read = self
            .plan
            .page_read(workflow, told, next, asked, now.instant);
        if let Some(steps) = read.whole {
            self.count_steps(workflow, &steps);
        }
        read.waiting.iter().for_each(|id| self.step_waits(id, now));
    }

    /// The service has long not known the workflow execution of these steps.
    pub(super) fn steps_gone(
        &self,
        workflow: WorkflowExecutionId,
        steps: &[StepExecutionId],
        error: &ApiError,
    ) {
        for id in steps {
            if let Some(before) = self.shown.store.steps.get(id) {
                self.shown.store.steps.put(StepRecord {
                    phase: Phase::Gone,
                    ..before
                });
            }
        }
        if !steps.is_empty() {
            self.reporter.workflow_gone(&workflow, error);
        }
    }

    pub(super) fn workflow_polled(
        &mut self,
        id: WorkflowExecutionId,
        result: Result<Parsed<WorkflowExecution>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        match result {
            Ok(parsed) => {
                lock(&self.shown.health).known(id);
                let stale = self.plan.is_outdated(id, &parsed.value, asked);
                self.plan.workflow_answered(id, &parsed.value, asked, now);
                let left = self.plan.leave(now);
                self.remove(left);
                if self.plan.is_whole(id) && !stale {
                    self.show_workflow(id, &parsed.value);
                }
            }
            Err(error) => {
                let kind = error.about_operation();
                let became = self.plan.workflow_failed(id, kind, now.instant);
                if became && error.kind == ErrorKind::Forbidden {
                    self.reporter.workflows_forbidden(&error);
                } else if kind == ErrorKind::Client && self.assignment.names_workflow(&id) {
                    self.named_unknown(&id.to_string(), &error, now);
                }
            }
        }
    }
}
