//! Defines the part of the EC2 Image Builder API that the exporter calls.
//!
//! Owns what every layer above shares: the operations, the calls, their responses and their errors.
//! It depends neither on the SDK nor on sockets. [`crate::aws`] implements [`ImageBuilder`] with
//! both.

mod error;
mod operation;
mod service_clock;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use error::{ApiError, ErrorKind};
pub use operation::{Account, Call, Operation, Payload, Purpose, Response};
pub use service_clock::ServiceClock;

use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

/// The future of a call's result.
pub type ApiFuture<T> = Pin<Box<dyn Future<Output = Result<Parsed<T>, ApiError>> + Send>>;

/// The members of responses that are parsed, by their names in the service's model.
pub const PARSED_MEMBERS: [&str; 24] = [
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
    "state",
    "status",
    "stepExecutionId",
    "timeoutSeconds",
    "totalStepCount",
    "totalStepsFailed",
    "totalStepsSkipped",
    "totalStepsSucceeded",
    "workflowBuildVersionArn",
    "workflowExecutionId",
];

/// A parsed response, with the names of its invalid members.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<T> {
    pub value: T,
    /// The invalid ones among [`PARSED_MEMBERS`]; they count as missing.
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

/// The Image Builder API of one account and region.
///
/// A call is one attempt. It neither takes a token of the rate limiter nor has a deadline: both are
/// the caller's task.
pub trait ImageBuilder: fmt::Debug + Send + Sync + 'static {
    /// Loads credentials again for later calls, if they were refused or may have changed.
    fn renew_credentials(&self) {}

    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution>;

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution>;

    /// Returns a page of the steps of a workflow execution, without `timeoutSeconds` and
    /// `onFailure`.
    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> ApiFuture<StepPage>;

    /// Returns a page of the workflow executions of an image build version, superseded ones
    /// included.
    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> ApiFuture<WorkflowPage>;

    /// Returns a page of the image build versions of the account, without their pipelines.
    fn list_image_build_versions(&self, page: Page) -> ApiFuture<ImagePage>;

    /// Returns a page of the pipelines of the account.
    fn list_image_pipelines(&self, page: Page) -> ApiFuture<ListPage<Pipeline>>;

    fn get_image(&self, image: ImageArn) -> ApiFuture<Image>;
}

/// The identity of a client's credentials, from STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The ARN of a user, or of a role's session such as
    /// `arn:aws:sts::111122223333:assumed-role/imagebuilder-exporter/SESSION`.
    pub arn: String,
}

/// Selects a page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The maximum number of entries.
    pub size: u16,
    /// The token from the previous page; `None` requests the first page.
    pub token: Option<String>,
}

/// One page of a list. A page can be short or empty without being the last.
#[derive(Clone, Debug, PartialEq)]
pub struct ListPage<T> {
    pub entries: Vec<T>,
    /// The token of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// A page of the image build versions of the account. An image without a status has `None` in place
/// of its members.
pub type ImagePage = ListPage<(ImageArn, Option<Image>)>;

/// A page of steps of a workflow execution. A step without a status has `None` in place of its
/// members.
pub type StepPage = ListPage<(StepExecutionId, Option<StepExecution>)>;

/// A page of workflow executions of an image build version. An execution without a status has
/// `None` in place of its members.
pub type WorkflowPage = ListPage<(WorkflowExecutionId, Option<WorkflowExecution>)>;

/// Waits for a response, at most for `timeout`.
///
/// # Errors
///
/// The errors of the call, and [`ErrorKind::Timeout`].
pub async fn within<T>(
    timeout: Duration,
    response: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(timeout, response).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::new(
            ErrorKind::Timeout,
            format!("no response within {timeout:?}"),
        )),
    }
}
