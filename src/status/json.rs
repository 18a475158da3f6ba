//! What is shown, as JSON: flat lists, whose entries have the names that the metrics' labels have.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::builds::{Build, Execution, Step};
use super::markup::steers_direction;
use super::{Query, Site, Source, Status, bounded, console};
use crate::labels::LabelText;
use crate::model::{ImageArn, OnFailure, Timestamp};
use crate::store::Phase;

/// The answer to `GET /api/v1/steps`.
pub fn json(status: &Status<'_>, site: &Site) -> Vec<u8> {
    let answer = Answer::of(status, site);
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Plain);
    let written = answer.serialize(&mut serializer);
    written.expect("a Vec takes all that is written to it, and no key is anything but text");
    out.push(b'\n');
    out
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    version: &'static str,
    ready: bool,
    page: usize,
    pages: usize,
    executions_matched: usize,
    /// The query of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    targets: Vec<Target<'a>>,
    images: Vec<Image<'a>>,
    executions: Vec<WorkflowExecution<'a>>,
    steps: Vec<StepExecution<'a>>,
}

#[derive(Serialize)]
struct Target<'a> {
    target: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_fault: Option<Fault<'a>>,
    denied: Vec<Denied>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery_last_success_time: Option<String>,
    behind_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    slowed_to_requests_per_second: Option<f64>,
    tracked_steps: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct Fault<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    operation: &'static str,
    result: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct Denied {
    operation: &'static str,
    /// The action of IAM that would allow it.
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tried_again_time: Option<String>,
}

#[derive(Serialize)]
struct Image<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    image_version: &'a str,
    image_build_version_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<String>,
    /// `pipeline`, `platform`, `type`, `build_type`.
    #[serde(flatten)]
    details: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<BTreeMap<&'a str, String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_url: Option<String>,
}

/// Where something is, as far as known.
#[derive(Serialize)]
struct Place<'a> {
    target: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
}

#[derive(Serialize)]
struct WorkflowExecution<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    workflow_execution_id: String,
    #[serde(flatten)]
    workflow: Workflow<'a>,
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
    duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_planned: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct Workflow<'a> {
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
struct StepExecution<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    step_execution_id: String,
    /// Where it stands in its life here.
    state: &'static str,
    last_poll_success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_execution_id: Option<String>,
    #[serde(flatten)]
    workflow: Workflow<'a>,
    #[serde(flatten)]
    seen: Option<Seen<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// What there is of a step that was seen.
#[derive(Serialize)]
struct Seen<'a> {
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
}

impl<'a> Answer<'a> {
    fn of(status: &'a Status<'a>, site: &Site) -> Self {
        let (known, query) = (status.known, status.query);
        let mut answer = Self {
            time: known.now.rfc3339(),
            version: env!("CARGO_PKG_VERSION"),
            ready: known.ready,
            page: query.page,
            pages: status.pages,
            executions_matched: status.matched,
            next: (query.page < status.pages).then(|| query.address(query.page + 1)),
            targets: known.sources.iter().map(Target::of).collect(),
            images: status.builds.iter().filter_map(Image::of).collect(),
            executions: Vec::new(),
            steps: Vec::new(),
        };
        for build in &status.builds {
            for execution in &build.executions {
                answer
                    .executions
                    .extend(WorkflowExecution::of(execution, build, known.now, site));
                let wanted = execution
                    .steps
                    .iter()
                    .filter(|step| query.takes_step(step, execution, build.image, build.arn));
                answer.steps.extend(
                    wanted.map(|step| StepExecution::of(step, execution, build, known.now, site)),
                );
            }
        }
        answer
    }
}

impl<'a> Target<'a> {
    fn of(source: &'a Source) -> Self {
        let (health, steps) = (&source.health, &source.store.steps);
        let fault = |fault: &'a super::Fault| Fault {
            time: fault.at.rfc3339(),
            operation: fault.operation,
            result: fault.result,
            message: bounded(&fault.message).0,
        };
        let denied = |denied: &super::Denied| Denied {
            operation: denied.operation,
            action: format!("imagebuilder:{}", denied.operation),
            since: denied.since.rfc3339(),
            tried_again_time: denied.again.and_then(Timestamp::rfc3339),
        };
        Self {
            target: &source.target,
            region: &source.region,
            up: health.up,
            since: health.since.and_then(Timestamp::rfc3339),
            last_success_time: health.last_success.and_then(Timestamp::rfc3339),
            newest_fault: health.newest_fault.as_ref().map(fault),
            denied: health.denied.iter().map(denied).collect(),
            discovery_last_success_time: source.store.discovered.and_then(Timestamp::rfc3339),
            behind_seconds: seconds(health.behind.as_millis() as i64),
            slowed_to_requests_per_second: health.slowed_to,
            tracked_steps: { Phase::ALL.into_iter() }
                .map(|phase| (phase.as_str(), steps.in_phase(phase)))
                .collect(),
        }
    }
}

