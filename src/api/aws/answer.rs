//! The SDK's outputs, parsed into the model: every member may be missing, and one that makes no
//! sense counts as missing and is named.

mod catalog;

use std::fmt::Display;

use aws_sdk_imagebuilder::operation::get_workflow_execution::GetWorkflowExecutionOutput;
use aws_sdk_imagebuilder::operation::get_workflow_step_execution::GetWorkflowStepExecutionOutput;
use aws_sdk_imagebuilder::operation::list_workflow_executions::ListWorkflowExecutionsOutput;
use aws_sdk_imagebuilder::operation::list_workflow_step_executions::ListWorkflowStepExecutionsOutput;

pub(super) use catalog::{image, image_page, pipeline_page};

use crate::api::{ApiError, ErrorKind, ListPage, Parsed, StepPage, WorkflowPage};
use crate::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, StepTotals,
    Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
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
        on_failure: present(output.on_failure()).map(OnFailure::parse),
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
        let told = present(status).map(|status| StepExecution {
            workflow_execution_id: Some(asked_for),
            workflow: workflow.clone(),
            image: image.clone(),
            ..members.step(status, written)
        });
        steps.push((id, told));
    }
    Ok(members.page(steps, output.next_token))
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
    let written = WrittenWorkflow {
        workflow_arn: output.workflow_build_version_arn(),
        start_time: output.start_time(),
        end_time: output.end_time(),
        parallel_group: output.parallel_group(),
        totals: [
            output.total_step_count(),
            output.total_steps_succeeded(),
            output.total_steps_failed(),
            output.total_steps_skipped(),
        ],
    };
    let value = WorkflowExecution {
        image: members.image(output.image_build_version_arn()),
        ..members.workflow_execution(status, written)
    };
    Ok(members.parsed(value))
}

/// # Errors
///
/// [`ErrorKind::Parse`] where the answer speaks of another image.
pub(super) fn workflow_page(
    output: ListWorkflowExecutionsOutput,
    asked_for: &ImageArn,
) -> Result<Parsed<WorkflowPage>, ApiError> {
    check_id(
        "imageBuildVersionArn",
        output.image_build_version_arn(),
        asked_for.as_str(),
    )?;
    let mut members = Members::default();
    let mut workflows = Vec::new();
    for workflow in output.workflow_executions() {
        let id = workflow.workflow_execution_id();
        let Some(id) = members.workflow_execution_id(id) else {
            continue;
        };
        let written = WrittenWorkflow {
            workflow_arn: workflow.workflow_build_version_arn(),
            start_time: workflow.start_time(),
            end_time: workflow.end_time(),
            parallel_group: workflow.parallel_group(),
            totals: [
                workflow.total_step_count(),
                workflow.total_steps_succeeded(),
                workflow.total_steps_failed(),
                workflow.total_steps_skipped(),
            ],
        };
        let status = workflow.status().map(|status| status.as_str());
        let told = present(status).map(|status| WorkflowExecution {
            image: Some(asked_for.clone()),
            // Of one that was not superseded the service says nothing.
            retried: Some(workflow.retried().unwrap_or_default()),
            ..members.workflow_execution(status, written)
        });
        workflows.push((id, told));
    }
    Ok(members.page(workflows, output.next_token))
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

/// What a Get and a List of workflow executions have in common, as written.
struct WrittenWorkflow<'a> {
    workflow_arn: Option<&'a str>,
    start_time: Option<&'a str>,
    end_time: Option<&'a str>,
    parallel_group: Option<&'a str>,
    /// Steps in all, and those that succeeded, failed and were skipped.
    totals: [i32; 4],
}

/// An empty text is a missing one.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn check_status(status: Option<&str>) -> Result<&str, ApiError> {
    present(status).ok_or_else(|| {
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
            rollback_status: present(written.rollback_status).map(RollbackStatus::parse),
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

    fn workflow_execution(
        &mut self,
        status: &str,
        written: WrittenWorkflow<'_>,
    ) -> WorkflowExecution {
        WorkflowExecution {
            workflow: self.workflow(written.workflow_arn),
            start: self.read("startTime", written.start_time, Timestamp::parse),
            end: self.read("endTime", written.end_time, Timestamp::parse),
            totals: self.totals(written.totals),
            parallel_group: present(written.parallel_group).map(str::to_owned),
            ..WorkflowExecution::with_status(WorkflowStatus::parse(status))
        }
    }

    fn totals(&mut self, [planned, succeeded, failed, skipped]: [i32; 4]) -> Option<StepTotals> {
        let totals = StepTotals {
            planned: self.count("totalStepCount", Some(planned))?,
            succeeded: self.count("totalStepsSucceeded", Some(succeeded))?,
            failed: self.count("totalStepsFailed", Some(failed))?,
            skipped: self.count("totalStepsSkipped", Some(skipped))?,
        };
        (totals.planned > 0).then_some(totals)
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

    fn page<T>(self, entries: Vec<T>, next: Option<String>) -> Parsed<ListPage<T>> {
        let next = next.filter(|token| !token.is_empty());
        self.parsed(ListPage { entries, next })
    }

    /// An empty text is a missing one.
    fn read<T>(
        &mut self,
        member: &'static str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = present(text)?;
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
