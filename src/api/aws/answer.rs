//! The SDK's outputs, parsed into the model: every member may be missing, and one that makes no
//! sense counts as missing and is named.

use std::fmt::Display;

use aws_sdk_imagebuilder::operation::get_workflow_execution::GetWorkflowExecutionOutput;
use aws_sdk_imagebuilder::operation::get_workflow_step_execution::GetWorkflowStepExecutionOutput;
use aws_sdk_imagebuilder::operation::list_workflow_step_executions::ListWorkflowStepExecutionsOutput;

use crate::api::{ApiError, ErrorKind, Parsed, StepPage};
use crate::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

/// # Errors
///
/// [`ErrorKind::Parse`] where the answer has no status or speaks of another step.
pub(super) fn step_execution(
    output: GetWorkflowStepExecutionOutput,
    asked_for: StepExecutionId,
) -> Result<Parsed<StepExecution>, ApiError> {
    check_id("stepExecutionId", output.step_execution_id(), asked_for)?;
    let status = check_status(output.status().map(|status| status.as_str()))?;
    let mut members = Members::default();
    let written = Written {
        rollback_status: output.rollback_status().map(|status| status.as_str()),
        name: output.name(),
        action: output.action(),
        message: output.message(),
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
        on_failure: output
            .on_failure()
            .filter(|text| !text.is_empty())
            .map(OnFailure::parse),
        ..members.step(status, written)
    };
    Ok(members.parsed(value))
}

/// # Errors
///
/// [`ErrorKind::Parse`] where the answer speaks of another workflow execution.
pub(super) fn step_page(
    output: ListWorkflowStepExecutionsOutput,
    asked_for: WorkflowExecutionId,
) -> Result<Parsed<StepPage>, ApiError> {
    check_id(
        "workflowExecutionId",
        output.workflow_execution_id(),
        asked_for,
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
        let written = Written {
            rollback_status: step.rollback_status().map(|status| status.as_str()),
            name: step.name(),
            action: step.action(),
            message: step.message(),
            start_time: step.start_time(),
            end_time: step.end_time(),
            attempt_number: step.attempt_number(),
            max_attempts: step.max_attempts(),
        };
        let status = step.status().map(|status| status.as_str());
        let told = status
            .filter(|status| !status.is_empty())
            .map(|status| StepExecution {
                workflow_execution_id: Some(asked_for),
                workflow: workflow.clone(),
                image: image.clone(),
                ..members.step(status, written)
            });
        steps.push((id, told));
    }
    let next = output.next_token.filter(|token| !token.is_empty());
    Ok(members.parsed(StepPage { steps, next }))
}

/// # Errors
///
/// [`ErrorKind::Parse`] where the answer has no status or speaks of another execution.
pub(super) fn workflow_execution(
    output: GetWorkflowExecutionOutput,
    asked_for: WorkflowExecutionId,
) -> Result<Parsed<WorkflowExecution>, ApiError> {
    check_id(
        "workflowExecutionId",
        output.workflow_execution_id(),
        asked_for,
    )?;
    let status = check_status(output.status().map(|status| status.as_str()))?;
    let mut members = Members::default();
    let value = WorkflowExecution {
        status: WorkflowStatus::parse(status),
        end: members.read("endTime", output.end_time(), Timestamp::parse),
    };
    Ok(members.parsed(value))
}

/// What a Get and a List of steps have in common, as written.
struct Written<'a> {
    rollback_status: Option<&'a str>,
    name: Option<&'a str>,
    action: Option<&'a str>,
    message: Option<&'a str>,
    start_time: Option<&'a str>,
    end_time: Option<&'a str>,
    attempt_number: Option<i32>,
    max_attempts: Option<i32>,
}

fn check_status(status: Option<&str>) -> Result<&str, ApiError> {
    status.filter(|status| !status.is_empty()).ok_or_else(|| {
        ApiError::new(
            ErrorKind::Parse,
            "the answer has no status, which every answer of the service has",
        )
    })
}

