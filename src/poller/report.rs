//! Counts and logs the calls of one target and region, and their changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::news;
use super::tools::Tools;
use crate::api::{ApiError, ErrorKind, Operation, Response};
use crate::clock::Now;
use crate::finished::StepPoll;
use crate::health::Health;
use crate::labels::LabelText;
use crate::snapshot::{SelectorKind, SelectorRecord};
use crate::tracker::{Changes, Notice, without};

/// Logs a line with the fields of the target.
macro_rules! log {
    ($reporter:ident, $level:ident, $($field:tt)*) => {
        $level!(target = $reporter.target, region = $reporter.region, $($field)*)
    };
}

/// Counts calls, and logs each lasting condition once.
#[derive(Debug)]
pub(super) struct Reporter {
    target: String,
    region: String,
    /// The kinds of error logged since the target went down; empty while it is up.
    logged_down: Vec<ErrorKind>,
    /// Whether the denial of `GetWorkflowExecution` was logged.
    logged_executions_denied: bool,
    /// Operations whose lists of one execution or image do not end, each logged once.
    logged_endless: Vec<Operation>,
    /// Members of responses that could not be parsed, each logged once.
    logged_unparsable: Vec<(Operation, &'static str)>,
    /// Failures of discovery that were logged and have not ended.
    logged_failed_passes: Vec<(Operation, ErrorKind)>,
    /// Selectors that match nothing; each was logged.
    logged_unmatched: HashSet<(SelectorKind, Arc<str>)>,
}

impl Reporter {
    pub(super) fn new(target: &str, region: &str) -> Self {
        Self {
            target: target.to_owned(),
            region: region.to_owned(),
            logged_down: Vec::new(),
            logged_executions_denied: false,
            logged_endless: Vec::new(),
            logged_unparsable: Vec::new(),
            logged_failed_passes: Vec::new(),
            logged_unmatched: HashSet::new(),
        }
    }

    /// Records a response: counts the call, and updates the health of the target.
    ///
    /// `interval` is the polling interval of the target.
    pub(super) fn responded(
        &mut self,
        response: &Response,
        at: Now,
        tools: &Tools,
        health: &mut Health,
        interval: Duration,
    ) {
        let operation = response.call.operation();
        let failure = response.result.as_ref().err();
        let kind = failure.map(|failure| failure.kind);
        let sent = kind != Some(ErrorKind::Credentials);
        let took = sent.then(|| at.instant - response.asked);
        let metrics = &tools.metrics;
        metrics.request(operation, kind.map_or(Ok(()), Err), took);
        for &field in response.unparsable() {
            tools.process.unparsable_field(field);
            if !self.logged_unparsable.contains(&(operation, field)) {
                self.logged_unparsable.push((operation, field));
                log!(
                    self,
                    warn,
                    operation = operation.as_str(),
                    field = field,
                    "a member of a response is invalid and counts as missing; \
                     an entry whose arn is invalid or of another region is left out"
                );
            }
        }
        if let Some(failure) = failure {
            log!(
                self, debug,
                operation = operation.as_str(),
                id = response.call.subject().as_deref(),
                result = failure.kind.as_str(),
                error = %failure,
                "call failed"
            );
        }
        if let Some(rate) = paced(kind, response.asked, at, tools) {
            log!(
                self,
                warn,
                operation = operation.as_str(),
                requests_per_second = rate,
                "API calls are throttled; the request rate is reduced and recovers within a minute"
            );
        }
        health.record(operation, failure.map_or(Ok(()), Err), at);
        let up = health.judge(at, interval);
        self.log_health(up, operation, failure);
    }

    /// Logs and counts what a response changed; `error` is the response's, where it is one.
    pub(super) fn changed(
        &mut self,
        changes: Changes,
        error: Option<&ApiError>,
        tools: &Tools,
        target_labels: &LabelText,
        now: Now,
    ) {
        for change in changes.steps {
            if !change.is_old {
                news::log(&self.target, &self.region, &change, now);
            }
            let poll = StepPoll {
                target: &self.target,
                region: &self.region,
                target_labels,
                before: Some(&change.before),
                after: &change.after,
                since: change.since,
            };
            tools.finished.see(&poll, now);
            if change.is_typical {
                let baselines = &tools.baselines;
                baselines.feed(&self.target, target_labels, &change.after);
            }
        }
        for step in &changes.history {
            tools.baselines.feed(&self.target, target_labels, step);
        }
        for image in &changes.failed_images {
            news::log_failed_image(&self.target, &self.region, image);
        }
        for notice in changes.notices {
            match (notice, error) {
                (Notice::PassEnded(operation), _) => self.pass_ended(operation),
                (Notice::SelectorMatched(record), _) => self.selector(record),
                (notice, Some(error)) => self.failed(notice, error),
                (notice, None) => unreachable!("{notice:?} comes with an error"),
            }
        }
    }

