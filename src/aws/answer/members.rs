//! The members of a response: each may be missing, and one that makes no sense counts as missing and
//! is named.

use std::fmt::Display;

use super::outputs;
use super::text::{free_text, present};
use crate::api::{ApiError, ErrorKind, ListPage, Parsed};
use crate::model::{
    ImageArn, RollbackStatus, StepExecution, StepStatus, StepTotals, Timestamp, WorkflowArn,
    WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

/// What a Get and a List of steps have in common, as written.
pub(super) struct Written<'a> {
    pub(super) rollback_status: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) action: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// `None` where it may not be read.
    pub(super) outputs: Option<&'a str>,
    pub(super) start_time: Option<&'a str>,
    pub(super) end_time: Option<&'a str>,
    pub(super) attempt_number: Option<i32>,
    pub(super) max_attempts: Option<i32>,
}

/// What a Get and a List of workflow executions have in common, as written.
pub(super) struct WrittenWorkflow<'a> {
    pub(super) workflow_arn: Option<&'a str>,
    pub(super) start_time: Option<&'a str>,
    pub(super) end_time: Option<&'a str>,
    pub(super) parallel_group: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// Steps in all, and those that succeeded, failed and were skipped.
    pub(super) totals: [i32; 4],
}

pub(super) fn check_status(status: Option<&str>) -> Result<&str, ApiError> {
    present(status).ok_or_else(|| {
        ApiError::new(
            ErrorKind::Parse,
            "the answer has no status, which every answer of the service has",
        )
    })
}

pub(super) fn check_id(
    member: &str,
    answered: Option<&str>,
    asked_for: impl Display,
) -> Result<(), ApiError> {
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
pub(super) struct Members {
    pub(super) unparsable: Vec<&'static str>,
}

impl Members {
    pub(super) fn step(&mut self, status: &str, written: Written<'_>) -> StepExecution {
        let status = StepStatus::parse(status);
        StepExecution {
            outputs: outputs::read(written.outputs, &status, written.action),
            rollback_status: present(written.rollback_status).map(RollbackStatus::parse),
            name: written.name.map(str::to_owned),
            action: written.action.map(str::to_owned),
            message: free_text(written.message),
            start: self.read("startTime", written.start_time, Timestamp::parse),
            end: self.read("endTime", written.end_time, Timestamp::parse),
            attempt: self.count("attemptNumber", written.attempt_number),
            max_attempts: self.count("maxAttempts", written.max_attempts),
            ..StepExecution::with_status(status)
        }
    }

    pub(super) fn workflow_execution(
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
            message: free_text(written.message),
            ..WorkflowExecution::with_status(WorkflowStatus::parse(status))
        }
    }

    pub(super) fn totals(
        &mut self,
        [planned, succeeded, failed, skipped]: [i32; 4],
    ) -> Option<StepTotals> {
        let totals = StepTotals {
            planned: self.count("totalStepCount", Some(planned))?,
            succeeded: self.count("totalStepsSucceeded", Some(succeeded))?,
            failed: self.count("totalStepsFailed", Some(failed))?,
            skipped: self.count("totalStepsSkipped", Some(skipped))?,
        };
        (totals.planned > 0).then_some(totals)
    }

    pub(super) fn workflow_execution_id(
        &mut self,
        id: Option<&str>,
    ) -> Option<WorkflowExecutionId> {
        self.read("workflowExecutionId", id, |id| id.parse().ok())
    }

    pub(super) fn workflow(&mut self, arn: Option<&str>) -> Option<WorkflowArn> {
        self.read("workflowBuildVersionArn", arn, WorkflowArn::parse)
    }

    pub(super) fn image(&mut self, arn: Option<&str>) -> Option<ImageArn> {
        self.read("imageBuildVersionArn", arn, ImageArn::parse)
    }

    pub(super) fn parsed<T>(self, value: T) -> Parsed<T> {
        Parsed {
            value,
            unparsable: self.unparsable,
        }
    }

    pub(super) fn page<T>(self, entries: Vec<T>, next: Option<String>) -> Parsed<ListPage<T>> {
        let next = next.filter(|token| !token.is_empty());
        self.parsed(ListPage { entries, next })
    }

    /// An empty text is a missing one.
    pub(super) fn read<T>(
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

    pub(super) fn count(&mut self, member: &'static str, number: Option<i32>) -> Option<u32> {
        let number = number?;
        let count = u32::try_from(number).ok();
        if count.is_none() {
            self.unparsable.push(member);
        }
        count
    }
}
