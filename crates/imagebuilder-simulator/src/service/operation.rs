//! The simulated operations of Image Builder, as in the service's model.

use hyper::Method;

use crate::error::ErrorResponse;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    GetStep,
    GetWorkflow,
    ListSteps,
    ListWorkflows,
    ListImages,
    ListBuilds,
    ListPipelines,
    ListPipelineImages,
    GetImage,
    GetPipeline,
}

/// Filters of `ListImages` and `ListImageBuildVersions`.
const OF_IMAGES: &[&str] = &["name", "osVersion", "platform", "type", "version"];
const OF_PIPELINES: &[&str] = &[
    "description",
    "distributionConfigurationArn",
    "imageRecipeArn",
    "infrastructureConfigurationArn",
    "name",
    "status",
];

/// The properties of an operation in the service's model.
struct Row {
    /// The name, which is also the path.
    name: &'static str,
    id_member: &'static str,
    filters: &'static [&'static str],
}

impl Operation {
    const ALL: [Self; 10] = [
        Self::GetStep,
        Self::GetWorkflow,
        Self::ListSteps,
        Self::ListWorkflows,
        Self::ListImages,
        Self::ListBuilds,
        Self::ListPipelines,
        Self::ListPipelineImages,
        Self::GetImage,
        Self::GetPipeline,
    ];

    fn row(self) -> Row {
        let row = |name, id_member, filters| Row {
            name,
            id_member,
            filters,
        };
        match self {
            Self::GetStep => row("GetWorkflowStepExecution", "stepExecutionId", &[]),
            Self::GetWorkflow => row("GetWorkflowExecution", "workflowExecutionId", &[]),
            Self::ListSteps => row("ListWorkflowStepExecutions", "workflowExecutionId", &[]),
            Self::ListWorkflows => row("ListWorkflowExecutions", "imageBuildVersionArn", &[]),
            Self::ListImages => row("ListImages", "", OF_IMAGES),
            Self::ListBuilds => row("ListImageBuildVersions", "imageVersionArn", OF_IMAGES),
            Self::ListPipelines => row("ListImagePipelines", "", OF_PIPELINES),
            Self::ListPipelineImages => {
                let filters = &["name", "version"];
                row("ListImagePipelineImages", "imagePipelineArn", filters)
            }
            Self::GetImage => row("GetImage", "imageBuildVersionArn", &[]),
            Self::GetPipeline => row("GetImagePipeline", "imagePipelineArn", &[]),
        }
    }

    /// Returns the operation of a path.
    ///
    /// # Errors
    ///
    /// A path without an operation, or another method than the operation's.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, ErrorResponse> {
        let name = path.strip_prefix('/');
        let mut all = Self::ALL.into_iter();
        let operation = all.find(|operation| name == Some(operation.name()));
        let operation = operation.ok_or_else(|| {
            let message = format!("There is no operation {path}.");
            ErrorResponse::new("UnknownOperationException", message)
        })?;
        if *method == operation.method() {
            return Ok(operation);
        }
        let message = format!("{path} requires the method {}.", operation.method());
        Err(ErrorResponse::new("MethodNotAllowedException", message))
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn method(self) -> Method {
        match self.name().starts_with("Get") {
            true => Method::GET,
            false => Method::POST,
        }
    }

    /// Returns the member with the resource's id; empty for a list of the account.
    pub(crate) fn id_member(self) -> &'static str {
        self.row().id_member
    }

    /// Returns the filters of the operation, from the service's documentation.
    pub(crate) fn filters(self) -> &'static [&'static str] {
        self.row().filters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_path_and_wrong_method_have_their_own_errors() {
        let error = |method, path| Operation::of(&method, path).unwrap_err();
        assert_eq!(error(Method::GET, "/Nothing").status, 404);
        assert_eq!(error(Method::PUT, "/GetWorkflowExecution").status, 405);
        assert_eq!(error(Method::GET, "/ListImages").status, 405);
    }
}
