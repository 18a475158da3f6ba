//! When what was discovered leaves: a while after all of it has settled, together.

use std::time::Duration;

use tokio::time::Instant;

use super::queue::{Slot, Urgency};
use super::workflow::WorkflowEnd;
use super::{Call, HOUR, Plan};
use crate::api::Operation;
use crate::clock::Now;
use crate::model::{ImageArn, StepExecutionId, Timestamp, WorkflowExecutionId, WorkflowStatus};
use crate::store::Phase;

/// What can leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leaver {
    Workflow(WorkflowExecutionId),
    Image(ImageArn),
}

/// What is no longer followed, and so no longer shown.
#[derive(Debug, Default, PartialEq)]
pub struct Left {
    pub workflows: Vec<WorkflowExecutionId>,
    pub steps: Vec<StepExecutionId>,
    pub images: Vec<ImageArn>,
}

/// What the configuration names, for whatever target.
pub trait Elsewhere {
    fn has_step(&self, id: &StepExecutionId) -> bool;
    fn has_workflow(&self, id: &WorkflowExecutionId) -> bool;
    fn has_image(&self, arn: &ImageArn) -> bool;
}

impl Plan {
    /// Where nothing of it can change any more: asks no longer, and says when it leaves. Returns
    /// whether that is so.
    pub(super) fn settle_whole(&mut self, id: WorkflowExecutionId, now: Instant) -> bool {
        let lists = self
            .denied(Operation::ListWorkflowStepExecutions, now)
            .is_none();
        let Some(workflow) = self.workflows.get(&id) else {
            return false;
        };
        let (Some(whole), Some(end)) = (&workflow.whole, workflow.end) else {
            return false;
        };
        let seen = !lists || whole.listed.is_some_and(|listed| listed >= end.noticed);
        if !seen || !workflow.followed.is_empty() {
            return false;
        }
        let ended = end.ended;
        // A List that is broken off between two pages begins anew, should the execution go on.
        if self.queue.remove(&Call::Steps(id)).is_some()
            && let Some(workflow) = self.workflows.get_mut(&id)
        {
            workflow.listing.begin_anew();
        }
        self.look_seldom(id, now);
        let leaves = ended.plus(self.retention_of(id));
        self.leaves_at(id, leaves);
        if let Some(image) = self.image_of(id).cloned() {
            self.settle_image(&image);
        }
        true
    }

