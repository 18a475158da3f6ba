//! Asks about one target in one region what the exporter will ask, each operation for real.

use std::collections::BTreeSet;

use std::sync::Arc;
use std::time::Duration;

use super::Access;
use super::ask::{Asker, Listed};
use super::estimate::{ASSUMED_STEPS, ASSUMED_WORKFLOWS, Estimate, Seen};
use super::findings::{Check, Findings, Outcome};
use super::found::{Found, followed_images, is_kept, to_look_into, unknown_image};
use crate::api::{ApiError, Caller, ErrorKind, Operation, within};
use crate::clock::Clock;
use crate::config::{Config, PipelineSelector, Target};
use crate::model::{Image, ImageArn, StepExecutionId, WorkflowExecution, WorkflowExecutionId};
use crate::schedule::{LARGE_PAGE, RateLimiter, Selection, needed_operations};

/// Of each kind of thing that the configuration names one by one, so many are asked for.
const MOST_NAMED: usize = 10;
/// Images are looked into until one has workflow executions, at most so many.
const MOST_LOOKED_INTO: usize = 4;
/// Nobody has it.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// One target in one region, while it is examined.
struct Examination<'a> {
    target: &'a Target,
    region: &'a str,
    asker: Asker,
    caller: Option<Caller>,
    selection: Selection,
    found: Found,
    checks: Vec<Check>,
    warnings: Vec<String>,
}

/// Makes every call that the target needs in the region, one after the other. `limiter` is the one
/// that its calls count against.
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
    let caller = within(timeout, access.caller).await.map(|told| told.value);
    let mut base = None;
    let needed = needed_operations(target, region);
    let mut examination = Examination {
        target,
        region,
        asker: Asker {
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
                base = Some(within(timeout, access.base).await.map(|told| told.value));
            }
            examination.asks_nothing(&needed);
        }
        _ => examination.ask(&needed).await,
    }
    let estimate = examination.estimate(config, &needed, clock);
    examination.warn_of_account();
    Findings {
        target: target.name.clone(),
        region: region.to_owned(),
        caller,
        base,
        checks: examination.checks,
        skew_millis: service_clock.skew_millis(),
        warnings: examination.warnings,
        estimate,
        limit_key: target.limit_key(region),
        rate_limit: target.rate_limit,
    }
}

