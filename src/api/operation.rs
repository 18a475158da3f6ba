//! The operations that the exporter calls: one row each.
//!
//! From its row come the operation's name, its call as data, the payload of its response, and the
//! way from the one to the other through [`ImageBuilder`]. A new operation is a row here, a method
//! of [`ImageBuilder`] and a handler in the tracker.

use std::fmt;

use tokio::time::Instant;

use super::{ApiError, ImageBuilder, ListPage, Page, Parsed, StepPage, WorkflowPage};
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

            /// The name in the service's model, which is also the value of the label `operation`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }

        /// One call to make: an operation and what it is about. Of a list it is any page.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Call {
            $($(#[$doc])* $name($subject),)+
        }

        impl Call {
            pub fn operation(&self) -> Operation {
                match self {
                    $(Self::$name(_) => Operation::$name,)+
                }
            }

            /// The id or ARN that the call is about; `None` for a list of the account.
            pub fn subject(&self) -> Option<String> {
                let subject = match self {
                    $(Self::$name(subject) => subject.to_string(),)+
                };
                Some(subject).filter(|subject| !subject.is_empty())
            }

            /// Makes the call, one attempt of it. `page` counts for lists alone.
            ///
            /// # Errors
            ///
            /// Those of the operation.
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

        /// What a successful response is about, and what it holds.
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
    ListImageBuildVersions(Account) -> ListPage<Image>,
        |api, Account, page| api.list_image_build_versions(page);
    /// A page of the pipelines of the account.
    ListImagePipelines(Account) -> ListPage<Pipeline>,
        |api, Account, page| api.list_image_pipelines(page);
    /// One image build version, with the pipeline that built it.
    GetImage(ImageArn) -> Box<Image>,
        |api, image, _| api.get_image(image);
}

impl Call {
    /// Whether its response is a page of a list.
    pub fn is_list(&self) -> bool {
        self.operation().as_str().starts_with("List")
    }
}

impl Payload {
    /// The token of the page after this one.
    pub fn next_token(&self) -> Option<&str> {
        match self {
            Self::ListWorkflowStepExecutions(_, page) => page.next.as_deref(),
            Self::ListWorkflowExecutions(_, page) => page.next.as_deref(),
            Self::ListImageBuildVersions(_, page) => page.next.as_deref(),
            Self::ListImagePipelines(_, page) => page.next.as_deref(),
            Self::GetWorkflowStepExecution(..)
            | Self::GetWorkflowExecution(..)
            | Self::GetImage(..) => None,
        }
    }
}

/// The subject of a list of the account: the account and region that the client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account;

impl fmt::Display for Account {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The response to one call.
#[derive(Clone, Debug)]
pub struct Response {
    pub call: Call,
    /// The page that was asked for; counts for lists alone.
    pub page: Page,
    /// When the call began: the response is as old as that, or younger.
    pub asked: Instant,
    pub result: Result<Parsed<Payload>, ApiError>,
}

impl Response {
    /// Members of the response that could not be parsed.
    pub fn unparsable(&self) -> &[&'static str] {
        match &self.result {
            Ok(parsed) => &parsed.unparsable,
            Err(_) => &[],
        }
    }
}
