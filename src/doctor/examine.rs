//! Examines one target in one region: makes each call that the exporter will make.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::calls::Examination;
use super::estimate::{ASSUMED_STEPS, ASSUMED_WORKFLOWS, Estimate, EstimateInput};
use super::findings::{Check, CheckOutcome, Findings};
use super::found::{
    Found, builds_for_baselines, is_kept, running_steps, running_workflows, selected_images,
};
use super::report::{counted, plain};
use super::requester::Requester;
use crate::api::{ApiError, Caller, ErrorKind, Operation, Parsed, within};
use crate::baseline::MIN_EXECUTIONS;
use crate::clock::Clock;
use crate::config::{Config, PipelineSelector, Target};
use crate::model::{Image, WorkflowExecution};
use crate::poller::RateLimiter;
use crate::tracker::{LARGE_PAGE, Selection, needed_operations};

/// Makes every call that the target needs in the region, one at a time. The calls take tokens of
/// `limiter`.
pub async fn examine(
    config: &Config,
    target: &Target,
    region: &str,
    access: Access,
    limiter: Arc<RateLimiter>,
    clock: Clock,
) -> Findings {
    let timeout = config.polling.request_timeout;
    let service_clock = access.service_clock.clone();
    let caller = printable(within(timeout, access.caller).await);
    let mut base = None;
    let needed = needed_operations(target, region);
    let mut examination = Examination {
        target,
        region,
        requester: Requester {
            target: target.name.clone(),
            region: region.to_owned(),
            api: access.api,
            service_clock: service_clock.clone(),
            limiter,
            clock,
            timeout,
            page_size: LARGE_PAGE,
        },
        caller: caller.clone().ok(),
        selection: Selection::new(target, region),
        found: Found::default(),
        checks: Vec::new(),
        warnings: Vec::new(),
    };
    match &caller {
        Err(error) if error.kind == ErrorKind::Credentials => {
            if target.assume_role.is_some() {
                base = Some(printable(within(timeout, access.base).await));
            }
            examination.skip_checks(&needed);
        }
        _ => examination.run_checks(&needed).await,
    }
    let estimate = examination.estimate(config, &needed, clock);
    examination.warn_of_rate_limit(estimate.as_ref());
    examination.warn_of_account();
    Findings {
        target: target.name.clone(),
        region: region.to_owned(),
        caller,
        base,
        has_small_pages: examination.requester.has_small_pages(),
        checks: examination.checks,
        skew_millis: service_clock.skew_millis(),
        warnings: examination.warnings,
        estimate,
        limit_key: target.limit_key(region),
        rate_limit: target.rate_limit,
    }
}

/// Returns the identity without control characters: another server may have sent it.
fn printable(response: Result<Parsed<Caller>, ApiError>) -> Result<Caller, ApiError> {
    let Caller { account, arn } = response?.value;
    Ok(Caller {
        account: plain(&account),
        arn: plain(&arn),
    })
}

