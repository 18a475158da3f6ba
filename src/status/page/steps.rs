//! A step: its name, status, bar and what there is to notice; unfolded, all that is known.

use super::super::bounded;
use super::super::builds::Step;
use super::super::markup::Markup;
use super::super::time::Span;
use super::bars::{self, Axis};
use super::builds::status_word;
use super::{since, time};
use crate::model::{OnFailure, RollbackStatus, StepStatus, Timestamp};
use crate::store::{Observation, Phase, StepRecord};

/// The part of its timeout from which on a step is near it.
const NEAR: f64 = 0.8;

pub fn step(out: &mut Markup, step: &Step<'_>, axis: Option<Axis>, now: Timestamp) {
    let record = step.record;
    let failed =
        { record.observed.as_ref() }.is_some_and(|observed| observed.status == StepStatus::Failed);
    out.put("<li><details class=\"step\" id=\"", record.id, "\"");
    out.raw(if failed {
        " open><summary>"
    } else {
        "><summary>"
    });
    out.raw("<span class=\"name\" dir=\"auto\">");
    let name =
        { record.observed.as_ref() }.and_then(|observed| observed.definition.name.as_deref());
    match name {
        Some(name) => out.text(name),
        None => out.text(record.id),
    };
    out.raw("</span> ");
    status_word(
        out,
        { record.observed.as_ref() }.map_or("UNSEEN", |observed| observed.status.as_str()),
    );
    out.raw("<span class=\"took\">");
    took(out, step, now);
    out.raw("</span>");
    if let Some(axis) = axis {
        bars::bar(out, step, axis, now);
    }
    out.raw("<span class=\"notes\">");
    notes(out, record, now);
    out.raw("</span></summary>\n");
    if let Some(message) =
        { record.observed.as_ref() }.and_then(|observed| observed.message.as_deref())
        && !message.is_empty()
    {
        let (message, cut) = bounded(message);
        out.put(
            "<p class=\"message\" dir=\"auto\">",
            message,
            if cut { "…</p>\n" } else { "</p>\n" },
        );
    }
    details(out, step, now);
    out.raw("</details></li>\n");
}

fn took(out: &mut Markup, step: &Step<'_>, now: Timestamp) {
    let Some(observed) = &step.record.observed else {
        return;
    };
    let Some(millis) = step.record.duration_millis(now) else {
        return;
    };
    match observed.start {
        Some(start) if bars::grows(&step) => {
            out.raw("<b>");
            since(out, start, now);
            out.raw("</b>");
        }
        _ => {
            out.put("<b>", Span(millis), "</b>");
        }
    }
    if let Some(timeout) = observed.timeout_seconds {
        out.put(
            " <span class=\"limit\">of ",
            Span(i64::from(timeout) * 1_000),
            "</span>",
        );
    }
}

fn notes(out: &mut Markup, record: &StepRecord, now: Timestamp) {
    let mut note = |class: &'static str, text: &dyn std::fmt::Display| {
        out.put("<span class=\"note ", class, "\">")
            .put("", text, "</span> ");
    };
    if record.phase == Phase::Gone {
        note("warn", &"the service no longer knows it");
    } else if record.phase != Phase::Settled && !record.last_poll_success {
        let said = match record.last_success {
            Some(at) => format!("last poll failed, as of {} ago", Span(now.millis_since(at))),
            None => "no poll of it has succeeded yet".to_owned(),
        };
        note("warn", &said);
    }
    let Some(observed) = &record.observed else {
        return;
    };
    if observed.waiting_for_action() {
        note("warn", &"waits for a person");
    }
    match (record.timeout_breached(now), &observed.status) {
        (Some(true), StepStatus::Running) => note("bad", &"past its timeout"),
        (Some(true), _) => note("bad", &"ran into its timeout"),
        (Some(false), StepStatus::Running) if is_near_timeout(record, observed, now) => {
            note("warn", &"near its timeout");
        }
        _ => {}
    }
    if record.budget_exceeded(now) == Some(true) {
        let budget = observed
            .budget_millis
            .map(Span)
            .map_or(String::new(), |b| b.to_string());
        note("warn", &format_args!("over its budget of {budget}"));
    }
    if let (Some(attempt), Some(most)) = (observed.attempt, observed.max_attempts)
        && most > 1
    {
        note("", &format_args!("attempt {attempt} of {most}"));
    }
    if observed.will_be_retried() {
        note("", &"will be tried again");
    } else if observed.status == StepStatus::Failed {
        match observed.definition.on_failure {
            Some(OnFailure::Continue) => note("", &"the workflow goes on"),
            _ => note("bad", &"ends the workflow"),
        }
    }
    match &observed.rollback_status {
        Some(RollbackStatus::Failed) => note("bad", &"rollback FAILED"),
        Some(RollbackStatus::Running) => note("warn", &"is rolled back"),
        Some(RollbackStatus::Completed) => note("", &"rolled back"),
        Some(RollbackStatus::Skipped) | None => {}
        Some(RollbackStatus::Unknown(status)) => note("warn", &format_args!("rollback {status}")),
    }
}

fn is_near_timeout(record: &StepRecord, observed: &Observation, now: Timestamp) -> bool {
    let (Some(took), Some(timeout)) = (record.duration_millis(now), observed.timeout_seconds)
    else {
        return false;
    };
    took as f64 >= f64::from(timeout) * 1_000.0 * NEAR
}

fn details(out: &mut Markup, step: &Step<'_>, now: Timestamp) {
    let record = step.record;
    out.raw("<dl>");
    if let Some(observed) = &record.observed {
        let definition = &observed.definition;
        if let Some(action) = &definition.action {
            entry(out, "Action").text(action).raw("</dd>");
        }
        if let Some(on_failure) = &definition.on_failure {
            entry(out, "On failure")
                .text(on_failure.as_str())
                .raw("</dd>");
        }
        if let Some(at) = observed.start {
            time(entry(out, "Began"), at, now);
            out.raw("</dd>");
        }
        if let Some(at) = observed.end {
            time(entry(out, "Ended"), at, now);
            out.raw("</dd>");
        }
        if let Some(timeout) = observed.timeout_seconds {
            entry(out, "Timeout")
                .text(Span(i64::from(timeout) * 1_000))
                .raw("</dd>");
        }
        if let Some(budget) = observed.budget_millis {
            entry(out, "Budget").text(Span(budget)).raw("</dd>");
        }
        if let Some(status) = &observed.rollback_status {
            entry(out, "Rollback").text(status).raw("</dd>");
        }
    }
    if let Some(at) = record.last_success {
        let settled = record.phase == Phase::Settled;
        let title = if settled {
            "Final since a look at"
        } else {
            "Last seen"
        };
        time(entry(out, title), at, now);
        out.raw("</dd>");
    }
    entry(out, "Target")
        .text(&step.source.target)
        .raw(", ")
        .text(&step.source.region)
        .raw("</dd>");
    entry(out, "Id").put("<code>", record.id, "</code></dd></dl>\n");
}

/// The value is to follow, and the end of its element.
fn entry<'a>(out: &'a mut Markup, title: &'static str) -> &'a mut Markup {
    out.put("<dt>", title, "</dt><dd>")
}
