//! What is known of one step, and what follows from it at a given time.

use std::sync::Arc;

use super::table::Record;
use crate::api::ErrorKind;
use crate::labels::{LabelText, names, push_label};
use crate::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepOutputs, StepStatus,
    Timestamp, WorkflowArn, WorkflowExecutionId,
};

/// The action whose step waits for a person.
const WAIT_FOR_ACTION: &str = "WaitForAction";

/// A FAILED step counts as failed by its timeout where its duration came this near, in milliseconds:
/// the service ends it a little before or after.
const TIMEOUT_TOLERANCE: i64 = 1_000;

/// What is known of one tracked step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    pub id: StepExecutionId,
    /// The target's and the listed step's own labels.
    pub own_labels: LabelText,
    /// The tags of its image that are labels of the info series.
    pub info_labels: LabelText,
    /// Whether a Get was answered: only that tells everything, and there is no info series before.
    pub full: bool,
    pub phase: Phase,
    pub last_success: Option<Timestamp>,
    /// `None` before the first poll, and once one succeeds.
    pub failing: Option<Failing>,
    /// What the last successful poll saw.
    pub observed: Option<Observation>,
}

/// The polls of a step that have failed since one last succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them did.
    pub since: Timestamp,
    /// Why the last of them did.
    pub kind: ErrorKind,
}

/// Where a tracked step stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Never seen.
    Pending,
    /// Seen, and still asked for.
    Active,
    /// What is shown is final, and no longer asked for.
    Settled,
    /// The service has long said that it does not know the step.
    Gone,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Settled, Self::Gone];

    /// The value of the label `state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Settled => "settled",
            Self::Gone => "gone",
        }
    }
}

/// A step as the last successful poll saw it, joined with what earlier ones knew of who it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub subject: Arc<Subject>,
    pub definition: Arc<Definition>,
    pub status: StepStatus,
    pub rollback_status: Option<RollbackStatus>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub timeout_seconds: Option<u32>,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
    /// The matching duration budget, in milliseconds.
    pub budget_millis: Option<i64>,
    /// Free text, untrusted.
    pub message: Option<Arc<str>>,
    /// The values read from `outputs`, untrusted.
    pub outputs: Option<Arc<StepOutputs>>,
}

/// The image and workflow execution a step belongs to, shared by the steps of one workflow execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    pub image: Option<ImageArn>,
    pub workflow: Option<WorkflowArn>,
    pub workflow_execution_id: Option<WorkflowExecutionId>,
    /// `account_id`, `region`, `image`, `workflow`.
    pub identity: LabelText,
    /// What only the info series has: `image_version`, `workflow_type`, `workflow_version`,
    /// `workflow_execution_id`, `image_build_version_arn`, `workflow_build_version_arn`.
    pub details: LabelText,
}

/// What a step is in its workflow, shared by all its executions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Definition {
    pub name: Option<Arc<str>>,
    pub action: Option<Arc<str>>,
    pub on_failure: Option<OnFailure>,
    /// `step`.
    pub identity: LabelText,
    /// What only the info series has: `action`, `on_failure`.
    pub details: LabelText,
}

impl StepRecord {
    /// A step that has never been seen.
    pub fn unseen(id: StepExecutionId, own_labels: LabelText) -> Self {
        Self {
            id,
            own_labels,
            info_labels: LabelText::default(),
            full: false,
            phase: Phase::Pending,
            last_success: None,
            failing: None,
            observed: None,
        }
    }

    /// The record after a successful poll at `now` in `region`. Whether that was a Get, the caller
    /// knows and tells in `full`.
    ///
    /// Who a step is does not change, so a label, the timeout and `on_failure` stay known where
    /// this answer lacks them; everything else is as this answer has it.
    pub fn answered(&self, answer: StepExecution, region: &str, now: Timestamp) -> Self {
        let before = self.observed.as_ref();
        let subject = Subject::of(&answer, before.map(|before| &*before.subject), region);
        let definition = Definition::of(&answer, before.map(|before| &*before.definition));
        Self {
            phase: Phase::Active,
            last_success: Some(now),
            failing: None,
            observed: Some(Observation {
                subject: Arc::new(subject),
                definition: Arc::new(definition),
                status: answer.status,
                rollback_status: answer.rollback_status,
                start: answer.start,
                end: answer.end,
                timeout_seconds: answer
                    .timeout_seconds
                    .or(before.and_then(|before| before.timeout_seconds)),
                attempt: answer.attempt,
                max_attempts: answer.max_attempts,
                budget_millis: None,
                message: answer.message.map(Arc::from),
                outputs: answer.outputs.map(Arc::new),
            }),
            ..self.clone()
        }
    }

    /// The record after a poll that failed at `now`: what was known stays.
    pub fn unanswered(&self, kind: ErrorKind, now: Timestamp) -> Self {
        let since = self.failing.map_or(now, |failing| failing.since);
        Self {
            failing: Some(Failing { since, kind }),
            ..self.clone()
        }
    }

    /// Whether the last poll succeeded; `false` before the first.
    pub fn last_poll_success(&self) -> bool {
        self.last_success.is_some() && self.failing.is_none()
    }

    /// The status the step has ended with. A FAILED step ends with its last attempt, or when it is
    /// settled: a workflow execution that ended gives it no other. What an unknown status means
    /// nobody knows, but that it stays.
    pub fn finished(&self) -> Option<&StepStatus> {
        let observed = self.observed.as_ref()?;
        let settled = self.phase == Phase::Settled;
        let finished = match observed.status {
            StepStatus::Failed => settled || !observed.will_be_retried(),
            StepStatus::Unknown(_) => settled,
            StepStatus::Pending | StepStatus::Running => false,
            StepStatus::Skipped | StepStatus::Completed | StepStatus::Cancelled => true,
        };
        finished.then_some(&observed.status)
    }