fn check_id(member: &str, answered: Option<&str>, asked_for: impl Display) -> Result<(), ApiError> {
    match answered {
        Some(id) if !id.eq_ignore_ascii_case(&asked_for.to_string()) => Err(ApiError::new(
            ErrorKind::Parse,
            format!("the answer's {member} is {id:?}, not the one asked for"),
        )),
        _ => Ok(()),
    }
}

/// Reads the members of one answer and remembers which made no sense.
#[derive(Default)]
struct Members {
    unparsable: Vec<&'static str>,
}

impl Members {
    fn step(&mut self, status: &str, written: Written<'_>) -> StepExecution {
        StepExecution {
            rollback_status: written
                .rollback_status
                .filter(|status| !status.is_empty())
                .map(RollbackStatus::parse),
            name: written.name.map(str::to_owned),
            action: written.action.map(str::to_owned),
            message: written.message.map(str::to_owned),
            start: self.read("startTime", written.start_time, Timestamp::parse),
            end: self.read("endTime", written.end_time, Timestamp::parse),
            attempt: self.count("attemptNumber", written.attempt_number),
            max_attempts: self.count("maxAttempts", written.max_attempts),
            ..StepExecution::with_status(StepStatus::parse(status))
        }
    }

    fn workflow_execution_id(&mut self, id: Option<&str>) -> Option<WorkflowExecutionId> {
        self.read("workflowExecutionId", id, |id| id.parse().ok())
    }

    fn workflow(&mut self, arn: Option<&str>) -> Option<WorkflowArn> {
        self.read("workflowBuildVersionArn", arn, WorkflowArn::parse)
    }

    fn image(&mut self, arn: Option<&str>) -> Option<ImageArn> {
        self.read("imageBuildVersionArn", arn, ImageArn::parse)
    }

    fn parsed<T>(self, value: T) -> Parsed<T> {
        Parsed {
            value,
            unparsable: self.unparsable,
        }
    }

    /// An empty text is a missing one.
    fn read<T>(
        &mut self,
        member: &'static str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text.filter(|text| !text.is_empty())?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.unparsable.push(member);
        }
        parsed
    }

    fn count(&mut self, member: &'static str, number: Option<i32>) -> Option<u32> {
        let number = number?;
        let count = u32::try_from(number).ok();
        if count.is_none() {
            self.unparsable.push(member);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_imagebuilder::types::WorkflowStepExecutionStatus;

    use super::*;

    const ID: &str = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";

    #[test]
    fn answer_without_a_status_is_no_answer() {
        let output = GetWorkflowStepExecutionOutput::builder().build();
        let error = step_execution(output, ID.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Parse);
    }

    #[test]
    fn answer_about_another_step_is_no_answer() {
        let output = GetWorkflowStepExecutionOutput::builder()
            .step_execution_id("step-00000000-657c-4b7e-8706-ff24da9afa01")
            .status(WorkflowStepExecutionStatus::Running)
            .build();
        let error = step_execution(output, ID.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Parse);
    }

    #[test]
    fn members_that_make_no_sense_count_as_missing_and_are_named() {
        let output = GetWorkflowStepExecutionOutput::builder()
            .status(WorkflowStepExecutionStatus::from("RESTING"))
            .start_time("yesterday")
            .end_time("")
            .image_build_version_arn("arn:aws:s3:::bucket")
            .timeout_seconds(-1)
            .attempt_number(2)
            .build();
        let parsed = step_execution(output, ID.parse().unwrap()).unwrap();
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
    fn timeout_of_zero_is_no_timeout() {
        let output = GetWorkflowStepExecutionOutput::builder()
            .status(WorkflowStepExecutionStatus::Running)
            .timeout_seconds(0)
            .build();
        let parsed = step_execution(output, ID.parse().unwrap()).unwrap();
        assert_eq!(parsed.value.timeout_seconds, None);
        assert!(parsed.unparsable.is_empty());
    }
}