    /// The service has long said that it does not know the execution.
    pub(super) fn whole_gone(&mut self, id: WorkflowExecutionId, now: Now) {
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return;
        };
        for step in &workflow.followed {
            if let Some(step) = self.steps.get_mut(step) {
                step.phase = Phase::Gone;
            }
        }
        let retention = self.retention_of(id);
        self.leaves_at(id, now.time.plus(retention));
    }

    /// An execution that never began, of an image whose build ended over an hour ago, is taken for
    /// ended then: nothing says that the service gives it another status.
    pub(super) fn abandon(&mut self, id: WorkflowExecutionId, now: Instant) {
        let image = self.image_of(id).and_then(|image| self.images.get(image));
        let over = image.and_then(|image| image.over_since);
        let over = over.filter(|over| now >= over.instant + HOUR);
        let Some((workflow, over)) = self.workflows.get_mut(&id).zip(over) else {
            return;
        };
        let status = workflow.whole.as_ref().map(|whole| &whole.status);
        if workflow.end.is_none() && status == Some(&Some(WorkflowStatus::Pending)) {
            workflow.end = Some(WorkflowEnd {
                noticed: over.instant,
                ended: over.time,
                quiet_since: None,
            });
        }
    }

    pub(super) fn retention_of(&self, id: WorkflowExecutionId) -> Duration {
        let whole = self.whole(id);
        let failed = whole.is_some_and(|whole| {
            // What becomes of an image that is not followed nobody is told.
            let held = whole.image.as_ref().filter(|arn| self.holds_image(arn));
            let image = held.and_then(|arn| self.images.get(arn));
            whole.status.as_ref().is_some_and(is_failed)
                || image.is_some_and(super::ImagePlan::failed)
        });
        self.retention(failed)
    }

    pub(super) fn retention(&self, failed: bool) -> Duration {
        match failed {
            true => self.pace.retention_failed,
            false => self.pace.retention,
        }
    }

    pub(super) fn leaves_at(&mut self, id: WorkflowExecutionId, leaves: Timestamp) {
        let before = self
            .whole_mut(id)
            .and_then(|whole| whole.leaves.replace(leaves));
        if let Some(before) = before {
            self.leaving.remove(&(before, Leaver::Workflow(id)));
        }
        self.leaving.insert((leaves, Leaver::Workflow(id)));
    }

    /// When the next thing leaves.
    pub fn next_leave(&self) -> Option<Timestamp> {
        self.leaving.first().map(|(leaves, _)| *leaves)
    }

    /// What leaves by now: it is no longer followed.
    pub fn leave(&mut self, now: Now) -> Left {
        let mut left = Left::default();
        while let Some((at, _)) = self.leaving.first()
            && *at <= now.time
        {
            match self.leaving.pop_first() {
                Some((_, Leaver::Workflow(id))) => self.drop_whole(id, now.instant, &mut left),
                Some((_, Leaver::Image(arn))) => {
                    self.image_left(&arn);
                    left.images.push(arn);
                }
                None => {}
            }
        }
        left
    }

    /// The execution is no longer followed as a whole; listed steps of it stay.
    pub(super) fn drop_whole(&mut self, id: WorkflowExecutionId, now: Instant, left: &mut Left) {
        let Some(workflow) = self.workflows.get_mut(&id) else {
            return;
        };
        let Some(whole) = workflow.whole.take() else {
            return;
        };
        // A listed one need not be among those that the Lists have told of.
        let mut steps = whole.steps;
        let untold = workflow.followed.iter().filter(|id| !steps.contains(id));
        let untold: Vec<_> = untold.copied().collect();
        steps.extend(untold);
        left.workflows.push(id);
        if let Some(leaves) = whole.leaves {
            self.leaving.remove(&(leaves, Leaver::Workflow(id)));
        }
        if let Some(arn) = whole.image
            && let Some(image) = self.images.get_mut(&arn)
        {
            image.workflows.retain(|workflow| *workflow != id);
            self.list_released(&arn, now);
        }
        let mut stay = Vec::new();
        for id in steps {
            match self.steps.get(&id) {
                Some(step) if !step.listed => {
                    self.drop_step(id, now);
                    left.steps.push(id);
                }
                Some(step) if step.phase != Phase::Settled => stay.push(id),
                Some(_) => {
                    // Only of the whole every step is asked for by itself.
                    self.queue.remove(&Call::Step(id));
                }
                None => {}
            }
        }
        let followed = self.workflows.get(&id);
        if followed.is_none_or(|workflow| workflow.followed.is_empty()) {
            self.workflows.remove(&id);
            self.queue.remove(&Call::Workflow(id));
            self.queue.remove(&Call::Steps(id));
        } else {
            let ended = followed.is_some_and(|workflow| workflow.end.is_some());
            self.leave_list(id, now);
            let call = Call::Workflow(id);
            if ended {
                self.queue.remove(&call);
            } else if !self.in_flight.contains(&call) {
                self.queue.no_later(call, Slot::new(now, Urgency::Waiting));
            }
        }
        // The List that told of them all need not go on for the listed ones.
        for id in stay {
            self.look_at(id, now);
        }
    }

    /// Follows no longer what the configuration names for another target.
    pub fn give_up(&mut self, elsewhere: &impl Elsewhere, now: Instant) -> Left {
        let mut left = Left::default();
        let images = self.images.iter().filter(|(_, plan)| !plan.named);
        let images: Vec<_> = images.map(|(arn, _)| arn.clone()).collect();
        for arn in images.iter().filter(|arn| elsewhere.has_image(arn)) {
            self.drop_image(arn, now, &mut left);
        }
        let wholes = self
            .workflows
            .iter()
            .filter(|(_, workflow)| workflow.whole.as_ref().is_some_and(|whole| !whole.named));
        let wholes: Vec<_> = wholes.map(|(id, _)| *id).collect();
        for id in wholes.iter().filter(|id| elsewhere.has_workflow(id)) {
            self.drop_whole(*id, now, &mut left);
        }
        let steps = self.steps.iter().filter(|(_, step)| !step.listed);
        let steps: Vec<_> = steps.map(|(id, step)| (*id, step.workflow)).collect();
        for (id, workflow) in steps.iter().filter(|(id, _)| elsewhere.has_step(id)) {
            if let Some(whole) = workflow.and_then(|id| self.whole_mut(id)) {
                whole.steps.retain(|step| step != id);
            }
            self.drop_step(*id, now);
            left.steps.push(*id);
        }
        left
    }
}

/// Whether the execution failed, and so is kept longer.
pub(super) fn is_failed(status: &WorkflowStatus) -> bool {
    matches!(
        status,
        WorkflowStatus::Failed | WorkflowStatus::RollbackCompleted
    )
}
