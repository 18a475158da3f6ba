//! Renders the builds in sections by their state, and the links between pages.

use maud::{Markup, html};

use super::super::builds::BuildState;
use super::super::selection::Status;
use super::super::site::Site;
use super::parts::section_names;
use super::{bars, builds, parts, targets};

pub(super) fn sections(status: &Status<'_>, site: &Site) -> Markup {
    if status.builds.is_empty() {
        return parts::nothing(why_nothing(status));
    }
    html! {
        (bars::legend())
        @for state in BuildState::ALL { (section(status, state, site)) }
    }
}

fn section(status: &Status<'_>, state: BuildState, site: &Site) -> Markup {
    let builds = || { status.builds.iter() }.filter(|build| build.state == state);
    if builds().next().is_none() {
        return Markup::default();
    }
    let names = section_names(state);
    html! {
        section id={ "s-" (names.id) } aria-labelledby={ "h-" (names.id) } {
            h2 id={ "h-" (names.id) } { (names.title) }
            @for build in builds() { (builds::build(build, status, site)) }
        }
    }
}

fn why_nothing(status: &Status<'_>) -> Markup {
    html! {
        @if status.matched > 0 {
            "There is no page " (status.query.page) ": the last one is " (status.pages) ". "
            a href=(status.query.address(1)) { "First page" }
        } @else if status.query.filters() {
            "Nothing matches. " a href="?" { "Show everything" }
        } @else if !status.known.ready {
            "Nothing is known yet: the first polls have not ended."
        } @else if status.known.sources.iter().any(targets::is_blind) {
            "Nothing is known: not all targets can be polled, see above."
        } @else {
            "There is nothing to show: no image is being built, "
            "and the retention of ended builds has expired."
        }
    }
}

/// Renders the links to the previous and the next page.
pub(super) fn pages(status: &Status<'_>) -> Markup {
    if status.builds.is_empty() || status.pages <= 1 {
        return Markup::default();
    }
    let page = status.query.page;
    let link = |rel: &str, page: usize, name: &str| {
        html! { a rel=(rel) class="button" href=(status.query.address(page)) { (name) } }
    };
    html! {
        nav.pages aria-label="Pages" {
            @if page > 1 { (link("prev", page - 1, "Previous")) }
            " "
            span {
                "Page " (page) " of " (status.pages) ", " (status.matched) " workflow executions"
            }
            " "
            @if page < status.pages { (link("next", page + 1, "Next")) }
        }
    }
}
