//! An image build: what became of it, and the timelines of its workflow executions.

use super::super::builds::{Build, Execution, Standing};
use super::super::markup::Markup;
use super::super::time::Span;
use super::super::{Query, Site, Source, Status, console};
use super::bars::{self, Axis};
use super::{since, steps, time};
use crate::labels::LabelText;
use crate::model::{ImageArn, Timestamp, WorkflowStatus};
use crate::store::{StepResults, WorkflowObservation};

/// The operation that tells of an image's workflow executions.
const LISTS_THEM: &str = "ListWorkflowExecutions";
/// And that of a workflow execution's steps.
const LISTS_STEPS: &str = "ListWorkflowStepExecutions";

pub fn build(out: &mut Markup, build: &Build<'_>, status: &Status<'_>, site: &Site) {
    let now = status.known.now;
    out.raw("<article class=\"build\"");
    if let Some(arn) = build.arn {
        out.put(" id=\"", arn.as_str(), "\"");
    }
    out.raw(">\n<div class=\"title\"><h3>");
    match build.arn {
        Some(arn) => {
            out.text(arn.name())
                .raw(" <span class=\"sub\">")
                .text(arn.version())
                .raw("</span>");
        }
        None => {
            out.raw("Image not known");
        }
    }
    out.raw("</h3> ");
    if let Some(image) = build.image {
        status_word(out, image.status.as_str());
    }
    let known = build.standing != Standing::Unseen;
    if known && build.is_unfinished() && build.source.health.up == Some(false) {
        outdated(out, build.source, now);
    }
    out.raw("<span class=\"facts\">");
    facts(out, build, now);
    out.raw("</span></div>\n");
    if let Some(failure) = build.image.and_then(|image| image.failure.as_ref()) {
        reason(out, failure);
    }
    if build.executions.is_empty() {
        no_executions(out, build.source);
    }
    for execution in &build.executions {
        self::execution(out, execution, now, site);
    }
    out.raw("</article>\n");
}

/// What is told of a target that is down was so when it last answered.
fn outdated(out: &mut Markup, source: &Source, now: Timestamp) {
    out.raw("<span class=\"note warn\">may be out of date: the target is down");
    if let Some(at) = source.health.last_success {
        out.raw(", last answer ");
        since(out, at, now);
        out.raw(" ago");
    }
    out.raw("</span> ");
}

fn no_executions(out: &mut Markup, source: &Source) {
    out.raw("<p class=\"nothing\">None of its workflow executions is known");
    where_denied(out, source, LISTS_THEM);
    out.raw(".</p>\n");
}

fn no_steps(out: &mut Markup, source: &Source) {
    out.raw("<p class=\"nothing\">None of its steps is known yet");
    where_denied(out, source, LISTS_STEPS);
    out.raw(".</p>\n");
}

fn where_denied(out: &mut Markup, source: &Source, operation: &'static str) {
    let mut denied = source.health.denied.iter();
    if denied.any(|denied| denied.operation == operation) {
        out.put(": ", operation, " is denied");
    }
}

fn facts(out: &mut Markup, build: &Build<'_>, now: Timestamp) {
    if let Some(arn) = build.arn {
        out.put("<span>", arn.account_id(), "</span> ");
    }
    out.put("<span>", &build.source.region, "</span> ");
    out.put("<span>target ", &build.source.target, "</span> ");
    let details = build
        .image
        .into_iter()
        .flat_map(|image| image.details.pairs());
    for (name, value) in details.filter(|(name, _)| *name != "image_build_version_arn") {
        match name {
            // Who began it is of less use than the room it takes.
            "build_type" => continue,
            "pipeline" => out.put("<span>pipeline ", value, "</span> "),
            _ => out.put("<span>", value, "</span> "),
        };
    }
    if let Some(at) = build.image.and_then(|image| image.created) {
        out.raw("<span>started ");
        time(out, at, now);
        out.raw("</span> ");
    }
    if let Some(url) = build.arn.and_then(console::image_url) {
        out.put(
            "<a href=\"",
            url,
            "\" rel=\"noreferrer\">AWS console<span class=\"hidden\"> of ",
        );
        out.text(build.arn.map_or("", ImageArn::name))
            .raw("</span></a>");
    }
}

