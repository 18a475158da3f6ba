//! Renders bars and their marks as SVG. A pattern shows the status as well as the colour does.

use maud::{Markup, PreEscaped, html};

use super::super::builds::Step;
use super::parts::class;
use super::timeline::{Axis, budget, timeout, usual_end};
use crate::model::Timestamp;

/// Returns the icons and patterns, which the page defines once and refers to.
pub(super) fn definitions() -> PreEscaped<&'static str> {
    PreEscaped(include_str!("../assets/definitions.svg"))
}

/// Explains the marks on bars.
pub(super) fn legend() -> Markup {
    let example = |kind: &str, meaning: &str| {
        html! {
            span {
                svg aria-hidden="true" focusable="false" {
                    line class={ "mark " (kind) } x1="3" x2="3" y1="0" y2="100%" {}
                }
                (meaning)
            }
        }
    };
    html! {
        p.legend {
            "Bars are on the time axis of their workflow execution. "
            (example("typical", "how long the step usually takes,")) " "
            (example("timeout", "its timeout,")) " "
            (example("budget", "its budget."))
        }
    }
}

/// Renders the bar of a step. The text beside it has the same information.
pub(super) fn bar(step: &Step<'_>, axis: Axis, now: Timestamp) -> Markup {
    let bar = axis.bar(step, now);
    html! {
        svg.bar.empty[bar.is_none()] aria-hidden="true" focusable="false" {
            rect.track width="100%" height="100%" rx="2" {}
            @if let (Some((from, width)), Some(observed)) = (bar, step.observed()) {
                @let grows_from = observed.start.filter(|_| step.grows()).map(Timestamp::millis);
                @let (start, end) = (axis.start.millis(), axis.end.millis());
                rect height="100%" rx="2" x={ (from) "%" } width={ (width) "%" }
                    fill={ "url(#p-" (class(observed.values.status.as_str())) ")" }
                    data-from=[grows_from] data-axis=[grows_from.map(|_| format!("{start} {end}"))] {}
            }
            (mark("typical", usual_end(step), axis))
            (mark("budget", budget(step), axis))
            (mark("timeout", timeout(step), axis))
        }
    }
}

/// Renders a mark, which is taller than the bar so that it is visible on each pattern.
fn mark(kind: &str, at: Option<Timestamp>, axis: Axis) -> Markup {
    let Some(place) = at.and_then(|at| axis.mark(at)) else {
        return Markup::default();
    };
    let place = format!("{place}%");
    html! { line class={ "mark " (kind) } y1="-3" y2="17" x1=(place) x2=(place) {} }
}
