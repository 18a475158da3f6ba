//! The status page as HTML: the document and what frames its content.
//!
//! Each part of the page is a function that returns markup; `parts` has the small ones that several
//! use. Nothing is inline but markup, so that the strictest Content-Security-Policy holds; bars are
//! SVG whose places are attributes. Every link is relative to the page. What changes each second
//! carries the server's times, and the script counts on from the page's own `data-now`.

mod bars;
mod builds;
mod counts;
mod failure;
mod form;
mod notes;
mod parts;
mod sections;
mod steps;
mod targets;
mod timeline;

use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::builds::BuildState;
use super::selection::Status;
use super::site::{CONFIG_PATH, JSON_PATH, Site};
use super::text::document;
use crate::model::Timestamp;

/// Returns the status page.
pub fn page(status: &Status<'_>, site: &Site) -> String {
    let now = status.known.now;
    let own_address = status.query.address(status.query.page);
    document(html! {
        (DOCTYPE)
        html lang="en" {
            (head(status, site, &own_address))
            body {
                a.skip href="#main" { "Skip to the status" }
                (bars::definitions())
                (header(now, &own_address))
                main id="main" tabindex="-1" data-now=(now.millis()) {
                    div id="overview" data-live {
                        (counts::counts(status))
                        (targets::targets(status))
                    }
                    (form::form(status))
                    div id="builds" data-live {
                        (sections::sections(status, site))
                        (sections::pages(status))
                    }
                }
                (footer(site, &own_address))
            }
        }
        "\n"
    })
}

fn head(status: &Status<'_>, site: &Site, own_address: &str) -> Markup {
    let failed = status.counts[BuildState::Failed as usize];
    let slow = status.slow_steps;
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title {
                @if failed > 0 { (failed) " failed" }
                @if failed > 0 && slow > 0 { ", " }
                @if slow > 0 { (slow) " slow" }
                @if failed > 0 || slow > 0 { ": " }
                "Image Builder status"
            }
            link rel="stylesheet" href=(STYLE.address());
            link rel="icon" type="image/svg+xml" href=(ICON.address());
            @if let Some(url) = site.permalink(own_address) {
                link rel="canonical" href=(url);
            }
            script src=(SCRIPT.address()) defer {}
        }
    }
}

fn header(now: Timestamp, own_address: &str) -> Markup {
    html! {
        header {
            h1 { (parts::with_sub("Image Builder", "imagebuilder_exporter")) }
            div.freshness {
                span id="as-of" data-live { "As of " (parts::time(now, now)) " UTC" }
                button id="pause" type="button" hidden aria-pressed="false" { "Pause" }
                a id="refresh" class="button" href=(own_address) { "Refresh" }
            }
            p id="trouble" role="status" aria-live="polite" {}
        }
    }
}

fn footer(site: &Site, own_address: &str) -> Markup {
    let link = |path: &str, name: &str| html! { a href={ "." (path) } { (name) } };
    html! {
        footer {
            ul {
                li { (link(&site.telemetry_path, "Metrics")) }
                li id="json" data-live {
                    (link(&format!("{JSON_PATH}{own_address}"), "This page as JSON"))
                }
                li { (link(CONFIG_PATH, "Configuration")) }
                li { (link("/-/healthy", "Health")) }
                li { (link("/-/ready", "Readiness")) }
            }
            p { "imagebuilder_exporter " (env!("CARGO_PKG_VERSION")) }
        }
    }
}
