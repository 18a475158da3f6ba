//! Renders the counts at the top, which link to what they count.

use maud::{Markup, html};

use super::super::builds::BuildState;
use super::super::query::{Query, SLOW};
use super::super::selection::Status;
use super::parts::{self, section_names};

pub(super) fn counts(status: &Status<'_>) -> Markup {
    html! {
        @if !status.known.ready && status.matched > 0 {
            (parts::nothing("The first poll of some targets has not ended: there may be more."))
        }
        ul.counts aria-label="Image builds" {
            @for state in BuildState::ALL { (count(status, state)) }
            (slow(status))
        }
    }
}

/// Links to the slow steps, if there are any.
fn slow(status: &Status<'_>) -> Markup {
    let wanted = Query {
        statuses: vec![SLOW],
        ..status.query.clone()
    };
    html! {
        @if status.slow_steps > 0 {
            li.count.slow {
                a href=(wanted.address(1)) {
                    (parts::icon(SLOW)) b { (status.slow_steps) }
                    @if status.slow_steps == 1 { " slow step" } @else { " slow steps" }
                }
            }
        }
    }
}

fn count(status: &Status<'_>, state: BuildState) -> Markup {
    let count = status.counts[state as usize];
    if count == 0 && state == BuildState::Unseen {
        return Markup::default();
    }
    let names = section_names(state);
    let word = names.title.to_lowercase();
    let content = html! { (parts::icon(names.status)) b { (count) } " " (word) };
    // No single status selects all ended builds.
    let link = (count > 0 && state != BuildState::Ended).then(|| {
        let wanted = Query {
            statuses: vec![names.status],
            ..status.query.clone()
        };
        wanted.address(1)
    });
    html! {
        li class={ "count " (names.id) @if count == 0 { " none" } } {
            @if let Some(link) = link { a href=(link) { (content) } }
            @else { (content) }
        }
    }
}
