//! Steps and their workflow executions together: which are tracked, which have settled, and what is
//! dropped with what.
//!
//! A step settles by its execution's end, an execution by its steps; both leave together. What
//! responses mean for them is in `observations`. What an execution means for its image leaves as an
//! [`ImageSignal`].

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::assignment::Assignment;
use super::context::{Context, ImageSignal};
use super::executions::{Executions, is_failed};
use super::images::Images;
use super::polling::StepPolling;
use super::queue::{Slot, Urgency};
use super::retention::Expiring;
use super::steps::Steps;
use crate::api::{Call, Operation};
use crate::config::Target;
use crate::labels::LabelText;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};
use crate::snapshot::Phase;

/// The images, their tracked executions, and the tracked steps.
#[derive(Debug, Default)]
pub(super) struct Workflows {
    pub steps: Steps,
    pub executions: Executions,
    pub images: Images,
}

impl Workflows {
    pub(super) fn polling<'a>(&'a mut self, c: &'a mut Context) -> StepPolling<'a> {
        StepPolling {
            steps: &mut self.steps,
            executions: &mut self.executions,
            c,
        }
    }

    /// Tracks just the steps that the target lists, each with its interval and labels, beside those
    /// of tracked executions. What is known of a step stays; the first polls are spread over the time
    /// that the rate limit needs for them.
    pub(super) fn list_steps(&mut self, assignment: &Assignment, c: &mut Context) {
        let target = &assignment.target;
        let rate = target.rate_limit.requests_per_second;
        let spread = Duration::from_secs_f64(target.step_executions.len() as f64 / rate);
        let before = self.steps.ids(|_, schedule| schedule.listed);
        let mut before: HashSet<_> = before.into_iter().collect();
        for step in &*target.step_executions {
            let (id, interval) = (&step.id, step.interval(&assignment.polling));
            before.remove(id);
            if let Some(schedule) = self.steps.schedule_mut(id) {
                let was = std::mem::replace(&mut schedule.interval, interval);
                schedule.listed = true;
                if interval < was {
                    let due = c.now.instant + interval;
                    self.polling(c).poll_no_later(*id, due);
                }
                // A List refreshes a listed step only after a Get.
                let record = self.steps.record(id);
                let unseen = record.is_some_and(|one| one.observed.is_none());
                if let Some(slot) = self.steps.slot(id, c.now.instant).filter(|_| unseen) {
                    c.queue.request(Call::GetWorkflowStepExecution(*id), slot);
                }
            } else {
                let due = c.now.instant + c.jitter.below(spread.min(interval));
                let own_labels = c.labels.of_listed(target, step);
                self.steps.track_listed(*id, interval, own_labels);
                self.polling(c).poll_at(*id, due);
            }
        }
        for id in before {
            let execution = self.steps.execution_of(&id);
            let all = execution.and_then(|execution| self.executions.all_steps_mut(execution));
            let Some(all) = all else {
                self.untrack_step(id, c);
                continue;
            };
            // It stays as one of the steps of its execution, and leaves with it, also before
            // a List has returned it.
            if !all.steps.contains(&id) {
                all.steps.push(id);
            }
            if let Some(schedule) = self.steps.schedule_mut(&id) {
                schedule.listed = false;
                schedule.interval = c.pace.interval;
            }
        }
    }

    /// Stops tracking a step.
    pub(super) fn untrack_step(&mut self, id: StepExecutionId, c: &mut Context) {
        let execution = self.steps.execution_of(&id);
        if self.steps.remove(&id) {
            c.queue.remove(&Call::GetWorkflowStepExecution(id));
            c.failures.forget(&id, &mut c.retention);
            self.leave_execution(id, execution, c);
        }
    }

