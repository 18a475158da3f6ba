//! The EC2 Image Builder API as the exporter needs it: one row an operation, one attempt a call.
//!
//! Owns the vocabulary that every layer above shares: the operations, the calls, their responses and
//! their errors. It knows neither the SDK nor a socket; the one real implementation of
//! [`ImageBuilder`] is [`crate::aws`].

mod error;
mod operation;
mod service_clock;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use error::{ApiError, ErrorKind};
pub use operation::{Account, Call, Operation, Payload, Response};
pub use service_clock::ServiceClock;

use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

/// What a call gives, once.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<Parsed<T>, ApiError>> + Send>>;

/// The members of answers that are more than text, by their names in the service's model.
pub const PARSED_MEMBERS: [&str; 22] = [
    "arn",
    "attemptNumber",
    "componentArn",
    "consecutiveFailures",
    "containerRecipeArn",
    "dateCreated",
    "dateLastRun",
    "dateNextRun",
    "endTime",
    "imageBuildVersionArn",
    "imageRecipeArn",
    "maxAttempts",
    "sourcePipelineArn",
    "startTime",
    "stepExecutionId",
    "timeoutSeconds",
    "totalStepCount",
    "totalStepsFailed",
    "totalStepsSkipped",
    "totalStepsSucceeded",
    "workflowBuildVersionArn",
    "workflowExecutionId",
];

/// An answer, and the members of it that were there but made no sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<T> {
    pub value: T,
    /// Of [`PARSED_MEMBERS`]; they count as missing.
    pub unparsable: Vec<&'static str>,
}

impl<T> From<T> for Parsed<T> {
    fn from(value: T) -> Self {
        Self {
            value,
            unparsable: Vec::new(),
        }
    }
}

/// One account's Image Builder in one region. A call is one attempt: it takes no token of a rate
/// limit and has no deadline of its own; whoever calls has both.
pub trait ImageBuilder: fmt::Debug + Send + Sync + 'static {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> Answer<StepExecution>;

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> Answer<WorkflowExecution>;

    /// All steps of a workflow execution, a page a call, with everything but `timeoutSeconds` and
    /// `onFailure`.
    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> Answer<StepPage>;

    /// All workflow executions of an image build version, also those that a retry superseded, a
    /// page a call.
    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> Answer<WorkflowPage>;

    /// All image build versions of the account, a page a call, without their pipelines.
    fn list_image_build_versions(&self, page: Page) -> Answer<ListPage<Image>>;

    /// All pipelines of the account, a page a call.
    fn list_image_pipelines(&self, page: Page) -> Answer<ListPage<Pipeline>>;

    fn get_image(&self, image: ImageArn) -> Answer<Image>;
}

/// Whose credentials a client has, as STS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// Of a user, or of a role's session:
    /// `arn:aws:sts::111122223333:assumed-role/imagebuilder-exporter/SESSION`.
    pub arn: String,
}

/// Which page of a list to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many entries.
    pub size: u16,
    /// What the page before gave; `None` asks for the first.
    pub token: Option<String>,
}

/// One page of a list. It can be short, or empty, and not be the last.
#[derive(Clone, Debug, PartialEq)]
pub struct ListPage<T> {
    pub entries: Vec<T>,
    /// `None` on the last page.
    pub next: Option<String>,
}

/// Steps of a workflow execution. One without a status is there, and not told of.
pub type StepPage = ListPage<(StepExecutionId, Option<StepExecution>)>;

/// Workflow executions of an image build version. One without a status is there, and not told of.
pub type WorkflowPage = ListPage<(WorkflowExecutionId, Option<WorkflowExecution>)>;

/// Gives up waiting after that long.
///
/// # Errors
///
/// Those of the call, and [`ErrorKind::Timeout`].
pub async fn within<T>(
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
