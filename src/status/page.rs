//! What is shown, as a page: the whole document and what frames it.
//!
//! Nothing in it is inline but markup, so that the strictest Content-Security-Policy holds; bars are
//! SVG whose places are attributes. Every link is relative to the page. What moves each second
//! carries the server's times, and the script counts on from the page's own `data-now`.

mod bars;
mod builds;
mod form;
mod steps;
mod targets;

use super::assets::{ICON, SCRIPT, STYLE};
use super::builds::{Build, Standing};
use super::markup::Markup;
use super::time::{Span, clock};
use super::{CONFIG_PATH, JSON_PATH, Site, Status};
use crate::model::Timestamp;

/// The status page.
pub fn page(status: &Status<'_>, site: &Site) -> String {
    let mut out = Markup::default();
    head(&mut out, status, site);
    bars::definitions(&mut out);
    banner(&mut out, status);
    out.put(
        "<main id=\"main\" tabindex=\"-1\" data-now=\"",
        status.known.now.millis(),
        "\">\n",
    );
    out.raw("<div id=\"overview\" data-live>\n");
    counts(&mut out, status);
    targets::targets(&mut out, status);
    out.raw("</div>\n");
    form::form(&mut out, status);
    out.raw("<div id=\"builds\" data-live>\n");
    sections(&mut out, status, site);
    pages(&mut out, status);
    out.raw("</div>\n</main>\n");
    footer(&mut out, status, site);
    out.raw("</body>\n</html>\n");
    out.into_string()
}

fn head(out: &mut Markup, status: &Status<'_>, site: &Site) {
    out.raw(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>",
    );
    match status.counts[Standing::Failed as usize] {
        0 => {}
        failed => {
            out.text(failed).raw(" failed: ");
        }
    }
    out.raw("Image Builder status</title>\n");
    out.put("<link rel=\"stylesheet\" href=\"", STYLE.address(), "\">\n");
    out.put(
        "<link rel=\"icon\" type=\"image/svg+xml\" href=\"",
        ICON.address(),
        "\">\n",
    );
    if let Some(url) = site.permalink(&own_address(status)) {
        out.put("<link rel=\"canonical\" href=\"", url, "\">\n");
    }
    out.put("<script src=\"", SCRIPT.address(), "\" defer></script>\n");
    out.raw("</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the status</a>\n");
}

/// The query of this very page.
fn own_address(status: &Status<'_>) -> String {
    status.query.address(status.query.page)
}

fn banner(out: &mut Markup, status: &Status<'_>) {
    let now = status.known.now;
    out.raw("<header>\n<h1>Image Builder <span class=\"sub\">imagebuilder_exporter</span></h1>\n");
    out.raw("<div class=\"freshness\"><span id=\"as-of\" data-live>As of ");
    time(out, now, now);
    out.raw(" UTC</span>\n<button id=\"pause\" type=\"button\" hidden aria-pressed=\"false\">Pause</button>\n");
    out.put(
        "<a id=\"refresh\" class=\"button\" href=\"",
        own_address(status),
        "\">Refresh</a></div>\n",
    );
    out.raw("<p id=\"trouble\" role=\"status\" aria-live=\"polite\"></p>\n</header>\n");
}

fn counts(out: &mut Markup, status: &Status<'_>) {
    if !status.known.ready && status.matched > 0 {
        out.raw(
            "<p class=\"nothing\">Not everything has been asked for yet: there may be more.</p>\n",
        );
    }
    out.raw("<ul class=\"counts\" aria-label=\"Image builds\">\n");
    for standing in Standing::ALL {
        let count = status.counts[standing as usize];
        let (class, icon, word, filter) = match standing {
            Standing::Failed => ("failed", "FAILED", "failed", Some("FAILED")),
            Standing::Running => ("running", "RUNNING", "running", Some("RUNNING")),
            Standing::Unseen => ("unseen", "UNSEEN", "never seen", Some("UNSEEN")),
            Standing::Ended => ("ended", "COMPLETED", "ended", None),
        };
        if count == 0 && standing == Standing::Unseen {
            continue;
        }
        out.put(
            "<li class=\"count ",
            class,
            if count == 0 { " none\">" } else { "\">" },
        );
        let link = filter.filter(|_| count > 0).map(|status_word| {
            super::Query {
                statuses: vec![status_word],
                ..status.query.clone()
            }
            .address(1)
        });
        if let Some(link) = &link {
            out.put("<a href=\"", link, "\">");
        }
        bars::icon(out, icon);
        out.put("<b>", count, "</b> ").text(word);
        if link.is_some() {
            out.raw("</a>");
        }
        out.raw("</li>\n");
    }
    out.raw("</ul>\n");
}

