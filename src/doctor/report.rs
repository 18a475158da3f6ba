//! Writes the findings as text for a terminal or a pipe.

use std::io::{self, Write};
use std::time::Duration;

use super::advice;
use super::estimate::{Estimate, EstimateInput};
use super::findings::{CheckOutcome, Findings, SKEW_REFUSED, SKEW_WARNING};
use crate::api::ErrorKind;
use crate::config::{Polling, Target};
use crate::model::format_duration;
use crate::tracker::without;

/// Maximum number of characters of a text from the service, or from another server in its place.
const LONGEST_TEXT: usize = 700;

/// The SDK's text before the message about credentials that could not be loaded.
const SDK_LAYERS: &str = "an error occurred while loading credentials: ";

/// Writes the findings about one target in one region.
pub(super) fn write(
    out: &mut impl Write,
    findings: &Findings,
    target: &Target,
    polling: &Polling,
) -> io::Result<()> {
    writeln!(out, "target {} in {}", findings.target, findings.region)?;
    write_caller(out, findings, target)?;
    write_clock(out, findings)?;
    write_checks(out, findings, target)?;
    if let Some(estimate) = &findings.estimate {
        write_estimate(
            out,
            estimate,
            findings.rate_limit.requests_per_second,
            polling,
        )?;
    } else if findings.has_response() {
        line(
            out,
            "calls",
            "no estimate of calls and series: a list of the account could not be read",
        )?;
    }
    if findings.has_small_pages {
        line(
            out,
            "pages",
            "the service rejects pages of 100 entries, so lists are read in pages of 25",
        )?;
    }
    for warning in &findings.warnings {
        line(out, "warning", warning)?;
    }
    writeln!(out)
}

fn write_caller(out: &mut impl Write, findings: &Findings, target: &Target) -> io::Result<()> {
    match &findings.caller {
        Ok(caller) => line(
            out,
            "caller",
            &format!("account {}, {}", caller.account, caller.arn),
        ),
        Err(error) if error.kind == ErrorKind::Credentials => {
            let message = error.message.split_once(SDK_LAYERS);
            let message = message.map_or(error.message.as_str(), |(_, inner)| inner);
            line(out, "ERROR", &format!("no credentials: {message}"))?;
            let base = findings.base.as_ref();
            if let Some(Ok(caller)) = base {
                let who = format!("the caller that assumes the role is {}", caller.arn);
                line(out, "", &who)?;
            }
            for advice in advice::about_credentials(target, error, base) {
                block(out, &advice)?;
            }
            Ok(())
        }
        Err(error) => line(
            out,
            "caller",
            &format!("unknown, because STS failed: {error}"),
        ),
    }
}

fn write_clock(out: &mut impl Write, findings: &Findings) -> io::Result<()> {
    let Some(skew) = findings.skew_millis else {
        return Ok(());
    };
    // The skew is accurate to half a second only.
    let size = match (skew.unsigned_abs() + 500) / 1_000 {
        0 | 1 => return line(out, "clock", "within a second of the service's clock"),
        seconds => format_duration(Duration::from_secs(seconds)),
    };
    let direction = match skew > 0 {
        true => "behind",
        false => "ahead of",
    };
    let difference = format!("{size} {direction} the service's clock");
    let refused = format_duration(SKEW_REFUSED);
    if findings.is_skewed_by(SKEW_REFUSED) {
        let so = format!(
            "{difference}: the service rejects calls from {refused} on; synchronize this machine's clock"
        );
        line(out, "ERROR", &format!("this machine's clock is {so}"))
    } else if findings.is_skewed_by(SKEW_WARNING) {
        let so = format!(
            "{difference}: durations of running steps are off by the same time, and the service rejects calls from {refused} on; synchronize this machine's clock"
        );
        line(out, "warning", &format!("this machine's clock is {so}"))
    } else {
        line(out, "clock", &difference)
    }
}

fn write_checks(out: &mut impl Write, findings: &Findings, target: &Target) -> io::Result<()> {
    let mut skipped = Vec::new();
    let mut advised = Vec::new();
    for check in &findings.checks {
        let operation = check.operation.as_str();
        let mut row = |verdict: &str, text: &str| write_row(out, verdict, operation, text);
        let error = match &check.outcome {
            CheckOutcome::Allowed(result) => {
                row("allowed", result)?;
                continue;
            }
            CheckOutcome::NotFound(tried) => {
                let so = format!("call is allowed, but the resource was not found: {tried}");
                row("allowed", &so)?;
                continue;
            }
            CheckOutcome::Denied(error) => {
                row("DENIED", &error.message)?;
                let so = without(check.operation).replace('`', "");
                write_row(out, "", "", &format!("without it, {so}"))?;
                continue;
            }
            CheckOutcome::Skipped => {
                skipped.push(operation);
                continue;
            }
            CheckOutcome::Throttled(error) => {
                let so = format!("unknown whether it is allowed: {error}");
                row("throttled", &so)?;
                error
            }
            CheckOutcome::CallerRefused(error) | CheckOutcome::Failed(error) => {
                row("FAILED", &error.message)?;
                error
            }
        };
        let advice = advice::about_failure(error, target, &findings.region);
        if !advised.contains(&advice) {
            write_row(out, "", "", &advice)?;
            advised.push(advice);
        }
    }
    match skipped.is_empty() {
        true => Ok(()),
        false => line(out, "skipped", &skipped.join(", ")),
    }
}