impl Examination<'_> {
    fn skip_checks(&mut self, needed: &[Operation]) {
        self.checks.extend(needed.iter().map(|operation| Check {
            operation: *operation,
            outcome: CheckOutcome::Skipped,
        }));
    }

    async fn run_checks(&mut self, needed: &[Operation]) {
        if needed.is_empty() {
            let nothing = "nothing to poll in this region: all resources that this target lists are in other regions";
            self.warnings.push(nothing.to_owned());
        }
        let mut order = needed.to_vec();
        if !self.target.step_executions.is_empty() {
            // Responses about listed steps name existing workflow executions.
            order.sort_by_key(|operation| *operation != Operation::GetWorkflowStepExecution);
        }
        let mut stopped = false;
        for operation in order {
            let outcome = match stopped {
                true => CheckOutcome::Skipped,
                false => self.check(operation).await,
            };
            stopped |= outcome.fails_every_call();
            self.checks.push(Check { operation, outcome });
        }
        let place = |check: &Check| needed.iter().position(|needed| *needed == check.operation);
        self.checks.sort_by_key(place);
    }

    /// Warns if the running builds take more calls than the rate limit allows.
    fn warn_of_rate_limit(&mut self, estimate: Option<&Estimate>) {
        let rate = self.target.rate_limit.requests_per_second;
        let Some(estimate) = estimate.filter(|estimate| estimate.share(rate) > 1.0) else {
            return;
        };
        let enough = match estimate.most_running(rate) {
            Some(most) if estimate.input.running_images > 0 => {
                format!("; it suffices for {} at a time", counted(most, "image"))
            }
            _ => String::new(),
        };
        self.warnings.push(format!(
            "the rate limit is too low for the running builds, so polls are overdue{enough}: raise rate_limit.requests_per_second or polling.interval"
        ));
    }

    /// Warns about configured resources in accounts other than that of the credentials.
    fn warn_of_account(&mut self) {
        let Some(caller) = &self.caller else {
            return;
        };
        let role = self.target.assume_role.as_ref();
        let of_role = role.and_then(|role| role.role_arn.split(':').nth(4));
        let images = { self.target.image_build_versions.iter() }
            .filter(|arn| arn.region() == self.region)
            .map(|arn| ("image_build_versions", arn.account_id()));
        let pipelines = { self.target.pipelines.iter() }.filter_map(|selector| match selector {
            PipelineSelector::Arn(arn) if arn.region() == self.region => {
                Some(("pipelines", arn.account_id()))
            }
            _ => None,
        });
        let named = of_role.map(|account| ("assume_role", account));
        let named = named.into_iter().chain(images).chain(pipelines);
        let others: BTreeSet<_> = named
            .filter(|(_, account)| *account != caller.account)
            .collect();
        for (key, account) in others {
            self.warnings.push(format!(
                "{key} names account {account}, but the credentials belong to {}",
                caller.account
            ));
        }
    }

    /// Estimates calls and series; `None` if a required list of the account could not be read.
    fn estimate(&self, config: &Config, needed: &[Operation], clock: Clock) -> Option<Estimate> {
        let unread = self.checks.iter().any(|check| {
            let is_list = matches!(
                check.operation,
                Operation::ListImagePipelines | Operation::ListImageBuildVersions
            );
            is_list && !matches!(check.outcome, CheckOutcome::Allowed(_))
        });
        let all_skipped = self
            .checks
            .iter()
            .all(|check| check.outcome == CheckOutcome::Skipped);
        if unread || all_skipped {
            return None;
        }
        Some(Estimate::new(
            self.estimate_input(config, needed, clock),
            config,
        ))
    }

    fn estimate_input(&self, config: &Config, needed: &[Operation], clock: Clock) -> EstimateInput {
        let now = clock.now().time;
        let found = &self.found;
        let selected = selected_images(found, &self.selection);
        let count =
            |is_one: &dyn Fn(&Image) -> bool| selected.iter().filter(|image| is_one(image)).count();
        let day_ago = now.minus(Duration::from_secs(24 * 60 * 60));
        let names: BTreeSet<&str> = selected.iter().map(|image| image.arn.name()).collect();
        let pipelines = found.pipelines.iter();
        let selected_pipelines =
            pipelines.filter(|pipeline| self.selection.chooses_pipeline(pipeline));
        let selectors =
            self.selection.pipeline_selectors().count() + self.selection.image_selectors().count();
        let running_steps = running_steps(found, self.target, &config.polling);
        // Superseded executions belong to an earlier attempt of the build.
        let current: Vec<&WorkflowExecution> = { found.workflows.iter() }
            .filter_map(|(_, execution)| execution.as_ref())
            .filter(|execution| execution.retried != Some(true))
            .collect();
        let planned = current
            .iter()
            .map(|execution| Some(execution.totals?.planned as usize));
        let planned: Option<usize> = planned.sum();
        let steps = found.steps.map(|steps| steps * current.len());
        let (workflows_of_image, steps_of_image) = match planned.or(steps) {
            Some(steps) if steps > 0 => (current.len(), steps),
            _ => (ASSUMED_WORKFLOWS, ASSUMED_STEPS),
        };
        let history = builds_for_baselines(
            &selected,
            match found.image_pages {
                0 => 0,
                _ => config.baselines.builds(),
            },
        );
        EstimateInput {
            pipeline_pages: found.pipeline_pages,
            image_pages: found.image_pages,
            pipelines: selected_pipelines.count(),
            selectors,
            image_names: names.len(),
            running_images: count(&|image| !image.status.is_terminal()),
            kept_images: count(&|image| is_kept(image, &config.metrics, now)),
            built_in_a_day: count(&|image| image.created.is_some_and(|at| at > day_ago)),
            workflows_of_image,
            steps_of_image,
            shape_is_assumed: planned.or(steps).is_none_or(|steps| steps == 0),
            running_workflows: running_workflows(found, self.target),
            running_named_images: { found.named_images.iter() }
                .filter(|image| !image.status.is_terminal())
                .count(),
            named_workflows: self.target.workflow_executions.len() - found.unknown_workflows,
            running_steps: running_steps.count,
            step_polls: running_steps.polls,
            listed_steps: self.target.step_executions.len() - found.unknown_steps,
            operations: needed.len(),
            history_builds: history.iter().sum(),
            typical_images: history
                .iter()
                .filter(|builds| **builds >= MIN_EXECUTIONS)
                .count(),
        }
    }
}
