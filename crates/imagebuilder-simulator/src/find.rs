//! What is found for a question: the members of its answer.
//!
//! Owns who sees what, and what is said of the unknown. Fed by `service` with a question that the
//! service's model allows, and with who asks.

use serde_json::{Map, Value};

use imagebuilder_model::{Timestamp, WorkflowExecutionId};

use super::answer;
use super::faults::ErrorAnswer;
use super::paging::{PageRequest, page, page_by};
use super::plan::Plan;
use super::random::hash;
use super::request::{ListRequest, Parameters, Question};
use super::world::{Listed, Owner, World};

/// Who asks: a region, and an account where the credentials tell one.
pub(super) struct Caller {
    pub region: String,
    pub account: Option<String>,
}

impl Caller {
    fn sees(&self, owner: Option<Owner<'_>>) -> bool {
        owner.is_some_and(|owner| {
            let account = self.account.as_deref();
            owner.region == self.region && account.is_none_or(|account| account == owner.account)
        })
    }
}

type Found = Result<Map<String, Value>, ErrorAnswer>;

/// The members of the answer, without the request's id.
pub(super) fn find(
    world: &World,
    parameters: Parameters,
    caller: &Caller,
    now: Timestamp,
) -> Found {
    let list = parameters.list();
    let search = Search {
        world,
        caller,
        now,
        list: list_number(world, caller, &list),
    };
    match parameters.question()? {
        Question::Step(id) => {
            let seen = caller.sees(world.owner_of_step(&id));
            let view = seen.then(|| world.step(&id, now)).flatten();
            let view = view.ok_or_else(|| unknown("step execution", &id.to_string()))?;
            Ok(answer::step(&view))
        }
        Question::Workflow(id) => {
            let seen = caller.sees(world.owner_of_workflow(&id));
            let view = seen.then(|| world.workflow(&id, now)).flatten();
            let view = view.ok_or_else(|| unknown("workflow execution", &id.to_string()))?;
            Ok(answer::workflow(&view))
        }
        Question::StepsOf(id, request) => search.steps_of(&id, &request),
        Question::WorkflowsOf(arn, request) => search.workflows_of(arn, &request),
        Question::Image(arn) => search.image(&arn),
        Question::Pipeline(arn) => {
            let seen = caller.sees(world.owner_of_pipeline(&arn));
            let view = seen.then(|| world.pipeline(&arn, now)).flatten();
            let view = view.ok_or_else(|| no_resource(&arn))?;
            let pipeline = Value::Object(answer::pipeline(&view));
            Ok(Map::from_iter([("imagePipeline".to_owned(), pipeline)]))
        }
        Question::Images(request) => search.images(&request),
        Question::Builds(version, request) => search.builds(&request, |plan| {
            let version = version.as_deref();
            version.is_none_or(|version| plan.image_version_arn() == version)
        }),
        Question::ImagesOf(arn, request) => {
            search.builds(&request, |plan| world.has(plan, &arn, now))
        }
        Question::Pipelines(request) => search.pipelines(&request),
    }
}

/// What every list needs to know.
struct Search<'a> {
    world: &'a World,
    caller: &'a Caller,
    now: Timestamp,
    /// What its tokens are told by.
    list: u64,
}

