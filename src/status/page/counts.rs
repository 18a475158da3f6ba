//! The counts at the top, which lead to what they count.

use maud::{Markup, html};

use super::super::builds::Standing;
use super::super::query::Query;
use super::super::selection::Status;
use super::parts::{self, section_names};

pub(super) fn counts(status: &Status<'_>) -> Markup {
    html! {
        @if !status.known.ready && status.matched > 0 {
            (parts::nothing("Not everything has been asked for yet: there may be more."))
        }
        ul.counts aria-label="Image builds" {
            @for standing in Standing::ALL { (count(status, standing)) }
        }
    }
}

fn count(status: &Status<'_>, standing: Standing) -> Markup {
    let count = status.counts[standing as usize];
    if count == 0 && standing == Standing::Unseen {
        return Markup::default();
    }
    let names = section_names(standing);
    let word = names.title.to_lowercase();
    let content = html! { (parts::icon(names.status)) b { (count) } " " (word) };
    // What has ended has no status of its own.
    let link = (count > 0 && standing != Standing::Ended).then(|| {
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
