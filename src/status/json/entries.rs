//! Images, workflow executions and steps, as entries of the JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::builds::{Build, Execution, Step};
use super::super::console;
use super::super::failure::BuildFailure;
use super::super::known::{Known, StatusSource};
use super::super::query::Query;
use super::super::site::Site;
use super::super::text::bounded;
use super::super::time::seconds;
use super::failure::{FailureFields, Texts, output_texts};
use crate::labels::LabelText;
use crate::model::{ImageArn, OnFailure, Timestamp};
use crate::snapshot::StepRecord;

#[derive(Serialize)]
pub(super) struct ImageEntry<'a> {
    #[serde(flatten)]
    place: PlaceFields<'a>,
    image_version: &'a str,
    image_build_version_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_end_time: Option<String>,
    /// `pipeline`, `platform`, `type`, `build_type`.
    #[serde(flatten)]
    details: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureFields<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_url: Option<String>,
}

/// The place of a resource, as far as it is known.
#[derive(Serialize)]
struct PlaceFields<'a> {
    target: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct WorkflowExecutionEntry<'a> {
    #[serde(flatten)]
    place: PlaceFields<'a>,
    workflow_execution_id: String,
    #[serde(flatten)]
    workflow: WorkflowFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retried: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_planned: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct WorkflowFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_build_version_arn: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct StepExecutionEntry<'a> {
    #[serde(flatten)]
    place: PlaceFields<'a>,
    step_execution_id: String,
    /// The phase of the step: pending, active, settled or gone.
    state: &'static str,
    last_poll_success: bool,
    /// A value of the label `result`; absent before the first poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_poll_result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_execution_id: Option<String>,
    #[serde(flatten)]
    workflow: WorkflowFields<'a>,
    #[serde(flatten)]
    seen: Option<ObservedFields<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// The fields of a step that was observed.
#[derive(Serialize)]
struct ObservedFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<&'a str>,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typical_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_breached: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_exceeded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    waiting_for_action: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(flatten)]
    outputs: Texts<'a>,
}

impl<'a> PlaceFields<'a> {
    fn of(source: &'a StatusSource, arn: Option<&'a ImageArn>) -> Self {
        Self {
            target: &source.target,
            region: &source.region,
            account_id: arn.map(ImageArn::account_id),
            image: arn.map(ImageArn::name),
        }
    }
}

impl<'a> ImageEntry<'a> {
    pub(super) fn of(build: &'a Build<'a>, known: &Known) -> Option<Self> {
        let (arn, image) = (build.arn?, build.image);
        let end = image.and_then(|image| known.ends.of_image(image));
        let details = image.into_iter().flat_map(|image| image.details.pairs());
        Some(Self {
            place: PlaceFields::of(build.source, Some(arn)),
            image_version: arn.version(),
            image_build_version_arn: arn.as_str(),
            status: image.map(|image| image.status.as_str()),
            created_time: image.and_then(|image| image.created?.rfc3339()),
            expected_end_time: end.and_then(Timestamp::rfc3339),
            details: details
                .filter(|(name, _)| *name != "image_build_version_arn")
                .collect(),
            failure: BuildFailure::of(build).map(FailureFields::of),
            labels: image
                .map(|image| labels(&image.own_labels))
                .unwrap_or_default(),
            console_url: console::image_url(arn),
        })
    }
}

impl<'a> WorkflowFields<'a> {
    fn of(execution: &Execution<'a>, build: &Build<'a>) -> Self {
        let workflow = execution.workflow();
        Self {
            workflow: workflow.map(|arn| arn.name()),
            workflow_type: workflow.map(|arn| arn.kind()),
            workflow_version: workflow.map(|arn| arn.version()),
            image_build_version_arn: build.arn.map(ImageArn::as_str),
        }
    }
}