impl Examination<'_> {
    fn asks_nothing(&mut self, needed: &[Operation]) {
        self.checks = { needed.iter() }
            .map(|operation| Check {
                operation: *operation,
                outcome: Outcome::NotAsked,
            })
            .collect();
    }

    async fn ask(&mut self, needed: &[Operation]) {
        if needed.is_empty() {
            let nothing =
                "nothing is followed here: all that this target lists is of other regions";
            self.warnings.push(nothing.to_owned());
        }
        let mut order = needed.to_vec();
        if !self.target.step_executions.is_empty() {
            // Listed steps tell which workflow executions there are.
            order.sort_by_key(|operation| *operation != Operation::GetWorkflowStepExecution);
        }
        let mut stopped = false;
        for operation in order {
            let outcome = match stopped {
                true => Outcome::NotAsked,
                false => self.check(operation).await,
            };
            stopped |= outcome.speaks_for_all();
            self.checks.push(Check { operation, outcome });
        }
        let place = |check: &Check| needed.iter().position(|needed| *needed == check.operation);
        self.checks.sort_by_key(place);
        if self.asker.has_small_pages() {
            let pages = "pages of 100 are refused here, so lists take four times the calls; is endpoint_url that of an older service?";
            self.warnings.push(pages.to_owned());
        }
    }

    async fn check(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::ListImagePipelines => self.pipelines().await,
            Operation::ListImageBuildVersions => self.images().await,
            Operation::GetImage => self.image().await,
            Operation::ListWorkflowExecutions => self.workflows().await,
            Operation::GetWorkflowExecution => self.workflow().await,
            Operation::ListWorkflowStepExecutions => self.steps().await,
            Operation::GetWorkflowStepExecution => self.step().await,
        }
    }

    async fn pipelines(&mut self) -> Outcome {
        let listed = self.asker.list(|api, page| api.list_image_pipelines(page));
        let Listed {
            entries,
            pages,
            cut,
        } = match listed.await {
            Ok(listed) => listed,
            Err(error) => return Outcome::of_failure(error, None),
        };
        self.found.pipeline_pages = pages;
        let selectors: Vec<&str> = self.selection.pipeline_selectors().collect();
        let mut matches = vec![0; selectors.len()];
        for pipeline in &entries {
            for place in self.selection.choosing_pipeline(pipeline) {
                matches[place] += 1;
            }
        }
        let all = counted(entries.len(), "pipeline");
        let idle = idle_selectors("pipelines", &selectors, &matches, entries.len());
        let chosen = { entries.iter() }.filter(|one| self.selection.chooses_pipeline(one));
        let told = format!("{all}, {} followed", chosen.count());
        self.found.pipelines = entries;
        self.take(Operation::ListImagePipelines, idle, cut);
        Outcome::Allowed(told)
    }

    async fn images(&mut self) -> Outcome {
        let listed = self
            .asker
            .list(|api, page| api.list_image_build_versions(page));
        let Listed {
            entries,
            pages,
            cut,
        } = match listed.await {
            Ok(listed) => listed,
            Err(error) => return Outcome::of_failure(error, None),
        };
        self.found.image_pages = pages;
        let selectors: Vec<&str> = self.selection.image_selectors().collect();
        let mut matches = vec![0; selectors.len()];
        for image in &entries {
            for place in self.selection.choosing_image(image) {
                matches[place] += 1;
            }
        }
        let all = counted(entries.len(), "image build");
        let idle = idle_selectors("images", &selectors, &matches, entries.len());
        self.found.images = entries;
        self.take(Operation::ListImageBuildVersions, idle, cut);
        let followed = followed_images(&self.found, &self.selection);
        let moving = { followed.iter() }.filter(|image| !image.status.is_terminal());
        Outcome::Allowed(format!(
            "{all}, {} followed, {} of them being built",
            followed.len(),
            moving.count()
        ))
    }

    /// What is to be said of a list of the account that was read.
    fn take(&mut self, operation: Operation, idle: Vec<String>, cut: Option<String>) {
        if let Some(cut) = cut {
            let list = operation.as_str();
            self.warnings
                .push(format!("{list}: {cut}; the figures here are for that part"));
        }
        self.warnings.extend(idle);
    }

    async fn image(&mut self) -> Outcome {
        let named: Vec<ImageArn> = { self.target.image_build_versions.iter() }
            .filter(|arn| arn.region() == self.region)
            .cloned()
            .collect();
        let mut unknown = Vec::new();
        let mut told = None;
        for arn in named.iter().take(MOST_NAMED) {
            match self.asker.call(|api| api.get_image(arn.clone())).await {
                Ok(image) => {
                    told = Some(arn_text(arn));
                    self.found.named_images.push(image);
                }
                Err(error) if error.kind == ErrorKind::Client => {
                    unknown.push((arn.as_str().to_owned(), error))
                }
                Err(error) => return Outcome::of_failure(error, Some(arn_text(arn))),
            }
        }
        self.warn_of_named("image_build_versions", named.len(), &unknown);
        if let Some(told) = told {
            return Outcome::Allowed(told);
        }
        if let Some((arn, _)) = unknown.into_iter().next() {
            return Outcome::NothingThere(arn);
        }
        let arn = self.best_images().into_iter().next();
        let arn = arn.unwrap_or_else(|| self.unknown_image());
        let text = arn_text(&arn);
        match self.asker.call(|api| api.get_image(arn.clone())).await {
            Ok(_) => Outcome::Allowed(text),
            Err(error) => Outcome::of_failure(error, Some(text)),
        }
    }

    async fn workflows(&mut self) -> Outcome {
        let mut images = self.best_images();
        if images.is_empty() {
            let named = self.found.named_images.iter();
            images.extend(named.map(|image| image.arn.clone()));
        }
        if images.is_empty() {
            images.push(self.unknown_image());
        }
        images.truncate(MOST_LOOKED_INTO);
        let mut outcome = None;
        for arn in images {
            let text = arn_text(&arn);
            let page = self.asker.page(None, |api, page| {
                api.list_workflow_executions(arn.clone(), page)
            });
            match page.await {
                Ok(page) if !page.entries.is_empty() => {
                    let workflows = counted(page.entries.len(), "workflow execution");
                    self.found.workflows = page.entries;
                    return Outcome::Allowed(format!("{workflows} of {text}"));
                }
                Ok(_) => outcome = Some(Outcome::Allowed(format!("none of {text} any more"))),
                Err(error) => match Outcome::of_failure(error, Some(text)) {
                    Outcome::NothingThere(text) => {
                        outcome.get_or_insert(Outcome::NothingThere(text));
                    }
                    failed => return failed,
                },
            }
        }
        outcome.unwrap_or(Outcome::NotAsked)
    }

    async fn workflow(&mut self) -> Outcome {
        let named = self.target.workflow_executions.clone();
        let mut unknown = Vec::new();
        for id in named.iter().take(MOST_NAMED) {
            match self.asker.call(|api| api.get_workflow_execution(*id)).await {
                Ok(workflow) => self.found.named_workflows.push((*id, workflow)),
                Err(error) if error.kind == ErrorKind::Client => {
                    unknown.push((id.to_string(), error))
                }
                Err(error) => return Outcome::of_failure(error, Some(id.to_string())),
            }
        }
        self.warn_of_named("workflow_executions", named.len(), &unknown);
        if let Some((id, _)) = self.found.named_workflows.first() {
            return Outcome::Allowed(id.to_string());
        }
        let id = self.known_workflow();
        match self.asker.call(|api| api.get_workflow_execution(id)).await {
            Ok(_) => Outcome::Allowed(id.to_string()),
            Err(error) => Outcome::of_failure(error, Some(id.to_string())),
        }
    }

    async fn steps(&mut self) -> Outcome {
        let id = self.known_workflow();
        let page = self.asker.page(None, |api, page| {
            api.list_workflow_step_executions(id, page)
        });
        match page.await {
            Ok(page) => {
                self.found.steps = Some(page.entries.len());
                self.found.step = page.entries.first().map(|(id, _)| *id);
                let steps = counted(page.entries.len(), "step");
                Outcome::Allowed(format!("{steps} of {id}"))
            }
            Err(error) => Outcome::of_failure(error, Some(id.to_string())),
        }
    }

    async fn step(&mut self) -> Outcome {
        let named: Vec<StepExecutionId> = { self.target.step_executions.iter() }
            .map(|step| step.id)
            .collect();
        let mut unknown = Vec::new();
        let mut told = None;
        for id in named.iter().take(MOST_NAMED) {
            match self
                .asker
                .call(|api| api.get_workflow_step_execution(*id))
                .await
            {
                Ok(step) => {
                    told = Some(id.to_string());
                    self.found.named_steps.push((*id, step));
                }
                Err(error) if error.kind == ErrorKind::Client => {
                    unknown.push((id.to_string(), error))
                }
                Err(error) => return Outcome::of_failure(error, Some(id.to_string())),
            }
        }
        self.warn_of_named("step_executions", named.len(), &unknown);
        if let Some(told) = told {
            return Outcome::Allowed(told);
        }
        let id = named.first().copied().or(self.found.step);
        let id = id.unwrap_or_else(|| nobodys(StepExecutionId::PREFIX));
        match self
            .asker
            .call(|api| api.get_workflow_step_execution(id))
            .await
        {
            Ok(_) => Outcome::Allowed(id.to_string()),
            Err(error) => Outcome::of_failure(error, Some(id.to_string())),
        }
    }

    /// A workflow execution that is there, as far as anything told of one.
    fn known_workflow(&self) -> WorkflowExecutionId {
        let named = self.found.named_workflows.first().map(|(id, _)| *id);
        // One that has ended has all its steps.
        let has_ended = |told: &Option<WorkflowExecution>| {
            told.as_ref().is_some_and(|told| told.status.is_terminal())
        };
        let of_image = &self.found.workflows;
        let listed = || {
            let ended = of_image.iter().find(|(_, told)| has_ended(told));
            ended.or(of_image.first()).map(|(id, _)| *id)
        };
        let of_step = || {
            let mut steps = self.found.named_steps.iter();
            steps.find_map(|(_, step)| step.workflow_execution_id)
        };
        let known = named.or_else(listed).or_else(of_step);
        known.unwrap_or_else(|| nobodys(WorkflowExecutionId::PREFIX))
    }

    /// Of the images that are followed, or of all where none is.
    fn best_images(&self) -> Vec<ImageArn> {
        let followed = followed_images(&self.found, &self.selection);
        match followed.is_empty() {
            true => to_look_into(self.found.images.iter().collect()),
            false => to_look_into(followed),
        }
    }

    fn unknown_image(&self) -> ImageArn {
        unknown_image(self.target, self.region, self.caller.as_ref())
    }

    fn warn_of_named(&mut self, list: &str, named: usize, unknown: &[(String, ApiError)]) {
        for (id, error) in unknown {
            self.warnings.push(format!(
                "{list}: the service does not know {id}: it is of another account or region, or no longer kept ({error})"
            ));
        }
        if named > MOST_NAMED {
            self.warnings.push(format!(
                "{list}: the first {MOST_NAMED} of {named} were asked for, the others were not"
            ));
        }
    }

    /// What is named in other accounts is not these credentials' own.
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
                "{key} names account {account}, but these credentials are of {}",
                caller.account
            ));
        }
    }

    /// `None` where a list of the account that is needed could not be read.
    fn estimate(&self, config: &Config, needed: &[Operation], clock: Clock) -> Option<Estimate> {
        let unread = self.checks.iter().any(|check| {
            let is_list = matches!(
                check.operation,
                Operation::ListImagePipelines | Operation::ListImageBuildVersions
            );
            is_list && !matches!(check.outcome, Outcome::Allowed(_))
        });
        let nothing_told = self
            .checks
            .iter()
            .all(|check| check.outcome == Outcome::NotAsked);
        if unread || nothing_told {
            return None;
        }
        Some(Estimate::new(self.seen(config, needed, clock), config))
    }

    fn seen(&self, config: &Config, needed: &[Operation], clock: Clock) -> Seen {
        let now = clock.now().time;
        let found = &self.found;
        let followed = followed_images(found, &self.selection);
        let count =
            |is_one: &dyn Fn(&Image) -> bool| followed.iter().filter(|image| is_one(image)).count();
        let day_ago = now.minus(Duration::from_secs(24 * 60 * 60));
        let names: BTreeSet<&str> = followed.iter().map(|image| image.arn.name()).collect();
        let pipelines = found.pipelines.iter();
        let chosen = pipelines.filter(|pipeline| self.selection.chooses_pipeline(pipeline));
        let selectors =
            self.selection.pipeline_selectors().count() + self.selection.image_selectors().count();
        let intervals = { self.target.step_executions.iter() }
            .filter(|listed| {
                let told = found.named_steps.iter().find(|(id, _)| *id == listed.id);
                told.is_none_or(|(_, step)| !step.status.is_terminal())
            })
            .map(|listed| listed.interval);
        // Those that were not asked for are taken to run.
        let unasked = self
            .target
            .workflow_executions
            .len()
            .saturating_sub(MOST_NAMED);
        let running = { found.named_workflows.iter() }
            .filter(|(_, workflow)| !workflow.status.is_terminal())
            .count();
        let current = { found.workflows.iter() }.filter(|(_, told)| {
            let retried = told.as_ref().and_then(|told| told.retried);
            retried != Some(true)
        });
        Seen {
            pipeline_pages: found.pipeline_pages,
            image_pages: found.image_pages,
            pipelines: chosen.count(),
            selectors,
            image_names: names.len(),
            running_images: count(&|image| !image.status.is_terminal()),
            kept_images: count(&|image| is_kept(image, &config.metrics, now)),
            built_in_a_day: count(&|image| image.created.is_some_and(|at| at > day_ago)),
            workflows_of_image: match current.count() {
                0 => ASSUMED_WORKFLOWS,
                count => count,
            },
            steps_of_workflow: found.steps.unwrap_or(ASSUMED_STEPS),
            shape_is_assumed: found.workflows.is_empty() || found.steps.is_none(),
            running_workflows: running + unasked,
            named_workflows: self.target.workflow_executions.len(),
            running_steps: intervals.collect(),
            listed_steps: self.target.step_executions.len(),
            operations: needed.len(),
        }
    }
}

/// A warning for each pattern or ARN that chooses nothing of what there is.
fn idle_selectors(key: &str, selectors: &[&str], matches: &[usize], there: usize) -> Vec<String> {
    let idle = { selectors.iter().zip(matches) }.filter(|(_, matches)| **matches == 0);
    let idle: Vec<String> = idle.map(|(selector, _)| format!("{selector:?}")).collect();
    if idle.is_empty() {
        return Vec::new();
    }
    let idle = idle.join(" and ");
    match there {
        0 => vec![format!(
            "{key}: there is nothing in this account and region for {idle} to choose from"
        )],
        _ => vec![format!(
            "{key}: nothing here is chosen by {idle}; names are matched as they stand in ARNs, golden-linux and not Golden Linux, and tags and exclude count too"
        )],
    }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn arn_text(arn: &ImageArn) -> String {
    format!("{} {}", arn.name(), arn.version())
}

/// An id of this kind that nothing has.
fn nobodys<T: std::str::FromStr<Err = String>>(prefix: &str) -> T {
    let id = format!("{prefix}{NO_UUID}").parse();
    id.expect("the prefix is of the id's kind, and a UUID follows")
}
