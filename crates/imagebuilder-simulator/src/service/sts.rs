//! Simulates `AssumeRole` and `GetCallerIdentity` of STS, so that the exporter can assume roles.
//!
//! Owns the credentials of simulated sessions, and the accounts to which callers' credentials
//! belong.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use imagebuilder_model::Timestamp;
use imagebuilder_model::identifier::{is_session_name, role_parts};

use super::response::{self, HttpResponse};
use super::sigv4::Scope;
use crate::error::ErrorResponse;
use crate::random::hash;
use crate::scenario::Role;
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Sts {
    seed: u64,
    issued: Mutex<Issued>,
}

#[derive(Debug, Default)]
struct Issued {
    count: u64,
    by_key: HashMap<String, Credentials>,
}

#[derive(Clone, Debug)]
struct Credentials {
    session: String,
    account: String,
    token: String,
    expires: Timestamp,
}

/// The prefix of the access keys of simulated sessions.
const KEY_PREFIX: &str = "ASIASIM";

/// How long expired credentials are remembered, so that their use gets its own error.
const REMEMBERED_MILLIS: i64 = 3_600_000;

#[derive(Debug)]
pub(crate) enum StsQuestion {
    AssumeRole {
        arn: String,
        session: String,
        external_id: Option<String>,
        seconds: Option<String>,
    },
    CallerIdentity,
    Other(String),
}

impl StsQuestion {
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::AssumeRole { .. } => "AssumeRole",
            Self::CallerIdentity => "GetCallerIdentity",
            Self::Other(_) => "Unknown",
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::AssumeRole { arn, .. } => arn,
            Self::CallerIdentity => "",
            Self::Other(name) => name,
        }
    }
}

