//! The workflow executions of tracked steps: what was observed of each, which of its steps are
//! tracked, and which execution of an image waits for which.
//!
//! Owns the rules about a single execution and about those of one image. When an execution and its
//! steps are polled is decided in `polling`; `observations` applies responses to both.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::labels::Labels;
use super::pager::Pager;
use super::queue::Slot;
use super::retry::Retries;
use super::step::ExecutionEnd;
use crate::clock::{Now, Past};
use crate::labels::LabelText;
use crate::model::{
    ImageArn, StepExecutionId, StepTotals, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use crate::snapshot::{Table, WorkflowRecord};

/// The schedule of a workflow execution, beside its record.
#[derive(Debug, Default)]
pub(super) struct ExecutionSchedule {
    /// Its tracked steps that are not settled.
    pub unsettled: Vec<StepExecutionId>,
    /// Polls of the execution by itself that failed in a row.
    pub retries: Retries,
    /// It cannot be polled: that is denied, or the service has forgotten it.
    pub unavailable: bool,
    pub end: Option<ExecutionEnd>,
    pub listing: Listing,
    /// `None` where only steps that the configuration lists are tracked. Such an execution is not
    /// exposed.
    pub all_steps: Option<AllSteps>,
}

/// The List of an execution's steps: how far it has been read, and whether it can be.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub pager: Pager,
    /// Steps on the pages so far.
    pub returned: HashSet<StepExecutionId>,
    /// When the first of these steps is to be polled again.
    pub next: Option<Slot>,
    /// Until when its steps are polled one by one.
    pub unusable_until: Option<Instant>,
    /// It began before all steps of the execution were tracked: its first pages may have
    /// had steps that were not tracked.
    pub partial: bool,
}

/// What is kept of an execution whose steps are all tracked.
#[derive(Debug, Default)]
pub(super) struct AllSteps {
    /// The configuration names the execution.
    pub named: bool,
    /// Whether its steps have been listed, or could not be.
    pub attempted: bool,
    pub steps: Vec<StepExecutionId>,
    /// When the last List that was read to its end began.
    pub listed: Option<Instant>,
    /// When the execution was last polled by itself.
    pub polled: Option<Instant>,
    /// When it is evicted, once all has settled.
    pub expires: Option<Instant>,
    pub image: Option<ImageArn>,
    /// A step of it was left to another target, which lists it.
    pub left_step: bool,
}

/// The workflow executions of one assignment.
#[derive(Debug, Default)]
pub(super) struct Executions {
    table: Table<WorkflowRecord, ExecutionSchedule>,
    /// Those with all steps tracked, by their image.
    by_image: HashMap<ImageArn, Vec<WorkflowExecutionId>>,
}

impl Listing {
    /// The next page is the first.
    pub(super) fn restart(&mut self) {
        self.pager.restart();
        self.returned.clear();
        self.next = None;
        self.partial = false;
    }
}

impl Executions {
    pub(super) fn table(&self) -> &Table<WorkflowRecord, ExecutionSchedule> {
        &self.table
    }

    pub(super) fn contains(&self, id: WorkflowExecutionId) -> bool {
        self.table.contains(&id)
    }

    pub(super) fn schedule(&self, id: WorkflowExecutionId) -> Option<&ExecutionSchedule> {
        self.table.state(&id)
    }

    pub(super) fn schedule_mut(
        &mut self,
        id: WorkflowExecutionId,
    ) -> Option<&mut ExecutionSchedule> {
        self.table.state_mut(&id)
    }

    /// The schedule of an execution, which is tracked from now on if it was not.
    pub(super) fn track(&mut self, id: WorkflowExecutionId) -> Option<&mut ExecutionSchedule> {
        if !self.contains(id) {
            let none = LabelText::default();
            let record = WorkflowRecord::unseen(id, none.clone(), none);
            self.table.insert(record, ExecutionSchedule::default());
        }
        self.schedule_mut(id)
    }

    pub(super) fn remove(&mut self, id: WorkflowExecutionId) {
        self.set_image(id, None);
        self.table.remove(&id);
    }

