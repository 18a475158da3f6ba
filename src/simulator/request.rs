//! What a request asks for, told from its path and parameters alone.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value};

use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

use super::faults::ErrorAnswer;
use super::paging::PageRequest;

/// The operations of Image Builder that are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    GetStep,
    GetWorkflow,
    ListSteps,
    ListWorkflows,
}

impl Operation {
    /// # Errors
    ///
    /// A path that is no operation's, or a method that is not the operation's.
    pub fn of(method: &Method, path: &str) -> Result<Self, ErrorAnswer> {
        let all = [
            Self::GetStep,
            Self::GetWorkflow,
            Self::ListSteps,
            Self::ListWorkflows,
        ];
        let operation = all
            .into_iter()
            .find(|operation| path.strip_prefix('/') == Some(operation.name()))
            .ok_or_else(|| {
                ErrorAnswer::new(
                    "UnknownOperationException",
                    format!("There is no operation {path}."),
                )
            })?;
        if *method == operation.method() {
            return Ok(operation);
        }
        Err(ErrorAnswer::new(
            "MethodNotAllowedException",
            format!("{path} is asked for by {}.", operation.method()),
        ))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::GetStep => "GetWorkflowStepExecution",
            Self::GetWorkflow => "GetWorkflowExecution",
            Self::ListSteps => "ListWorkflowStepExecutions",
            Self::ListWorkflows => "ListWorkflowExecutions",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::GetStep | Self::GetWorkflow => Method::GET,
            Self::ListSteps | Self::ListWorkflows => Method::POST,
        }
    }

    /// The member that says whose answer this is.
    fn id_member(self) -> &'static str {
        match self {
            Self::GetStep => "stepExecutionId",
            Self::GetWorkflow | Self::ListSteps => "workflowExecutionId",
            Self::ListWorkflows => "imageBuildVersionArn",
        }
    }
}

/// The members of a request, from its query or its body, not yet judged.
#[derive(Debug)]
pub(super) struct Parameters {
    operation: Operation,
    members: Result<Map<String, Value>, ErrorAnswer>,
}

/// A request that the service's model allows.
#[derive(Debug)]
pub(super) enum Question {
    Step(StepExecutionId),
    Workflow(WorkflowExecutionId),
    StepsOf(WorkflowExecutionId, PageRequest),
    WorkflowsOf(String, PageRequest),
}

impl Parameters {
    pub fn read(operation: Operation, query: &str, body: &Bytes) -> Self {
        let members = match operation.method() {
            Method::GET => Ok(decode_form(query)
                .map(|(name, value)| (name, Value::String(value)))
                .collect()),
            _ if body.is_empty() => Ok(Map::new()),
            _ => serde_json::from_slice(body)
                .map_err(|_| invalid("The body is not a JSON object.".to_owned())),
        };
        Self { operation, members }
    }

    /// The id as the caller wrote it; empty where there is none.
    pub fn id(&self) -> &str {
        let members = self.members.as_ref().ok();
        members
            .and_then(|members| members.get(self.operation.id_member())?.as_str())
            .unwrap_or_default()
    }

    /// # Errors
    ///
    /// A required member that is missing, or one that breaks its pattern or type.
    pub fn question(self) -> Result<Question, ErrorAnswer> {
        let members = self.members?;
        let name = self.operation.id_member();
        let id = match members.get(name) {
            Some(Value::String(id)) => id,
            Some(_) => return Err(invalid(format!("The value of {name} is not a string."))),
            None => return Err(invalid(format!("{name} is required."))),
        };
        let against_pattern =
            || invalid(format!("The value of {name} does not match its pattern."));
        match self.operation {
            Operation::GetStep => {
                let id = id.parse().map_err(|_| against_pattern())?;
                Ok(Question::Step(id))
            }
            Operation::GetWorkflow => {
                let id = id.parse().map_err(|_| against_pattern())?;
                Ok(Question::Workflow(id))
            }
            Operation::ListSteps => {
                let id = id.parse().map_err(|_| against_pattern())?;
                Ok(Question::StepsOf(id, page(&members)?))
            }
            Operation::ListWorkflows => {
                ImageArn::parse(id).ok_or_else(against_pattern)?;
                Ok(Question::WorkflowsOf(id.clone(), page(&members)?))
            }
        }
    }
}

/// Names and values of a query string or a form, in its order.
pub(super) fn decode_form(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decode(name), decode(value)),
            None => (decode(pair), String::new()),
        })
}

fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap_or(b' '), bytes.next().unwrap_or(b' ')];
                let code = std::str::from_utf8(&digits).ok();
                // What is no code stays a percent sign; the pattern it must match refuses it.
                code.and_then(|code| u8::from_str_radix(code, 16).ok())
                    .unwrap_or(b'%')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn page(members: &Map<String, Value>) -> Result<PageRequest, ErrorAnswer> {
    let max_results = match members.get("maxResults") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_i64()
                .ok_or_else(|| invalid("The value of maxResults is not an integer.".to_owned()))?,
        ),
    };
    let next_token = match members.get("nextToken") {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) => Some(token.clone()),
        Some(_) => {
            return Err(invalid(
                "The value of nextToken is not a string.".to_owned(),
            ));
        }
    };
    Ok(PageRequest {
        max_results,
        next_token,
    })
}

fn invalid(message: String) -> ErrorAnswer {
    ErrorAnswer::new("InvalidRequestException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_decoded_in_order() {
        let form: Vec<_> = decode_form("a=1%3A2&b=x+y&c&=%zz").collect();
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            form,
            [
                text("a", "1:2"),
                text("b", "x y"),
                text("c", ""),
                text("", "%")
            ]
        );
    }

    fn refused(operation: Operation, query: &str, body: &'static str) -> String {
        let parameters = Parameters::read(operation, query, &Bytes::from_static(body.as_bytes()));
        parameters.question().unwrap_err().message
    }

    #[test]
    fn request_that_breaks_the_model_is_refused_with_the_member() {
        let (get, list) = (Operation::GetStep, Operation::ListSteps);
        assert_eq!(refused(get, "", ""), "stepExecutionId is required.");
        assert_eq!(
            refused(get, "stepExecutionId=step-1", ""),
            "The value of stepExecutionId does not match its pattern."
        );
        assert_eq!(refused(list, "", "[]"), "The body is not a JSON object.");
        assert_eq!(refused(list, "", ""), "workflowExecutionId is required.");
        let body = r#"{"workflowExecutionId": 1}"#;
        let message = "The value of workflowExecutionId is not a string.";
        assert_eq!(refused(list, "", body), message);
        let body = r#"{"workflowExecutionId": "wf-2e6fef0d-657c-4b7e-8706-ff24da9afa01", "maxResults": "5"}"#;
        let message = "The value of maxResults is not an integer.";
        assert_eq!(refused(list, "", body), message);
    }

    #[test]
    fn unknown_path_and_wrong_method_are_errors_of_their_own() {
        let error = |method, path| Operation::of(&method, path).unwrap_err();
        assert_eq!(error(Method::GET, "/Nothing").status, 404);
        assert_eq!(error(Method::PUT, "/GetWorkflowExecution").status, 405);
    }
}