    /// A step was observed: its execution is polled when that may have ended.
    pub(super) fn join_execution(&mut self, id: StepExecutionId, c: &mut Context) {
        let now = c.now.instant;
        let Some(execution) = self.steps.execution_of(&id) else {
            return;
        };
        let Some(schedule) = self.executions.track(execution) else {
            return;
        };
        if !schedule.unsettled.contains(&id) {
            schedule.unsettled.push(id);
        }
        let call = Call::GetWorkflowExecution(execution);
        let over = schedule.end.is_some() || schedule.unavailable;
        if schedule.all_steps.is_some() || over || c.queue.in_flight(&call) {
            return;
        }
        let failing = schedule.retries.failures > 0;
        if !self.polling(c).is_moving(execution) && !c.queue.is_waiting(&call) {
            // How the execution is decides how the step is polled.
            c.queue.put(call, Slot::new(now, Urgency::Waiting));
        } else if !failing && let Some(wait) = self.polling(c).execution_interval(execution) {
            let slot = Slot::new(now + wait, Urgency::Waiting);
            c.queue.no_later(call, slot);
        }
    }

    /// A step of the execution has settled, or is no longer tracked with it.
    pub(super) fn leave_execution(
        &mut self,
        id: StepExecutionId,
        execution: Option<WorkflowExecutionId>,
        c: &mut Context,
    ) {
        let Some(execution) = execution else { return };
        let Some(schedule) = self.executions.schedule_mut(execution) else {
            return;
        };
        schedule.unsettled.retain(|step| *step != id);
        if schedule.all_steps.is_some() {
            self.settle(execution, c);
        } else if schedule.unsettled.is_empty() {
            self.drop_execution(execution, c);
        } else {
            self.polling(c).stop_sharing(execution);
        }
    }

    /// Tracks just these executions by their names in the configuration, beside those of images. Those
    /// that are named no more stay until [`Self::untrack_unowned`].
    pub(super) fn name_executions(&mut self, ids: &[WorkflowExecutionId], c: &mut Context) {
        let named = self.executions.ids(|id, _| self.executions.is_named(id));
        for id in named.into_iter().filter(|id| !ids.contains(id)) {
            if let Some(all) = self.executions.all_steps_mut(id) {
                all.named = false;
            }
        }
        for id in ids {
            let new = self.track_all_steps(*id, c);
            if let Some(all) = self.executions.all_steps_mut(*id) {
                all.named = true;
            }
            if new {
                let slot = Slot::new(c.now.instant, Urgency::Running);
                c.queue.request(Call::GetWorkflowExecution(*id), slot);
            }
        }
    }

    /// Stops tracking each execution that is neither named nor of an image of this target.
    pub(super) fn untrack_unowned(&mut self, c: &mut Context) {
        for id in self.executions.tracked() {
            if !self.executions.is_named(id) && self.known_image(id).is_none() {
                self.untrack_execution(id, c);
            }
        }
    }

    /// Tracks all steps of the execution from now on. Returns whether they were not before.
    pub(super) fn track_all_steps(&mut self, id: WorkflowExecutionId, c: &mut Context) -> bool {
        let listing = self.polling(c).is_listing(id);
        let Some(schedule) = self.executions.track(id) else {
            return false;
        };
        let new = schedule.all_steps.is_none();
        schedule.all_steps.get_or_insert_default();
        schedule.listing.partial |= new && listing;
        new
    }

    /// Stops tracking an execution and its steps; those that the configuration lists stay.
    pub(super) fn untrack_execution(&mut self, id: WorkflowExecutionId, c: &mut Context) {
        let now = c.now.instant;
        let Some(all) = self.executions.untrack_all_steps(id) else {
            return;
        };
        c.retention.cancel(&Expiring::Execution(id), all.expires);
        // A listed step need not be among those that the Lists have returned.
        let mut steps = all.steps;
        for step in self.executions.unsettled(id) {
            if !steps.contains(step) {
                steps.push(*step);
            }
        }
        if let Some(image) = &all.image {
            self.polling(c).list_released(image);
        }
        let mut stay = Vec::new();
        for step in steps {
            let listed = self.steps.schedule(&step).map(|schedule| schedule.listed);
            let settled = self.steps.phase(&step) == Some(Phase::Settled);
            match listed {
                Some(false) => self.untrack_step(step, c),
                Some(true) if !settled => stay.push(step),
                // Its Get was to complete what the List of all steps returned.
                Some(true) => {
                    c.queue.remove(&Call::GetWorkflowStepExecution(step));
                }
                None => {}
            }
        }
        self.poll_partly(id, c);
        for step in stay {
            self.polling(c).poll_at(step, now);
        }
    }

