//! One call and its deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::Call;
use crate::api::{ApiError, ErrorKind, ImageBuilder, Operation, Parsed};
use crate::clock::{Clock, Now};
use crate::model::{StepExecution, StepExecutionId, WorkflowExecution, WorkflowExecutionId};

/// What became of one call.
#[derive(Debug)]
pub(super) struct Outcome {
    /// When it began: what it tells is as old as that, or younger.
    pub asked: Instant,
    pub answered: Now,
    pub answer: Answered,
}

#[derive(Debug)]
pub(super) enum Answered {
    Step(
        StepExecutionId,
        Result<Box<Parsed<StepExecution>>, ApiError>,
    ),
    Workflow(
        WorkflowExecutionId,
        Result<Parsed<WorkflowExecution>, ApiError>,
    ),
}

impl Outcome {
    /// Makes the call, one attempt of it.
    pub(super) async fn of(
        call: Call,
        api: Arc<dyn ImageBuilder>,
        timeout: Duration,
        asked: Instant,
        clock: Clock,
    ) -> Self {
        let answer = match call {
            Call::Step(id) => {
                let answer = within(timeout, api.get_workflow_step_execution(id)).await;
                Answered::Step(id, answer.map(Box::new))
            }
            Call::Workflow(id) => {
                Answered::Workflow(id, within(timeout, api.get_workflow_execution(id)).await)
            }
        };
        Self {
            asked,
            answered: clock.now(),
            answer,
        }
    }

    pub(super) fn operation(&self) -> Operation {
        match self.answer {
            Answered::Step(..) => Operation::GetWorkflowStepExecution,
            Answered::Workflow(..) => Operation::GetWorkflowExecution,
        }
    }

    /// The id that was asked for.
    pub(super) fn id(&self) -> String {
        match &self.answer {
            Answered::Step(id, _) => id.to_string(),
            Answered::Workflow(id, _) => id.to_string(),
        }
    }

    pub(super) fn failure(&self) -> Option<&ApiError> {
        match &self.answer {
            Answered::Step(_, answer) => answer.as_ref().err(),
            Answered::Workflow(_, answer) => answer.as_ref().err(),
        }
    }

    /// Members of the answer that made no sense.
    pub(super) fn unparsable(&self) -> &[&'static str] {
        match &self.answer {
            Answered::Step(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Workflow(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Step(_, Err(_)) | Answered::Workflow(_, Err(_)) => &[],
        }
    }
}

async fn within<T>(
    timeout: Duration,
    answer: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(ApiError::new(
            ErrorKind::Timeout,
            format!("no answer within {timeout:?}"),
        )),
    }
}
