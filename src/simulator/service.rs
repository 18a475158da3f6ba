//! One call, from its request to its answer.
//!
//! Owns the order in which a call is judged: its path, its signature, the rate limit, the scripted
//! faults, then its parameters and the world. Fed by `server` with the moment of the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use crate::model::Timestamp;

use super::answer::{self, Answer};
use super::calls::{Calls, LoggedCall};
use super::effect::{spoil, suffer};
use super::faults::{Call, Effect, ErrorAnswer, Faults};
use super::ids;
use super::limit::Limiter;
use super::paging::page;
use super::random::hash;
use super::request::{Operation, Parameters, Question};
use super::sigv4::{self, Scope};
use super::sts::Sts;
use super::world::{Owner, World};

/// Everything the answers depend on beside the request.
#[derive(Debug)]
pub(super) struct Service {
    pub world: Arc<World>,
    pub faults: Faults,
    pub calls: Calls,
    limiter: Limiter,
    sts: Sts,
    answered: AtomicU64,
}

/// What becomes of a call.
pub(super) enum Reply {
    Answer(Answer),
    Reset,
}

/// No request of these operations comes near it.
const LONGEST_BODY: usize = 256 * 1024;

impl Service {
    pub fn new(world: Arc<World>, faults: Faults) -> Self {
        Self {
            limiter: Limiter::new(world.scenario().rate_limit),
            sts: Sts::new(&world),
            faults,
            calls: Calls::default(),
            answered: AtomicU64::new(0),
            world,
        }
    }

