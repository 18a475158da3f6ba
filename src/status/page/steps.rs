//! A step: its name, status, bar and what there is to notice; unfolded, all that is known.

use super::super::builds::Step;
use super::super::markup::Markup;
use super::super::time::Span;
use super::super::{Source, bounded};
use super::bars::{self, Axis};
use super::builds::status_word;
use super::{since, time};
use crate::api::ErrorKind;
use crate::model::{OnFailure, RollbackStatus, StepStatus, Timestamp};
use crate::store::{Failing, Observation, Phase, StepRecord};

/// The part of its timeout from which on a step is near it.
const NEAR: f64 = 0.8;

/// Of an execution that `owner` shows.
pub fn step(out: &mut Markup, step: &Step<'_>, owner: &Source, axis: Option<Axis>, now: Timestamp) {
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
    let notes = notes(record, now);
    if !notes.is_empty() {
        out.raw("<span class=\"notes\">");
        for (tone, text) in notes {
            out.raw("<span class=\"note")
                .raw(tone)
                .put("\">", text, "</span> ");
        }
        out.raw("</span>");
    }
    out.raw("</summary>\n");
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
    details(out, step, owner, now);
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

/// How loud something is said, as a class.
type Tone = &'static str;
const PLAIN: Tone = "";
const WARN: Tone = " warn";
const BAD: Tone = " bad";

/// What there is to notice.
fn notes(record: &StepRecord, now: Timestamp) -> Vec<(Tone, String)> {
    let mut notes = Vec::new();
    let mut note = |tone: Tone, text: String| notes.push((tone, text));
    if record.phase == Phase::Gone {
        note(WARN, "the service no longer knows it".into());
    } else if record.phase != Phase::Settled {
        match (record.failing, record.last_success) {
            (Some(failing), last_success) => note(WARN, failed(failing, last_success, now)),
            (None, None) => note(PLAIN, "not asked for yet".into()),
            (None, Some(_)) => {}
        }
    }
    if let Some(observed) = &record.observed {
        limits(&mut note, record, observed, now);
        outcome(&mut note, observed);
    }
    notes
}

/// Since when its polls fail, and why the last did.
fn failed(failing: Failing, last_success: Option<Timestamp>, now: Timestamp) -> String {
    let Failing { since, kind } = failing;
    let (lasts, why) = (Span(now.millis_since(since)), reason(kind));
    let result = kind.as_str();
    match last_success {
        Some(at) => {
            let seen = Span(now.millis_since(at));
            format!("polls have failed for {lasts}: {why} ({result}); last seen {seen} ago")
        }
        None => format!("no poll has succeeded for {lasts}: {why} ({result})"),
    }
}

fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Throttled => "the service throttles",
        ErrorKind::Forbidden => "it may not be asked for",
        ErrorKind::Client => "the service doesn’t know it",
        ErrorKind::Server => "the service has failed",
        ErrorKind::Timeout => "no answer in time",
        ErrorKind::Network => "no connection",
        ErrorKind::Parse => "the answer made no sense",
        ErrorKind::Credentials => "there are no valid credentials",
    }
}

/// What it waits for, and how it stands with its timeout and budget.
fn limits(
    note: &mut impl FnMut(Tone, String),
    record: &StepRecord,
    observed: &Observation,
    now: Timestamp,
) {
    if observed.waiting_for_action() {
        note(WARN, "waits for a person".into());
    }
    match (record.timeout_breached(now), &observed.status) {
        (Some(true), StepStatus::Running) => note(BAD, "past its timeout".into()),
        (Some(true), _) => note(BAD, "ran into its timeout".into()),
        (Some(false), StepStatus::Running) if is_near_timeout(record, observed, now) => {
            note(WARN, "near its timeout".into());
        }
        _ => {}
    }
    if let Some(budget) = observed.budget_millis
        && record.budget_exceeded(now) == Some(true)
    {
        note(WARN, format!("over its budget of {}", Span(budget)));
    }
}

/// Its attempts, what its failure means, and its rollback.
fn outcome(note: &mut impl FnMut(Tone, String), observed: &Observation) {
    if let (Some(attempt), Some(most)) = (observed.attempt, observed.max_attempts)
        && most > 1
    {
        note(PLAIN, format!("attempt {attempt} of {most}"));
    }
    if observed.will_be_retried() {
        note(PLAIN, "will be tried again".into());
    } else if observed.status == StepStatus::Failed {
        match observed.definition.on_failure {
            Some(OnFailure::Continue) => note(PLAIN, "the workflow goes on".into()),
            _ => note(BAD, "ends the workflow".into()),
        }
    }
    match &observed.rollback_status {
        Some(RollbackStatus::Failed) => note(BAD, "rollback FAILED".into()),
        Some(RollbackStatus::Running) => note(WARN, "being rolled back".into()),
        Some(RollbackStatus::Completed) => note(PLAIN, "rolled back".into()),
        Some(RollbackStatus::Skipped) | None => {}
        Some(RollbackStatus::Unknown(status)) => note(WARN, format!("rollback {status}")),
    }
}

fn is_near_timeout(record: &StepRecord, observed: &Observation, now: Timestamp) -> bool {
    let (Some(took), Some(timeout)) = (record.duration_millis(now), observed.timeout_seconds)
    else {
        return false;
    };
    took as f64 >= f64::from(timeout) * 1_000.0 * NEAR
}

fn details(out: &mut Markup, step: &Step<'_>, owner: &Source, now: Timestamp) {
    let record = step.record;
    out.raw("<dl>");
    if let Some(observed) = &record.observed {
        let definition = &observed.definition;
        if let Some(action) = &definition.action {
            entry(out, "Action", |out| out.text(action));
        }
        if let Some(on_failure) = &definition.on_failure {
            entry(out, "On failure", |out| out.text(on_failure.as_str()));
        }
        if let Some(at) = observed.start {
            entry(out, "Started", |out| time(out, at, now));
        }
        if let Some(at) = observed.end {
            entry(out, "Ended", |out| time(out, at, now));
        }
        if let Some(budget) = observed.budget_millis {
            entry(out, "Budget", |out| out.text(Span(budget)));
        }
    }
    let labels: Vec<String> = { record.own_labels.pairs() }
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !labels.is_empty() {
        entry(out, "Labels", |out| out.text(labels.join(", ")));
    }
    // What is settled is never stale.
    if let Some(at) = record
        .last_success
        .filter(|_| record.phase != Phase::Settled)
    {
        entry(out, "Last seen", |out| time(out, at, now));
    }
    if !std::ptr::eq(step.source, owner) {
        entry(out, "Polled by target", |out| out.text(&step.source.target));
    }
    entry(out, "Id", |out| out.put("<code>", record.id, "</code>"));
    out.raw("</dl>\n");
}

fn entry<'a>(
    out: &'a mut Markup,
    title: &'static str,
    value: impl FnOnce(&'a mut Markup) -> &'a mut Markup,
) {
    out.put("<div><dt>", title, "</dt> <dd>");
    value(out).raw("</dd></div>");
}