impl<'a> Place<'a> {
    fn of(source: &'a Source, arn: Option<&'a ImageArn>) -> Self {
        Self {
            target: &source.target,
            region: &source.region,
            account_id: arn.map(ImageArn::account_id),
            image: arn.map(ImageArn::name),
        }
    }
}

impl<'a> Image<'a> {
    fn of(build: &'a Build<'a>) -> Option<Self> {
        let (arn, image) = (build.arn?, build.image);
        let details = image.into_iter().flat_map(|image| image.details.pairs());
        Some(Self {
            place: Place::of(build.source, Some(arn)),
            image_version: arn.version(),
            image_build_version_arn: arn.as_str(),
            status: image.map(|image| image.status.as_str()),
            created_time: image.and_then(|image| image.created?.rfc3339()),
            details: details
                .filter(|(name, _)| *name != "image_build_version_arn")
                .collect(),
            failure: image.and_then(|image| Some(image.failure.as_ref()?.pairs().collect())),
            labels: image
                .map(|image| labels(&image.own_labels))
                .unwrap_or_default(),
            console_url: console::image_url(arn),
        })
    }
}

impl<'a> Workflow<'a> {
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

impl<'a> WorkflowExecution<'a> {
    fn of(
        execution: &Execution<'a>,
        build: &Build<'a>,
        now: Timestamp,
        site: &Site,
    ) -> Option<Self> {
        let id = execution.id?;
        let observed = execution.observed;
        Some(Self {
            place: Place::of(execution.source, build.arn),
            workflow_execution_id: id.to_string(),
            workflow: Workflow::of(execution, build),
            status: observed.map(|observed| observed.status.as_str()),
            retried: observed.and_then(|observed| observed.retried),
            parallel_group: observed.and_then(|observed| observed.parallel_group.as_deref()),
            start_time: observed.and_then(|observed| observed.start?.rfc3339()),
            end_time: observed.and_then(|observed| observed.end?.rfc3339()),
            duration_seconds: observed
                .and_then(|observed| observed.duration_millis(now))
                .map(seconds),
            steps_planned: observed.and_then(|observed| observed.planned),
            url: site.permalink(&Query::address_of(id)),
        })
    }
}

impl<'a> StepExecution<'a> {
    fn of(
        step: &Step<'a>,
        execution: &Execution<'a>,
        build: &Build<'a>,
        now: Timestamp,
        site: &Site,
    ) -> Self {
        let record = step.record;
        Self {
            place: Place::of(step.source, build.arn),
            step_execution_id: record.id.to_string(),
            state: record.phase.as_str(),
            last_poll_success: record.last_poll_success,
            last_success_time: record.last_success.and_then(Timestamp::rfc3339),
            workflow_execution_id: execution.id.map(|id| id.to_string()),
            workflow: Workflow::of(execution, build),
            seen: Seen::of(record, now),
            labels: labels(&record.own_labels),
            url: site.permalink(&Query::address_of(record.id)),
        }
    }
}

impl<'a> Seen<'a> {
    fn of(record: &'a crate::store::StepRecord, now: Timestamp) -> Option<Self> {
        let observed = record.observed.as_ref()?;
        let definition = &observed.definition;
        let message = observed
            .message
            .as_deref()
            .filter(|message| !message.is_empty());
        Some(Self {
            step: definition.name.as_deref(),
            action: definition.action.as_deref(),
            on_failure: definition.on_failure.as_ref().map(OnFailure::as_str),
            status: observed.status.as_str(),
            rollback_status: observed
                .rollback_status
                .as_ref()
                .map(|status| status.as_str()),
            start_time: observed.start.and_then(Timestamp::rfc3339),
            end_time: observed.end.and_then(Timestamp::rfc3339),
            duration_seconds: record.duration_millis(now).map(seconds),
            timeout_seconds: observed.timeout_seconds,
            timeout_breached: record.timeout_breached(now),
            budget_seconds: observed.budget_millis.map(seconds),
            budget_exceeded: record.budget_exceeded(now),
            attempt: observed.attempt,
            max_attempts: observed.max_attempts,
            waiting_for_action: observed.waiting_for_action(),
            message: message.map(|message| bounded(message).0),
        })
    }
}

fn labels(text: &LabelText) -> BTreeMap<&str, String> {
    text.pairs().collect()
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// Escapes also what JSON lets through and a terminal does not take for text.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let steers = |c: char| c.is_control() || steers_direction(c);
        let mut rest = fragment;
        while let Some(at) = rest.find(steers) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let character = from.chars().next().unwrap_or_default();
            write!(writer, "\\u{:04x}", u32::from(character))?;
            rest = &from[character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
