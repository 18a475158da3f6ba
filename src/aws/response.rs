//! Parses the SDK's outputs into the model. Every member may be missing; an invalid member counts
//! as missing, and its name is recorded.

mod catalog;
mod members;
mod outputs;
mod text;

use aws_sdk_imagebuilder::operation::get_workflow_execution::GetWorkflowExecutionOutput;
use aws_sdk_imagebuilder::operation::get_workflow_step_execution::GetWorkflowStepExecutionOutput;
use aws_sdk_imagebuilder::operation::list_workflow_executions::ListWorkflowExecutionsOutput;
use aws_sdk_imagebuilder::operation::list_workflow_step_executions::ListWorkflowStepExecutionsOutput;

use aws_sdk_imagebuilder::types::{WorkflowExecutionMetadata, WorkflowExecutionStatus};
pub(super) use catalog::{image, image_page, pipeline_page};
use members::{Members, StepMembers, WorkflowMembers, check_id, check_status};
use text::present;

use crate::api::{ApiError, Parsed, StepPage, WorkflowPage};
use crate::model::{
    ImageArn, OnFailure, StepExecution, StepExecutionId, WorkflowExecution, WorkflowExecutionId,
};

/// Parses a step execution. `failure_details` says whether `outputs` may be read.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if the response has no status or is about another step.
pub(super) fn step_execution(
    output: GetWorkflowStepExecutionOutput,
    requested: StepExecutionId,
    failure_details: bool,
) -> Result<Parsed<StepExecution>, ApiError> {
    check_id("stepExecutionId", output.step_execution_id(), requested)?;
    let status = check_status(output.status().map(|status| status.as_str()))?;
    let mut members = Members::default();
    let raw = StepMembers {
        rollback_status: output.rollback_status().map(|status| status.as_str()),
        name: output.name(),
        action: output.action(),
        message: output.message(),
        outputs: output.outputs().filter(|_| failure_details),
        start_time: output.start_time(),
        end_time: output.end_time(),
        attempt_number: output.attempt_number(),
        max_attempts: output.max_attempts(),
    };
    let value = StepExecution {
        workflow_execution_id: members.workflow_execution_id(output.workflow_execution_id()),
        workflow: members.workflow(output.workflow_build_version_arn()),
        image: members.image(output.image_build_version_arn()),
        timeout_seconds: members
            .count("timeoutSeconds", output.timeout_seconds())
            .filter(|seconds| *seconds > 0),
        on_failure: present(output.on_failure()).map(OnFailure::parse),
        ..members.step(status, raw)
    };
    Ok(members.parsed(value))
}

/// Parses a page of steps. `failure_details` says whether `outputs` may be read.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if the response is about another workflow execution.
pub(super) fn step_page(
    output: ListWorkflowStepExecutionsOutput,
    requested: WorkflowExecutionId,
    failure_details: bool,
) -> Result<Parsed<StepPage>, ApiError> {
    check_id(
        "workflowExecutionId",
        output.workflow_execution_id(),
        requested,
    )?;
    let mut members = Members::default();
    let workflow = members.workflow(output.workflow_build_version_arn());
    let image = members.image(output.image_build_version_arn());
    let mut steps = Vec::new();
    for step in output.steps() {
        let parse = |id: &str| id.parse().ok();
        let Some(id) = members.read("stepExecutionId", step.step_execution_id(), parse) else {
            continue;
        };
        let raw = StepMembers {
            rollback_status: step.rollback_status().map(|status| status.as_str()),
            name: step.name(),
            action: step.action(),
            message: step.message(),
            outputs: step.outputs().filter(|_| failure_details),
            start_time: step.start_time(),
            end_time: step.end_time(),
            attempt_number: step.attempt_number(),
            max_attempts: step.max_attempts(),
        };
        let status = step.status().map(|status| status.as_str());
        let step = present(status).map(|status| StepExecution {
            workflow_execution_id: Some(requested),
            workflow: workflow.clone(),
            image: image.clone(),
            ..members.step(status, raw)
        });
        steps.push((id, step));
    }
    Ok(members.page(steps, output.next_token))
}

