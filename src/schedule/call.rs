//! One call and its deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::Call;
use crate::api::{
    ApiError, ImageBuilder, ListPage, Operation, Page, Parsed, StepPage, WorkflowPage, within,
};
use crate::clock::{Clock, Now};
use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

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
    Workflows(ImageArn, Page, Result<Parsed<WorkflowPage>, ApiError>),
    Image(ImageArn, Result<Box<Parsed<Image>>, ApiError>),
    Images(Page, Result<Parsed<ListPage<Image>>, ApiError>),
    Pipelines(Page, Result<Parsed<ListPage<Pipeline>>, ApiError>),
}

/// A call with all that it needs.
#[derive(Debug)]
pub(super) enum Request {
    Step(StepExecutionId),
    Steps(WorkflowExecutionId, Page),
    Workflow(WorkflowExecutionId),
    Workflows(ImageArn, Page),
    Image(ImageArn),
    Images(Page),
    Pipelines(Page),
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
            Request::Workflows(arn, page) => {
                let call = api.list_workflow_executions(arn.clone(), page.clone());
                Answered::Workflows(arn, page, within(timeout, call).await)
            }
            Request::Image(arn) => {
                let answer = within(timeout, api.get_image(arn.clone())).await;
                Answered::Image(arn, answer.map(Box::new))
            }
            Request::Images(page) => {
                let call = api.list_image_build_versions(page.clone());
                Answered::Images(page, within(timeout, call).await)
            }
            Request::Pipelines(page) => {
                let call = api.list_image_pipelines(page.clone());
                Answered::Pipelines(page, within(timeout, call).await)
            }
        };
        Self {
            asked,
            answered: clock.now(),
            answer,
        }
    }

    pub(super) fn call(&self) -> Call {
        match &self.answer {
            Answered::Step(id, _) => Call::Step(*id),
            Answered::Steps(id, ..) => Call::Steps(*id),
            Answered::Workflow(id, _) => Call::Workflow(*id),
            Answered::Workflows(arn, ..) => Call::Workflows(arn.clone()),
            Answered::Image(arn, _) => Call::Image(arn.clone()),
            Answered::Images(..) => Call::Images,
            Answered::Pipelines(..) => Call::Pipelines,
        }
    }

    pub(super) fn operation(&self) -> Operation {
        match self.answer {
            Answered::Step(..) => Operation::GetWorkflowStepExecution,
            Answered::Steps(..) => Operation::ListWorkflowStepExecutions,
            Answered::Workflow(..) => Operation::GetWorkflowExecution,
            Answered::Workflows(..) => Operation::ListWorkflowExecutions,
            Answered::Image(..) => Operation::GetImage,
            Answered::Images(..) => Operation::ListImageBuildVersions,
            Answered::Pipelines(..) => Operation::ListImagePipelines,
        }
    }

    /// The id or ARN that was asked for; `None` where it was for all of the account.
    pub(super) fn id(&self) -> Option<String> {
        match &self.answer {
            Answered::Step(id, _) => Some(id.to_string()),
            Answered::Steps(id, ..) | Answered::Workflow(id, _) => Some(id.to_string()),
            Answered::Workflows(arn, ..) | Answered::Image(arn, _) => Some(arn.as_str().to_owned()),
            Answered::Images(..) | Answered::Pipelines(..) => None,
        }
    }

    pub(super) fn failure(&self) -> Option<&ApiError> {
        match &self.answer {
            Answered::Step(_, answer) => answer.as_ref().err(),
            Answered::Steps(_, _, answer) => answer.as_ref().err(),
            Answered::Workflow(_, answer) => answer.as_ref().err(),
            Answered::Workflows(_, _, answer) => answer.as_ref().err(),
            Answered::Image(_, answer) => answer.as_ref().err(),
            Answered::Images(_, answer) => answer.as_ref().err(),
            Answered::Pipelines(_, answer) => answer.as_ref().err(),
        }
    }

    /// Members of the answer that made no sense.
    pub(super) fn unparsable(&self) -> &[&'static str] {
        match &self.answer {
            Answered::Step(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Steps(_, _, Ok(parsed)) => &parsed.unparsable,
            Answered::Workflow(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Workflows(_, _, Ok(parsed)) => &parsed.unparsable,
            Answered::Image(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Images(_, Ok(parsed)) => &parsed.unparsable,
            Answered::Pipelines(_, Ok(parsed)) => &parsed.unparsable,
            _ => &[],
        }
    }
}
