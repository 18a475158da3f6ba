//! Handles one call, from its request to its response.
//!
//! Owns the order in which a call is judged: its path, its signature, the rate limit, the scripted
//! faults, then its parameters and the world. `server` passes the time of the call.

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

/// The state on which responses depend, besides the request.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) world: Arc<World>,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    limiter: Limiter,
    sts: Sts,
    responses: AtomicU64,
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
            responses: AtomicU64::new(0),
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
        let of_scope =
            |part: fn(&Scope) -> &String| scope.as_ref().map(part).cloned().unwrap_or_default();
        let call = LoggedCall {
            operation: operation.name(),
            id: parameters.id().to_owned(),
            region: of_scope(|scope| &scope.region),
            access_key: of_scope(|scope| &scope.access_key),
            at: now,
        };
        let _running = self.calls.begin(&call);
        let caller = scope.as_ref().map_err(ErrorResponse::clone);
        let caller = caller.and_then(|scope| self.admit(scope, now));
        let effect = self.effect_on(&call).await;
        let found = caller.and_then(|caller| find(&self.world, parameters, &caller, now));
        respond(effect, found, &request_id).await
    }

    /// Returns the caller, unless the service of its signature, its credentials or its rate forbid
    /// the call.
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

    /// Waits for the latency of the fault that applies to a call, and returns its effect.
    async fn effect_on(&self, call: &LoggedCall) -> Effect {
        let since = call
            .at
            .millis_since(self.world.start())
            .max(0)
            .unsigned_abs();
        let known = Call {
            operation: call.operation,
            id: &call.id,
            region: &call.region,
            access_key: &call.access_key,
        };
        match self.faults.meet(known, Duration::from_millis(since)) {
            Some((effect, latency)) => {
                tokio::time::sleep(latency).await;
                effect
            }
            None => Effect::Late,
        }
    }

    async fn reply_as_sts(
        &self,
        scope: &Scope,
        body: &Bytes,
        now: Timestamp,
        request_id: &str,
    ) -> Reply {
        let question = Sts::read(body);
        let call = LoggedCall {
            operation: question.operation(),
            id: question.id().to_owned(),
            region: scope.region.clone(),
            access_key: scope.access_key.clone(),
            at: now,
        };
        let _running = self.calls.begin(&call);
        let effect = self.effect_on(&call).await;
        let result = match &effect {
            Effect::Error(scripted) => Err(scripted.clone()),
            _ => self.sts.respond(&question, scope, &self.world, now),
        };
        let response = sts::response(call.operation, result, request_id);
        disrupt(effect, response, request_id).await
    }

    fn request_id(&self) -> String {
        let number = self.responses.fetch_add(1, Ordering::Relaxed);
        let seed = self.world.seed() ^ 0x7265_7175_6573_7473;
        uuid_text(hash(seed, &[number, 0]), hash(seed, &[number, 1]))
    }
}
