//! Icons and bars, in SVG: a status is told by shape and pattern as well as by colour.

use super::super::builds::{Execution, Standing, Step};
use super::super::markup::Markup;
use crate::model::{StepStatus, Timestamp};
use crate::store::Phase;

/// Drawn once, used everywhere.
pub fn definitions(out: &mut Markup) {
    out.raw(include_str!("../assets/definitions.svg"));
}

/// What the marks on bars mean.
pub fn legend(out: &mut Markup) {
    out.raw("<p class=\"legend\">Bars are on the time axis of their workflow execution. ");
    out.raw("<svg aria-hidden=\"true\" focusable=\"false\"><line class=\"mark timeout\" x1=\"3\" x2=\"3\" y1=\"0\" y2=\"100%\"/></svg>the step’s timeout, ");
    out.raw("<svg aria-hidden=\"true\" focusable=\"false\"><line class=\"mark budget\" x1=\"3\" x2=\"3\" y1=\"0\" y2=\"100%\"/></svg>its budget.</p>\n");
}

/// The icon of a status, which stands beside the word.
pub fn icon(out: &mut Markup, status: &str) {
    out.raw("<svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\"><use href=\"#i-");
    out.raw(class(status)).raw("\"/></svg>");
}

/// How a status is styled.
pub fn class(status: &str) -> &'static str {
    match status {
        "FAILED" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_COMPLETED" => "failed",
        "RUNNING" | "CREATING" | "BUILDING" | "TESTING" | "DISTRIBUTING" | "INTEGRATING" => {
            "running"
        }
        "PENDING" => "pending",
        "COMPLETED" | "AVAILABLE" => "completed",
        "SKIPPED" | "DEPRECATED" | "DISABLED" | "DELETED" => "skipped",
        "CANCELLED" => "cancelled",
        _ => "unknown",
    }
}

/// The time that the bars of an execution stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    start: Timestamp,
    end: Timestamp,
}

/// How much of what an execution has taken may be added for the deadline of a step that runs.
const ROOM: i64 = 2;

impl Axis {
    /// `None` where nothing has begun.
    pub fn of(execution: &Execution<'_>, now: Timestamp) -> Option<Self> {
        let start = execution.start()?;
        let told = execution.observed.and_then(|observed| observed.end);
        let seen = execution.steps.iter().filter_map(|step| span(step, now));
        let mut end = seen.map(|(_, end)| end).chain(told).max()?.max(start);
        let running = execution.steps.iter().filter(|step| grows(step));
        if execution.standing == Standing::Running && running.clone().next().is_some() {
            let taken = end.millis_since(start).max(1_000);
            let deadlines = running.flat_map(deadlines);
            let near = deadlines.filter(|at| at.millis_since(start) <= taken * (ROOM + 1));
            let farthest = near.max().unwrap_or(end).max(end);
            // So that a bar that grows, or a mark at the end, is seen.
            let taken = farthest.millis_since(start).max(1_000);
            end = Timestamp::from_millis(farthest.millis().saturating_add(taken / 20));
        }
        Some(Self { start, end })
    }

    /// In percent of its length.
    fn place(&self, at: Timestamp) -> f64 {
        let length = self.end.millis_since(self.start).max(1) as f64;
        let place = at.millis_since(self.start) as f64 / length;
        (place * 100_000.0).round() / 1_000.0
    }
}

/// From when to when a step's bar goes.
fn span(step: &Step<'_>, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let start = step.record.observed.as_ref()?.start?;
    let took = step.record.duration_millis(now)?;
    Some((
        start,
        Timestamp::from_millis(start.millis().saturating_add(took)),
    ))
}

/// Whether the step's bar grows as time goes.
pub fn grows(step: &&Step<'_>) -> bool {
    let running = |record: &crate::store::StepRecord| {
        { record.observed.as_ref() }.is_some_and(|observed| observed.status == StepStatus::Running)
    };
    running(step.record) && !matches!(step.record.phase, Phase::Settled | Phase::Gone)
}

/// When a step reaches its budget, and its timeout.
fn deadlines(step: &Step<'_>) -> impl Iterator<Item = Timestamp> {
    let (timeout, budget) = limits(step);
    budget.into_iter().chain(timeout)
}

fn limits(step: &Step<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let observed = step.record.observed.as_ref();
    let after = |millis: i64| {
        let start = observed?.start?;
        Some(Timestamp::from_millis(
            start.millis().saturating_add(millis),
        ))
    };
    let timeout = observed.and_then(|observed| observed.timeout_seconds);
    let budget = observed.and_then(|observed| observed.budget_millis);
    (
        timeout.and_then(|seconds| after(i64::from(seconds) * 1_000)),
        budget.and_then(after),
    )
}

/// A step's bar. What it says stands beside it as text.
pub fn bar(out: &mut Markup, step: &Step<'_>, axis: Axis, now: Timestamp) {
    out.raw(match span(step, now) {
        Some(_) => "<svg class=\"bar\"",
        None => "<svg class=\"bar empty\"",
    });
    out.raw(" aria-hidden=\"true\" focusable=\"false\"><rect class=\"track\" width=\"100%\" height=\"100%\" rx=\"2\"/>");
    if let (Some((start, end)), Some(observed)) = (span(step, now), &step.record.observed) {
        let from = axis.place(start).clamp(0.0, 100.0);
        // One that took no time is seen as well.
        let width = (axis.place(end) - from).clamp(0.4, 100.0);
        let from = from.min(100.0 - width);
        out.put("<rect height=\"100%\" rx=\"2\" x=\"", from, "%\" width=\"");
        out.text(width)
            .raw("%\" fill=\"url(#p-")
            .raw(class(observed.status.as_str()))
            .raw(")\"");
        if grows(&step) {
            out.put(" data-from=\"", start.millis(), "\" data-axis=\"");
            out.text(axis.start.millis())
                .raw(" ")
                .text(axis.end.millis())
                .raw("\"");
        }
        out.raw("/>");
    }
    let (timeout, budget) = limits(step);
    for (limit, mark) in [(budget, "budget"), (timeout, "timeout")] {
        let place = limit.map(|at| axis.place(at));
        if let Some(place) = place.filter(|place| (0.0..=100.0).contains(place)) {
            // It stands out of the bar, so that it is seen on each pattern.
            out.put("<line class=\"mark ", mark, "\" y1=\"-3\" y2=\"17\" x1=\"");
            out.text(place).raw("%\" x2=\"").text(place).raw("%\"/>");
        }
    }
    out.raw("</svg>");
}
