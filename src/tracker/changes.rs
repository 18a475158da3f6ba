//! What a response changed: the only thing that leaves the tracker beside its snapshot.

use super::ownership::Resource;
use crate::api::Operation;
use crate::clock::Past;
use crate::model::{StepExecutionId, WorkflowExecutionId};
use crate::snapshot::{ImageRecord, SelectorRecord, StepRecord};

/// What happened. The poller logs and counts it, each thing once; what is known afterwards is in
/// the tracker's snapshot.
#[derive(Debug, Default)]
#[must_use = "the poller logs and counts what changed"]
pub struct Changes {
    /// Every successful poll of a step, also one without changes.
    pub steps: Vec<StepChange>,
    /// Steps for the baselines alone: of earlier builds, and after a reload those that settled under
    /// other settings. All are settled, and not superseded.
    pub history: Vec<StepRecord>,
    /// Images whose build has failed, each once.
    pub failed_images: Vec<ImageRecord>,
    pub notices: Vec<Notice>,
    /// Resources that are this target's no longer, nor wanted. Another target may have them once the
    /// snapshot without them is published.
    pub released: Vec<Resource>,
}

/// A step before and after a successful poll.
#[derive(Debug)]
pub struct StepChange {
    pub before: StepRecord,
    pub after: StepRecord,
    /// When the state of the step began, as the service says or else as it was noticed.
    pub since: Past,
    /// The step was discovered, and had ended before the tracker began: a restart does not log
    /// yesterday's failures again.
    pub is_old: bool,
    /// The step has settled, in a workflow execution that COMPLETED and was not superseded.
    pub is_typical: bool,
}

/// Something that a person may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The operation is denied, and was not when it was last called.
    Denied(Operation),
    /// Listed steps are polled without their workflow execution, which cannot be polled.
    ExecutionsDenied,
    /// The service does not know the step, and this is the first response that says so.
    StepUnknown(StepExecutionId),
    /// The service has not known the step for an hour.
    StepGone(StepExecutionId),
    /// The service has not known the workflow execution for an hour.
    ExecutionGone(WorkflowExecutionId),
    /// The service does not know a resource that the configuration names.
    NamedUnknown(String),
    /// A list of one execution or image exceeds the bounds of one list.
    ListEndless(Operation),
    /// A list of the account could not be read.
    PassFailed(Operation),
    /// A list of the account was read to its end.
    PassEnded(Operation),
    /// How many resources a selector matched in a discovery pass.
    SelectorMatched(SelectorRecord),
}
