//! Parses requests by the service's model.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value};

use imagebuilder_model::{ImageArn, StepExecutionId, WorkflowExecutionId};

use super::filter::Filters;
use super::operation::Operation;
use super::paging::PageRequest;
use super::resource;
use crate::error::{ErrorResponse, invalid};

/// The members of a request, from its query or its body, unchecked.
#[derive(Debug)]
pub(crate) struct Parameters {
    operation: Operation,
    members: Result<Map<String, Value>, ErrorResponse>,
}

/// A request that the service's model allows.
#[derive(Debug)]
pub(crate) enum Question {
    Step(StepExecutionId),
    Workflow(WorkflowExecutionId),
    StepsOf(WorkflowExecutionId, PageRequest),
    WorkflowsOf(String, PageRequest),
    Image(String),
    Pipeline(String),
    Images(ListRequest),
    /// The account's, or those of one image version.
    Builds(Option<String>, ListRequest),
    Pipelines(ListRequest),
    ImagesOf(String, ListRequest),
}

/// The members that the lists of images and pipelines share.
#[derive(Debug)]
pub(crate) struct ListRequest {
    pub(crate) filters: Filters,
    pub(crate) page: PageRequest,
    /// The request is for images of other owners, of which the simulator has none.
    pub(crate) foreign: bool,
    /// The response has an entry for each name, not for each version.
    pub(crate) by_name: bool,
}

impl Parameters {
    pub(crate) fn read(operation: Operation, query: &str, body: &Bytes) -> Self {
        let members = match operation.method() {
            Method::GET => Ok(form_urlencoded::parse(query.as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into()))
                .collect()),
            _ if body.is_empty() => Ok(Map::new()),
            _ => serde_json::from_slice(body)
                .map_err(|_| invalid("The body is not a JSON object.".to_owned())),
        };
        Self { operation, members }
    }

    /// The id as the caller wrote it; empty where there is none.
    pub(crate) fn id(&self) -> &str {
        let members = self.members.as_ref().ok();
        members
            .and_then(|members| members.get(self.operation.id_member())?.as_str())
            .unwrap_or_default()
    }

    /// Identifies the list that a token belongs to: this operation with these members.
    pub(crate) fn list(&self) -> String {
        let mut members = self.members.clone().unwrap_or_default();
        members.remove("nextToken");
        members.remove("maxResults");
        format!("{} {}", self.operation.name(), Value::Object(members))
    }

    /// # Errors
    ///
    /// A required member that is missing, or one that breaks its pattern or type.
    pub(crate) fn question(self) -> Result<Question, ErrorResponse> {
        let (operation, members) = (self.operation, self.members?);
        let name = operation.id_member();
        let required = || match text(&members, name)? {
            Some(id) => Ok(id.to_owned()),
            None => Err(invalid(format!("{name} is required."))),
        };
        let against_pattern =
            || invalid(format!("The value of {name} does not match its pattern."));
        let checked = |is: fn(&str) -> bool| {
            let id: String = required()?;
            is(&id).then_some(id).ok_or_else(against_pattern)
        };
        Ok(match operation {
            Operation::GetStep => {
                Question::Step(required()?.parse().map_err(|_| against_pattern())?)
            }
            Operation::GetWorkflow => {
                Question::Workflow(required()?.parse().map_err(|_| against_pattern())?)
            }
            Operation::ListSteps => {
                let id = required()?.parse().map_err(|_| against_pattern())?;
                Question::StepsOf(id, page(&members)?)
            }
            Operation::ListWorkflows => {
                let arn = checked(|arn| ImageArn::parse(arn).is_some())?;
                Question::WorkflowsOf(arn, page(&members)?)
            }
            Operation::GetImage => Question::Image(checked(resource::is_image)?),
            Operation::GetPipeline => Question::Pipeline(checked(resource::is_pipeline)?),
            Operation::ListImages => Question::Images(list(operation, &members)?),
            Operation::ListPipelines => Question::Pipelines(list(operation, &members)?),
            Operation::ListPipelineImages => {
                let arn = checked(resource::is_pipeline)?;
                Question::ImagesOf(arn, list(operation, &members)?)
            }
            Operation::ListBuilds => {
                let version = text(&members, name)?.map(|_| checked(resource::is_image_version));
                Question::Builds(version.transpose()?, list(operation, &members)?)
            }
        })
    }
}

