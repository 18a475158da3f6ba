//! Renders an image build: its status, and the timelines of its workflow executions.

use maud::{Markup, display, html};

use super::super::builds::{Build, BuildState, Execution};
use super::super::console;
use super::super::failure::BuildFailure;
use super::super::known::StatusSource;
use super::super::query::Query;
use super::super::selection::Status;
use super::super::site::Site;
use super::super::time::Span;
use super::failure;
use super::parts::{done_at, excerpt, fact, nothing, since, status_word, time, with_sub};
use super::steps;
use super::timeline::Axis;
use crate::api::Operation;
use crate::model::{ImageArn, Timestamp};
use crate::snapshot::{ImageRecord, WorkflowObservation};

/// The operation that returns the workflow executions of an image.
const LISTS_EXECUTIONS: Operation = Operation::ListWorkflowExecutions;
/// The operation that returns the steps of a workflow execution.
const LISTS_STEPS: Operation = Operation::ListWorkflowStepExecutions;

pub(super) fn build(build: &Build<'_>, status: &Status<'_>, site: &Site) -> Markup {
    let now = status.known.now;
    let known = build.state != BuildState::Unseen;
    let outdated = known && build.is_unfinished() && build.source.health.up == Some(false);
    html! {
        article.build id=[build.arn.map(ImageArn::as_str)] {
            div.title {
                h3 {
                    @match build.arn {
                        Some(arn) => (with_sub(arn.name(), arn.version())),
                        None => "Unknown image",
                    }
                }
                " "
                @if let Some(image) = build.image { (status_word(image.status.as_str())) }
                @if outdated { (may_be_outdated(build.source, now)) }
                span.facts { (facts(build, status)) }
            }
            @if let Some((failure, arn)) = BuildFailure::of(build).zip(build.arn) {
                (failure::failure(&failure, arn))
            }
            @if build.executions.is_empty() && !build.image.is_some_and(ImageRecord::is_imported) {
                (none_known("No workflow executions are known", build.source, LISTS_EXECUTIONS))
            }
            @for execution in &build.executions { (self::execution(execution, status, site)) }
        }
    }
}

/// Warns that the values of a target that is down are from its last response.
fn may_be_outdated(source: &StatusSource, now: Timestamp) -> Markup {
    html! {
        span.note.warn {
            "may be out of date: the target is down"
            @if let Some(at) = source.health.last_success {
                ", last response " (since(at, now)) " ago"
            }
        }
        " "
    }
}

/// States that executions or steps are unknown, and whether the access to them is denied.
fn none_known(what: &str, source: &StatusSource, operation: Operation) -> Markup {
    let mut denied = source.health.denied.iter();
    let is_denied = denied.any(|denied| denied.operation == operation);
    nothing(html! { (what) @if is_denied { ": " (operation.as_str()) " is denied" } "." })
}

fn facts(build: &Build<'_>, status: &Status<'_>) -> Markup {
    let (now, ends) = (status.known.now, &status.known.ends);
    let details = { build.image.into_iter() }.flat_map(|image| image.details.pairs());
    html! {
        @if let Some(arn) = build.arn { (fact(arn.account_id())) }
        (fact(&*build.source.region))
        (fact(format_args!("target {}", build.source.target)))
        @for (name, value) in details {
            @match name {
                // The build type is not worth its space.
                "image_build_version_arn" | "build_type" => {}
                "pipeline" => (fact(format_args!("pipeline {value}"))),
                _ => (fact(value)),
            }
        }
        @if let Some(at) = build.image.and_then(|image| image.created) {
            (fact(html! { "started " (time(at, now)) }))
        }
        @if let Some(at) = build.image.and_then(|image| ends.of_image(image)) {
            (done_at(at, build.has_slow_steps, now))
        }
        @if let Some(arn) = build.arn.filter(|_| build.state != BuildState::Failed)
            && let Some(url) = console::image_url(arn)
        {
            a href=(url) rel="noreferrer" { "AWS console" span.hidden { " of " (arn.name()) } }
        }
    }
}

fn execution(execution: &Execution<'_>, status: &Status<'_>, site: &Site) -> Markup {
    let now = status.known.now;
    let axis = Axis::of(execution, now);
    // An execution that failed or has started is unfolded.
    let folded = match execution.state {
        BuildState::Failed => execution.superseded(),
        BuildState::Running => execution.start().is_none(),
        BuildState::Unseen => false,
        BuildState::Ended => true,
    };
    html! {
        details.execution.superseded[execution.superseded()]
            id=[execution.id.map(display)] open[!folded] {
            summary {
                h4 { (workflow(execution)) }
                " "
                @if let Some(observed) = execution.observed {
                    (status_word(observed.status.as_str()))
                    span.facts { (progress(execution, observed, status)) }
                }
            }
            @if let Some(message) = execution.observed.and_then(|one| one.message.as_deref()) {
                p.message dir="auto" { (excerpt(message)) }
            }
            ol.steps {
                @for step in &execution.steps {
                    (steps::step(step, execution.source, axis, now))
                }
            }
            @if execution.steps.is_empty() {
                (none_known("No steps are known yet", execution.source, LISTS_STEPS))
            }
            @if let Some(id) = execution.id {
                @let query = Query::address_of(id);
                p.links {
                    a href=(site.permalink(&query).unwrap_or(query)) { "Link to this execution" }
                    " "
                    code { (display(id)) }
                }
            }
        }
    }
}

fn workflow(execution: &Execution<'_>) -> Markup {
    html! {
        @match execution.workflow() {
            Some(workflow) => {
                @let kind_and_version = format_args!("{} {}", workflow.kind(), workflow.version());
                (with_sub(workflow.name(), kind_and_version))
            }
            None if execution.id.is_none() => "Listed step",
            None => "Unknown workflow",
        }
    }
}

/// Renders how long the execution runs, and how many of its steps have succeeded.
fn progress(
    execution: &Execution<'_>,
    observed: &WorkflowObservation,
    status: &Status<'_>,
) -> Markup {
    let (now, ends) = (status.known.now, &status.known.ends);
    html! {
        @if execution.superseded() { (fact("superseded by a retry")) }
        @if let Some(took) = observed.duration_millis(now) {
            @match observed.start.filter(|_| execution.grows()) {
                Some(start) => (fact(html! { "for " (since(start, now)) })),
                None => (fact(format_args!("took {}", Span(took)))),
            }
        }
        @if let Some(start) = observed.start { (fact(html! { "started " (time(start, now)) })) }
        @if let Some(at) = execution.id.and_then(|id| ends.of_execution(id)) {
            (done_at(at, execution.slow_steps() > 0, now))
        }
        @if let Some(results) = observed.results {
            span {
                (results.succeeded)
                @if let Some(planned) = observed.planned { " of " (planned) }
                " steps succeeded"
                @if results.failed > 0 { ", " (results.failed) " failed" }
            }
            " "
        }
    }
}