    /// The executions for which `chosen` holds.
    pub(super) fn ids(
        &self,
        chosen: impl Fn(WorkflowExecutionId, &ExecutionSchedule) -> bool,
    ) -> Vec<WorkflowExecutionId> {
        let rows = self.table.rows();
        let chosen = rows.filter(|(record, schedule)| chosen(record.id, schedule));
        chosen.map(|(record, _)| record.id).collect()
    }

    /// The executions whose steps are all tracked.
    pub(super) fn tracked(&self) -> Vec<WorkflowExecutionId> {
        self.ids(|_, one| one.all_steps.is_some())
    }

    /// The tracked steps of the execution that are not settled.
    pub(super) fn unsettled(&self, id: WorkflowExecutionId) -> &[StepExecutionId] {
        self.schedule(id).map_or(&[], |one| &one.unsettled)
    }

    pub(super) fn all_steps(&self, id: WorkflowExecutionId) -> Option<&AllSteps> {
        self.schedule(id)?.all_steps.as_ref()
    }

    pub(super) fn all_steps_mut(&mut self, id: WorkflowExecutionId) -> Option<&mut AllSteps> {
        self.schedule_mut(id)?.all_steps.as_mut()
    }

    /// Whether all steps of the execution are tracked.
    pub(super) fn tracks_all_steps(&self, id: WorkflowExecutionId) -> bool {
        self.all_steps(id).is_some()
    }

    pub(super) fn is_named(&self, id: WorkflowExecutionId) -> bool {
        self.all_steps(id).is_some_and(|all| all.named)
    }

    /// Its status as last observed; `None` before that.
    pub(super) fn status(&self, id: WorkflowExecutionId) -> Option<&WorkflowStatus> {
        let observed = self.table.get(&id)?.observed.as_ref()?;
        Some(&observed.status)
    }

    /// Whether the execution is known to have ended.
    pub(super) fn has_ended(&self, id: WorkflowExecutionId) -> bool {
        let schedule = self.schedule(id);
        schedule.is_some_and(|schedule| schedule.end.is_some())
    }

    /// Whether a poll that began at `asked` does not tell yet that the execution has ended, which
    /// has become known since.
    pub(super) fn is_outdated(
        &self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        asked: Instant,
    ) -> bool {
        let end = self.schedule(id).and_then(|schedule| schedule.end);
        !answer.status.is_terminal() && end.is_some_and(|end| asked < end.noticed)
    }

    /// Returns when an execution ended of which a response says that it has: as the service says, or
    /// else as it was noticed.
    pub(super) fn end_of(
        &self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        now: Now,
    ) -> Past {
        let known = { self.schedule(id) }.and_then(|schedule| Some(schedule.end?.ended));
        let known = known.filter(|known| answer.end.is_none_or(|time| time == known.time()));
        known.unwrap_or_else(|| now.past(answer.end.unwrap_or(now.time)))
    }

    /// Applies a response about an execution whose steps are all tracked. Returns whether
    /// its status is another than before.
    pub(super) fn observe(
        &mut self,
        id: WorkflowExecutionId,
        answer: &WorkflowExecution,
        labels: &Labels,
        info_labels: LabelText,
    ) -> bool {
        let changed = self.status(id) != Some(&answer.status);
        self.table.update(&id, |record| {
            record.own_labels = labels.target();
            record.info_labels = info_labels;
            *record = record.after_response(answer, labels.region());
        });
        changed
    }

    /// All its steps were listed: so many came to these ends.
    pub(super) fn count(&mut self, id: WorkflowExecutionId, totals: StepTotals) {
        self.table
            .update(&id, |record| *record = record.counted(totals));
    }

    /// Puts other labels on what is exposed of the execution.
    pub(super) fn relabel(
        &mut self,
        id: WorkflowExecutionId,
        own_labels: LabelText,
        info_labels: LabelText,
    ) {
        self.table.update(&id, |record| {
            record.own_labels = own_labels;
            record.info_labels = info_labels;
        });
    }

    /// Its steps are no longer all tracked; what was observed of it is no longer exposed.
    pub(super) fn untrack_all_steps(&mut self, id: WorkflowExecutionId) -> Option<AllSteps> {
        let mut all = self.schedule_mut(id)?.all_steps.take()?;
        let image = all.image.take();
        self.unlink(id, image.as_ref());
        all.image = image;
        let none = LabelText::default();
        self.table
            .replace(WorkflowRecord::unseen(id, none.clone(), none));
        Some(all)
    }