/// Where the build failed, as far as the service tells.
fn reason(out: &mut Markup, failure: &LabelText) {
    let told: Vec<(&str, String)> = failure.pairs().collect();
    let value = |name: &str| {
        { told.iter() }
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    out.raw("<p class=\"reason\">Failed");
    if let Some(step) = value("failed_step") {
        out.put(" at <b>", step, "</b>");
    }
    if let Some(component) = value("component") {
        out.put(", in component <b>", component, "</b>");
    }
    if let Some(phase) = value("phase") {
        out.put(", phase ", phase, "");
    }
    if let Some(step) = value("component_step") {
        out.put(", its step <b>", step, "</b>");
    }
    if let Some(action) = value("component_action") {
        out.put(" (", action, ")");
    }
    out.raw(".</p>\n");
}

pub fn status_word(out: &mut Markup, status: &str) {
    out.raw("<span class=\"status ")
        .raw(bars::class(status))
        .raw("\">");
    bars::icon(out, status);
    out.text(status.replace('_', " ")).raw("</span> ");
}

fn execution(out: &mut Markup, execution: &Execution<'_>, now: Timestamp, site: &Site) {
    out.raw(match execution.superseded() {
        true => "<details class=\"execution superseded\"",
        false => "<details class=\"execution\"",
    });
    if let Some(id) = execution.id {
        out.put(" id=\"", id, "\"");
    }
    let axis = Axis::of(execution, now);
    // There is something to see where it failed, or has begun.
    let folded = match execution.standing {
        Standing::Failed => execution.superseded(),
        Standing::Running => execution.start().is_none(),
        Standing::Unseen => false,
        Standing::Ended => true,
    };
    out.raw(if folded { ">\n" } else { " open>\n" });
    summary(out, execution, now);
    out.raw("<ol class=\"steps\">\n");
    for step in &execution.steps {
        steps::step(out, step, execution.source, axis, now);
    }
    out.raw("</ol>\n");
    if execution.steps.is_empty() {
        no_steps(out, execution.source);
    }
    if let Some(id) = execution.id {
        let query = Query::address_of(id);
        let link = site.permalink(&query).unwrap_or(query);
        out.put(
            "<p class=\"links\"><a href=\"",
            link,
            "\">Link to this execution</a> ",
        );
        out.put("<code>", id, "</code></p>\n");
    }
    out.raw("</details>\n");
}

fn summary(out: &mut Markup, execution: &Execution<'_>, now: Timestamp) {
    out.raw("<summary><h4>");
    match execution.workflow() {
        Some(workflow) => {
            out.text(workflow.name()).raw(" <span class=\"sub\">");
            out.text(workflow.kind())
                .raw(" ")
                .text(workflow.version())
                .raw("</span>");
        }
        None if execution.id.is_none() => {
            out.raw("Listed step");
        }
        None => {
            out.raw("Workflow not known");
        }
    }
    out.raw("</h4> ");
    if let Some(observed) = execution.observed {
        status_word(out, observed.status.as_str());
        out.raw("<span class=\"facts\">");
        if execution.superseded() {
            out.raw("<span>superseded by a retry</span> ");
        }
        if let Some(took) = observed.duration_millis(now) {
            match observed.start {
                Some(start) if grows(observed) => {
                    out.raw("<span>for ");
                    since(out, start, now);
                }
                _ => {
                    out.put("<span>took ", Span(took), "");
                }
            }
            out.raw("</span> ");
        }
        if let Some(start) = observed.start {
            out.raw("<span>started ");
            time(out, start, now);
            out.raw("</span> ");
        }
        progress(out, observed.results, observed.planned);
        out.raw("</span>");
    }
    out.raw("</summary>\n");
}

/// Whether its duration grows as time goes.
fn grows(observed: &WorkflowObservation) -> bool {
    match observed.status {
        WorkflowStatus::Running => true,
        WorkflowStatus::RollbackInProgress => observed.end.is_none(),
        _ => false,
    }
}

fn progress(out: &mut Markup, results: Option<StepResults>, planned: Option<u32>) {
    let Some(results) = results else {
        return;
    };
    out.put("<span>", results.succeeded, "");
    if let Some(planned) = planned {
        out.put(" of ", planned, "");
    }
    out.raw(" steps succeeded");
    if results.failed > 0 {
        out.put(", ", results.failed, " failed");
    }
    out.raw("</span> ");
}