/// `Ownership` of the model; the first is the default.
const OWNERSHIP: [&str; 5] = ["Self", "Shared", "Amazon", "ThirdParty", "AWSMarketplace"];

fn list(operation: Operation, members: &Map<String, Value>) -> Result<ListRequest, ErrorResponse> {
    let filters = Filters::read(members, operation.filters())?;
    let mut request = ListRequest {
        filters,
        page: page(members)?,
        foreign: false,
        by_name: false,
    };
    if operation == Operation::ListImages {
        let owner = text(members, "owner")?.unwrap_or(OWNERSHIP[0]);
        if !OWNERSHIP.contains(&owner) {
            return Err(invalid(format!(
                "The value of owner is not one of {}.",
                OWNERSHIP.join(", ")
            )));
        }
        request.foreign = owner != OWNERSHIP[0];
        request.by_name = switch(members, "byName")?;
        switch(members, "includeDeprecated")?;
        if request.by_name && request.filters.has("version") {
            return Err(invalid(
                "byName cannot be combined with the filter version.",
            ));
        }
    }
    Ok(request)
}

fn page(members: &Map<String, Value>) -> Result<PageRequest, ErrorResponse> {
    let max_results = match members.get("maxResults") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_i64()
                .ok_or_else(|| invalid("The value of maxResults is not an integer."))?,
        ),
    };
    Ok(PageRequest {
        max_results,
        next_token: text(members, "nextToken")?.map(str::to_owned),
    })
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ErrorResponse> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("The value of {name} is not a string."))),
    }
}

fn switch(members: &Map<String, Value>, name: &str) -> Result<bool, ErrorResponse> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(on)) => Ok(*on),
        Some(_) => Err(invalid(format!("The value of {name} is not a boolean."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_decoded() {
        let id = |query| {
            Parameters::read(Operation::GetImage, query, &Bytes::new())
                .id()
                .to_owned()
        };
        assert_eq!(id("&imageBuildVersionArn=a%3A2+b&c"), "a:2 b");
        assert_eq!(id("imageBuildVersionArn=%zz"), "%zz");
    }

    fn refused(operation: Operation, query: &str, body: &'static str) -> String {
        let parameters = Parameters::read(operation, query, &Bytes::from_static(body.as_bytes()));
        parameters.question().unwrap_err().message
    }

    #[test]
    fn request_that_breaks_the_model_is_rejected_with_the_member() {
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
    fn lists_of_the_account_need_no_member_and_check_those_there_are() {
        let (images, builds) = (Operation::ListImages, Operation::ListBuilds);
        for operation in [images, builds, Operation::ListPipelines] {
            let parameters = Parameters::read(operation, "", &Bytes::new());
            assert!(parameters.question().is_ok(), "{operation:?}");
        }
        let message = "The value of imageVersionArn does not match its pattern.";
        let body =
            r#"{"imageVersionArn": "arn:aws:imagebuilder:us-west-2:111122223333:image/a/x.x.x"}"#;
        assert_eq!(refused(builds, "", body), message);
        let message =
            "The value of owner is not one of Self, Shared, Amazon, ThirdParty, AWSMarketplace.";
        assert_eq!(refused(images, "", r#"{"owner": "self"}"#), message);
        let message = "The value of byName is not a boolean.";
        assert_eq!(refused(images, "", r#"{"byName": "true"}"#), message);
        let body = r#"{"byName": true, "filters": [{"name": "version", "values": ["1.0.0"]}]}"#;
        let message = "byName cannot be combined with the filter version.";
        assert_eq!(refused(images, "", body), message);
    }

    #[test]
    fn token_identifies_a_list_independent_of_the_page() {
        let list = |operation, body: &'static str| {
            Parameters::read(operation, "", &Bytes::from_static(body.as_bytes())).list()
        };
        let images = Operation::ListImages;
        let page = r#"{"nextToken": "abc", "maxResults": 3}"#;
        assert_eq!(list(images, page), list(images, "{}"));
        assert_ne!(list(images, r#"{"byName": true}"#), list(images, "{}"));
        assert_ne!(list(Operation::ListPipelines, "{}"), list(images, "{}"));
    }
}
