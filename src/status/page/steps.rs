//! Renders a step: its name, status, bar and notes; unfolded, all that is known.

use maud::{Markup, Render, display, html};

use super::super::builds::Step;
use super::super::known::StatusSource;
use super::super::time::Span;
use super::bars;
use super::notes::notes;
use super::parts::{excerpt, since, status_word, time};
use super::timeline::Axis;
use crate::model::{OnFailure, StepStatus, Timestamp};
use crate::snapshot::{Observation, Phase};

/// Renders a step of an execution that `owner` polls.
pub(super) fn step(
    step: &Step<'_>,
    owner: &StatusSource,
    axis: Option<Axis>,
    now: Timestamp,
) -> Markup {
    let (record, observed) = (step.record, step.observed());
    let status = observed.map_or("UNSEEN", |observed| observed.values.status.as_str());
    let name = observed.and_then(|observed| observed.definition.name.as_deref());
    let message = observed.and_then(Observation::reason);
    let failed = observed.is_some_and(|observed| observed.values.status == StepStatus::Failed);
    html! {
        li {
            details.step id=(display(record.id)) open[failed] {
                summary {
                    span.name dir="auto" {
                        @match name { Some(name) => (name), None => (display(record.id)) }
                    }
                    " "
                    (status_word(status))
                    span.took { (took(step, now)) }
                    @if let Some(axis) = axis { (bars::bar(step, axis, now)) }
                    (notes(step, now))
                }
                @if let Some(message) = message {
                    p.message dir="auto" { (excerpt(message)) }
                }
                (details(step, owner, now))
            }
        }
    }
}

fn took(step: &Step<'_>, now: Timestamp) -> Markup {
    let Some((observed, took)) = step.observed().zip(step.record.duration_millis(now)) else {
        return Markup::default();
    };
    html! {
        b {
            @match observed.start.filter(|_| step.grows()) {
                Some(start) => (since(start, now)),
                None => (Span(took)),
            }
        }
        @if let Some(timeout) = observed.values.timeout_seconds {
            " " span.limit { "of " (Span(i64::from(timeout) * 1_000)) }
        }
    }
}

fn details(step: &Step<'_>, owner: &StatusSource, now: Timestamp) -> Markup {
    let (record, observed) = (step.record, step.observed());
    let definition = observed.map(|observed| &observed.definition);
    let action = definition.and_then(|definition| definition.action.as_ref());
    let on_failure = definition.and_then(|definition| definition.on_failure.as_ref());
    let labels = record
        .extra
        .own
        .pairs()
        .map(|(name, value)| format!("{name}={value}"));
    let labels = labels.collect::<Vec<_>>().join(", ");
    // A settled step is never stale.
    let last_seen = record
        .last_success
        .filter(|_| record.phase != Phase::Settled);
    let other = Some(&*step.source.target).filter(|_| !std::ptr::eq(step.source, owner));
    let time = |at| time(at, now);
    html! {
        dl {
            (entry("Action", action))
            (entry("On failure", on_failure.map(OnFailure::as_str)))
            (entry("Started", observed.and_then(|observed| observed.start).map(time)))
            (entry("Ended", observed.and_then(|observed| observed.end).map(time)))
            (entry("Usually", step.typical_millis().map(Span)))
            (entry("Slow after", step.slow_after_millis().map(Span)))
            (entry("Budget", observed.and_then(|observed| observed.values.budget_millis).map(Span)))
            (entry("Labels", Some(labels).filter(|labels| !labels.is_empty())))
            (entry("Last seen", last_seen.map(time)))
            (entry("Polled by target", other))
            (entry("Id", Some(html! { code { (display(record.id)) } })))
        }
    }
}

/// Renders a value with its title, if there is one.
fn entry(title: &str, value: Option<impl Render>) -> Markup {
    let Some(value) = value else {
        return Markup::default();
    };
    html! { div { dt { (title) } " " dd { (value) } } }
}