    /// Its image is no longer tracked: an execution that the configuration names stays, and waits
    /// behind no other.
    pub(super) fn untrack_with_image(&mut self, id: WorkflowExecutionId, c: &mut Context) {
        if !self.executions.is_named(id) {
            return self.untrack_execution(id, c);
        }
        self.executions.set_image(id, None);
        let all = self.executions.all_steps(id);
        if all.is_some_and(|all| all.expires.is_none()) {
            let slot = Slot::new(c.now.instant, Urgency::Waiting);
            self.polling(c).list_no_later(id, slot);
        }
    }

    /// Only listed steps of the execution are tracked from now on, or none.
    fn poll_partly(&mut self, id: WorkflowExecutionId, c: &mut Context) {
        if self.executions.unsettled(id).is_empty() {
            return self.drop_execution(id, c);
        }
        self.polling(c).stop_sharing(id);
        let call = Call::GetWorkflowExecution(id);
        if self.executions.has_ended(id) {
            c.queue.remove(&call);
        } else {
            let slot = Slot::new(c.now.instant, Urgency::Waiting);
            c.queue.request(call, slot);
        }
    }

    fn drop_execution(&mut self, id: WorkflowExecutionId, c: &mut Context) {
        self.executions.remove(id);
        c.queue.remove(&Call::GetWorkflowExecution(id));
        c.queue.remove(&Call::ListWorkflowStepExecutions(id));
    }

    /// Stops tracking the executions and steps that the configuration lists for another target.
    pub(super) fn give_up(&mut self, c: &mut Context) {
        for id in self.executions.ids(|_, _| true) {
            if let Some(image) = self.executions.image_of(id)
                && c.assignment.leaves_execution(&id)
            {
                self.images.leave_execution(image);
            }
        }
        for id in self.executions.tracked() {
            if c.assignment.listed.has_execution(&id) && !self.executions.is_named(id) {
                self.untrack_execution(id, c);
            }
        }
        for id in self.steps.ids(|_, schedule| !schedule.listed) {
            if !c.assignment.listed.has_step(&id) {
                continue;
            }
            let execution = self.steps.execution_of(&id);
            if let Some(all) = execution.and_then(|id| self.executions.all_steps_mut(id)) {
                all.steps.retain(|step| *step != id);
                all.left_step = true;
            }
            self.untrack_step(id, c);
        }
    }

    /// Executions are kept for another time: schedules each eviction again.
    pub(super) fn settle_again(&mut self, c: &mut Context) {
        for id in self.executions.tracked() {
            if { self.executions.all_steps(id) }.is_some_and(|all| all.expires.is_some()) {
                self.settle(id, c);
            }
        }
    }

