//! Renders the small parts of the page that several others share.

use maud::{Markup, Render, html};

use super::super::builds::BuildState;
use super::super::text::bounded;
use super::super::time::{Span, minute, moment};
use crate::model::Timestamp;

impl Render for Span {
    fn render_to(&self, buffer: &mut String) {
        format_args!("{self}").render_to(buffer);
    }
}

/// Renders a moment, for people and for machines.
pub(super) fn time(at: Timestamp, now: Timestamp) -> Markup {
    let (datetime, clock) = moment(at, now);
    html! { time datetime=(datetime) { (clock) } }
}

/// Renders when something is expected to end. With slow steps, this is the earliest end.
pub(super) fn done_at(at: Timestamp, is_slow: bool, now: Timestamp) -> Markup {
    let (datetime, clock) = minute(at, now);
    let clock = html! { time datetime=(datetime) { (clock) } };
    fact(html! {
        @if is_slow { "done at " (clock) " at the earliest" }
        @else { "done at about " (clock) }
    })
}

/// Renders the time since a moment, which the script updates each second.
pub(super) fn since(at: Timestamp, now: Timestamp) -> Markup {
    html! { span.span data-since=(at.millis()) { (Span(now.millis_since(at))) } }
}

/// Renders a title with a subtitle beside it.
pub(super) fn with_sub(title: impl Render, sub: impl Render) -> Markup {
    html! { (title) " " span.sub { (sub) } }
}

/// Renders one of the facts of a line, which the style separates with dots.
pub(super) fn fact(fact: impl Render) -> Markup {
    html! { span { (fact) } " " }
}

/// Renders a status: its icon and its word.
pub(super) fn status_word(status: &str) -> Markup {
    html! { (badge(class(status), status, &status.replace('_', " "))) " " }
}

/// Renders a word with the icon of a status.
pub(super) fn badge(class: &'static str, status: &str, word: &str) -> Markup {
    html! { span class={ "status " (class) } { (icon(status)) (word) } }
}

/// Renders the icon of a status, which accompanies a word.
pub(super) fn icon(status: &str) -> Markup {
    html! {
        svg.icon aria-hidden="true" focusable="false" { use href={ "#i-" (class(status)) } {} }
    }
}

/// Returns the class that styles a status.
pub(super) fn class(status: &str) -> &'static str {
    match status {
        "FAILED" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_COMPLETED" => "failed",
        "RUNNING" | "CREATING" | "BUILDING" | "TESTING" | "DISTRIBUTING" | "INTEGRATING" => {
            "running"
        }
        "PENDING" => "pending",
        "COMPLETED" | "AVAILABLE" => "completed",
        "SKIPPED" | "DEPRECATED" | "DISABLED" | "DELETED" => "skipped",
        "CANCELLED" => "cancelled",
        "SLOW" => "slow",
        _ => "unknown",
    }
}

/// Renders the beginning of a message, which may be of any length.
pub(super) fn excerpt(message: &str) -> Markup {
    let (message, cut) = bounded(message);
    html! { (message) @if cut { "…" } }
}

/// Renders a note in place of something that is absent.
pub(super) fn nothing(note: impl Render) -> Markup {
    html! { p.nothing { (note) } }
}

/// The names of a section of builds, and of its count.
pub(super) struct SectionNames {
    /// Used as class and in ids.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// The status whose icon the count has.
    pub(super) status: &'static str,
}

pub(super) fn section_names(state: BuildState) -> SectionNames {
    let (id, title, status) = match state {
        BuildState::Failed => ("failed", "Failed", "FAILED"),
        BuildState::Running => ("running", "Running", "RUNNING"),
        BuildState::Unseen => ("unseen", "Never seen", "UNSEEN"),
        BuildState::Ended => ("ended", "Ended", "COMPLETED"),
    };
    SectionNames { id, title, status }
}
