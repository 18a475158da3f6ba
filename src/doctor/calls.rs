//! Calls each operation, and turns its response into the outcome of a check.

use std::collections::HashSet;

use super::ask::{Asker, ReadList};
use super::findings::{Check, CheckOutcome};
use super::found::{Found, selected_images, to_look_into, unknown_image};
use super::report::counted;
use crate::api::{ApiError, Caller, ErrorKind, Operation};
use crate::config::Target;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecution, WorkflowExecutionId};
use crate::tracker::Selection;

/// Maximum number of resources of each kind, named in the configuration, that are requested.
pub(super) const MOST_NAMED: usize = 10;
/// Maximum number of images whose workflow executions are listed to find some.
const MOST_LOOKED_INTO: usize = 4;
/// A UUID that no resource has.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// One target in one region, while it is examined.
pub(super) struct Examination<'a> {
    pub target: &'a Target,
    pub region: &'a str,
    pub asker: Asker,
    pub caller: Option<Caller>,
    pub selection: Selection,
    pub found: Found,
    pub checks: Vec<Check>,
    pub warnings: Vec<String>,
}

impl Examination<'_> {
    pub(super) async fn check(&mut self, operation: Operation) -> CheckOutcome {
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

    async fn pipelines(&mut self) -> CheckOutcome {
        let listed = self.asker.list(|api, page| api.list_image_pipelines(page));
        let ReadList {
            entries,
            pages,
            cut,
        } = match listed.await {
            Ok(listed) => listed,
            Err(error) => return CheckOutcome::of_failure(error, None),
        };
        self.found.pipeline_pages = pages;
        let choosing = { entries.iter() }.flat_map(|one| self.selection.choosing_pipeline(one));
        let selectors = self.selection.pipeline_selectors();
        let idle = unmatched_selectors("pipelines", selectors, choosing, entries.len());
        let all = counted(entries.len(), "pipeline");
        let chosen = { entries.iter() }.filter(|one| self.selection.chooses_pipeline(one));
        let told = format!("{all}, {} selected", chosen.count());
        self.found.pipelines = entries;
        self.take(Operation::ListImagePipelines, idle, cut);
        CheckOutcome::Allowed(told)
    }

    async fn images(&mut self) -> CheckOutcome {
        let listed = self
            .asker
            .list(|api, page| api.list_image_build_versions(page));
        let ReadList {
            entries,
            pages,
            cut,
        } = match listed.await {
            Ok(listed) => listed,
            Err(error) => return CheckOutcome::of_failure(error, None),
        };
        self.found.image_pages = pages;
        let choosing = { entries.iter() }.flat_map(|one| self.selection.choosing_image(one));
        let selectors = self.selection.image_selectors();
        let idle = unmatched_selectors("images", selectors, choosing, entries.len());
        let all = counted(entries.len(), "image build");
        self.found.images = entries;
        self.take(Operation::ListImageBuildVersions, idle, cut);
        let selected = selected_images(&self.found, &self.selection);
        let moving = { selected.iter() }.filter(|image| !image.status.is_terminal());
        CheckOutcome::Allowed(format!(
            "{all}, {} selected, {} of them being built",
            selected.len(),
            moving.count()
        ))
    }

    /// What is to be said of a list of the account that was read.
    fn take(&mut self, operation: Operation, idle: Vec<String>, cut: Option<String>) {
        match cut {
            // What chooses nothing of a part may choose something of the rest.
            Some(cut) => {
                let list = operation.as_str();
                self.warnings
                    .push(format!("{list}: {cut}; the figures are for that part only"));
            }
            None => self.warnings.extend(idle),
        }
    }

    async fn image(&mut self) -> CheckOutcome {
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
                    unknown.push((arn.as_str().to_owned(), error));
                }
                Err(error) => return CheckOutcome::of_failure(error, Some(arn_text(arn))),
            }
        }
        self.warn_of_named("image_build_versions", named.len(), &unknown);
        if let Some(told) = told {
            return CheckOutcome::Allowed(told);
        }
        if let Some((arn, _)) = unknown.into_iter().next() {
            return CheckOutcome::NothingThere(arn);
        }
        let arn = self.best_images().into_iter().next();
        let arn = arn.unwrap_or_else(|| self.unknown_image());
        let text = arn_text(&arn);
        match self.asker.call(|api| api.get_image(arn.clone())).await {
            Ok(_) => CheckOutcome::Allowed(text),
            Err(error) => CheckOutcome::of_failure(error, Some(text)),
        }
    }

    async fn workflows(&mut self) -> CheckOutcome {
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
                    return CheckOutcome::Allowed(format!("{workflows} of {text}"));
                }
                Ok(_) => {
                    outcome = Some(CheckOutcome::Allowed(format!(
                        "no workflow executions of {text} remain"
                    )));
                }
                Err(error) => match CheckOutcome::of_failure(error, Some(text)) {
                    CheckOutcome::NothingThere(text) => {
                        outcome.get_or_insert(CheckOutcome::NothingThere(text));
                    }
                    failed => return failed,
                },
            }
        }
        outcome.unwrap_or(CheckOutcome::NotAsked)
    }

    async fn workflow(&mut self) -> CheckOutcome {
        let named = self.target.workflow_executions.clone();
        let mut unknown = Vec::new();
        for id in named.iter().take(MOST_NAMED) {
            match self.asker.call(|api| api.get_workflow_execution(*id)).await {
                Ok(workflow) => self.found.named_workflows.push((*id, workflow)),
                Err(error) if error.kind == ErrorKind::Client => {
                    unknown.push((id.to_string(), error));
                }
                Err(error) => return CheckOutcome::of_failure(error, Some(id.to_string())),
            }
        }
        self.found.unknown_workflows = unknown.len();
        self.warn_of_named("workflow_executions", named.len(), &unknown);
        if let Some((id, _)) = self.found.named_workflows.first() {
            return CheckOutcome::Allowed(id.to_string());
        }
        if let Some((id, _)) = unknown.into_iter().next() {
            return CheckOutcome::NothingThere(id);
        }
        let id = self.known_workflow();
        match self.asker.call(|api| api.get_workflow_execution(id)).await {
            Ok(_) => CheckOutcome::Allowed(id.to_string()),
            Err(error) => CheckOutcome::of_failure(error, Some(id.to_string())),
        }
    }

    async fn steps(&mut self) -> CheckOutcome {
        let id = self.known_workflow();
        let page = self.asker.page(None, |api, page| {
            api.list_workflow_step_executions(id, page)
        });
        match page.await {
            Ok(page) => {
                self.found.steps = Some(page.entries.len());
                self.found.step = page.entries.first().map(|(id, _)| *id);
                let steps = counted(page.entries.len(), "step");
                CheckOutcome::Allowed(format!("{steps} of {id}"))
            }
            Err(error) => CheckOutcome::of_failure(error, Some(id.to_string())),
        }
    }

    async fn step(&mut self) -> CheckOutcome {
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
                    unknown.push((id.to_string(), error));
                }
                Err(error) => return CheckOutcome::of_failure(error, Some(id.to_string())),
            }
        }
        self.found.unknown_steps = unknown.len();
        self.warn_of_named("step_executions", named.len(), &unknown);
        if let Some(told) = told {
            return CheckOutcome::Allowed(told);
        }
        if let Some((id, _)) = unknown.into_iter().next() {
            return CheckOutcome::NothingThere(id);
        }
        let id = self.found.step;
        let id = id.unwrap_or_else(|| nobodys(StepExecutionId::PREFIX));
        match self
            .asker
            .call(|api| api.get_workflow_step_execution(id))
            .await
        {
            Ok(_) => CheckOutcome::Allowed(id.to_string()),
            Err(error) => CheckOutcome::of_failure(error, Some(id.to_string())),
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

    /// Returns images to request: selected ones, or any of the account when none is selected.
    fn best_images(&self) -> Vec<ImageArn> {
        let selected = selected_images(&self.found, &self.selection);
        match selected.is_empty() {
            true => to_look_into(self.found.images.iter().collect()),
            false => to_look_into(selected),
        }
    }

    fn unknown_image(&self) -> ImageArn {
        unknown_image(self.target, self.region, self.caller.as_ref())
    }

    fn warn_of_named(&mut self, list: &str, named: usize, unknown: &[(String, ApiError)]) {
        let others = match list {
            "image_build_versions" => "the figures do not include the others",
            _ => "the figures assume that the others are alike",
        };
        if let Some((_, error)) = unknown.first() {
            let ids: Vec<&str> = unknown.iter().map(|(id, _)| id.as_str()).collect();
            self.warnings.push(format!(
                "{list}: not found: {}: in another account or region, or no longer kept by the service ({error})",
                ids.join(", ")
            ));
        }
        if named > MOST_NAMED {
            self.warnings.push(format!(
                "{list}: only the first {MOST_NAMED} of {named} were requested; {others}"
            ));
        }
    }
}

/// Returns a warning that names the selectors which match nothing.
fn unmatched_selectors<'a>(
    key: &str,
    selectors: impl Iterator<Item = &'a str>,
    choosing: impl Iterator<Item = usize>,
    there: usize,
) -> Vec<String> {
    let choosing: HashSet<usize> = choosing.collect();
    let idle = { selectors.enumerate() }.filter(|(place, _)| !choosing.contains(place));
    let idle: Vec<String> = idle.map(|(_, selector)| format!("{selector:?}")).collect();
    if idle.is_empty() {
        return Vec::new();
    }
    let idle = idle.join(" and ");
    match there {
        0 => vec![format!(
            "{key}: nothing matches {idle}: this account and region has no {key}"
        )],
        _ => vec![format!(
            "{key}: nothing matches {idle}; selectors are compared with the names in ARNs (golden-linux, not Golden Linux), and tags and exclude also apply"
        )],
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