    /// An execution that never began, of an image whose build ended at `over`, is taken for ended
    /// then: nothing says that the service gives it another status.
    pub(super) fn abandon(&mut self, id: WorkflowExecutionId, over: Now) {
        let pending = self.status(id) == Some(&WorkflowStatus::Pending);
        if let Some(schedule) = self.schedule_mut(id)
            && schedule.end.is_none()
            && pending
        {
            schedule.end = Some(ExecutionEnd {
                noticed: over.instant,
                ended: over.past(over.time),
                quiet_since: None,
                succeeded: false,
            });
        }
    }

    /// The image whose execution it is.
    pub(super) fn image_of(&self, id: WorkflowExecutionId) -> Option<&ImageArn> {
        self.all_steps(id)?.image.as_ref()
    }

    pub(super) fn set_image(&mut self, id: WorkflowExecutionId, image: Option<ImageArn>) {
        let Some(all) = self.all_steps_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut all.image, image.clone());
        self.unlink(id, before.as_ref());
        if let Some(image) = image {
            self.by_image.entry(image).or_default().push(id);
        }
    }

    /// A response about the execution itself has its image. The list of that image need not be read, so
    /// the execution waits behind no other.
    pub(super) fn note_image(&mut self, id: WorkflowExecutionId, image: Option<ImageArn>) {
        if let Some(all) = self.all_steps_mut(id).filter(|all| all.image.is_none()) {
            all.image = image;
        }
    }

    fn unlink(&mut self, id: WorkflowExecutionId, image: Option<&ImageArn>) {
        let Some(image) = image else { return };
        if let Some(executions) = self.by_image.get_mut(image) {
            executions.retain(|other| *other != id);
            if executions.is_empty() {
                self.by_image.remove(image);
            }
        }
    }

    pub(super) fn of_image(&self, image: &ImageArn) -> &[WorkflowExecutionId] {
        self.by_image.get(image).map_or(&[], Vec::as_slice)
    }

    /// Whether an execution of the image has begun and not ended.
    pub(super) fn any_live(&self, image: &ImageArn) -> bool {
        self.of_image(image).iter().any(|id| self.is_live(*id))
    }

    fn is_live(&self, id: WorkflowExecutionId) -> bool {
        let status = self.status(id);
        status.is_some_and(|status| !status.is_terminal() && *status != WorkflowStatus::Pending)
    }

    /// Whether nothing of the image's executions can change any more.
    pub(super) fn all_settled(&self, image: &ImageArn) -> bool {
        let settled =
            |id: &WorkflowExecutionId| self.all_steps(*id).is_none_or(|all| all.expires.is_some());
        self.of_image(image).iter().all(settled)
    }

    /// The other executions of its image.
    pub(super) fn siblings(&self, id: WorkflowExecutionId) -> Vec<WorkflowExecutionId> {
        let all = self.image_of(id).map(|image| self.of_image(image));
        let others = all.unwrap_or_default().iter().filter(|other| **other != id);
        others.copied().collect()
    }

    /// Whether the execution waits for another one of its image to end: it has not begun, and one
    /// that it does not run together with has. It is listed once, and then when the other one has
    /// ended.
    pub(super) fn waits_behind_another(&self, id: WorkflowExecutionId) -> bool {
        let mut others = self.siblings(id).into_iter();
        others.any(|other| self.waits_behind(id, other))
    }

    pub(super) fn waits_behind(&self, id: WorkflowExecutionId, other: WorkflowExecutionId) -> bool {
        let group = |id| {
            let observed = self.table.get(&id)?.observed.as_ref()?;
            observed.parallel_group.as_deref()
        };
        let together = group(id).is_some() && group(id) == group(other);
        let listed = self.all_steps(id).is_some_and(|all| all.listed.is_some());
        let waits = listed && self.status(id) == Some(&WorkflowStatus::Pending);
        waits && self.is_live(other) && !together
    }
}

/// Whether an execution failed, and so is kept longer.
pub(super) fn is_failed(status: &WorkflowStatus) -> bool {
    matches!(
        status,
        WorkflowStatus::Failed | WorkflowStatus::RollbackCompleted
    )
}
