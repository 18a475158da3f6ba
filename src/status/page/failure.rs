//! Renders why a build failed, and the links and commands that show more of it.

use maud::{Markup, html};

use super::super::console;
use super::super::failure::BuildFailure;
use super::parts::excerpt;
use crate::model::{ImageArn, ImageFailure, RegionFailure};

/// Renders the failure of the build of an image: the reason in the service's words, its place and
/// error, then where to look next.
pub(super) fn failure(failure: &BuildFailure<'_>, arn: &ImageArn) -> Markup {
    let reported = failure.reported;
    let outputs = failure.outputs();
    let reason = reported.and_then(|reported| reported.reason.as_deref());
    let component = reported.and_then(|reported| reported.component_error.as_deref());
    let distribution = reported.and_then(|reported| reported.distribution_error.as_deref());
    let errors = [component, failure.step_error(), distribution].into_iter();
    // The service may repeat an error in the reason.
    let errors = errors.flatten().filter(|error| Some(*error) != reason);
    html! {
        div.failure {
            @if let Some(reason) = reason { p.reason dir="auto" { (excerpt(reason)) } }
            @if let Some(place) = reported.and_then(place) { p.place { (place) } }
            @for error in errors { (error_text(error)) }
            @if let Some(reported) = reported.filter(|reported| !reported.regions.is_empty()) {
                ul.regions { @for one in &reported.regions { li { (region(one)) } } }
            }
            p.links {
                @if let Some(url) = console::image_url(arn) {
                    a href=(url) rel="noreferrer" {
                        "AWS console" span.hidden { " of " (arn.name()) }
                    }
                    " "
                }
                @if let Some(url) = failure.logs_url() {
                    a href=(url) rel="noreferrer" {
                        "CloudWatch Logs" span.hidden { " of " (arn.name()) }
                    }
                    " "
                }
            }
            details.next open {
                summary { "Commands" }
                dl {
                    @if let Some(bundle) = outputs.and_then(|outputs| outputs.log_url.as_deref()) {
                        div { dt { "Log bundle" } " " dd { code { (bundle) } } }
                    }
                    @for command in failure.commands() {
                        div { dt { (command.title) } " " dd { code.command { (command.line) } } }
                    }
                }
                @if failure.may_have_left_instance() {
                    p {
                        "An instance keeps running, and costs money, if the infrastructure \
                         configuration sets terminateInstanceOnFailure to false."
                    }
                }
            }
        }
    }
}

/// Renders where the build failed; `None` where the service does not say.
fn place(failure: &ImageFailure) -> Option<Markup> {
    let part = |before: &str, value: &Option<String>| {
        { value.as_deref() }.map(|value| html! { (before) b { (value) } })
    };
    let stage = failure.stage.as_ref().map(|stage| stage.replace('_', " "));
    let action = failure.component_action.as_deref();
    let parts = [
        part(" while ", &stage),
        part(" at step ", &failure.step),
        part(" in component ", &failure.component),
        part(" in phase ", &failure.phase),
        part(" at its step ", &failure.component_step),
    ];
    let parts: Vec<Markup> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| {
        html! {
            "Failed"
            @for (at, part) in parts.iter().enumerate() { @if at > 0 { "," } (part) }
            @if let Some(action) = action { " (" (action) ")" }
            "."
        }
    })
}

fn region(failure: &RegionFailure) -> Markup {
    let account = failure.account_id.as_deref();
    html! {
        b { (failure.region.as_deref().unwrap_or("Region not known")) }
        @if let Some(account) = account { ", account " (account) }
        @if let Some(status) = &failure.status { ": " (status.replace('_', " ")) }
        @if let Some(step) = &failure.configuration_step { " at " (step) }
        @if let Some(error) = &failure.error { (error_text(error)) }
    }
}

fn error_text(error: &str) -> Markup {
    html! { p.message dir="auto" { (excerpt(error)) } }
}