/// Parses a workflow execution.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if the response has no status or is about another execution.
pub(super) fn workflow_execution(
    output: GetWorkflowExecutionOutput,
    requested: WorkflowExecutionId,
) -> Result<Parsed<WorkflowExecution>, ApiError> {
    check_id(
        "workflowExecutionId",
        output.workflow_execution_id(),
        requested,
    )?;
    let status = check_status(output.status().map(|status| status.as_str()))?;
    let mut members = Members::default();
    let raw = WorkflowMembers {
        workflow_arn: output.workflow_build_version_arn(),
        start_time: output.start_time(),
        end_time: output.end_time(),
        parallel_group: output.parallel_group(),
        message: output.message(),
        totals: [
            output.total_step_count(),
            output.total_steps_succeeded(),
            output.total_steps_failed(),
            output.total_steps_skipped(),
        ],
    };
    let value = WorkflowExecution {
        image: members.image(output.image_build_version_arn()),
        ..members.workflow_execution(status, raw)
    };
    Ok(members.parsed(value))
}

/// Parses a page of workflow executions.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if the response is about another image.
pub(super) fn workflow_page(
    output: ListWorkflowExecutionsOutput,
    requested: &ImageArn,
) -> Result<Parsed<WorkflowPage>, ApiError> {
    check_id(
        "imageBuildVersionArn",
        output.image_build_version_arn(),
        requested.as_str(),
    )?;
    let mut members = Members::default();
    let mut workflows = Vec::new();
    let image_message = output.message();
    for workflow in output.workflow_executions() {
        let id = workflow.workflow_execution_id();
        let Some(id) = members.workflow_execution_id(id) else {
            continue;
        };
        let raw = WorkflowMembers {
            workflow_arn: workflow.workflow_build_version_arn(),
            start_time: workflow.start_time(),
            end_time: workflow.end_time(),
            parallel_group: workflow.parallel_group(),
            // A failed execution may have no message, while the image has one.
            message: present(workflow.message()).or(image_message.filter(|_| failed(workflow))),
            totals: [
                workflow.total_step_count(),
                workflow.total_steps_succeeded(),
                workflow.total_steps_failed(),
                workflow.total_steps_skipped(),
            ],
        };
        let status = workflow.status().map(|status| status.as_str());
        let status = members.status_of_entry("status", status);
        let execution = status.map(|status| WorkflowExecution {
            image: Some(requested.clone()),
            // The service may omit the member for an execution that was not superseded.
            retried: Some(workflow.retried().unwrap_or_default()),
            ..members.workflow_execution(status, raw)
        });
        workflows.push((id, execution));
    }
    Ok(members.page(workflows, output.next_token))
}

fn failed(workflow: &WorkflowExecutionMetadata) -> bool {
    workflow.status() == Some(&WorkflowExecutionStatus::Failed)
}

#[cfg(test)]
mod tests {
    use aws_sdk_imagebuilder::types::WorkflowStepExecutionStatus;

    use super::*;
    use crate::api::ErrorKind;
    use crate::model::StepStatus;

    const ID: &str = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";

    #[test]
    fn response_without_a_status_is_a_parse_error() {
        let output = GetWorkflowStepExecutionOutput::builder().build();
        let error = step_execution(output, ID.parse().unwrap(), true).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Parse);
    }

    #[test]
    fn response_about_another_step_is_a_parse_error() {
        let output = GetWorkflowStepExecutionOutput::builder()
            .step_execution_id("step-00000000-657c-4b7e-8706-ff24da9afa01")
            .status(WorkflowStepExecutionStatus::Running)
            .build();
        let error = step_execution(output, ID.parse().unwrap(), true).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Parse);
    }

    #[test]
    fn invalid_members_count_as_missing_and_are_named() {
        let output = GetWorkflowStepExecutionOutput::builder()
            .status(WorkflowStepExecutionStatus::from("RESTING"))
            .start_time("yesterday")
            .end_time("")
            .image_build_version_arn("arn:aws:s3:::bucket")
            .timeout_seconds(-1)
            .attempt_number(2)
            .build();
        let parsed = step_execution(output, ID.parse().unwrap(), true).unwrap();
        assert_eq!(
            parsed.unparsable,
            ["imageBuildVersionArn", "timeoutSeconds", "startTime"]
        );
        assert_eq!(
            parsed.value,
            StepExecution {
                attempt: Some(2),
                ..StepExecution::with_status(StepStatus::parse("RESTING"))
            }
        );
    }

    #[test]
    fn timeout_of_zero_means_no_timeout() {
        let output = GetWorkflowStepExecutionOutput::builder()
            .status(WorkflowStepExecutionStatus::Running)
            .timeout_seconds(0)
            .build();
        let parsed = step_execution(output, ID.parse().unwrap(), true).unwrap();
        assert_eq!(parsed.value.timeout_seconds, None);
        assert!(parsed.unparsable.is_empty());
    }
}
