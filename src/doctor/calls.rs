//! Calls each operation, and turns its response into the outcome of a check.

use std::collections::HashSet;

use super::findings::{Check, CheckOutcome};
use super::found::{Found, images_to_inspect, selected_images, unknown_image};
use super::report::counted;
use super::requester::Requester;
use crate::api::{ApiError, ApiFuture, Caller, ErrorKind, ImageBuilder, Operation};
use crate::config::Target;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecution, WorkflowExecutionId};
use crate::tracker::Selection;

/// Maximum number of resources of each kind, named in the configuration, that are requested.
pub(super) const MOST_NAMED: usize = 10;
/// Maximum number of images whose workflow executions are listed to find some.
const MAX_INSPECTED_IMAGES: usize = 4;
/// A UUID that no resource has.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// One target in one region, while it is examined.
pub(super) struct Examination<'a> {
    pub target: &'a Target,
    pub region: &'a str,
    pub requester: Requester,
    pub caller: Option<Caller>,
    pub selection: Selection,
    pub found: Found,
    pub checks: Vec<Check>,
    pub warnings: Vec<String>,
}

/// What was read of the resources that the configuration names.
struct ReadNamed<I, T> {
    found: Vec<(I, T)>,
    /// The number of resources that the service does not know.
    unknown: usize,
    outcome: CheckOutcome,
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
        let listed = self
            .requester
            .list(|api, page| api.list_image_pipelines(page));
        let listed = match listed.await {
            Ok(listed) => listed,
            Err(error) => return CheckOutcome::of_failure(error, None),
        };
        let pipelines = listed.entries.iter();
        let matched = { pipelines.clone() }.flat_map(|one| self.selection.choosing_pipeline(one));
        let selectors = self.selection.pipeline_selectors();
        let unmatched = unmatched_selectors("pipelines", selectors, matched, pipelines.len());
        let selected = { pipelines }.filter(|one| self.selection.chooses_pipeline(one));
        let all = counted(listed.entries.len(), "pipeline");
        let summary = format!("{all}, {} selected", selected.count());
        self.warn_of_list(Operation::ListImagePipelines, listed.cut, unmatched);
        self.found.pipelines = listed.entries;
        self.found.pipeline_pages = listed.pages;
        CheckOutcome::Allowed(summary)
    }

    async fn images(&mut self) -> CheckOutcome {
        let list = |api: &dyn ImageBuilder, page| api.list_image_build_versions(page);
        let listed = self.requester.list(list);
        let listed = match listed.await {
            Ok(listed) => listed,
            Err(error) => return CheckOutcome::of_failure(error, None),
        };
        let all = counted(listed.entries.len(), "image build");
        let images = { listed.entries.into_iter() }.filter_map(|(_, image)| image);
        self.found.images = images.collect();
        let images = self.found.images.iter();
        let matched = { images.clone() }.flat_map(|one| self.selection.choosing_image(one));
        let selectors = self.selection.image_selectors();
        let unmatched = unmatched_selectors("images", selectors, matched, images.len());
        self.warn_of_list(Operation::ListImageBuildVersions, listed.cut, unmatched);
        self.found.image_pages = listed.pages;
        let selected = selected_images(&self.found, &self.selection);
        let running = { selected.iter() }.filter(|image| !image.status.is_terminal());
        CheckOutcome::Allowed(format!(
            "{all}, {} selected, {} of them being built",
            selected.len(),
            running.count()
        ))
    }

    /// Warns about a list of the account that was read. Selectors without a match in an incomplete
    /// list may match in the rest.
    fn warn_of_list(&mut self, list: Operation, cut: Option<String>, unmatched: Option<String>) {
        self.warnings.extend(match cut {
            Some(cut) => Some(format!(
                "{}: {cut}; the figures are for that part only",
                list.as_str()
            )),
            None => unmatched,
        });
    }

    async fn image(&mut self) -> CheckOutcome {
        let named: Vec<ImageArn> = { self.target.image_build_versions.iter() }
            .filter(|arn| arn.region() == self.region)
            .cloned()
            .collect();
        let other = self.best_images().into_iter().next();
        let other = other.unwrap_or_else(|| self.unknown_image());
        let get = |api: &dyn ImageBuilder, arn| api.get_image(arn);
        let key = "image_build_versions";
        let read = self.read_named(key, &named, other, arn_text, get).await;
        self.found.named_images = read.found.into_iter().map(|(_, image)| image).collect();
        read.outcome
    }

    /// Requests resources that the configuration names with `key`. If it names none, requests
    /// `other` instead, as only the outcome matters then.
    async fn read_named<I: Clone + ToString, T>(
        &mut self,
        key: &str,
        named: &[I],
        other: I,
        text: fn(&I) -> String,
        get: impl Fn(&dyn ImageBuilder, I) -> ApiFuture<T>,
    ) -> ReadNamed<I, T> {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for id in named.iter().take(MOST_NAMED) {
            match self.requester.call(|api| get(api, id.clone())).await {
                Ok(value) => found.push((id.clone(), value)),
                Err(error) if error.kind == ErrorKind::Client => {
                    unknown.push((id.to_string(), error));
                }
                Err(error) => {
                    return ReadNamed {
                        found,
                        unknown: unknown.len(),
                        outcome: CheckOutcome::of_failure(error, Some(text(id))),
                    };
                }
            }
        }
        self.warn_of_named(key, named.len(), &unknown);
        let outcome = match (found.last(), unknown.first()) {
            (Some((id, _)), _) => CheckOutcome::Allowed(text(id)),
            (None, Some((id, _))) => CheckOutcome::NotFound(id.clone()),
            (None, None) => match self.requester.call(|api| get(api, other.clone())).await {
                Ok(_) => CheckOutcome::Allowed(text(&other)),
                Err(error) => CheckOutcome::of_failure(error, Some(text(&other))),
            },
        };
        ReadNamed {
            found,
            unknown: unknown.len(),
            outcome,
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
        images.truncate(MAX_INSPECTED_IMAGES);
        let mut outcome = None;
        for arn in images {
            let text = arn_text(&arn);
            let page = self.requester.page(None, |api, page| {
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
                    CheckOutcome::NotFound(text) => {
                        outcome.get_or_insert(CheckOutcome::NotFound(text));
                    }
                    failed => return failed,
                },
            }
        }
        outcome.unwrap_or(CheckOutcome::Skipped)
    }

    async fn workflow(&mut self) -> CheckOutcome {
        let (target, other) = (self.target, self.known_workflow());
        let get = |api: &dyn ImageBuilder, id| api.get_workflow_execution(id);
        let (key, named) = ("workflow_executions", &target.workflow_executions);
        let read = { self.read_named(key, named, other, ToString::to_string, get) }.await;
        self.found.named_workflows = read.found;
        self.found.unknown_workflows = read.unknown;
        read.outcome
    }

    async fn steps(&mut self) -> CheckOutcome {
        let id = self.known_workflow();
        let page = self.requester.page(None, |api, page| {
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
        let other = self.found.step;
        let other = other.unwrap_or_else(|| unknown_id(StepExecutionId::PREFIX));
        let get = |api: &dyn ImageBuilder, id| api.get_workflow_step_execution(id);
        let key = "step_executions";
        let read = { self.read_named(key, &named, other, ToString::to_string, get) }.await;
        self.found.named_steps = read.found;
        self.found.unknown_steps = read.unknown;
        read.outcome
    }

    /// Returns a workflow execution that exists, if any response named one.
    fn known_workflow(&self) -> WorkflowExecutionId {
        let named = self.found.named_workflows.first().map(|(id, _)| *id);
        // One that has ended has all its steps.
        let has_ended = |execution: &Option<WorkflowExecution>| {
            { execution.as_ref() }.is_some_and(|execution| execution.status.is_terminal())
        };
        let of_image = &self.found.workflows;
        let listed = || {
            let ended = of_image.iter().find(|(_, execution)| has_ended(execution));
            ended.or(of_image.first()).map(|(id, _)| *id)
        };
        let of_step = || {
            let mut steps = self.found.named_steps.iter();
            steps.find_map(|(_, step)| step.workflow_execution_id)
        };
        let known = named.or_else(listed).or_else(of_step);
        known.unwrap_or_else(|| unknown_id(WorkflowExecutionId::PREFIX))
    }

    /// Returns images to request: selected ones, or any of the account when none is selected.
    fn best_images(&self) -> Vec<ImageArn> {
        let selected = selected_images(&self.found, &self.selection);
        match selected.is_empty() {
            true => images_to_inspect(self.found.images.iter().collect()),
            false => images_to_inspect(selected),
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
    matched: impl Iterator<Item = usize>,
    listed: usize,
) -> Option<String> {
    let matched: HashSet<usize> = matched.collect();
    let unmatched = { selectors.enumerate() }.filter(|(place, _)| !matched.contains(place));
    let unmatched: Vec<String> = unmatched
        .map(|(_, selector)| format!("{selector:?}"))
        .collect();
    if unmatched.is_empty() {
        return None;
    }
    let reason = match listed {
        0 => format!(": this account and region has no {key}"),
        _ => "; selectors are compared with the names in ARNs (golden-linux, not Golden Linux), and tags and exclude also apply".to_owned(),
    };
    Some(format!(
        "{key}: nothing matches {}{reason}",
        unmatched.join(" and ")
    ))
}

fn arn_text(arn: &ImageArn) -> String {
    format!("{} {}", arn.name(), arn.version())
}

/// Returns an id with this prefix that no resource has.
fn unknown_id<T: std::str::FromStr<Err = String>>(prefix: &str) -> T {
    let id = format!("{prefix}{NO_UUID}").parse();
    id.expect("the prefix is of the id's kind, and a UUID follows")
}
