//! What is known of one workflow execution, and what follows from it at a given time.

use std::sync::Arc;

use super::table::Record;
use crate::labels::{LabelText, names, push_label};
use crate::model::{
    ImageArn, StepTotals, Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId,
    WorkflowStatus,
};

/// What is known of one followed workflow execution.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRecord {
    pub id: WorkflowExecutionId,
    /// The target's own labels.
    pub own_labels: LabelText,
    /// The tags of its image that are labels of the info series.
    pub info_labels: LabelText,
    /// What the last answer told.
    pub observed: Option<WorkflowObservation>,
}

/// A workflow execution as the last answer told it, joined with what earlier ones knew of who it is.
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

/// To what ends its steps came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepResults {
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl WorkflowRecord {
    /// A workflow execution of which nothing has been told.
    pub fn unseen(id: WorkflowExecutionId, own_labels: LabelText, info_labels: LabelText) -> Self {
        Self {
            id,
            own_labels,
            info_labels,
            observed: None,
        }
    }

    /// The record after an answer in `region`.
    ///
    /// Who it is does not change, and only some answers tell the counts of its steps and whether a
    /// retry superseded it, so all that stays known; everything else is as this answer has it.
    pub fn answered(&self, answer: &WorkflowExecution, region: &str) -> Self {
        let before = self.observed.as_ref();
        let image = answer
            .image
            .clone()
            .or_else(|| before.and_then(|before| before.image.clone()));
        let workflow = answer
            .workflow
            .clone()
            .or_else(|| before.and_then(|before| before.workflow.clone()));
        let parallel_group = answer
            .parallel_group
            .as_deref()
            .filter(|group| !group.is_empty())
            .map(Arc::from)
            .or_else(|| before.and_then(|before| before.parallel_group.clone()));
        let told = answer.totals.as_ref();
        let results = told
            .map(StepResults::of)
            .or_else(|| before.and_then(|before| before.results));
        let planned = told.map(|totals| totals.planned);
        let observed = WorkflowObservation {
            status: answer.status.clone(),
            start: answer.start,
            end: answer.end,
            planned: planned.or_else(|| before.and_then(|before| before.planned)),
            results,
            retried: answer
                .retried
                .or_else(|| before.and_then(|before| before.retried)),
            message: answer.message.as_deref().map(Arc::from),
            identity: self.identity(image.as_ref(), workflow.as_ref(), region),
            details: details(image.as_ref(), workflow.as_ref(), parallel_group.as_deref()),
            image,
            workflow,
            parallel_group,
        };
        Self {
            observed: Some(observed),
            ..self.clone()
        }
    }

    /// The record after a List of its steps, which tells to what ends they came, but not always how
    /// many are planned. Nothing where it was never told of itself.
    pub fn counted(&self, totals: StepTotals) -> Self {
        let mut record = self.clone();
        if let Some(observed) = &mut record.observed {
            observed.results = Some(StepResults::of(&totals));
        }
        record
    }

    /// As [`WorkflowObservation::duration_millis`]; `None` where nothing has been told.
    pub fn duration_millis(&self, now: Timestamp) -> Option<i64> {
        self.observed.as_ref()?.duration_millis(now)
    }

    fn identity(
        &self,
        image: Option<&ImageArn>,
        workflow: Option<&WorkflowArn>,
        region: &str,
    ) -> LabelText {
        LabelText::new([
            (names::ACCOUNT_ID, image.map_or("", ImageArn::account_id)),
            (names::REGION, region),
            (names::IMAGE, image.map_or("", ImageArn::name)),
            (names::WORKFLOW, workflow.map_or("", WorkflowArn::name)),
            (names::WORKFLOW_EXECUTION_ID, &self.id.to_string()),
        ])
    }
}

impl WorkflowObservation {
    /// How long it took, or has taken until `now`, in milliseconds, never under 0.
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
}

fn details(
    image: Option<&ImageArn>,
    workflow: Option<&WorkflowArn>,
    parallel_group: Option<&str>,
) -> LabelText {
    let mut labels = String::new();
    let mut push = |name, value: Option<&str>| {
        push_label(&mut labels, name, value.unwrap_or_default());
    };
    push(names::WORKFLOW_TYPE, workflow.map(WorkflowArn::kind));
    push(names::WORKFLOW_VERSION, workflow.map(WorkflowArn::version));
    push(names::IMAGE_VERSION, image.map(ImageArn::version));
    push(names::PARALLEL_GROUP, parallel_group);
    push(names::IMAGE_BUILD_VERSION_ARN, image.map(ImageArn::as_str));
    push(
        names::WORKFLOW_BUILD_VERSION_ARN,
        workflow.map(WorkflowArn::as_str),
    );
    LabelText::from_escaped(labels)
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
    fn who_it_is_and_that_it_was_retried_stay_known_where_an_answer_lacks_it() {
        let told = unseen().answered(
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
        let later = told.answered(
            &WorkflowExecution::with_status(WorkflowStatus::RollbackCompleted),
            "us-west-2",
        );
        let (told, later) = (observed(&told), observed(&later));
        assert_eq!(later.retried, Some(true));
        assert_eq!(
            (&later.identity, &later.details),
            (&told.identity, &told.details)
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
            .answered(&running, "us-west-2")
            .counted(totals(3, 2));
        assert_eq!(observed(&record).planned, Some(7));
        assert_eq!(observed(&record).results.unwrap().succeeded, 2);
        let silent = WorkflowExecution::with_status(WorkflowStatus::Running);
        let record = record.answered(&silent, "us-west-2");
        assert_eq!(observed(&record).planned, Some(7));
        assert_eq!(observed(&record).results.unwrap().succeeded, 2);
    }
}
