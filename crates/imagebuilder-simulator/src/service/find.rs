//! Finds the requested resources, and returns the members of the response.
//!
//! Owns the rules which caller sees which resource, and the errors for unknown resources. `service`
//! calls it with the request and the caller.

use imagebuilder_model::{Timestamp, WorkflowExecutionId};
use serde_json::Value;

use super::members::{self, Members};
use super::paging::{PageRequest, page, page_by};
use super::request::{ListRequest, Parameters, Question};
use crate::error::{ErrorResponse, invalid};
use crate::random::hash;
use crate::world::{Catalog, Listed, Owner, Plan, World};

/// A caller's region, and its account if the credentials have one.
pub(crate) struct Caller {
    pub(crate) region: String,
    pub(crate) account: Option<String>,
}

impl Caller {
    fn sees(&self, owner: Option<Owner<'_>>) -> bool {
        owner.is_some_and(|owner| {
            let account = self.account.as_deref();
            owner.region == self.region && account.is_none_or(|account| account == owner.account)
        })
    }
}

type Found = Result<Members, ErrorResponse>;

/// Returns the members of the response, without the request's id.
pub(crate) fn find(
    world: &World,
    parameters: Parameters,
    caller: &Caller,
    now: Timestamp,
) -> Found {
    let list = parameters.list();
    let search = Search {
        world,
        caller,
        catalog: world.catalog(&caller.region, caller.account.as_deref(), now),
        list: list_number(world, caller, &list),
    };
    match parameters.question()? {
        Question::Step(id) => {
            let seen = caller.sees(world.owner_of_step(&id));
            let view = seen.then(|| world.step(&id, now)).flatten();
            let view = view.ok_or_else(|| unknown("step execution", &id.to_string()))?;
            Ok(members::step(&view))
        }
        Question::Workflow(id) => {
            let seen = caller.sees(world.owner_of_workflow(&id));
            let view = seen.then(|| world.workflow(&id, now)).flatten();
            let view = view.ok_or_else(|| unknown("workflow execution", &id.to_string()))?;
            Ok(members::workflow(&view))
        }
        Question::StepsOf(id, request) => search.steps_of(&id, &request),
        Question::WorkflowsOf(arn, request) => search.workflows_of(arn, &request),
        Question::Image(arn) => search.image(&arn),
        Question::Pipeline(arn) => {
            let seen = caller.sees(world.owner_of_pipeline(&arn));
            let view = seen.then(|| world.pipeline(&arn, now)).flatten();
            let view = view.ok_or_else(|| no_resource(&arn))?;
            let pipeline = members::pipeline(&view).into();
            Ok(Members::from_iter([("imagePipeline".to_owned(), pipeline)]))
        }
        Question::Images(request) => search.images(&request),
        Question::Builds(version, request) => search.builds(&request, |plan| {
            let version = version.as_deref();
            version.is_none_or(|version| plan.image_version_arn() == version)
        }),
        Question::ImagesOf(arn, request) => {
            search.builds(&request, |plan| world.has_pipeline(plan, &arn, now))
        }
        Question::Pipelines(request) => search.pipelines(&request),
    }
}

/// The data for all lists.
struct Search<'a> {
    world: &'a World,
    caller: &'a Caller,
    catalog: Catalog<'a>,
    /// Separates the tokens of this list from those of others.
    list: u64,
}

