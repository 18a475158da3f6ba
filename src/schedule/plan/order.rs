//! The workflow executions of one image among themselves: most wait for the one before.

use tokio::time::Instant;

use super::queue::{Slot, Urgency};
use super::{Call, Plan};
use crate::model::{ImageArn, WorkflowExecutionId, WorkflowStatus};

impl Plan {
    /// Whether the execution waits for another one of its image to end: it has not begun, and one
    /// that it does not run together with has. It is listed once, and then when the other one has
    /// ended.
    pub(super) fn waits_behind_another(&self, id: WorkflowExecutionId) -> bool {
        let mut others = self.siblings(id).into_iter();
        others.any(|other| self.waits_behind(id, other))
    }

    pub(super) fn waits_behind(&self, id: WorkflowExecutionId, other: WorkflowExecutionId) -> bool {
        let Some((this, other)) = self.whole(id).zip(self.whole(other)) else {
            return false;
        };
        let together = this.group.is_some() && this.group == other.group;
        let status = other.status.as_ref();
        let runs = status
            .is_some_and(|status| !status.is_terminal() && *status != WorkflowStatus::Pending);
        let waits = this.status == Some(WorkflowStatus::Pending) && this.listed.is_some();
        waits && runs && !together
    }

    /// Lists executions of the image that no longer wait for another one.
    pub(super) fn list_released(&mut self, image: &ImageArn, now: Instant) {
        let Some(plan) = self.images.get(image) else {
            return;
        };
        for id in plan.workflows.clone() {
            let pending = self.whole_mut(id).is_some_and(|whole| {
                whole.status == Some(WorkflowStatus::Pending) && whole.leaves.is_none()
            });
            if pending && !self.queue.is_waiting(&Call::Steps(id)) {
                self.list_no_later(id, Slot::new(now, Urgency::Waiting));
            }
        }
    }

    /// The other executions of its image.
    pub(super) fn siblings(&self, id: WorkflowExecutionId) -> Vec<WorkflowExecutionId> {
        let image = self.image_of(id).and_then(|image| self.images.get(image));
        let all = image
            .map(|image| image.workflows.as_slice())
            .unwrap_or_default();
        all.iter().filter(|other| **other != id).copied().collect()
    }
}
