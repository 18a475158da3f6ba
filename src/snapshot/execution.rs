//! The record of a workflow execution, and the values that it has at a given time.

use std::sync::Arc;

use super::chunk::Record;
use super::known::{image_parts, known, text, value, workflow_parts};
use crate::labels::{LabelText, names};
use crate::model::{
    ImageArn, StepTotals, Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId,
    WorkflowStatus,
};

/// The record of one tracked workflow execution.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRecord {
    pub id: WorkflowExecutionId,
    /// The target's own labels.
    pub own_labels: LabelText,
    /// The tags of its image that are labels of the info series.
    pub info_labels: LabelText,
    /// The last response about it.
    pub observed: Option<WorkflowObservation>,
}

/// A workflow execution as in the last response, with labels and counts from earlier responses.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowObservation {
    pub status: WorkflowStatus,
    pub image: Option<ImageArn>,
    pub workflow: Option<WorkflowArn>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub planned: Option<u32>,
    pub results: Option<StepResults>,
    pub parallel_group: Option<Arc<str>>,
    /// Whether a retry of its image's build superseded it, where that is known.
    pub retried: Option<bool>,
    /// Free text, untrusted.
    pub message: Option<Arc<str>>,
    /// `account_id`, `region`, `image`, `workflow`, `workflow_execution_id`.
    pub identity: LabelText,
    /// What only the info series has: `workflow_type`, `workflow_version`, `image_version`,
    /// `parallel_group`, `image_build_version_arn`, `workflow_build_version_arn`.
    pub details: LabelText,
}

/// The numbers of its steps by result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepResults {
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl WorkflowRecord {
    /// Returns the record of a workflow execution without any response.
    pub fn unseen(id: WorkflowExecutionId, own_labels: LabelText, info_labels: LabelText) -> Self {
        Self {
            id,
            own_labels,
            info_labels,
            observed: None,
        }
    }

    /// Returns the record after a response in `region`.
    ///
    /// The labels do not change, and only some responses have the counts of steps and `retried`, so
    /// all of them stay known. Everything else is as in this response.
    pub fn after_response(&self, response: &WorkflowExecution, region: &str) -> Self {
        let before = self.observed.as_ref();
        let image = known(response.image.clone(), before, |one| &one.image);
        let workflow = known(response.workflow.clone(), before, |one| &one.workflow);
        let group = text(response.parallel_group.as_deref());
        let parallel_group = known(group, before, |one| &one.parallel_group);
        let totals = response.totals.as_ref();
        let [account_id, image_name, image_version, image_arn] = image_parts(&image);
        let [workflow_name, kind, workflow_version, workflow_arn] = workflow_parts(&workflow);
        let planned = totals.map(|totals| totals.planned);
        let observed = WorkflowObservation {
            status: response.status.clone(),
            start: response.start,
            end: response.end,
            planned: known(planned, before, |one| &one.planned),
            results: known(totals.map(StepResults::of), before, |one| &one.results),
            retried: known(response.retried, before, |one| &one.retried),
            message: response.message.as_deref().map(Arc::from),
            identity: LabelText::new([
                (names::ACCOUNT_ID, account_id),
                (names::REGION, region),
                (names::IMAGE, image_name),
                (names::WORKFLOW, workflow_name),
                (names::WORKFLOW_EXECUTION_ID, &self.id.to_string()),
            ]),
            details: LabelText::new([
                (names::WORKFLOW_TYPE, kind),
                (names::WORKFLOW_VERSION, workflow_version),
                (names::IMAGE_VERSION, image_version),
                (names::PARALLEL_GROUP, value(&parallel_group)),
                (names::IMAGE_BUILD_VERSION_ARN, image_arn),
                (names::WORKFLOW_BUILD_VERSION_ARN, workflow_arn),
            ]),
            image,
            workflow,
            parallel_group,
        };
        Self {
            observed: Some(observed),
            ..self.clone()
        }
    }

    /// Returns the record after a List of its steps, which has the number of steps for each result,
    /// but not always the planned number. Nothing changes if it has no response of its own yet.
    pub fn counted(&self, totals: StepTotals) -> Self {
        let mut record = self.clone();
        if let Some(observed) = &mut record.observed {
            observed.results = Some(StepResults::of(&totals));
        }
        record
    }

    /// Returns what determines the labels of its series.
    fn labels(&self) -> impl PartialEq + '_ {
        let observed = self.observed.as_ref();
        let observed = observed.map(|observed| (&observed.identity, &observed.details));
        (self.id, &self.own_labels, &self.info_labels, observed)
    }

    /// Returns [`WorkflowObservation::duration_millis`], or `None` without a response.
    pub fn duration_millis(&self, now: Timestamp) -> Option<i64> {
        self.observed.as_ref()?.duration_millis(now)
    }
}

