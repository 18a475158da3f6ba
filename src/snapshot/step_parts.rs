//! What the records of steps have in common, so that a table keeps it once.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::known::{image_parts, known, text, value, workflow_parts};
use crate::labels::{LabelText, names};
use crate::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepOutputs, StepStatus, WorkflowArn,
    WorkflowExecutionId,
};

/// Labels that the service does not know, shared by the steps that have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtraLabels {
    /// The target's and the listed step's own labels.
    pub own: LabelText,
    /// The tags of the step's image that are labels of the info series.
    pub info: LabelText,
}

/// The image and workflow execution that a step belongs to, shared by the steps of one workflow execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    pub image: Option<ImageArn>,
    pub workflow: Option<WorkflowArn>,
    pub workflow_execution_id: Option<WorkflowExecutionId>,
    /// `account_id`, `region`, `image`, `workflow`.
    pub identity: LabelText,
    pub identity_hash: u64,
    /// What only the info series has: `image_version`, `workflow_type`, `workflow_version`,
    /// `workflow_execution_id`, `image_build_version_arn`, `workflow_build_version_arn`.
    pub details: LabelText,
}

/// The step of the workflow, shared by all executions of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Definition {
    pub name: Option<Arc<str>>,
    pub action: Option<Arc<str>>,
    pub on_failure: Option<OnFailure>,
    /// `step`.
    pub identity: LabelText,
    pub identity_hash: u64,
    /// What only the info series has: `action`, `on_failure`.
    pub details: LabelText,
}

/// What a response says of a step besides its names and times, shared by steps with the same values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepValues {
    pub status: StepStatus,
    pub rollback_status: Option<RollbackStatus>,
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

fn hash(labels: &LabelText) -> u64 {
    BuildHasherDefault::<DefaultHasher>::new().hash_one(labels)
}

impl Subject {
    pub(super) fn of(response: &StepExecution, before: Option<&Self>, region: &str) -> Self {
        let image = known(response.image.clone(), before, |one| &one.image);
        let workflow = known(response.workflow.clone(), before, |one| &one.workflow);
        let id = response.workflow_execution_id;
        let workflow_execution_id = known(id, before, |one| &one.workflow_execution_id);
        let id = workflow_execution_id.map(|id| id.to_string());
        let [account_id, image_name, image_version, image_arn] = image_parts(&image);
        let [workflow_name, kind, workflow_version, workflow_arn] = workflow_parts(&workflow);
        let identity = LabelText::new([
            (names::ACCOUNT_ID, account_id),
            (names::REGION, region),
            (names::IMAGE, image_name),
            (names::WORKFLOW, workflow_name),
        ]);
        Self {
            identity_hash: hash(&identity),
            identity,
            details: LabelText::new([
                (names::IMAGE_VERSION, image_version),
                (names::WORKFLOW_TYPE, kind),
                (names::WORKFLOW_VERSION, workflow_version),
                (names::WORKFLOW_EXECUTION_ID, value(&id)),
                (names::IMAGE_BUILD_VERSION_ARN, image_arn),
                (names::WORKFLOW_BUILD_VERSION_ARN, workflow_arn),
            ]),
            workflow_execution_id,
            image,
            workflow,
        }
    }
}

impl Definition {
    pub(super) fn of(response: &StepExecution, before: Option<&Self>) -> Self {
        let name = known(text(response.name.as_deref()), before, |one| &one.name);
        let action = known(text(response.action.as_deref()), before, |one| &one.action);
        let on_failure = known(response.on_failure.clone(), before, |one| &one.on_failure);
        let on_failure_text = on_failure.as_ref().map_or("", OnFailure::as_str);
        let identity = LabelText::new([(names::STEP, value(&name))]);
        Self {
            identity_hash: hash(&identity),
            identity,
            details: LabelText::new([
                (names::ACTION, value(&action)),
                (names::ON_FAILURE, on_failure_text),
            ]),
            name,
            action,
            on_failure,
        }
    }
}
