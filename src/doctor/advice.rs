//! Advice on failed checks: the policy statements that allow denied actions, and what to check after
//! other failures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::findings::{Check, SKEW_REFUSED};
use crate::api::{ApiError, Caller, ErrorKind};
use crate::config::{AssumeRole, Target};

const REJECTED: &str = "the service rejects these credentials for every call: check whether they have expired, are deactivated, or belong to another partition";

/// A statement of a policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    effect: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    principal: BTreeMap<&'static str, &'a str>,
    action: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<&'static str, &'a [&'a str]>>,
}

impl<'a> Statement<'a> {
    fn allowing(action: Vec<String>) -> Self {
        Self {
            effect: "Allow",
            principal: BTreeMap::new(),
            action,
            resource: None,
            condition: BTreeMap::new(),
        }
    }

    fn where_equal(mut self, key: &'static str, values: &'a [&'a str]) -> Self {
        let equal = BTreeMap::from([(key, values)]);
        self.condition.insert("StringEquals", equal);
        self
    }

    fn text(&self) -> String {
        // Serializing strings, lists and maps with string keys cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// Returns a statement that allows the denied actions; only in `regions`, if the target has others.
pub(super) fn statement(denied: &[&Check], regions: Option<&[&str]>) -> String {
    let actions = { denied.iter() }
        .map(|check| format!("imagebuilder:{}", check.operation.as_str()))
        .collect();
    let statement = Statement {
        resource: Some("*"),
        ..Statement::allowing(actions)
    };
    match regions {
        Some(regions) => statement.where_equal("aws:RequestedRegion", regions).text(),
        None => statement.text(),
    }
}

/// Returns the policies to which a statement must be added.
pub(super) fn whose_policies(caller: Option<&Caller>) -> String {
    match caller.map(|caller| principal(&caller.arn)) {
        Some(arn) => format!("the policies of {arn}"),
        None => "the policies of the caller".to_owned(),
    }
}

/// Returns the kind of policy that must allow the action, if the error names one: a statement in
/// another policy has no effect. `None` if it names none, or one of the caller's own policies.
pub(super) fn missing_in(error: &ApiError) -> Option<&str> {
    let (_, behind) = error.message.split_once("because no ")?;
    let (kind, _) = behind.split_once(" allows")?;
    (kind.len() < 60 && kind != "identity-based policy").then_some(kind)
}

/// Returns whether a policy denies the action explicitly, which no other statement overrides.
pub(super) fn is_explicit(error: &ApiError) -> bool {
    error.message.contains("explicit deny")
}

/// Returns advice about credentials that could not be loaded.
pub(super) fn about_credentials(
    target: &Target,
    error: &ApiError,
    base: Option<&Result<Caller, ApiError>>,
) -> Vec<String> {
    let message = &error.message;
    if error.is_about_time() {
        return vec![format!(
            "this machine's clock is off by more than {} minutes; synchronize it and run doctor again",
            SKEW_REFUSED.as_secs() / 60
        )];
    }
    let role = target.assume_role.as_ref();
    // The SDK's own text may contain the words that are looked for below.
    let assuming = role.and_then(|role| {
        let (_, sts_error) = message.split_once(&format!("assuming role {} ", role.role_arn))?;
        Some((role, sts_error))
    });
    let Some((role, sts_error)) = assuming else {
        return vec![about_own(target, message)];
    };
    match base {
        // Without the base credentials, no call for the role was sent.
        Some(Err(own)) if own.kind == ErrorKind::Credentials => {
            return vec![about_own(target, &own.message)];
        }
        Some(Err(own)) if own.caller_refused => {
            return vec![format!(
                "The credentials that assume the role failed: {REJECTED}"
            )];
        }
        _ => {}
    }
    if !sts_error.contains("AccessDenied") {
        return vec![about_sts(sts_error).to_owned()];
    }
    about_denied_role(role, message, base)
}

/// Returns the policies that both accounts need if STS denies the role.
fn about_denied_role(
    role: &AssumeRole,
    message: &str,
    base: Option<&Result<Caller, ApiError>>,
) -> Vec<String> {
    let caller = base.and_then(|base| base.as_ref().ok());
    let who = caller.map(|caller| principal(&caller.arn));
    let who = who.unwrap_or_else(|| "arn:aws:iam::ACCOUNT:role/CALLER".to_owned());
    let action = match message.contains("sts:TagSession") {
        true => "sts:TagSession",
        false => "sts:AssumeRole",
    };
    let allow = Statement {
        resource: Some(&role.role_arn),
        ..Statement::allowing(vec![action.to_owned()])
    };
    let trust = Statement {
        principal: BTreeMap::from([("AWS", who.as_str())]),
        ..Statement::allowing(vec![action.to_owned()])
    };
    let (trust, external_id) = match &role.external_id {
        Some(_) => (
            trust.where_equal("sts:ExternalId", &["the external_id of the configuration"]),
            "The configuration has an external_id: the trust policy must require the same one, or none.",
        ),
        None => (
            trust,
            "The configuration has no external_id: if the trust policy has a condition on sts:ExternalId, set assume_role.external_id to its value.",
        ),
    };
    vec![
        format!(
            "Two policies must allow it. {}:\n{}",
            capital(&whose_policies(caller)),
            allow.text()
        ),
        format!("The trust policy of {}:\n{}", role.role_arn, trust.text()),
        external_id.to_owned(),
    ]
}

/// Returns advice if the target's base credentials, without a role, could not be loaded.
fn about_own(target: &Target, message: &str) -> String {
    if let Some(profile) = &target.profile {
        return format!(
            "check profile {profile:?} in ~/.aws/config and ~/.aws/credentials, or in the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name; if it uses SSO, sign in again"
        );
    }
    match says_one_of(message, &["AssumeRoleWithWebIdentity", "InvalidIdentityToken", "OpenIDConnect"]) {
        true => "the role that AWS_ROLE_ARN names must trust the issuer of the token in AWS_WEB_IDENTITY_TOKEN_FILE: in a pod, the cluster's OIDC provider, with this namespace and service account",
        false => "give the process credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of its container, pod or instance",
    }
    .to_owned()
}

/// Returns advice if STS did not return a role for another reason than a missing permission.
fn about_sts(message: &str) -> &'static str {
    let says = |parts: &[&str]| says_one_of(message, parts);
    if says(&["dispatch failure", "no response within"]) {
        "STS must be reachable in this region, through the internet or a VPC endpoint for sts; AWS_ENDPOINT_URL_STS sets another endpoint"
    } else if says(&["error parsing XML"]) {
        "another server answers in place of STS: check proxies and AWS_ENDPOINT_URL_STS"
    } else if says(&["Throttling", "InternalFailure", "ServiceUnavailable"]) {
        "STS is reachable, but fails at the moment: run doctor again later"
    } else if says(&["RegionDisabled"]) {
        "STS is disabled for this region: enable it in the account settings of IAM"
    } else {
        "STS rejects the request: check role_arn, external_id and session_name of assume_role"
    }
}

/// Returns advice if no call succeeds.
pub(super) fn about_failure(error: &ApiError, target: &Target, region: &str) -> String {
    let endpoint = match &target.endpoint_url {
        Some(url) => format!("endpoint_url {url}"),
        None => {
            format!("the service's endpoint in {region}, or the one that AWS_ENDPOINT_URL names")
        }
    };
    match error.kind {
        ErrorKind::Network => format!(
            "{endpoint} must be reachable from here: check its name, proxies and firewalls; in a VPC, check the endpoint for imagebuilder"
        ),
        ErrorKind::Timeout => format!(
            "{endpoint} must respond within polling.request_timeout: check the network path, or raise the timeout"
        ),
        ErrorKind::Parse => {
            format!("another server answers in place of the service: check {endpoint} and proxies")
        }
        ErrorKind::Server => "the service itself failed: run doctor again later".to_owned(),
        ErrorKind::Client | ErrorKind::Rejected => "a List call has no parameter that could be invalid: check that this is the service, and that the region supports it".to_owned(),
        ErrorKind::Credentials => {
            "the credentials worked before and no longer do: check how long they are valid".to_owned()
        }
        ErrorKind::Throttled => {
            "other clients use this API in the account: lower the request rate, or request a higher quota".to_owned()
        }
        ErrorKind::Forbidden if error.is_about_time() => {
            "this machine's clock is off: synchronize it".to_owned()
        }
        ErrorKind::Forbidden => REJECTED.to_owned(),
    }
}

fn says_one_of(message: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| message.contains(part))
}

/// Returns the principal of a policy for a caller: for a session, its role without the path, which
/// the session's ARN lacks.
fn principal(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    if let ["arn", partition, "sts", _, account, resource] = parts.as_slice()
        && let Some(session) = resource.strip_prefix("assumed-role/")
        && let Some((role, _)) = session.split_once('/')
    {
        return format!("arn:{partition}:iam::{account}:role/{role}");
    }
    arn.to_owned()
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(message: &str) -> ApiError {
        ApiError::new(ErrorKind::Forbidden, message)
    }

    #[test]
    fn kind_of_policy_is_returned_unless_it_is_the_callers_own() {
        let says = |kind: &str| {
            denied(&format!(
                "User: arn:aws:iam::111122223333:user/u is not authorized to perform: \
                 imagebuilder:GetImage because no {kind} allows the imagebuilder:GetImage action"
            ))
        };
        assert_eq!(missing_in(&says("identity-based policy")), None);
        for kind in [
            "permissions boundary",
            "service control policy",
            "VPC endpoint policy",
        ] {
            assert_eq!(missing_in(&says(kind)), Some(kind));
        }
        assert_eq!(missing_in(&denied("no")), None);
        assert!(is_explicit(&denied(
            "with an explicit deny in a service control policy"
        )));
    }

    #[test]
    fn principal_of_a_session_is_its_role() {
        let session = "arn:aws-cn:sts::111122223333:assumed-role/exporter/i-1234";
        assert_eq!(
            principal(session),
            "arn:aws-cn:iam::111122223333:role/exporter"
        );
        let user = "arn:aws:iam::111122223333:user/u";
        assert_eq!(principal(user), user);
    }

    #[test]
    fn untrusted_token_is_not_reported_as_missing_credentials() {
        let text = "targets: [{name: t, regions: [us-west-2], images: ['*']}]";
        let checked = crate::config::Config::read("test.yaml", text, &|_| None);
        let target = &checked.unwrap().config.targets[0];
        for message in [
            "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "InvalidIdentityTokenException: No OpenIDConnect provider found in your account",
        ] {
            let error = ApiError::new(ErrorKind::Credentials, message);
            let advice = about_credentials(target, &error, None);
            assert!(advice[0].contains("OIDC provider"), "{advice:?}");
        }
        let none = "no credentials found in chain. Attempted: WebIdentityToken: $AWS_WEB_IDENTITY_TOKEN_FILE was not set";
        let error = ApiError::new(ErrorKind::Credentials, none);
        let advice = about_credentials(target, &error, None);
        assert!(advice[0].starts_with("give the process credentials"));
    }
}