fn write_estimate(
    out: &mut impl Write,
    estimate: &Estimate,
    requests_per_second: f64,
    polling: &Polling,
) -> io::Result<()> {
    let input = &estimate.input;
    let lists = input.pipeline_pages + input.image_pages;
    let passes = match lists {
        0 => String::new(),
        _ => format!(
            ", for {} every {}",
            counted(lists, "list page"),
            format_duration(polling.discovery_interval)
        ),
    };
    let idle = calls(estimate.idle);
    line(
        out,
        "calls",
        &format!("{idle} per hour while nothing runs{passes}"),
    )?;
    let percent = 100.0 * estimate.share(requests_per_second);
    let share = format!("{percent:.1} % of the rate limit of {requests_per_second}/s");
    let now = match running(input) {
        None => format!("nothing runs now, so that is {share}"),
        Some(running) => format!("{} per hour with {running}: {share}", calls(estimate.now)),
    };
    line(out, "", &now)?;
    if input.image_pages > 0 || input.kept_images > 0 {
        let (more, once) = (calls(estimate.running_image), calls(estimate.build));
        let images = counted(input.built_in_a_day, "image");
        let build = format!(
            "{more} more per hour while an image is built, plus {once} once per image; {images} in the last 24 hours"
        );
        line(out, "", &build)?;
        let workflows = match input.workflows_of_image {
            1 => "1 workflow execution".to_owned(),
            several => format!("{several} workflow executions one after the other"),
        };
        let steps = counted(input.steps_of_image, "step");
        let assumed = match input.shape_is_assumed {
            true => "as in Amazon's workflows",
            false => "as the inspected image has",
        };
        let shape =
            format!("assuming that an image has {workflows}, with {steps} in total, {assumed}");
        line(out, "", &shape)?;
    }
    if estimate.history > 0 {
        let builds = counted(input.history_builds, "build");
        let history = format!(
            "{} once after a start, for the usual durations of steps in {builds}; they take {} or longer",
            estimate.history,
            format_duration(estimate.history_takes(requests_per_second))
        );
        line(out, "", &history)?;
    }
    line(
        out,
        "series",
        &format!("about {} on /metrics", estimate.series),
    )?;
    Ok(())
}

/// Returns the running builds and executions; `None` if there are none.
fn running(input: &EstimateInput) -> Option<String> {
    let images = counted(input.running_images, "image");
    let named = input.running_workflows + input.running_steps;
    match (input.running_images, named) {
        (0, 0) => None,
        (_, 0) => Some(format!("{images} being built, as now")),
        (0, _) => Some(format!(
            "{} running, as now",
            counted(named, "listed execution")
        )),
        _ => {
            let named = counted(named, "listed execution");
            Some(format!("{images} being built and {named} running, as now"))
        }
    }
}

fn calls(calls: f64) -> String {
    format!("{:.0}", calls.ceil())
}

/// Writes a line with a heading; an empty heading continues the previous line.
fn line(out: &mut impl Write, heading: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {heading:<9} {}", plain(text))
}

/// Writes a line about one operation.
fn write_row(out: &mut impl Write, heading: &str, operation: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {heading:<9} {operation:<27} {}", plain(text))
}

/// Writes each line of the program's own text.
fn block(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut lines = text.lines();
    lines.try_for_each(|line| writeln!(out, "  {:<9} {line}", ""))
}

/// Returns the text as one line without characters that control a terminal. Part of it may be from
/// the service, or from another server in its place.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        _ if c.is_control() => ' ',
        _ => c,
    };
    let head: String = text.chars().map(harmless).take(LONGEST_TEXT).collect();
    let words: Vec<&str> = head.split_whitespace().collect();
    match text.chars().nth(LONGEST_TEXT) {
        None => words.join(" "),
        Some(_) => words.join(" ") + "...",
    }
}

/// Returns the count with the noun, in the plural unless the count is 1.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
