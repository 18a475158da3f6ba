//! What is counted and said of the calls of one target and region, each thing once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::{debug, info, warn};

use super::call::Outcome;
use super::health::Health;
use super::limiter::RateLimiter;
use super::lock;
use crate::api::{ApiError, ErrorKind, Operation};
use crate::model::{StepExecutionId, WorkflowExecutionId};
use crate::self_metrics::{PollerMetrics, ProcessMetrics};

/// Where what is counted goes.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub metrics: Arc<PollerMetrics>,
    pub process: Arc<ProcessMetrics>,
    pub limiter: Arc<RateLimiter>,
    pub health: Arc<Mutex<Health>>,
}

/// Counts calls and says what they mean for the target as a whole.
#[derive(Debug)]
pub(super) struct Reporter {
    target: String,
    region: String,
    /// Why the target is down, where it is; each reason was told.
    told_down: Vec<ErrorKind>,
    told_unavailable: bool,
    told_rounds: Vec<(Operation, ErrorKind)>,
    /// Selectors that match nothing.
    told_idle: HashSet<(String, String)>,
}

impl Reporter {
    pub(super) fn new(target: &str, region: &str) -> Self {
        Self {
            target: target.to_owned(),
            region: region.to_owned(),
            told_down: Vec::new(),
            told_unavailable: false,
            told_rounds: Vec::new(),
            told_idle: HashSet::new(),
        }
    }

    /// A call has come back. `interval` is the polling interval that its outcome speaks for.
    pub(super) fn called(&mut self, outcome: &Outcome, counters: &Counters, interval: Duration) {
        let now = outcome.answered.instant;
        let operation = outcome.operation();
        let failure = outcome.failure();
        let kind = failure.map(|failure| failure.kind);
        let result = kind.map_or(Ok(()), Err);
        let sent = kind != Some(ErrorKind::Credentials);
        let took = sent.then(|| now - outcome.asked);
        counters.metrics.request(operation, result, took);
        for field in outcome.unparsable() {
            counters.process.unparsable_field(field);
        }
        if let Some(failure) = failure {
            debug!(
                target = self.target,
                region = self.region,
                operation = operation.as_str(),
                id = outcome.id().as_deref(),
                result = failure.kind.as_str(),
                error = %failure,
                "call failed"
            );
        }
        if kind == Some(ErrorKind::Throttled)
            && let Some(rate) = counters.limiter.throttled(now)
        {
            warn!(
                target = self.target,
                region = self.region,
                operation = operation.as_str(),
                requests_per_second = rate,
                "the service throttles; calling less often for a while"
            );
        }
        let up = {
            let mut health = lock(&counters.health);
            health.record(operation, failure.map_or(Ok(()), Err), outcome.answered);
            health.judge(outcome.answered, interval)
        };
        self.tell_health(up, operation, failure);
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
    pub(super) fn workflows_forbidden(&mut self, error: &ApiError) {
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

    /// An operation is denied: said once for the target, as the plan tells it once. `so` is what
    /// follows from it.
    pub(super) fn denied(&self, operation: Operation, so: &str, error: &ApiError) {
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
    pub(super) fn round_failed(&mut self, operation: Operation, error: &ApiError) {
        // What refuses the caller is no want of a permission.
        let kind = error.about_operation();
        let telling = (operation, kind);
        let is_said = self.told_down.contains(&error.kind) && kind != ErrorKind::Forbidden;
        if is_said || self.told_rounds.contains(&telling) {
            return;
        }
        self.told_rounds.push(telling);
        // What is chosen by `images` is found without the pipelines.
        let so = match operation {
            Operation::ListImagePipelines => {
                "no new pipelines can be discovered; what is known stays, and it is tried again"
            }
            _ => "nothing new can be discovered; what is known stays, and it is tried again",
        };
        if kind == ErrorKind::Forbidden {
            return self.denied(operation, so, error);
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
    pub(super) fn round_ended(&mut self, operation: Operation) {
        let before = self.told_rounds.len();
        self.told_rounds.retain(|(failed, _)| *failed != operation);
        if self.told_rounds.len() < before {
            info!(
                target = self.target,
                region = self.region,
                operation = operation.as_str(),
                "discovery works again"
            );
        }
    }

    /// How much a selector matched: told where it is nothing, once until it matches again.
    pub(super) fn selector(&mut self, kind: &str, selector: &str, matches: usize) {
        let told = (kind.to_owned(), selector.to_owned());
        if matches > 0 {
            self.told_idle.remove(&told);
        } else if self.told_idle.insert(told) {
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
    pub(super) fn workflow_gone(&self, id: &WorkflowExecutionId, error: &ApiError) {
        info!(
            target = self.target,
            region = self.region,
            workflow_execution_id = %id,
            error = %error,
            "workflow execution is gone: for an hour the service has not known it"
        );
    }

    /// The service does not know a named workflow execution or image, as it has not said before.
    pub(super) fn named_unknown(&self, id: &str, error: &ApiError) {
        warn!(
            target = self.target,
            region = self.region,
            id = id,
            error = %error,
            "the service does not know what the configuration names; is it of this account and region?"
        );
    }

    /// Steps may not be listed: said once for the target, as the plan tells it once.
    pub(super) fn lists_forbidden(&self, error: &ApiError) {
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
    pub(super) fn step_unknown(&self, id: &StepExecutionId, error: &ApiError) {
        warn!(
            target = self.target,
            region = self.region,
            step_execution_id = %id,
            error = %error,
            "the service does not know this step execution; is it one of this account and region?"
        );
    }

    /// The service has not known a step for so long that it is believed.
    pub(super) fn step_gone(&self, id: &StepExecutionId, error: &ApiError) {
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
