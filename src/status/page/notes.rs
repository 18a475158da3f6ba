//! Renders the notes of a step, such as a failing poll, a timeout or a rollback.

use maud::{Markup, Render, html};

use super::super::builds::Step;
use super::super::time::Span;
use super::parts::since;
use crate::api::ErrorKind;
use crate::model::{OnFailure, RollbackStatus, StepStatus, Timestamp};
use crate::snapshot::{Failing, Observation, Phase, StepRecord};

/// The fraction of its timeout from which on a step is near it.
const NEAR: f64 = 0.8;

/// A short text, and the classes that show how urgent it is.
struct Note {
    class: &'static str,
    text: Markup,
}

pub(super) fn notes(step: &Step<'_>, now: Timestamp) -> Markup {
    let (record, observed) = (step.record, step.observed());
    let notes = [
        polls(record, now),
        observed.and_then(waiting),
        observed.and_then(|observed| usual(step, observed, now)),
        observed.and_then(|observed| timeout(record, observed, now)),
        observed.and_then(|observed| budget(record, observed, now)),
        observed.and_then(attempts),
        observed.and_then(failure),
        observed.and_then(rollback),
    ];
    if notes.iter().all(Option::is_none) {
        return Markup::default();
    }
    html! {
        span.notes {
            @for note in notes.iter().flatten() { span class=(note.class) { (note.text) } " " }
        }
    }
}

fn plain(text: impl Render) -> Option<Note> {
    let (class, text) = ("note", text.render());
    Some(Note { class, text })
}

fn warn(text: impl Render) -> Option<Note> {
    let (class, text) = ("note warn", text.render());
    Some(Note { class, text })
}

fn bad(text: impl Render) -> Option<Note> {
    let (class, text) = ("note bad", text.render());
    Some(Note { class, text })
}

/// Reports polls that fail or have not been made.
fn polls(record: &StepRecord, now: Timestamp) -> Option<Note> {
    match (record.phase, &record.failing, record.last_success) {
        (Phase::Gone, ..) => warn("the service no longer knows it"),
        (Phase::Settled, ..) => None,
        (_, Some(failing), last_success) => warn(failing_since(failing, last_success, now)),
        (_, None, None) => plain("not polled yet"),
        (_, None, Some(_)) => None,
    }
}

/// Returns since when the polls fail, and why the last one failed.
fn failing_since(failing: &Failing, last_success: Option<Timestamp>, now: Timestamp) -> String {
    let Failing { since, kind } = *failing;
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
        ErrorKind::Forbidden => "access is denied",
        ErrorKind::Client => "the service doesn’t know it",
        ErrorKind::Rejected => "the service rejects the request",
        ErrorKind::Server => "the service has failed",
        ErrorKind::Timeout => "no response in time",
        ErrorKind::Network => "no connection",
        ErrorKind::Parse => "the response could not be parsed",
        ErrorKind::Credentials => "there are no valid credentials",
    }
}

fn waiting(observed: &Observation) -> Option<Note> {
    { observed.waiting_for_action() }.then(|| warn("waits for a person"))?
}

/// Reports how long a step usually takes that already runs longer.
fn usual(step: &Step<'_>, observed: &Observation, now: Timestamp) -> Option<Note> {
    let (typical, start) = (step.typical_millis()?, observed.start?);
    let now_and_usual = html! { "usually " (Span(typical)) ", now " (since(start, now)) };
    match step.record.running_millis(now)? {
        _ if step.is_slow() => warn(html! { "slow: " (now_and_usual) }),
        runs if runs > typical => plain(now_and_usual),
        _ => None,
    }
}

fn timeout(record: &StepRecord, observed: &Observation, now: Timestamp) -> Option<Note> {
    match (record.timeout_breached(now)?, &observed.values.status) {
        (true, StepStatus::Running) => bad("past its timeout"),
        (true, _) => bad("ran into its timeout"),
        (false, StepStatus::Running) if is_near_timeout(record, observed, now) => {
            warn("near its timeout")
        }
        (false, _) => None,
    }
}

fn is_near_timeout(record: &StepRecord, observed: &Observation, now: Timestamp) -> bool {
    let took = record.duration_millis(now);
    { took.zip(observed.values.timeout_seconds) }
        .is_some_and(|(took, timeout)| took as f64 >= f64::from(timeout) * 1_000.0 * NEAR)
}

fn budget(record: &StepRecord, observed: &Observation, now: Timestamp) -> Option<Note> {
    let budget = Span(observed.values.budget_millis?);
    { record.budget_exceeded(now)? }.then(|| warn(format!("over its budget of {budget}")))?
}

fn attempts(observed: &Observation) -> Option<Note> {
    match (observed.values.attempt?, observed.values.max_attempts?) {
        (attempt, most) if most > 1 => plain(format!("attempt {attempt} of {most}")),
        _ => None,
    }
}

/// Reports what the failure of the step means for its workflow.
fn failure(observed: &Observation) -> Option<Note> {
    if observed.will_be_retried() {
        return plain("will be retried");
    }
    match (&observed.values.status, &observed.definition.on_failure) {
        (StepStatus::Failed, Some(OnFailure::Continue)) => plain("the workflow continues"),
        (StepStatus::Failed, _) => bad("ends the workflow"),
        _ => None,
    }
}

fn rollback(observed: &Observation) -> Option<Note> {
    match observed.values.rollback_status.as_ref()? {
        RollbackStatus::Failed => bad("rollback FAILED"),
        RollbackStatus::Running => warn("being rolled back"),
        RollbackStatus::Completed => plain("rolled back"),
        RollbackStatus::Skipped => None,
        RollbackStatus::Unknown(status) => warn(format!("rollback {status}")),
    }
}