impl Search<'_> {
    fn steps_of(&self, id: &WorkflowExecutionId, request: &PageRequest) -> Found {
        let (world, now) = (self.world, self.catalog.now);
        let missing = || unknown("workflow execution", &id.to_string());
        let seen = self.caller.sees(world.owner_of_workflow(id));
        let steps = seen.then(|| world.steps_of(id, now)).flatten();
        let steps = steps.ok_or_else(missing)?;
        let workflow = world.workflow(id, now).ok_or_else(missing)?;
        let mut members = self.all("steps", steps, request, members::step_metadata)?;
        let arn = workflow.workflow_arn.into();
        members.insert("workflowBuildVersionArn".to_owned(), arn);
        members.insert("workflowExecutionId".to_owned(), id.to_string().into());
        members.insert("imageBuildVersionArn".to_owned(), workflow.image_arn.into());
        Ok(members)
    }

    fn workflows_of(&self, arn: String, request: &PageRequest) -> Found {
        let seen = self.caller.sees(self.world.owner_of_image(&arn));
        let workflows = seen.then(|| self.world.workflows_of(&arn, self.catalog.now));
        let workflows = workflows.flatten();
        let workflows = workflows.ok_or_else(|| unknown("image build version", &arn))?;
        let name = "workflowExecutions";
        let mut members = self.all(name, workflows, request, members::workflow_metadata)?;
        let image = self.world.image(&arn, self.catalog.now);
        if let Some(reason) = image.and_then(|image| image.reason) {
            members.insert("message".to_owned(), reason.into());
        }
        members.insert("imageBuildVersionArn".to_owned(), arn.into());
        Ok(members)
    }

    fn image(&self, arn: &str) -> Found {
        let (world, caller, now) = (self.world, self.caller, self.catalog.now);
        // An ARN without a build number is that of a version.
        let view = if caller.sees(world.owner_of_image(arn)) {
            world.image(arn, now)
        } else if caller.sees(world.owner_of_image_version(arn)) {
            world.newest_available(arn, now)
        } else {
            None
        };
        let view = view.ok_or_else(|| no_resource(arn))?;
        Ok(members::image(&view))
    }

    fn images(&self, request: &ListRequest) -> Found {
        let wanted = |plan: &Plan| !request.foreign && passes(request, plan, None);
        let listed = self.catalog.versions(wanted);
        self.listed("imageVersionList", listed, request, |at| {
            members::image_version(&self.catalog.version(at), request.by_name)
        })
    }

    fn builds(&self, request: &ListRequest, of: impl Fn(&Plan) -> bool) -> Found {
        let wanted = |plan: &Plan, build| of(plan) && passes(request, plan, Some(build));
        let listed = self.catalog.builds(wanted);
        self.listed("imageSummaryList", listed, request, |at| {
            members::image_summary(&self.catalog.build(at))
        })
    }

    fn pipelines(&self, request: &ListRequest) -> Found {
        let mut listed = self.catalog.pipelines();
        // A view computes the pipeline's last builds, so it is created only for a filter.
        listed.retain(|at| {
            if request.filters.is_empty() {
                return true;
            }
            let view = self.catalog.pipeline(*at);
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
            members::pipeline(&self.catalog.pipeline(at))
        })
    }

    fn listed(
        &self,
        name: &str,
        listed: Vec<Listed>,
        request: &ListRequest,
        members: impl Fn(Listed) -> Members,
    ) -> Found {
        let (pages, now) = (&self.world.scenario().pages, self.catalog.now);
        let rank = |at: &Listed| at.rank;
        let (listed, token) = page_by(listed, rank, &request.page, pages, self.list, now)?;
        Ok(members_of(name, listed.into_iter().map(members), token))
    }

    fn all<T>(
        &self,
        name: &str,
        views: Vec<T>,
        request: &PageRequest,
        members: impl Fn(&T) -> Members,
    ) -> Found {
        let (pages, now) = (&self.world.scenario().pages, self.catalog.now);
        let (views, token) = page(views, request, pages, self.list, now)?;
        Ok(members_of(name, views.iter().map(members), token))
    }
}

/// Returns whether an image passes the filters, without computing its build.
fn passes(request: &ListRequest, plan: &Plan, build: Option<u32>) -> bool {
    let pipeline = &plan.pipeline;
    let version = match build {
        Some(build) => plan.build_version(build),
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

fn members_of(name: &str, items: impl Iterator<Item = Members>, token: Option<String>) -> Members {
    let mut members = Members::new();
    members.insert(name.to_owned(), items.map(Value::Object).collect());
    if let Some(token) = token {
        members.insert("nextToken".to_owned(), token.into());
    }
    members
}

/// Returns the error for an unknown step or execution. The model of the workflow operations has no
/// specific one.
fn unknown(what: &str, id: &str) -> ErrorResponse {
    invalid(format!("The {what} {id} does not exist."))
}

/// Returns the error for an unknown image or pipeline. The model of GetImage and GetImagePipeline
/// lacks it, but the service sends it, and tools that manage its resources rely on it.
fn no_resource(arn: &str) -> ErrorResponse {
    ErrorResponse::new(
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
