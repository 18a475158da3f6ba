//! Each target's health, the troubled ones first and with what troubles them.

use super::super::markup::Markup;
use super::super::time::Span;
use super::super::{Fault, Health, Source, Status, bounded};
use super::{bars, since, time};
use crate::model::Timestamp;
use crate::store::Phase;

/// More healthy targets than this are folded away.
const UNFOLDED: usize = 8;
/// A fault of a target that is up is shown for so long, in milliseconds.
const RECENT: i64 = 15 * 60 * 1_000;
/// One that is over troubles nobody after this, in milliseconds: what failed shall not be pushed down by
/// an hour's every hiccup.
const OVER: i64 = 60 * 1_000;
/// Of what the service doesn't know so many are named.
const UNKNOWN: usize = 5;
/// A call that waits longer than this for its turn, in milliseconds, waits for the rate limit.
const LATE: u128 = 10_000;

pub fn targets(out: &mut Markup, status: &Status<'_>) {
    let now = status.known.now;
    let (troubled, well): (Vec<&Source>, Vec<&Source>) =
        { status.known.sources.iter() }.partition(|source| is_troubled(&source.health, now));
    out.raw("<section id=\"targets\" aria-labelledby=\"h-targets\">\n<h2 id=\"h-targets\">Targets</h2>\n");
    if let Some((index, total)) = status.known.shard {
        out.put("<p class=\"nothing\">This is shard ", index, " of ")
            .text(total)
            .raw(", counted from 0: it shows its part, the others theirs.</p>\n");
    }
    if !troubled.is_empty() {
        out.raw("<ul class=\"targets troubled\">\n");
        for source in troubled {
            target(out, source, now);
        }
        out.raw("</ul>\n");
    }
    let folded = well.len() > UNFOLDED;
    if folded {
        out.put(
            "<details id=\"targets-up\"><summary>",
            well.len(),
            " targets are up</summary>\n",
        );
    }
    if !well.is_empty() {
        out.raw("<ul class=\"targets\">\n");
        for source in well {
            target(out, source, now);
        }
        out.raw("</ul>\n");
    }
    if folded {
        out.raw("</details>\n");
    }
    out.raw("</section>\n");
}

fn is_troubled(health: &Health, now: Timestamp) -> bool {
    health.up != Some(true)
        || !health.denied.is_empty()
        || !health.unknown.is_empty()
        || health.slowed_to.is_some()
        || health.behind.as_millis() > LATE
        || recent_fault(health, now)
            .is_some_and(|fault| !fault.over || now.millis_since(fault.at) < OVER)
}

/// Whether there may be more than is known of it.
pub fn is_blind(source: &Source) -> bool {
    source.health.up != Some(true) || !source.health.denied.is_empty()
}

fn recent_fault(health: &Health, now: Timestamp) -> Option<&Fault> {
    let fault = health.newest_fault.as_ref()?;
    // What is denied is told by itself.
    let denied = health
        .denied
        .iter()
        .any(|denied| denied.operation == fault.operation);
    let matters = health.up == Some(false) || (!denied && now.millis_since(fault.at) < RECENT);
    matters.then_some(fault)
}

fn target(out: &mut Markup, source: &Source, now: Timestamp) {
    let health = &source.health;
    out.put("<li class=\"target\" id=\"target-", &source.target, "-")
        .text(&source.region)
        .raw("\">");
    let (class, icon, word) = match health.up {
        Some(true) => ("completed", "COMPLETED", "up"),
        Some(false) => ("failed", "FAILED", "down"),
        None => ("unknown", "UNSEEN", "not known yet"),
    };
    out.put("<h3>", &source.target, " <span class=\"sub\">")
        .text(&source.region)
        .raw("</span></h3> ");
    out.put("<span class=\"status ", class, "\">");
    bars::icon(out, icon);
    out.text(word).raw("</span> <span class=\"facts\">");
    facts(out, source, now);
    out.raw("</span>\n");
    troubles(out, health, now);
    out.raw("</li>\n");
}

fn facts(out: &mut Markup, source: &Source, now: Timestamp) {
    let (health, steps) = (&source.health, &source.store.steps);
    if let Some(at) = health.since {
        out.raw("<span>for ");
        since(out, at, now);
        out.raw("</span> ");
    }
    if health.up != Some(true)
        && let Some(at) = health.last_success
    {
        out.raw("<span>last answer ");
        since(out, at, now);
        out.raw(" ago</span> ");
    }
    if let Some(at) = source.store.discovered {
        out.raw("<span>lists read ");
        since(out, at, now);
        out.raw(" ago</span> ");
    }
    let (active, pending) = (
        steps.in_phase(Phase::Active),
        steps.in_phase(Phase::Pending),
    );
    let steps = if active == 1 { " step" } else { " steps" };
    out.put("<span>", active, steps).raw("</span> ");
    if pending > 0 {
        out.put("<span>", pending, " never seen</span> ");
    }
}

fn troubles(out: &mut Markup, health: &Health, now: Timestamp) {
    if let Some(fault) = recent_fault(health, now) {
        let (message, cut) = bounded(&fault.message);
        out.put("<p class=\"trouble\"><b>", fault.operation, "</b> failed ");
        since(out, fault.at, now);
        out.put(
            " ago (",
            fault.result,
            "): <span class=\"message\" dir=\"auto\">",
        );
        out.text(message)
            .raw(if cut { "…</span>" } else { "</span>" });
        out.raw(match fault.over {
            true => " It has worked since.</p>\n",
            false => "</p>\n",
        });
    }
    for denied in &health.denied {
        out.put(
            "<p class=\"trouble\"><b>",
            denied.operation,
            "</b> has been denied since ",
        );
        time(out, denied.since, now);
        out.put("; allow <code>imagebuilder:", denied.operation, "</code>");
        match denied.again {
            Some(again) if again > now => {
                out.raw(". Tried again at ");
                time(out, again, now);
            }
            _ => {
                out.raw(". It is still tried");
            }
        }
        out.raw(".</p>\n");
    }
    unknown(out, health, now);
    if let Some(rate) = health.slowed_to {
        out.put(
            "<p class=\"trouble\">The service throttles: ",
            format!("{rate:.1}"),
            " calls a second for now.</p>\n",
        );
    }
    if health.behind.as_millis() > LATE {
        let behind = Span(health.behind.as_millis() as i64);
        out.put(
            "<p class=\"trouble\">The rate limit is too low: a call has waited for ",
            behind,
            ".</p>\n",
        );
    }
}

fn unknown(out: &mut Markup, health: &Health, now: Timestamp) {
    let Some(first) = health.unknown.values().min() else {
        return;
    };
    out.raw("<p class=\"trouble\">The service doesn’t know");
    for id in health.unknown.keys().take(UNKNOWN) {
        out.put(" <code>", id, "</code>");
    }
    let more = health.unknown.len().saturating_sub(UNKNOWN);
    if more > 0 {
        out.put(" and ", more, " more");
    }
    out.raw(", which the configuration names, since ");
    time(out, *first, now);
    let asked = match health.unknown.len() {
        1 => "Is it",
        _ => "Are they",
    };
    out.put(". ", asked, " of this account and region?</p>\n");
}
