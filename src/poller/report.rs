//! What is counted and said of the calls of one target and region, each thing once.

use std::collections::HashSet;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::news;
use super::tools::Tools;
use crate::api::{ApiError, ErrorKind, Operation, Response};
use crate::clock::Now;
use crate::health::Health;
use crate::labels::LabelText;
use crate::model::{StepExecutionId, WorkflowExecutionId};
use crate::snapshot::SelectorKind;
use crate::tracker::{Changes, Notice, without};

/// Counts calls and logs what they mean for the target as a whole.
#[derive(Debug)]
pub(super) struct Reporter {
    target: String,
    region: String,
    /// Why the target is down, where it is; each reason was logged.
    told_down: Vec<ErrorKind>,
    told_unavailable: bool,
    told_passes: Vec<(Operation, ErrorKind)>,
    /// Selectors that match nothing.
    told_idle: HashSet<(SelectorKind, String)>,
}

impl Reporter {
    pub(super) fn new(target: &str, region: &str) -> Self {
        Self {
            target: target.to_owned(),
            region: region.to_owned(),
            told_down: Vec::new(),
            told_unavailable: false,
            told_passes: Vec::new(),
            told_idle: HashSet::new(),
        }
    }

    /// A response has arrived. `interval` is the polling interval that its outcome speaks for.
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
        for field in response.unparsable() {
            tools.process.unparsable_field(field);
        }
        if let Some(failure) = failure {
            debug!(
                target = self.target,
                region = self.region,
                operation = operation.as_str(),
                id = response.call.subject().as_deref(),
                result = failure.kind.as_str(),
                error = %failure,
                "call failed"
            );
        }
        if kind == Some(ErrorKind::Throttled)
            && let Some(rate) = tools.limiter.throttled(at.instant)
        {
            warn!(
                target = self.target,
                region = self.region,
                operation = operation.as_str(),
                requests_per_second = rate,
                "the service throttles; calling less often for a while"
            );
        }
        health.record(operation, failure.map_or(Ok(()), Err), at);
        let up = health.judge(at, interval);
        self.tell_health(up, operation, failure);
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
            tools.finished.see(
                &self.target,
                target_labels,
                Some(&change.before),
                &change.after,
                now.time,
            );
        }
        for notice in changes.notices {
            match (notice, error) {
                (Notice::PassEnded(operation), _) => self.pass_ended(operation),
                (
                    Notice::SelectorMatched {
                        kind,
                        selector,
                        matches,
                    },
                    _,
                ) => {
                    self.selector(kind, selector, matches);
                }
                (notice, Some(error)) => self.failed(notice, error),
                (notice, None) => unreachable!("{notice:?} comes with an error"),
            }
        }
    }

    fn failed(&mut self, notice: Notice, error: &ApiError) {
        match notice {
            Notice::ExecutionsDenied => self.executions_denied(error),
            Notice::Denied(operation) => self.denied(operation, error),
            Notice::StepUnknown(id) => self.step_unknown(&id, error),
            Notice::StepGone(id) => self.step_gone(&id, error),
            Notice::ExecutionGone(id) => self.workflow_gone(&id, error),
            Notice::NamedUnknown(id) => self.named_unknown(&id, error),
            Notice::PassFailed(operation) => self.pass_failed(operation, error),
            Notice::PassEnded(_) | Notice::SelectorMatched { .. } => {}
        }
    }

    /// That the target has become, or is no longer, one that can't be polled; and each reason why once,
    /// as what it fails for later may be what somebody has to mend.
    fn tell_health(&mut self, up: Option<bool>, operation: Operation, failure: Option<&ApiError>) {
        let is_new = |failure: &&ApiError| !self.told_down.contains(&failure.kind);
        match (up, failure.filter(is_new)) {
            (Some(false), Some(failure)) if failure.kind != ErrorKind::Throttled => {
                self.told_down.push(failure.kind);
                warn!(
                    target = self.target,
                    region = self.region,
                    operation = operation.as_str(),
                    result = failure.kind.as_str(),
                    error = %failure,
                    "target cannot be polled; what is known stays, and it is tried again"
                );
            }
            (Some(true), _) if !self.told_down.is_empty() => {
                self.told_down.clear();
                info!(
                    target = self.target,
                    region = self.region,
                    "target can be polled again"
                );
            }
            _ => {}
        }
    }

    /// Workflow executions may not be looked at: said once for the target.
    fn executions_denied(&mut self, error: &ApiError) {
        if std::mem::replace(&mut self.told_unavailable, true) {
            return;
        }
        warn!(
            target = self.target,
            region = self.region,
            operation = Operation::GetWorkflowExecution.as_str(),
            error = %error,
            "workflow executions may not be looked at, so steps that ended are asked for seldom, \
             for 24 hours; allow imagebuilder:GetWorkflowExecution"
        );
    }

    /// An operation is denied: logged once, as the tracker notices it once.
    fn denied(&self, operation: Operation, error: &ApiError) {
        let so = match operation {
            Operation::ListWorkflowStepExecutions => return self.lists_forbidden(error),
            Operation::GetWorkflowStepExecution => "steps have no timeout and no info series",
            Operation::GetImage => "nobody knows which pipeline built an image",
            Operation::ListWorkflowExecutions => "no workflow executions are discovered",
            other => without(other),
        };
        self.denied_so(operation, so, error);
    }

    fn denied_so(&self, operation: Operation, so: &str, error: &ApiError) {
        warn!(
            target = self.target,
            region = self.region,
            operation = operation.as_str(),
            error = %error,
            "{} is denied, so {so}; allow imagebuilder:{}",
            operation.as_str(),
            operation.as_str(),
        );
    }

    /// A list of the account could not be read: said once, and not where nothing can be polled for the
    /// same reason, which is said already.
    fn pass_failed(&mut self, operation: Operation, error: &ApiError) {
        // What refuses the caller is no want of a permission.
        let kind = error.about_operation();
        let telling = (operation, kind);
        let is_said = self.told_down.contains(&error.kind) && kind != ErrorKind::Forbidden;
        if is_said || self.told_passes.contains(&telling) {
            return;
        }
        self.told_passes.push(telling);
        // What is chosen by `images` is found without the pipelines.
        let so = match operation {
            Operation::ListImagePipelines => {
                "no new pipelines can be discovered; what is known stays, and it is tried again"
            }
            _ => "nothing new can be discovered; what is known stays, and it is tried again",
        };
        if kind == ErrorKind::Forbidden {
            return self.denied_so(operation, so, error);
        }
        warn!(
            target = self.target,
            region = self.region,
            operation = operation.as_str(),
            result = error.kind.as_str(),
            error = %error,
            "{so}"
        );
    }

    /// A list of the account was read.
    fn pass_ended(&mut self, operation: Operation) {
        let before = self.told_passes.len();
        self.told_passes.retain(|(failed, _)| *failed != operation);
        if self.told_passes.len() < before {
            info!(
                target = self.target,
                region = self.region,
                operation = operation.as_str(),
                "discovery works again"
            );
        }
    }

    /// How much a selector matched: logged where it is nothing, once until it matches again.
    fn selector(&mut self, kind: SelectorKind, selector: String, matches: usize) {
        let told = (kind, selector.clone());
        if matches > 0 {
            self.told_idle.remove(&told);
        } else if self.told_idle.insert(told) {
            let kind = kind.as_str();
            // Of `*` no name can be wrong.
            if selector == "*" {
                info!(
                    target = self.target,
                    region = self.region,
                    kind = kind,
                    "the account has nothing of this kind yet that is followed"
                );
            } else {
                warn!(
                    target = self.target,
                    region = self.region,
                    kind = kind,
                    selector = selector,
                    "this selector matches nothing in the account; names are matched as they stand in ARNs"
                );
            }
        }
    }

    /// The service has not known a workflow execution for so long that it is believed.
    fn workflow_gone(&self, id: &WorkflowExecutionId, error: &ApiError) {
        info!(
            target = self.target,
            region = self.region,
            workflow_execution_id = %id,
            error = %error,
            "workflow execution is gone: for an hour the service has not known it"
        );
    }

    /// The service does not know a named workflow execution or image, as it has not said before.
    fn named_unknown(&self, id: &str, error: &ApiError) {
        warn!(
            target = self.target,
            region = self.region,
            id = id,
            error = %error,
            "the service does not know what the configuration names; is it of this account and region?"
        );
    }

    /// Steps may not be listed: said once for the target, as the plan tells it once.
    fn lists_forbidden(&self, error: &ApiError) {
        warn!(
            target = self.target,
            region = self.region,
            operation = Operation::ListWorkflowStepExecutions.as_str(),
            error = %error,
            "steps may not be listed, so each is asked for by itself, which takes more calls; \
             allow imagebuilder:ListWorkflowStepExecutions"
        );
    }

    /// The service does not know a step, as it has not said before.
    fn step_unknown(&self, id: &StepExecutionId, error: &ApiError) {
        warn!(
            target = self.target,
            region = self.region,
            step_execution_id = %id,
            error = %error,
            "the service does not know this step execution; is it one of this account and region?"
        );
    }

    /// The service has not known a step for so long that it is believed.
    fn step_gone(&self, id: &StepExecutionId, error: &ApiError) {
        info!(
            target = self.target,
            region = self.region,
            step_execution_id = %id,
            error = %error,
            "step execution is gone: for an hour the service has not known it; it is asked for \
             once an hour until it is taken off the list"
        );
    }
}
