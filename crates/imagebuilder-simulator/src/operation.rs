//! The operations of Image Builder that are simulated, as the service's model has them.

use hyper::Method;

use super::faults::ErrorAnswer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
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

    /// # Errors
    ///
    /// A path that is no operation's, or a method that is not the operation's.
    pub fn of(method: &Method, path: &str) -> Result<Self, ErrorAnswer> {
        let operation = Self::ALL
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
            Self::ListImages => "ListImages",
            Self::ListBuilds => "ListImageBuildVersions",
            Self::ListPipelines => "ListImagePipelines",
            Self::ListPipelineImages => "ListImagePipelineImages",
            Self::GetImage => "GetImage",
            Self::GetPipeline => "GetImagePipeline",
        }
    }

    pub fn method(self) -> Method {
        match self {
            Self::GetStep | Self::GetWorkflow | Self::GetImage | Self::GetPipeline => Method::GET,
            _ => Method::POST,
        }
    }

    /// The member that says whose answer this is; empty where a list is the account's.
    pub fn id_member(self) -> &'static str {
        match self {
            Self::GetStep => "stepExecutionId",
            Self::GetWorkflow | Self::ListSteps => "workflowExecutionId",
            Self::ListWorkflows | Self::GetImage => "imageBuildVersionArn",
            Self::ListBuilds => "imageVersionArn",
            Self::GetPipeline | Self::ListPipelineImages => "imagePipelineArn",
            Self::ListImages | Self::ListPipelines => "",
        }
    }

    /// What the operation can filter by, as the service's documentation lists it.
    pub fn filters(self) -> &'static [&'static str] {
        match self {
            Self::ListImages | Self::ListBuilds => {
                &["name", "osVersion", "platform", "type", "version"]
            }
            Self::ListPipelineImages => &["name", "version"],
            Self::ListPipelines => &[
                "description",
                "distributionConfigurationArn",
                "imageRecipeArn",
                "infrastructureConfigurationArn",
                "name",
                "status",
            ],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_path_and_wrong_method_are_errors_of_their_own() {
        let error = |method, path| Operation::of(&method, path).unwrap_err();
        assert_eq!(error(Method::GET, "/Nothing").status, 404);
        assert_eq!(error(Method::PUT, "/GetWorkflowExecution").status, 405);
        assert_eq!(error(Method::GET, "/ListImages").status, 405);
    }
}
