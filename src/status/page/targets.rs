//! Renders each target's health and problems, first the targets with problems.

use maud::{Markup, html};

use super::super::known::StatusSource;
use super::super::selection::Status;
use super::super::time::Span;
use super::parts::{badge, excerpt, fact, nothing, since, time, with_sub};
use crate::health::{Denial, FailedCall, HealthView};
use crate::model::Timestamp;
use crate::snapshot::{Phase, SeriesUsage};

/// More healthy targets than this are folded.
const UNFOLDED: usize = 8;
/// How long the last error of a target that is up is displayed, in milliseconds.
const RECENT: i64 = 15 * 60 * 1_000;
/// How long an error counts as a problem after the operation has succeeded again, in milliseconds.
/// A short error must not keep a target above the failed builds.
const OVER: i64 = 60 * 1_000;
/// The number of unknown resources that are named.
const UNKNOWN: usize = 5;
/// A call that is overdue by more than this, in milliseconds, waits for the rate limit.
const LATE: u128 = 10_000;

pub(super) fn targets(status: &Status<'_>) -> Markup {
    let now = status.known.now;
    let (troubled, well): (Vec<&StatusSource>, Vec<&StatusSource>) =
        { status.known.sources.iter() }.partition(|source| is_troubled(&source.health, now));
    let up = list("targets", &well, now);
    html! {
        section id="targets" aria-labelledby="h-targets" {
            h2 id="h-targets" { "Targets" }
            @if let Some((index, total)) = status.known.shard {
                (nothing(html! {
                    "This is shard " (index) " of " (total) ", counted from 0: "
                    "it shows only its own part of the targets and regions."
                }))
            }
            (dropped_series(status.known.series))
            (list("targets troubled", &troubled, now))
            @if well.len() > UNFOLDED {
                details id="targets-up" { summary { (well.len()) " targets are up" } (up) }
            } @else {
                (up)
            }
        }
    }
}

/// Reports series that the limit keeps out of the metrics.
fn dropped_series(usage: SeriesUsage) -> Markup {
    html! {
        @if usage.dropped > 0 {
            p.trouble id="dropped-series" {
                "The limit of " (usage.limit) " series is reached: " (usage.dropped)
                " series are kept out of the metrics, those of settled and oldest resources first. "
                "Raise " code { "metrics.series_limit" } ", or track fewer resources."
            }
        }
    }
}

fn list(class: &str, sources: &[&StatusSource], now: Timestamp) -> Markup {
    html! {
        @if !sources.is_empty() {
            ul class=(class) { @for source in sources { (target(source, now)) } }
        }
    }
}

fn is_troubled(health: &HealthView, now: Timestamp) -> bool {
    health.up != Some(true)
        || !health.denied.is_empty()
        || !health.unknown.is_empty()
        || health.slowed_to.is_some()
        || health.behind.as_millis() > LATE
        || recent_fault(health, now)
            .is_some_and(|fault| !health.recovered || now.millis_since(fault.at) < OVER)
}

/// Returns whether the target may have resources that are not known.
pub(super) fn is_blind(source: &StatusSource) -> bool {
    source.health.up != Some(true) || !source.health.denied.is_empty()
}

fn recent_fault(health: &HealthView, now: Timestamp) -> Option<&FailedCall> {
    let fault = health.newest_fault.as_ref()?;
    // Denied operations have their own lines.
    let denied = health
        .denied
        .iter()
        .any(|denied| denied.operation == fault.operation);
    let matters = health.up == Some(false) || (!denied && now.millis_since(fault.at) < RECENT);
    matters.then_some(fault)
}

fn target(source: &StatusSource, now: Timestamp) -> Markup {
    let health = &source.health;
    let (class, status, word) = match health.up {
        Some(true) => ("completed", "COMPLETED", "up"),
        Some(false) => ("failed", "FAILED", "down"),
        None => ("unknown", "UNSEEN", "not known yet"),
    };
    html! {
        li.target id={ "target-" (source.target) "-" (source.region) } {
            h3 { (with_sub(&*source.target, &*source.region)) }
            " "
            (badge(class, status, word))
            " "
            span.facts { (facts(source, now)) }
            (troubles(health, now))
        }
    }
}

fn facts(source: &StatusSource, now: Timestamp) -> Markup {
    let (health, steps) = (&source.health, &source.snapshot.steps);
    let last_success = health.last_success.filter(|_| health.up != Some(true));
    let pending = steps.in_phase(Phase::Pending);
    let active = steps.in_phase(Phase::Active);
    html! {
        @if let Some(at) = health.since { (fact(html! { "for " (since(at, now)) })) }
        @if let Some(at) = last_success { (fact(html! { "last response " (since(at, now)) " ago" })) }
        @if let Some(at) = source.snapshot.discovered {
            (fact(html! { "lists read " (since(at, now)) " ago" }))
        }
        (fact(html! { (active) @if active == 1 { " step" } @else { " steps" } }))
        @if pending > 0 { (fact(html! { (pending) " never seen" })) }
    }
}

fn troubles(health: &HealthView, now: Timestamp) -> Markup {
    html! {
        @if let Some(at) = health.panicked {
            p.trouble {
                "A defect of the exporter stopped the polls " (since(at, now))
                " ago; they start again by themselves. The log has the error."
            }
        }
        @if let Some(fault) = recent_fault(health, now) { p.trouble { (failed(fault, health.recovered, now)) } }
        @for denied in &health.denied { p.trouble { (denied_since(denied, now)) } }
        @if let Some(first) = health.unknown.values().min() {
            p.trouble { (unknown(health, *first, now)) }
        }
        @if let Some(rate) = health.slowed_to {
            @let rate = format_args!("{rate:.1}");
            p.trouble { "The service throttles: " (rate) " calls a second for now." }
        }
        @if health.behind.as_millis() > LATE {
            p.trouble {
                "The rate limit is too low: a call has waited for "
                (Span(health.behind.as_millis() as i64)) "."
            }
        }
    }
}

fn failed(fault: &FailedCall, recovered: bool, now: Timestamp) -> Markup {
    html! {
        b { (fault.operation.as_str()) } " failed " (since(fault.at, now)) " ago ("
        (fault.kind.as_str()) "): "
        span.message dir="auto" { (excerpt(&fault.message)) }
        @if recovered { " It has succeeded since." }
    }
}

fn denied_since(denied: &Denial, now: Timestamp) -> Markup {
    html! {
        b { (denied.operation.as_str()) } " has been denied since " (time(denied.since, now))
        "; allow " code { "imagebuilder:" (denied.operation.as_str()) }
        @match denied.again.filter(|again| *again > now) {
            Some(again) => { ". Next attempt at " (time(again, now)) }
            None => ". It is still called",
        }
        "."
    }
}

/// Reports resources that the configuration names and the service does not know since `first`.
fn unknown(health: &HealthView, first: Timestamp, now: Timestamp) -> Markup {
    let more = health.unknown.len().saturating_sub(UNKNOWN);
    html! {
        "The service doesn’t know"
        @for id in health.unknown.keys().take(UNKNOWN) { " " code { (id) } }
        @if more > 0 { " and " (more) " more" }
        ", which the configuration names, since " (time(first, now)) ". "
        @if health.unknown.len() == 1 { "Is it" } @else { "Are they" }
        " in this account and region?"
    }
}