impl WorkflowObservation {
    /// Returns its duration until its end or `now`, in milliseconds, at least 0.
    pub fn duration_millis(&self, now: Timestamp) -> Option<i64> {
        let until = match self.status {
            WorkflowStatus::Running => now,
            WorkflowStatus::RollbackInProgress => self.end.unwrap_or(now),
            _ => self.end?,
        };
        Some(until.millis_since(self.start?).max(0))
    }
}

impl StepResults {
    fn of(totals: &StepTotals) -> Self {
        Self {
            succeeded: totals.succeeded,
            failed: totals.failed,
            skipped: totals.skipped,
        }
    }
}

impl Record for WorkflowRecord {
    type Key = WorkflowExecutionId;

    fn key(&self) -> &WorkflowExecutionId {
        &self.id
    }

    fn is_moving(&self) -> bool {
        let status = self.observed.as_ref().map(|observed| &observed.status);
        !status.is_some_and(WorkflowStatus::is_terminal)
    }

    fn has_labels_of(&self, before: &Self) -> bool {
        self.labels() == before.labels()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unseen() -> WorkflowRecord {
        let id = "wf-165b0d0a-657c-4b7e-8706-ff24da9afa01".parse().unwrap();
        WorkflowRecord::unseen(id, LabelText::new([]), LabelText::new([]))
    }

    fn observed(record: &WorkflowRecord) -> &WorkflowObservation {
        record.observed.as_ref().unwrap()
    }

    #[test]
    fn labels_and_retried_stay_known_where_a_response_lacks_them() {
        let first = unseen().after_response(
            &WorkflowExecution {
                image: ImageArn::parse(
                    "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",
                ),
                parallel_group: Some("a".into()),
                retried: Some(true),
                ..WorkflowExecution::with_status(WorkflowStatus::Failed)
            },
            "us-west-2",
        );
        let later = first.after_response(
            &WorkflowExecution::with_status(WorkflowStatus::RollbackCompleted),
            "us-west-2",
        );
        let (first, later) = (observed(&first), observed(&later));
        assert_eq!(later.retried, Some(true));
        assert_eq!(
            (&later.identity, &later.details),
            (&first.identity, &first.details)
        );
    }

    #[test]
    fn counts_of_a_list_replace_all_but_what_is_planned() {
        let totals = |planned, succeeded| StepTotals {
            planned,
            succeeded,
            failed: 0,
            skipped: 0,
        };
        assert_eq!(unseen().counted(totals(7, 1)), unseen());
        let running = WorkflowExecution {
            totals: Some(totals(7, 1)),
            ..WorkflowExecution::with_status(WorkflowStatus::Running)
        };
        let record = unseen()
            .after_response(&running, "us-west-2")
            .counted(totals(3, 2));
        assert_eq!(observed(&record).planned, Some(7));
        assert_eq!(observed(&record).results.unwrap().succeeded, 2);
        let silent = WorkflowExecution::with_status(WorkflowStatus::Running);
        let record = record.after_response(&silent, "us-west-2");
        assert_eq!(observed(&record).planned, Some(7));
        assert_eq!(observed(&record).results.unwrap().succeeded, 2);
    }
}
