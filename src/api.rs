//! The EC2 Image Builder API as the exporter needs it: one method an operation, one attempt a call.
//!
//! Owns the trait the schedule polls through and what can go wrong with a call. The one real
//! implementation is [`aws`]; no type of the SDK leaves it.

pub mod aws;

mod service_clock;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

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

/// The operations the exporter calls, by their names in the service's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    GetWorkflowStepExecution,
    GetWorkflowExecution,
    ListWorkflowStepExecutions,
    ListWorkflowExecutions,
    ListImageBuildVersions,
    ListImagePipelines,
    GetImage,
}

impl Operation {
    pub const ALL: [Self; 7] = [
        Self::GetWorkflowStepExecution,
        Self::GetWorkflowExecution,
        Self::ListWorkflowStepExecutions,
        Self::ListWorkflowExecutions,
        Self::ListImageBuildVersions,
        Self::ListImagePipelines,
        Self::GetImage,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::GetWorkflowStepExecution => "GetWorkflowStepExecution",
            Self::GetWorkflowExecution => "GetWorkflowExecution",
            Self::ListWorkflowStepExecutions => "ListWorkflowStepExecutions",
            Self::ListWorkflowExecutions => "ListWorkflowExecutions",
            Self::ListImageBuildVersions => "ListImageBuildVersions",
            Self::ListImagePipelines => "ListImagePipelines",
            Self::GetImage => "GetImage",
        }
    }
}

/// Why a call failed. The kinds are what the exporter acts on and counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The service asks for fewer calls.
    Throttled,
    /// 401 and 403.
    Forbidden,
    /// Another 400-class answer of the service: it does not know, or no longer, what was asked for.
    Client,
    /// 500-class.
    Server,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Network,
    /// An answer that is not the service's, or that lacks what makes it one.
    Parse,
    /// None found, expired, or a role that could not be assumed: nothing was sent.
    Credentials,
}

impl ErrorKind {
    pub const ALL: [Self; 8] = [
        Self::Throttled,
        Self::Forbidden,
        Self::Client,
        Self::Server,
        Self::Timeout,
        Self::Network,
        Self::Parse,
        Self::Credentials,
    ];

    /// The value of the label `result`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Forbidden => "forbidden",
            Self::Client => "client_error",
            Self::Server => "server_error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Parse => "parse_error",
            Self::Credentials => "credentials",
        }
    }
}

/// A failed call: its kind to act on, and text for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorKind,
    /// What went wrong, as far down as it is known; for logs, never for labels.
    pub message: String,
    /// Of a [`ErrorKind::Forbidden`] one: it was who asked that was refused, as with an expired
    /// token, and so tells nothing about what is allowed.
    pub caller_refused: bool,
    /// It was answered, but without the type that every error of the service has: by a proxy, say.
    pub untyped: bool,
}

/// Characters of a failure's text that are kept: part of it may be the service's, or of whatever
/// answers in its place, and as long as that likes.
const LONGEST_MESSAGE: usize = 2_000;

impl ApiError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
            message.truncate(end);
        }
        Self {
            kind,
            message,
            caller_refused: false,
            untyped: false,
        }
    }

    /// What the failure says about the operation: one that refused the caller says no more than
    /// one for want of credentials.
    pub fn about_operation(&self) -> ErrorKind {
        match self.caller_refused {
            true => ErrorKind::Credentials,
            false => self.kind,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
