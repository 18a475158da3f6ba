//! One call and its deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::Call;
use crate::api::{ApiError, ErrorKind, ImageBuilder, Operation, Page, Parsed, StepPage};
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
    Steps(
        WorkflowExecutionId,
        Page,
        Result<Parsed<StepPage>, ApiError>,
    ),
    Workflow(
        WorkflowExecutionId,
        Result<Parsed<WorkflowExecution>, ApiError>,
    ),
}

/// A call with all that it needs.
#[derive(Debug)]
pub(super) enum Request {
    Step(StepExecutionId),
    Steps(WorkflowExecutionId, Page),
    Workflow(WorkflowExecutionId),
}

impl Outcome {
    /// Makes the call, one attempt of it.
    pub(super) async fn of(
        request: Request,
        api: Arc<dyn ImageBuilder>,
        timeout: Duration,
        asked: Instant,
        clock: Clock,
    ) -> Self {
        let answer = match request {
            Request::Step(id) => {
                let answer = within(timeout, api.get_workflow_step_execution(id)).await;
                Answered::Step(id, answer.map(Box::new))
            }
            Request::Steps(id, page) => {
                let call = api.list_workflow_step_executions(id, page.clone());
                Answered::Steps(id, page, within(timeout, call).await)
            }
            Request::Workflow(id) => {
                Answered::Workflow(id, within(timeout, api.get_workflow_execution(id)).await)
            }
        };
        Self {
            asked,
            answered: clock.now(),
            answer,
        }
    }

    pub(super) fn call(&self) -> Call {
        match self.answer {
            Answered::Step(id, _) => Call::Step(id),
            Answered::Steps(id, ..) => Call::Steps(id),
            Answered::Workflow(id, _) => Call::Workflow(id),
        }
    }

    pub(super) fn operation(&self) -> Operation {
        match self.answer {
            Answered::Step(..) => Operation::GetWorkflowStepExecution,
            Answered::Steps(..) => Operation::ListWorkflowStepExecutions,
            Answered::Workflow(..) => Operation::GetWorkflowExecution,
        }
    }

    /// The id that was asked for.
    pub(super) fn id(&self) -> String {
        match &self.answer {
            Answered::Step(id, _) => id.to_string(),
            Answered::Steps(id, ..) | Answered::Workflow(id, _) => id.to_string(),
        }
    }

    pub(super) fn failure(&self) -> Option<&ApiError> {
        match &self.answer {
            Answered::Step(_, answer) => answer.as_ref().err(),
            Answered::Steps(_, _, answer) => answer.as_ref().err(),
            Answered::Workflow(_, answer) => answer.as_ref().err(),
        }
    }

    /// Members of the answer that made no sense.
    pub(super) fn unparsable(&self) -> &[&'static str] {
        match &self.answer {
            Answered::Step(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Steps(_, _, Ok(parsed)) => &parsed.unparsable,
            Answered::Workflow(_, Ok(parsed)) => &parsed.unparsable,
            _ => &[],
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