    pub async fn reply(&self, request: Request<Incoming>, now: Timestamp) -> Reply {
        let request_id = self.request_id();
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
            let wrong = ErrorAnswer::new("InvalidRequestException", "The body cannot be read.");
            return Reply::Answer(answer::error(&wrong, &request_id));
        };
        let body = body.to_bytes();
        let scope = sigv4::scope(&head.headers);
        if let Ok(scope) = &scope
            && scope.service == "sts"
        {
            return self.reply_as_sts(scope, &body, now, &request_id).await;
        }
        let operation = match Operation::of(&head.method, head.uri.path()) {
            Ok(operation) => operation,
            Err(wrong) => return Reply::Answer(answer::error(&wrong, &request_id)),
        };
        let parameters = Parameters::read(operation, head.uri.query().unwrap_or_default(), &body);
        let region = scope.as_ref().map_or("", |scope| &scope.region);
        let _running = self.calls.begin(LoggedCall {
            operation: operation.name(),
            id: parameters.id().to_owned(),
            region: region.to_owned(),
            at: now,
        });
        let caller = scope.as_ref().map_err(ErrorAnswer::clone);
        let caller = caller.and_then(|scope| self.admit(scope, now));
        let met = self.meet(operation.name(), parameters.id(), region, now);
        let effect = match met {
            Some((effect, latency)) => {
                tokio::time::sleep(latency).await;
                effect
            }
            None => Effect::Late,
        };
        let found = caller.and_then(|caller| self.find(parameters, &caller, now));
        suffer(effect, found, &request_id).await
    }

    /// Whether the caller may ask at all: its signature's service, its credentials, its rate.
    fn admit(&self, scope: &Scope, now: Timestamp) -> Result<Caller, ErrorAnswer> {
        if scope.service != "imagebuilder" {
            return Err(ErrorAnswer::new(
                "InvalidSignatureException",
                format!(
                    "Credential should be scoped to correct service: 'imagebuilder', not '{}'.",
                    scope.service
                ),
            ));
        }
        let account = self.sts.account_of(scope, &self.world, now)?;
        if !self
            .limiter
            .pass(account.as_deref().unwrap_or(""), &scope.region, now)
        {
            return Err(ErrorAnswer::new(
                "CallRateLimitExceededException",
                "You have exceeded the permitted request rate for the specific operation.",
            ));
        }
        Ok(Caller {
            region: scope.region.clone(),
            account,
        })
    }

    fn meet(
        &self,
        operation: &str,
        id: &str,
        region: &str,
        now: Timestamp,
    ) -> Option<(Effect, Duration)> {
        let since = now.millis_since(self.world.start()).max(0) as u64;
        let call = Call {
            operation,
            id,
            region,
        };
        self.faults.meet(call, Duration::from_millis(since))
    }

    /// The members of the answer, without the request's id.
    fn find(
        &self,
        parameters: Parameters,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ErrorAnswer> {
        let world = &self.world;
        match parameters.question()? {
            Question::Step(id) => {
                let owner = world.owner_of_step(&id);
                let view = caller.sees(owner).then(|| world.step(&id, now)).flatten();
                let view = view.ok_or_else(|| unknown("step execution", &id.to_string()))?;
                Ok(answer::step(&view))
            }
            Question::Workflow(id) => {
                let owner = world.owner_of_workflow(&id);
                let view = caller
                    .sees(owner)
                    .then(|| world.workflow(&id, now))
                    .flatten();
                let view = view.ok_or_else(|| unknown("workflow execution", &id.to_string()))?;
                Ok(answer::workflow(&view))
            }
            Question::StepsOf(id, request) => {
                let missing = || unknown("workflow execution", &id.to_string());
                let seen = caller.sees(world.owner_of_workflow(&id));
                let steps = seen.then(|| world.steps_of(&id, now)).flatten();
                let workflow = world.workflow(&id, now).ok_or_else(missing)?;
                let list = list_number(world.seed(), &id.to_string());
                let pages = &world.scenario().pages;
                let (steps, token) = page(steps.ok_or_else(missing)?, &request, pages, list, now)?;
                let mut members = Map::new();
                members.insert("steps".to_owned(), all(&steps, answer::step_metadata));
                members.insert(
                    "workflowBuildVersionArn".to_owned(),
                    workflow.workflow_arn.into(),
                );
                members.insert("workflowExecutionId".to_owned(), id.to_string().into());
                members.insert("imageBuildVersionArn".to_owned(), workflow.image_arn.into());
                put_token(&mut members, token);
                Ok(members)
            }
            Question::WorkflowsOf(arn, request) => {
                let seen = caller.sees(world.owner_of_image(&arn));
                let workflows = seen.then(|| world.workflows_of(&arn, now)).flatten();
                let workflows = workflows.ok_or_else(|| unknown("image build version", &arn))?;
                let list = list_number(world.seed(), &arn);
                let pages = &world.scenario().pages;
                let (workflows, token) = page(workflows, &request, pages, list, now)?;
                let mut members = Map::new();
                let listed = all(&workflows, answer::workflow_metadata);
                members.insert("workflowExecutions".to_owned(), listed);
                members.insert("imageBuildVersionArn".to_owned(), arn.into());
                put_token(&mut members, token);
                Ok(members)
            }
        }
    }

    async fn reply_as_sts(
        &self,
        scope: &Scope,
        body: &Bytes,
        now: Timestamp,
        request_id: &str,
    ) -> Reply {
        let question = self.sts.read(body);
        let _running = self.calls.begin(LoggedCall {
            operation: question.operation(),
            id: question.id().to_owned(),
            region: scope.region.clone(),
            at: now,
        });
        let met = self.meet(question.operation(), question.id(), &scope.region, now);
        let answer = |error| {
            self.sts
                .answer(&question, scope, &self.world, now, error, request_id)
        };
        match met {
            None => Reply::Answer(answer(None)),
            Some((effect, latency)) => {
                tokio::time::sleep(latency).await;
                match effect {
                    Effect::Error(error) => Reply::Answer(answer(Some(error))),
                    Effect::Missing(_) | Effect::Replaced(_) => Reply::Answer(answer(None)),
                    other => spoil(other, answer(None), request_id).await,
                }
            }
        }
    }

    fn request_id(&self) -> String {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let seed = self.world.seed() ^ 0x7265_7175_6573_7473;
        ids::uuid_text(hash(seed, &[number, 0]), hash(seed, &[number, 1]))
    }
}

/// Who asks: a region, and an account where the credentials tell one.
struct Caller {
    region: String,
    account: Option<String>,
}

impl Caller {
    fn sees(&self, owner: Option<Owner<'_>>) -> bool {
        owner.is_some_and(|owner| {
            let account = self.account.as_deref();
            owner.region == self.region && account.is_none_or(|account| account == owner.account)
        })
    }
}

/// The model of the workflow operations has no error for what is not found.
fn unknown(what: &str, id: &str) -> ErrorAnswer {
    ErrorAnswer::new(
        "InvalidRequestException",
        format!("The {what} {id} does not exist."),
    )
}

fn list_number(seed: u64, id: &str) -> u64 {
    let bytes: Vec<u64> = id.bytes().map(u64::from).collect();
    hash(seed, &bytes)
}

fn all<T>(views: &[T], members: impl Fn(&T) -> Map<String, Value>) -> Value {
    Value::Array(
        views
            .iter()
            .map(|view| Value::Object(members(view)))
            .collect(),
    )
}

fn put_token(members: &mut Map<String, Value>, token: Option<String>) {
    if let Some(token) = token {
        members.insert("nextToken".to_owned(), token.into());
    }
}