    /// How long the step took, or has taken until `now`, in milliseconds, never under 0.
    ///
    /// The clock of a step that is no longer asked for stops at the last success: whether it runs
    /// on, nobody knows.
    pub fn duration_millis(&self, now: Timestamp) -> Option<i64> {
        let observed = self.observed.as_ref()?;
        let until = match (&observed.status, self.phase) {
            (StepStatus::Running, Phase::Settled | Phase::Gone) => self.last_success?,
            (StepStatus::Running, _) => now,
            _ => observed.end?,
        };
        Some(until.millis_since(observed.start?).max(0))
    }

    /// Whether the step ran into its timeout; `None` where it has none.
    pub fn timeout_breached(&self, now: Timestamp) -> Option<bool> {
        let observed = self.observed.as_ref()?;
        let timeout = i64::from(observed.timeout_seconds?) * 1_000;
        let duration = self.duration_millis(now);
        Some(match observed.status {
            StepStatus::Running => duration.is_some_and(|duration| duration >= timeout),
            StepStatus::Failed => {
                duration.is_some_and(|duration| duration >= timeout - TIMEOUT_TOLERANCE)
            }
            _ => false,
        })
    }

    /// Whether the step took longer than its budget; `None` where it has none.
    pub fn budget_exceeded(&self, now: Timestamp) -> Option<bool> {
        let budget = self.observed.as_ref()?.budget_millis?;
        Some(
            self.duration_millis(now)
                .is_some_and(|duration| duration > budget),
        )
    }
}

impl Record for StepRecord {
    type Key = StepExecutionId;

    fn key(&self) -> &StepExecutionId {
        &self.id
    }
}

impl Observation {
    /// Whether the step runs an action that a person has to end.
    pub fn waiting_for_action(&self) -> bool {
        self.status == StepStatus::Running
            && self.definition.action.as_deref() == Some(WAIT_FOR_ACTION)
    }

    /// Why the step is in its state: the service's message, or the error in its `outputs`. A FAILED
    /// component step has no message.
    pub fn reason(&self) -> Option<&str> {
        let message = self.message.as_deref().filter(|text| !text.is_empty());
        let outputs = self.outputs.as_ref();
        message.or_else(|| outputs.and_then(|outputs| outputs.error.as_deref()))
    }

    /// Whether the step failed and will be tried again.
    pub fn will_be_retried(&self) -> bool {
        self.status == StepStatus::Failed
            && matches!((self.attempt, self.max_attempts), (Some(at), Some(most)) if at < most)
    }
}

impl Subject {
    fn of(answer: &StepExecution, before: Option<&Self>, region: &str) -> Self {
        let image = answer
            .image
            .clone()
            .or_else(|| before.and_then(|before| before.image.clone()));
        let workflow = answer
            .workflow
            .clone()
            .or_else(|| before.and_then(|before| before.workflow.clone()));
        let mut identity = String::new();
        if let Some(image) = &image {
            push_label(&mut identity, names::ACCOUNT_ID, image.account_id());
        }
        push_label(&mut identity, names::REGION, region);
        if let Some(image) = &image {
            push_label(&mut identity, names::IMAGE, image.name());
        }
        if let Some(workflow) = &workflow {
            push_label(&mut identity, names::WORKFLOW, workflow.name());
        }
        let workflow_execution_id = answer
            .workflow_execution_id
            .or_else(|| before.and_then(|before| before.workflow_execution_id));
        let mut details = String::new();
        if let Some(image) = &image {
            push_label(&mut details, names::IMAGE_VERSION, image.version());
        }
        if let Some(workflow) = &workflow {
            push_label(&mut details, names::WORKFLOW_TYPE, workflow.kind());
            push_label(&mut details, names::WORKFLOW_VERSION, workflow.version());
        }
        if let Some(id) = workflow_execution_id {
            push_label(&mut details, names::WORKFLOW_EXECUTION_ID, &id.to_string());
        }
        if let Some(image) = &image {
            push_label(&mut details, names::IMAGE_BUILD_VERSION_ARN, image.as_str());
        }
        if let Some(workflow) = &workflow {
            push_label(
                &mut details,
                names::WORKFLOW_BUILD_VERSION_ARN,
                workflow.as_str(),
            );
        }
        Self {
            workflow_execution_id,
            image,
            workflow,
            identity: LabelText::from_escaped(identity),
            details: LabelText::from_escaped(details),
        }
    }
}

impl Definition {
    fn of(answer: &StepExecution, before: Option<&Self>) -> Self {
        let name = answer
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(Arc::from)
            .or_else(|| before.and_then(|before| before.name.clone()));
        let action: Option<Arc<str>> = answer
            .action
            .as_deref()
            .filter(|action| !action.is_empty())
            .map(Arc::from)
            .or_else(|| before.and_then(|before| before.action.clone()));
        let on_failure = answer
            .on_failure
            .clone()
            .or_else(|| before.and_then(|before| before.on_failure.clone()));
        let mut details = String::new();
        push_label(
            &mut details,
            names::ACTION,
            action.as_deref().unwrap_or_default(),
        );
        let on_failure_text = on_failure.as_ref().map_or("", OnFailure::as_str);
        push_label(&mut details, names::ON_FAILURE, on_failure_text);
        Self {
            identity: LabelText::new(name.as_deref().map(|name| (names::STEP, name))),
            details: LabelText::from_escaped(details),
            name,
            action,
            on_failure,
        }
    }
}
