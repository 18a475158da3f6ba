//! Parses the members of a response. Each may be missing; an invalid member counts as missing, and
//! its name is recorded.

use std::fmt::Display;

use super::outputs;
use super::text::{free_text, present};
use crate::api::{ApiError, ErrorKind, ListPage, Parsed};
use crate::model::{
    ImageArn, RollbackStatus, StepExecution, StepStatus, StepTotals, Timestamp, WorkflowArn,
    WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

/// The unparsed members that a Get and a List return for a step execution.
pub(super) struct StepMembers<'a> {
    pub(super) rollback_status: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) action: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// `None` if the configuration does not allow the exporter to read it.
    pub(super) outputs: Option<&'a str>,
    pub(super) start_time: Option<&'a str>,
    pub(super) end_time: Option<&'a str>,
    pub(super) attempt_number: Option<i32>,
    pub(super) max_attempts: Option<i32>,
}

/// The unparsed members that a Get and a List return for a workflow execution.
pub(super) struct WorkflowMembers<'a> {
    pub(super) workflow_arn: Option<&'a str>,
    pub(super) start_time: Option<&'a str>,
    pub(super) end_time: Option<&'a str>,
    pub(super) parallel_group: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// Numbers of planned, succeeded, failed and skipped steps.
    pub(super) totals: [i32; 4],
}

/// Returns the status.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if it is missing or empty.
pub(super) fn check_status(status: Option<&str>) -> Result<&str, ApiError> {
    present(status).ok_or_else(|| {
        ApiError::new(
            ErrorKind::Parse,
            "the response has no status, which every response of the service has",
        )
    })
}

/// Checks that the response is about the requested resource.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if it names another one.
pub(super) fn check_id(
    member: &str,
    returned: Option<&str>,
    requested: impl Display,
) -> Result<(), ApiError> {
    match returned {
        Some(id) if !id.eq_ignore_ascii_case(&requested.to_string()) => Err(ApiError::new(
            ErrorKind::Parse,
            format!("the response's {member} is {id:?}, not the requested one"),
        )),
        _ => Ok(()),
    }
}

/// Parses the members of one response and records the names of invalid ones.
#[derive(Default)]
pub(super) struct Members {
    pub(super) unparsable: Vec<&'static str>,
}

impl Members {
    pub(super) fn step(&mut self, status: &str, raw: StepMembers<'_>) -> StepExecution {
        let status = StepStatus::parse(status);
        StepExecution {
            outputs: outputs::read(raw.outputs, &status, raw.action),
            rollback_status: present(raw.rollback_status).map(RollbackStatus::parse),
            name: raw.name.map(str::to_owned),
            action: raw.action.map(str::to_owned),
            message: free_text(raw.message),
            start: self.read("startTime", raw.start_time, Timestamp::parse),
            end: self.read("endTime", raw.end_time, Timestamp::parse),
            attempt: self.count("attemptNumber", raw.attempt_number),
            max_attempts: self.count("maxAttempts", raw.max_attempts),
            ..StepExecution::with_status(status)
        }
    }

    pub(super) fn workflow_execution(
        &mut self,
        status: &str,
        raw: WorkflowMembers<'_>,
    ) -> WorkflowExecution {
        WorkflowExecution {
            workflow: self.workflow(raw.workflow_arn),
            start: self.read("startTime", raw.start_time, Timestamp::parse),
            end: self.read("endTime", raw.end_time, Timestamp::parse),
            totals: self.totals(raw.totals),
            parallel_group: present(raw.parallel_group).map(str::to_owned),
            message: free_text(raw.message),
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

    /// Parses a member; an empty text counts as missing.
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

    /// Returns the status of an entry of a list. A missing one is recorded under the member's name.
    pub(super) fn status_of_entry<'a>(
        &mut self,
        member: &'static str,
        status: Option<&'a str>,
    ) -> Option<&'a str> {
        let status = present(status);
        if status.is_none() {
            self.unparsable.push(member);
        }
        status
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