fn sections(out: &mut Markup, status: &Status<'_>, site: &Site) {
    if status.builds.is_empty() {
        return nothing(out, status);
    }
    bars::legend(out);
    for standing in Standing::ALL {
        let builds: Vec<&Build<'_>> = status
            .builds
            .iter()
            .filter(|build| build.standing == standing)
            .collect();
        if builds.is_empty() {
            continue;
        }
        let (id, title) = match standing {
            Standing::Failed => ("failed", "Failed"),
            Standing::Running => ("running", "Running"),
            Standing::Unseen => ("unseen", "Never seen"),
            Standing::Ended => ("ended", "Ended"),
        };
        out.put("<section id=\"s-", id, "\" aria-labelledby=\"h-")
            .text(id)
            .raw("\">\n<h2 id=\"h-");
        out.text(id).raw("\">").text(title).raw("</h2>\n");
        for build in builds {
            builds::build(out, build, status, site);
        }
        out.raw("</section>\n");
    }
}

fn nothing(out: &mut Markup, status: &Status<'_>) {
    out.raw("<p class=\"nothing\">");
    if status.matched > 0 {
        out.put("There is no page ", status.query.page, ": the last one is ");
        out.text(status.pages).raw(". ");
        out.put("<a href=\"", status.query.address(1), "\">To the first</a>");
    } else if status.query.filters() {
        out.raw("Nothing matches. <a href=\"?\">Show everything</a>");
    } else if !status.known.ready {
        out.raw("Nothing is known yet: everything is being asked for the first time.");
    } else if status.known.sources.iter().any(targets::is_blind) {
        out.raw("Nothing is known: not all targets could be asked, as they say above.");
    } else {
        out.raw("There is nothing to show: no image is being built, and what ended has passed its retention.");
    }
    out.raw("</p>\n");
}

fn pages(out: &mut Markup, status: &Status<'_>) {
    if status.builds.is_empty() || status.pages <= 1 {
        return;
    }
    let (query, last) = (status.query, status.pages);
    out.raw("<nav class=\"pages\" aria-label=\"Pages\">");
    if query.page > 1 {
        let before = query.page - 1;
        out.put(
            "<a rel=\"prev\" class=\"button\" href=\"",
            query.address(before),
            "\">Previous</a>",
        );
    }
    out.put(" <span>Page ", query.page, " of ")
        .text(last)
        .raw(", ");
    out.text(status.matched).raw(" workflow executions</span> ");
    if query.page < last {
        let next = query.address(query.page + 1);
        out.put(
            "<a rel=\"next\" class=\"button\" href=\"",
            next,
            "\">Next</a>",
        );
    }
    out.raw("</nav>\n");
}

fn footer(out: &mut Markup, status: &Status<'_>, site: &Site) {
    out.raw("<footer>\n<ul>\n");
    out.put("<li><a href=\"", site.metrics(), "\">Metrics</a></li>\n");
    out.put(
        "<li id=\"json\" data-live><a href=\".",
        format_args!("{JSON_PATH}{}", own_address(status)),
        "\">This page as JSON</a></li>\n",
    );
    out.put(
        "<li><a href=\".",
        CONFIG_PATH,
        "\">Configuration</a></li>\n",
    );
    out.raw("<li><a href=\"./-/healthy\">Health</a></li>\n");
    out.raw("<li><a href=\"./-/ready\">Readiness</a></li>\n");
    out.put(
        "</ul>\n<p>imagebuilder_exporter ",
        env!("CARGO_PKG_VERSION"),
        "</p>\n</footer>\n",
    );
}

/// A moment, for people and for machines.
fn time(out: &mut Markup, at: Timestamp, now: Timestamp) -> &mut Markup {
    out.put("<time datetime=\"", at.rfc3339().unwrap_or_default(), "\">");
    out.text(clock(at, now)).raw("</time>")
}

/// How long ago something was, counted on by the script.
fn since(out: &mut Markup, at: Timestamp, now: Timestamp) {
    out.put("<span class=\"span\" data-since=\"", at.millis(), "\">");
    out.text(Span(now.millis_since(at))).raw("</span>");
}