    fn failed(&mut self, notice: Notice, error: &ApiError) {
        match notice {
            // Once for the target.
            Notice::ExecutionsDenied if self.logged_executions_denied => {}
            Notice::ExecutionsDenied => {
                self.logged_executions_denied = true;
                let effect = "ended steps are polled less often, for 24 hours";
                self.access_denied(Operation::GetWorkflowExecution, effect, error);
            }
            Notice::Denied(operation) => {
                let effect = match operation {
                    Operation::ListWorkflowStepExecutions => {
                        "steps are polled one by one, which takes more API calls"
                    }
                    Operation::GetImage => "the pipeline that built an image is unknown",
                    Operation::ListWorkflowExecutions => "workflow executions are not discovered",
                    other => without(other),
                };
                self.access_denied(operation, effect, error);
            }
            Notice::StepUnknown(id) => log!(
                self, warn, step_execution_id = %id, error = %error,
                "the service does not find this step execution; retrying; \
                 check that it belongs to this account and region"
            ),
            Notice::StepGone(id) => log!(
                self, info, step_execution_id = %id, error = %error,
                "step execution is gone: the service has not found it for an hour; \
                 polling it once an hour until it is untracked"
            ),
            Notice::ExecutionGone(id) => log!(
                self, info, workflow_execution_id = %id, error = %error,
                "workflow execution is gone: the service has not found it for an hour"
            ),
            Notice::NamedUnknown(id) => log!(
                self, warn, id = id, error = %error,
                "the service does not find a resource that the configuration names; retrying; \
                 check that it belongs to this account and region"
            ),
            Notice::ListEndless(operation) if !self.logged_endless.contains(&operation) => {
                self.logged_endless.push(operation);
                log!(
                    self, warn, operation = operation.as_str(), error = %error,
                    "a list does not end; keeping the last known state and retrying"
                );
            }
            Notice::PassFailed(operation) => self.pass_failed(operation, error),
            Notice::ListEndless(_) | Notice::PassEnded(_) | Notice::SelectorMatched(_) => {}
        }
    }

    /// Logs that the target went down or came up, and each kind of error once while it is down: a
    /// later error may be the one that an operator has to fix.
    fn log_health(&mut self, up: Option<bool>, operation: Operation, failure: Option<&ApiError>) {
        let is_new = |failure: &&ApiError| !self.logged_down.contains(&failure.kind);
        match (up, failure.filter(is_new)) {
            (Some(false), Some(failure)) if failure.kind != ErrorKind::Throttled => {
                self.logged_down.push(failure.kind);
                log!(
                    self, warn,
                    operation = operation.as_str(),
                    result = failure.kind.as_str(),
                    error = %failure,
                    "polling failed; keeping the last known state and retrying"
                );
            }
            (Some(true), _) if !self.logged_down.is_empty() => {
                self.logged_down.clear();
                log!(self, info, "polling succeeds again");
            }
            _ => {}
        }
    }

    fn access_denied(&self, operation: Operation, effect: &str, error: &ApiError) {
        log!(
            self, warn,
            operation = operation.as_str(),
            error = %error,
            "access denied (imagebuilder:{}): {effect}; allow this action in the IAM policy",
            operation.as_str(),
        );
    }

    /// Logs once that a discovery pass failed, unless the same kind of error was logged for the
    /// target as a whole.
    fn pass_failed(&mut self, operation: Operation, error: &ApiError) {
        // An error about the caller, such as an expired token, is not a missing permission.
        let kind = error.about_operation();
        let failed_pass = (operation, kind);
        let is_logged = self.logged_down.contains(&error.kind) && kind != ErrorKind::Forbidden;
        if is_logged || self.logged_failed_passes.contains(&failed_pass) {
            return;
        }
        self.logged_failed_passes.push(failed_pass);
        // Images that match `images` are discovered without the list of pipelines.
        let effect = match operation {
            Operation::ListImagePipelines => {
                "no new pipelines are discovered; keeping the last known state and retrying"
            }
            _ => "nothing new is discovered; keeping the last known state and retrying",
        };
        if kind == ErrorKind::Forbidden {
            return self.access_denied(operation, effect, error);
        }
        log!(
            self, warn,
            operation = operation.as_str(),
            result = error.kind.as_str(),
            error = %error,
            "discovery failed: {effect}"
        );
    }

    /// Logs that a discovery pass succeeded after a failure that was logged.
    fn pass_ended(&mut self, operation: Operation) {
        let before = self.logged_failed_passes.len();
        self.logged_failed_passes
            .retain(|(failed, _)| *failed != operation);
        if self.logged_failed_passes.len() < before {
            log!(
                self,
                info,
                operation = operation.as_str(),
                "discovery succeeds again"
            );
        }
    }

    /// Logs that a selector matches nothing: once, until it has matched something.
    fn selector(&mut self, record: SelectorRecord) {
        let (kind, selector) = (record.key.0.as_str(), record.key.1.clone());
        if record.matches > 0 {
            self.logged_unmatched.remove(&record.key);
        } else if self.logged_unmatched.insert(record.key) {
            // `*` cannot be mistyped, so this is no warning.
            if &*selector == "*" {
                log!(
                    self,
                    info,
                    kind = kind,
                    "selector * matches nothing in this account yet"
                );
            } else {
                log!(
                    self,
                    warn,
                    kind = kind,
                    selector = &*selector,
                    "selector matches nothing in this account; it is compared with the name in the ARN"
                );
            }
        }
    }
}

/// Reports to the rate limiter what a response says of the rate. Returns the new rate if a period
/// of throttling begins.
fn paced(kind: Option<ErrorKind>, sent: Instant, at: Now, tools: &Tools) -> Option<f64> {
    match kind {
        Some(ErrorKind::Throttled) => return tools.limiter.throttled(sent, at.instant),
        Some(ErrorKind::Credentials | ErrorKind::Network | ErrorKind::Timeout) => {}
        _ => tools.limiter.accepted(at.instant),
    }
    None
}