impl Search<'_> {
    fn steps_of(&self, id: &WorkflowExecutionId, request: &PageRequest) -> Found {
        let (world, now) = (self.world, self.now);
        let missing = || unknown("workflow execution", &id.to_string());
        let seen = self.caller.sees(world.owner_of_workflow(id));
        let steps = seen.then(|| world.steps_of(id, now)).flatten();
        let steps = steps.ok_or_else(missing)?;
        let workflow = world.workflow(id, now).ok_or_else(missing)?;
        let mut members = self.all("steps", steps, request, answer::step_metadata)?;
        let arn = workflow.workflow_arn.into();
        members.insert("workflowBuildVersionArn".to_owned(), arn);
        members.insert("workflowExecutionId".to_owned(), id.to_string().into());
        members.insert("imageBuildVersionArn".to_owned(), workflow.image_arn.into());
        Ok(members)
    }

    fn workflows_of(&self, arn: String, request: &PageRequest) -> Found {
        let seen = self.caller.sees(self.world.owner_of_image(&arn));
        let workflows = seen.then(|| self.world.workflows_of(&arn, self.now));
        let workflows = workflows.flatten();
        let workflows = workflows.ok_or_else(|| unknown("image build version", &arn))?;
        let name = "workflowExecutions";
        let mut members = self.all(name, workflows, request, answer::workflow_metadata)?;
        members.insert("imageBuildVersionArn".to_owned(), arn.into());
        Ok(members)
    }

    fn image(&self, arn: &str) -> Found {
        let (world, caller) = (self.world, self.caller);
        // An ARN without a build's number is a version's.
        let view = if caller.sees(world.owner_of_image(arn)) {
            world.image(arn, self.now)
        } else if caller.sees(world.owner_of_image_version(arn)) {
            world.newest_available(arn, self.now)
        } else {
            None
        };
        let view = view.ok_or_else(|| no_resource(arn))?;
        Ok(answer::image(&view))
    }

    fn images(&self, request: &ListRequest) -> Found {
        let wanted = |plan: &Plan| !request.foreign && passes(request, plan, None);
        let (region, account) = (&self.caller.region, self.caller.account.as_deref());
        let listed = self
            .world
            .listed_versions(region, account, self.now, wanted);
        self.listed("imageVersionList", listed, request, |at| {
            answer::image_version(&self.world.listed_version(at), request.by_name)
        })
    }

    fn builds(&self, request: &ListRequest, of: impl Fn(&Plan) -> bool) -> Found {
        let wanted = |plan: &Plan, build| of(plan) && passes(request, plan, Some(build));
        let (region, account) = (&self.caller.region, self.caller.account.as_deref());
        let listed = self.world.listed_builds(region, account, self.now, wanted);
        self.listed("imageSummaryList", listed, request, |at| {
            answer::image_summary(&self.world.listed_image(at, self.now))
        })
    }

    fn pipelines(&self, request: &ListRequest) -> Found {
        let (region, account) = (&self.caller.region, self.caller.account.as_deref());
        let mut listed = self.world.listed_pipelines(region, account, self.now);
        // A view plays the pipeline's last builds, so it is made only where it is looked at.
        listed.retain(|at| {
            if request.filters.is_empty() {
                return true;
            }
            let view = self.world.listed_pipeline(*at, self.now);
            request.filters.pass(|name| match name {
                "name" => Some(&view.name),
                "description" => view.description.as_deref(),
                "status" => Some(view.status()),
                "imageRecipeArn" => Some(&view.recipe_arn),
                "infrastructureConfigurationArn" => Some(&view.infrastructure_arn),
                "distributionConfigurationArn" => Some(&view.distribution_arn),
                _ => None,
            })
        });
        self.listed("imagePipelineList", listed, request, |at| {
            answer::pipeline(&self.world.listed_pipeline(at, self.now))
        })
    }

    fn listed(
        &self,
        name: &str,
        listed: Vec<Listed>,
        request: &ListRequest,
        members: impl Fn(Listed) -> Map<String, Value>,
    ) -> Found {
        let pages = &self.world.scenario().pages;
        let rank = |at: &Listed| at.rank;
        let (listed, token) = page_by(listed, rank, &request.page, pages, self.list, self.now)?;
        let items = listed.into_iter().map(|at| Value::Object(members(at)));
        Ok(members_of(name, items, token))
    }

    fn all<T>(
        &self,
        name: &str,
        views: Vec<T>,
        request: &PageRequest,
        members: impl Fn(&T) -> Map<String, Value>,
    ) -> Found {
        let pages = &self.world.scenario().pages;
        let (views, token) = page(views, request, pages, self.list, self.now)?;
        let items = views.iter().map(|view| Value::Object(members(view)));
        Ok(members_of(name, items, token))
    }
}

/// Whether an image passes the filters, told without playing its build.
fn passes(request: &ListRequest, plan: &Plan, build: Option<u32>) -> bool {
    let pipeline = &plan.pipeline;
    let version = match build {
        Some(build) => format!("{}/{}", pipeline.version, u64::from(build) + 1),
        None => pipeline.version.clone(),
    };
    request.filters.pass(|name| match name {
        "name" => Some(plan.image_display_name()),
        "version" => Some(&version),
        "type" => Some(pipeline.kind.as_str()),
        "platform" => Some(pipeline.platform.as_str()),
        "osVersion" => Some(plan.os_version()),
        _ => None,
    })
}

fn members_of(
    name: &str,
    items: impl Iterator<Item = Value>,
    token: Option<String>,
) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert(name.to_owned(), Value::Array(items.collect()));
    if let Some(token) = token {
        members.insert("nextToken".to_owned(), token.into());
    }
    members
}

/// The model of the workflow operations has no error for what is not found.
fn unknown(what: &str, id: &str) -> ErrorAnswer {
    ErrorAnswer::new(
        "InvalidRequestException",
        format!("The {what} {id} does not exist."),
    )
}

/// Nor has that of GetImage and GetImagePipeline, yet the service answers with this one: tools
/// that manage its resources tell by it that one is gone.
fn no_resource(arn: &str) -> ErrorAnswer {
    ErrorAnswer::new(
        "ResourceNotFoundException",
        format!("The resource {arn} does not exist."),
    )
}

fn list_number(world: &World, caller: &Caller, list: &str) -> u64 {
    let account = caller.account.as_deref().unwrap_or_default();
    let text = format!("{} {account} {list}", caller.region);
    let bytes: Vec<u64> = text.bytes().map(u64::from).collect();
    hash(world.seed(), &bytes)
}
