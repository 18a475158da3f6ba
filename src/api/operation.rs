//! Defines the operations that the exporter calls, one row each.
//!
//! A row generates the operation's name, its call, the payload of its response, and the code that
//! makes the call through [`ImageBuilder`]. A new operation needs a row here, a method of
//! [`ImageBuilder`] and a handler in the tracker.

use std::fmt;

use tokio::time::Instant;

use super::{ApiError, ImageBuilder, ImagePage, ListPage, Page, Parsed, StepPage, WorkflowPage};
use crate::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($subject:ty) -> $payload:ty, |$api:ident, $of:pat_param, $page:pat_param| $send:expr;)+) => {
        /// The operations that the exporter calls, by their names in the service's model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// Returns the name in the service's model, which is also the value of the label
            /// `operation`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }

        /// One call: an operation and its subject. For a list, it stands for any page.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Call {
            $($(#[$doc])* $name($subject),)+
        }

        impl Call {
            /// Returns the operation.
            pub fn operation(&self) -> Operation {
                match self {
                    $(Self::$name(_) => Operation::$name,)+
                }
            }

            /// Returns the id or ARN of the subject; `None` for a list of the account.
            pub fn subject(&self) -> Option<String> {
                let subject = match self {
                    $(Self::$name(subject) => subject.to_string(),)+
                };
                Some(subject).filter(|subject| !subject.is_empty())
            }

            /// Makes one attempt of the call. Only lists use `page`.
            ///
            /// # Errors
            ///
            /// The errors of the operation.
            pub async fn send(
                self,
                api: &dyn ImageBuilder,
                page: Page,
            ) -> Result<Parsed<Payload>, ApiError> {
                match self {
                    $(Self::$name(subject) => {
                        let ($api, $of, $page) = (api, subject.clone(), page);
                        let parsed = $send.await?;
                        Ok(Parsed {
                            value: Payload::$name(subject, parsed.value.into()),
                            unparsable: parsed.unparsable,
                        })
                    })+
                }
            }
        }

        /// A successful response: its subject and its content.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Payload {
            $($(#[$doc])* $name($subject, $payload),)+
        }
    };
}

operations! {
    /// One step execution, with every member.
    GetWorkflowStepExecution(StepExecutionId) -> Box<StepExecution>,
        |api, id, _| api.get_workflow_step_execution(id);
    /// One workflow execution.
    GetWorkflowExecution(WorkflowExecutionId) -> WorkflowExecution,
        |api, id, _| api.get_workflow_execution(id);
    /// A page of the steps of a workflow execution.
    ListWorkflowStepExecutions(WorkflowExecutionId) -> StepPage,
        |api, id, page| api.list_workflow_step_executions(id, page);
    /// A page of the workflow executions of an image build version.
    ListWorkflowExecutions(ImageArn) -> WorkflowPage,
        |api, image, page| api.list_workflow_executions(image, page);
    /// A page of the image build versions of the account.
    ListImageBuildVersions(Account) -> ImagePage,
        |api, Account, page| api.list_image_build_versions(page);
    /// A page of the pipelines of the account.
    ListImagePipelines(Account) -> ListPage<Pipeline>,
        |api, Account, page| api.list_image_pipelines(page);
    /// One image build version, with the pipeline that built it.
    GetImage(ImageArn) -> Box<Image>,
        |api, image, _| api.get_image(image);
}

impl Call {
    /// Returns whether its response is a page of a list.
    pub fn is_list(&self) -> bool {
        self.operation().as_str().starts_with("List")
    }
}

impl Payload {
    /// Returns the number of entries of a page, and the token of the next page.
    pub fn page(&self) -> (usize, Option<&str>) {
        fn of<T>(page: &ListPage<T>) -> (usize, Option<&str>) {
            (page.entries.len(), page.next.as_deref())
        }
        match self {
            Self::ListWorkflowStepExecutions(_, page) => of(page),
            Self::ListWorkflowExecutions(_, page) => of(page),
            Self::ListImageBuildVersions(_, page) => of(page),
            Self::ListImagePipelines(_, page) => of(page),
            Self::GetWorkflowStepExecution(..)
            | Self::GetWorkflowExecution(..)
            | Self::GetImage(..) => (0, None),
        }
    }
}

/// The subject of a list of the account: the account and region of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account;

impl fmt::Display for Account {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Why a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To keep what is exposed up to date.
    Polling,
    /// To read how long the steps of earlier builds took.
    History,
}

/// The response to one call.
#[derive(Clone, Debug)]
pub struct Response {
    pub call: Call,
    pub purpose: Purpose,
    /// The requested page; only lists use it.
    pub page: Page,
    /// When the call began. The service generated the response at that time or later.
    pub asked: Instant,
    pub result: Result<Parsed<Payload>, ApiError>,
}

impl Response {
    /// Returns the names of the members that could not be parsed.
    pub fn unparsable(&self) -> &[&'static str] {
        match &self.result {
            Ok(parsed) => &parsed.unparsable,
            Err(_) => &[],
        }
    }
}