impl<'a> WorkflowExecutionEntry<'a> {
    pub(super) fn of(
        execution: &Execution<'a>,
        build: &Build<'a>,
        known: &Known,
        site: &Site,
    ) -> Option<Self> {
        let id = execution.id?;
        let end = known.ends.of_execution(id);
        let observed = execution.observed;
        Some(Self {
            place: PlaceFields::of(execution.source, build.arn),
            workflow_execution_id: id.to_string(),
            workflow: WorkflowFields::of(execution, build),
            status: observed.map(|observed| observed.status.as_str()),
            retried: observed.and_then(|observed| observed.retried),
            parallel_group: observed.and_then(|observed| observed.parallel_group.as_deref()),
            start_time: observed.and_then(|observed| observed.start?.rfc3339()),
            end_time: observed.and_then(|observed| observed.end?.rfc3339()),
            expected_end_time: end.and_then(Timestamp::rfc3339),
            duration_seconds: observed
                .and_then(|observed| observed.duration_millis(known.now))
                .map(seconds),
            steps_planned: observed.and_then(|observed| observed.planned),
            message: observed
                .and_then(|observed| observed.message.as_deref())
                .map(|message| bounded(message).0),
            url: site.permalink(&Query::address_of(id)),
        })
    }
}

impl<'a> StepExecutionEntry<'a> {
    pub(super) fn of(
        step: &Step<'a>,
        execution: &Execution<'a>,
        build: &Build<'a>,
        now: Timestamp,
        site: &Site,
    ) -> Self {
        let record = step.record;
        Self {
            place: PlaceFields::of(step.source, build.arn),
            step_execution_id: record.id.to_string(),
            state: record.phase.as_str(),
            last_poll_success: record.last_poll_success(),
            last_poll_result: last_poll_result(record),
            failing_since: { record.failing.as_ref() }.and_then(|failing| failing.since.rfc3339()),
            last_success_time: record.last_success.and_then(Timestamp::rfc3339),
            workflow_execution_id: execution.id.map(|id| id.to_string()),
            workflow: WorkflowFields::of(execution, build),
            seen: ObservedFields::of(step, now),
            labels: labels(&record.extra.own),
            url: site.permalink(&Query::address_of(record.id)),
        }
    }
}

impl<'a> ObservedFields<'a> {
    fn of(step: &Step<'a>, now: Timestamp) -> Option<Self> {
        let (record, observed) = (step.record, step.observed()?);
        let definition = &observed.definition;
        let message = observed
            .values
            .message
            .as_deref()
            .filter(|message| !message.is_empty());
        let outputs = observed.values.outputs.as_deref();
        Some(Self {
            step: definition.name.as_deref(),
            action: definition.action.as_deref(),
            on_failure: definition.on_failure.as_ref().map(OnFailure::as_str),
            status: observed.values.status.as_str(),
            rollback_status: observed
                .values
                .rollback_status
                .as_ref()
                .map(|status| status.as_str()),
            start_time: observed.start.and_then(Timestamp::rfc3339),
            end_time: observed.end.and_then(Timestamp::rfc3339),
            duration_seconds: record.duration_millis(now).map(seconds),
            typical_duration_seconds: step.typical_millis().map(seconds),
            slow_after_seconds: step.slow_after_millis().map(seconds),
            slow: step.slow,
            timeout_seconds: observed.values.timeout_seconds,
            timeout_breached: record.timeout_breached(now),
            budget_seconds: observed.values.budget_millis.map(seconds),
            budget_exceeded: record.budget_exceeded(now),
            attempt: observed.values.attempt,
            max_attempts: observed.values.max_attempts,
            waiting_for_action: observed.waiting_for_action(),
            message: message.map(|message| bounded(message).0),
            outputs: outputs.map(output_texts).unwrap_or_default(),
        })
    }
}

fn last_poll_result(record: &StepRecord) -> Option<&'static str> {
    match &record.failing {
        Some(failing) => Some(failing.kind.as_str()),
        None => record.last_success.map(|_| "ok"),
    }
}

fn labels(text: &LabelText) -> BTreeMap<&str, String> {
    text.pairs().collect()
}
