//! One call, from its request to its answer.
//!
//! Owns the order in which a call is judged: its path, its signature, the rate limit, the scripted
//! faults, then its parameters and the world. Fed by `server` with the moment of the call.

mod calls;
mod effect;
mod filter;
mod find;
mod limit;
mod members;
mod operation;
mod paging;
mod request;
mod resource;
mod response;
mod sigv4;
mod sts;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;

use imagebuilder_model::Timestamp;

use crate::error::{ErrorResponse, invalid};
use crate::fault::{Call, Effect, Faults};
use crate::random::hash;
use crate::world::{World, uuid_text};
use effect::{disrupt, respond};
use find::{Caller, find};
use limit::Limiter;
use operation::Operation;
use request::Parameters;
use sigv4::Scope;
use sts::Sts;

pub use calls::{Calls, LoggedCall};
pub(crate) use effect::Reply;
pub(crate) use response::HttpResponse;

/// Everything the answers depend on beside the request.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) world: Arc<World>,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    limiter: Limiter,
    sts: Sts,
    answered: AtomicU64,
}

/// No request of these operations comes near it.
const LONGEST_BODY: usize = 256 * 1024;

impl Service {
    pub(crate) fn new(world: Arc<World>, faults: Faults) -> Self {
        Self {
            limiter: Limiter::new(world.scenario().rate_limit),
            sts: Sts::new(&world),
            faults,
            calls: Calls::default(),
            answered: AtomicU64::new(0),
            world,
        }
    }

    pub(crate) async fn reply(&self, request: Request<Incoming>, now: Timestamp) -> Reply {
        let request_id = self.request_id();
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
            let wrong = invalid("The body cannot be read.");
            return Reply::Response(response::error(&wrong, &request_id));
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
            Err(wrong) => return Reply::Response(response::error(&wrong, &request_id)),
        };
        let parameters = Parameters::read(operation, head.uri.query().unwrap_or_default(), &body);
        let region = scope.as_ref().map_or("", |scope| &scope.region);
        let _running = self.calls.begin(LoggedCall {
            operation: operation.name(),
            id: parameters.id().to_owned(),
            region: region.to_owned(),
            at: now,
        });
        let caller = scope.as_ref().map_err(ErrorResponse::clone);
        let caller = caller.and_then(|scope| self.admit(scope, now));
        let met = self.meet(operation.name(), parameters.id(), region, now);
        let effect = match met {
            Some((effect, latency)) => {
                tokio::time::sleep(latency).await;
                effect
            }
            None => Effect::Late,
        };
        let found = caller.and_then(|caller| find(&self.world, parameters, &caller, now));
        respond(effect, found, &request_id).await
    }

    /// Whether the caller may ask at all: its signature's service, its credentials, its rate.
    fn admit(&self, scope: &Scope, now: Timestamp) -> Result<Caller, ErrorResponse> {
        if scope.service != "imagebuilder" {
            return Err(ErrorResponse::new(
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
            return Err(ErrorResponse::new(
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

    async fn reply_as_sts(
        &self,
        scope: &Scope,
        body: &Bytes,
        now: Timestamp,
        request_id: &str,
    ) -> Reply {
        let question = Sts::read(body);
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
            None => Reply::Response(answer(None)),
            Some((effect, latency)) => {
                tokio::time::sleep(latency).await;
                match effect {
                    Effect::Error(error) => Reply::Response(answer(Some(error))),
                    Effect::Missing(_) | Effect::Replaced(_) => Reply::Response(answer(None)),
                    other => disrupt(other, answer(None), request_id).await,
                }
            }
        }
    }

    fn request_id(&self) -> String {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let seed = self.world.seed() ^ 0x7265_7175_6573_7473;
        uuid_text(hash(seed, &[number, 0]), hash(seed, &[number, 1]))
    }
}