    /// Where nothing of the execution can change any more: stops polling it and schedules its
    /// eviction. Returns whether that is so.
    pub(super) fn settle(&mut self, id: WorkflowExecutionId, c: &mut Context) -> bool {
        let now = c.now.instant;
        let denied = c.queue.denied(Operation::ListWorkflowStepExecutions, now);
        let Some(schedule) = self.executions.schedule_mut(id) else {
            return false;
        };
        let (Some(all), Some(end)) = (&schedule.all_steps, schedule.end) else {
            return false;
        };
        let seen = denied.is_some() || all.listed.is_some_and(|listed| listed >= end.noticed);
        let gone = |id: &_| matches!(self.steps.phase(id), None | Some(Phase::Gone));
        if !seen || !schedule.unsettled.iter().all(gone) {
            return false;
        }
        // A List that is broken off between two pages begins again, should the execution go on.
        let list = Call::ListWorkflowStepExecutions(id);
        if c.queue.remove(&list).is_some() {
            schedule.listing.restart();
        }
        self.polling(c).poll_named_seldom(id);
        let expires = end.ended.plus(self.retention_of(id, c));
        self.expire_at(id, expires, c);
        if let Some(image) = self.executions.image_of(id) {
            c.signals.push(ImageSignal::Settled(image.clone()));
        }
        true
    }

    pub(super) fn expire_at(&mut self, id: WorkflowExecutionId, at: Instant, c: &mut Context) {
        if let Some(all) = self.executions.all_steps_mut(id) {
            let before = all.expires.replace(at);
            c.retention.schedule(Expiring::Execution(id), at, before);
        }
    }

    /// The service has not known the execution for an hour.
    pub(super) fn execution_gone(&mut self, id: WorkflowExecutionId, c: &mut Context) {
        for step in self.executions.unsettled(id).to_vec() {
            if let Some(schedule) = self.steps.schedule_mut(&step) {
                schedule.retries_mut().gone = true;
            }
            self.steps.set_phase(&step, Phase::Gone);
        }
        let retention = self.retention_of(id, c);
        self.expire_at(id, c.now.instant + retention, c);
    }

    /// Puts the labels and budgets of the assignment on what is known.
    pub(super) fn relabel(&mut self, target: &Target, c: &Context) {
        let listed = target.step_executions.iter();
        self.steps.arrange(listed.clone().map(|step| step.id));
        let own = listed.filter(|step| step.labels.is_some());
        let own = own.map(|step| (step.id, c.labels.of_listed(target, step)));
        let own: HashMap<_, _> = own.collect();
        for id in self.steps.ids(|_, _| true) {
            let observed = self.steps.record(&id).and_then(|one| one.observed.as_ref());
            let budget = observed.and_then(|observed| c.labels.budget_millis(observed));
            let execution = observed.and_then(|observed| observed.subject.workflow_execution_id);
            let tags = execution.map(|id| self.info_labels(id, c));
            self.steps.update(&id, |record| {
                let own_labels = own.get(&id).cloned();
                record.set_own_labels(own_labels.unwrap_or_else(|| c.labels.target()));
                if let Some(observed) = &mut record.observed {
                    observed.set_budget(budget);
                    record.set_info_labels(tags.unwrap_or_default());
                }
            });
        }
        for id in self.executions.tracked() {
            let info_labels = self.info_labels(id, c);
            self.executions.relabel(id, c.labels.target(), info_labels);
        }
    }

    /// The image of the execution, where this target owns it: the list of the image's executions
    /// returns the execution.
    pub(super) fn known_image(&self, id: WorkflowExecutionId) -> Option<ImageArn> {
        let image = self.executions.image_of(id)?;
        self.images.is_held(image).then(|| image.clone())
    }

    /// The labels of info series that the tags of the execution's image give.
    pub(super) fn info_labels(&self, id: WorkflowExecutionId, c: &Context) -> LabelText {
        let image = self.executions.image_of(id);
        let tags = image.and_then(|image| self.images.tags(image));
        tags.map(|tags| c.labels.tags(tags)).unwrap_or_default()
    }

    /// How long the execution is kept after its end. An image that another target owns does not count.
    pub(super) fn retention_of(&self, id: WorkflowExecutionId, c: &Context) -> Duration {
        let failed = self.executions.status(id).is_some_and(is_failed);
        let image = self.known_image(id);
        c.pace
            .retention(failed || image.is_some_and(|image| self.images.failed(&image)))
    }
}