impl Sts {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            seed: world.seed() ^ 0x0073_7473,
            issued: Mutex::default(),
        }
    }

    pub(crate) fn read(body: &Bytes) -> StsQuestion {
        let mut members: HashMap<String, String> =
            form_urlencoded::parse(body).into_owned().collect();
        let mut take = |name: &str| members.remove(name);
        match take("Action").unwrap_or_default().as_str() {
            "AssumeRole" => StsQuestion::AssumeRole {
                arn: take("RoleArn").unwrap_or_default(),
                session: take("RoleSessionName").unwrap_or_default(),
                external_id: take("ExternalId"),
                seconds: take("DurationSeconds"),
            },
            "GetCallerIdentity" => StsQuestion::CallerIdentity,
            other => StsQuestion::Other(other.to_owned()),
        }
    }

    /// Returns the account of a caller's credentials; `None` if they see every account.
    ///
    /// # Errors
    ///
    /// Credentials of an unknown or expired session, or a caller whose clock is far off.
    pub(crate) fn account_of(
        &self,
        scope: &Scope,
        world: &World,
        now: Timestamp,
    ) -> Result<Option<String>, ErrorResponse> {
        scope.check_time(now)?;
        if !scope.access_key.starts_with(KEY_PREFIX) {
            let keys = &world.scenario().access_keys;
            return Ok(keys.get(&scope.access_key).cloned());
        }
        let issued = self.issued();
        let known = issued.by_key.get(&scope.access_key);
        match known.filter(|known| scope.session_token.as_ref() == Some(&known.token)) {
            Some(known) if now < known.expires => Ok(Some(known.account.clone())),
            Some(_) => Err(ErrorResponse::new(
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )),
            None => Err(ErrorResponse::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )),
        }
    }

    /// Returns the members of the response, in XML.
    pub(crate) fn respond(
        &self,
        question: &StsQuestion,
        scope: &Scope,
        world: &World,
        now: Timestamp,
    ) -> Result<String, ErrorResponse> {
        match question {
            StsQuestion::CallerIdentity => self.caller_identity(scope, world, now),
            StsQuestion::Other(name) => Err(ErrorResponse::new(
                "InvalidAction",
                format!("Could not find operation {name} for version 2011-06-15"),
            )),
            StsQuestion::AssumeRole {
                arn,
                session,
                external_id,
                seconds,
            } => {
                self.account_of(scope, world, now)?;
                let role = admit(&world.scenario().roles, arn, external_id.as_deref())?;
                let lifetime = lifetime(role, seconds.as_deref())?;
                self.assume(arn, session, lifetime, now)
            }
        }
    }

    fn caller_identity(
        &self,
        scope: &Scope,
        world: &World,
        now: Timestamp,
    ) -> Result<String, ErrorResponse> {
        let account = self.account_of(scope, world, now)?;
        let session = self.issued().by_key.get(&scope.access_key).cloned();
        let first = world.scenario().pipelines.first();
        let account = account
            .or_else(|| first.map(|pipeline| pipeline.account.clone()))
            .unwrap_or_else(|| "123456789012".to_owned());
        let arn = match session {
            Some(session) => session.session,
            None => format!("arn:aws:iam::{account}:user/simulated"),
        };
        Ok(format!(
            "<Arn>{}</Arn><UserId>{}</UserId><Account>{account}</Account>",
            escape(&arn),
            escape(&scope.access_key)
        ))
    }

    fn assume(
        &self,
        arn: &str,
        session: &str,
        lifetime: i64,
        now: Timestamp,
    ) -> Result<String, ErrorResponse> {
        let (account, role) =
            role_parts(arn).ok_or_else(|| invalid(format!("{arn} is invalid")))?;
        if !is_session_name(session) {
            return Err(invalid(format!(
                "The value {session:?} at 'roleSessionName' failed to satisfy its pattern"
            )));
        }
        let mut issued = self.issued();
        issued.count += 1;
        let number = |salt| hash(self.seed, &[issued.count, salt]);
        let key = format!("{KEY_PREFIX}{:013X}", number(0) >> 12);
        let secret = format!(
            "{:016x}{:016x}{:08x}",
            number(1),
            number(2),
            number(3) >> 32
        );
        let token = format!("{:016x}{:016x}", number(4), number(5));
        let id = format!("AROASIM{:013X}", hash(self.seed, &[u64::MAX]) >> 12);
        let expires = now.plus_millis(lifetime);
        let partition = arn.split(':').nth(1).unwrap_or("aws");
        let session_arn = format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}");
        issued
            .by_key
            .retain(|_, old| now.millis_since(old.expires) < REMEMBERED_MILLIS);
        issued.by_key.insert(
            key.clone(),
            Credentials {
                session: session_arn.clone(),
                account: account.to_owned(),
                token: token.clone(),
                expires,
            },
        );
        Ok(format!(
            "<Credentials><AccessKeyId>{key}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
             <Expiration>{}</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>{id}:{session}</AssumedRoleId>\
             <Arn>{}</Arn></AssumedRoleUser>",
            expires.iso8601(),
            escape(&session_arn)
        ))
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        // A session is inserted in one call, so a panic elsewhere leaves the table valid.
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Builds the response of an operation, or its error response.
pub(crate) fn response(
    operation: &str,
    result: Result<String, ErrorResponse>,
    request_id: &str,
) -> HttpResponse {
    let (status, body) = match result {
        Ok(body) => (
            200,
            format!(
                "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                     <{operation}Result>{body}</{operation}Result>\
                     <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
                     </{operation}Response>"
            ),
        ),
        Err(error) => (
            error.status,
            format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                     <Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>{request_id}</RequestId></ErrorResponse>",
                escape(&error.kind),
                escape(&error.message)
            ),
        ),
    };
    response::raw(status, "text/xml", body, request_id)
}

/// Returns the scripted role if its trust policy accepts the caller; `None` if the scenario has no
/// roles, so that every role is accepted.
fn admit<'a>(
    roles: &'a [Role],
    arn: &str,
    external_id: Option<&str>,
) -> Result<Option<&'a Role>, ErrorResponse> {
    if roles.is_empty() {
        return Ok(None);
    }
    let admitted = |role: &&Role| {
        let wanted = role.external_id.as_deref();
        role.arn == arn && !role.denied && (wanted.is_none() || wanted == external_id)
    };
    let role = roles.iter().find(admitted).ok_or_else(|| ErrorResponse {
        status: 403,
        ..ErrorResponse::new(
            "AccessDenied",
            format!(
                "User: simulated is not authorized to perform: sts:AssumeRole on resource: {arn}"
            ),
        )
    })?;
    Ok(Some(role))
}

/// Returns the lifetime of a session in milliseconds.
fn lifetime(role: Option<&Role>, requested: Option<&str>) -> Result<i64, ErrorResponse> {
    let seconds = match requested {
        None => 3600,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (900..=43_200).contains(seconds))
            .ok_or_else(|| invalid(format!("{text} at 'durationSeconds' is not 900 to 43200")))?,
    };
    let scripted = role.and_then(|role| role.lifetime);
    Ok(scripted.map_or(seconds * 1000, |span| span.millis()))
}

fn invalid(message: String) -> ErrorResponse {
    ErrorResponse::new("ValidationError", message)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
