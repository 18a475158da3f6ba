//! What would be right: the policy statements that allow what was denied, and where to look first
//! where nothing was said at all.

use std::collections::BTreeMap;

use serde::Serialize;

use super::findings::{Check, SKEW_REFUSED};
use crate::api::{ApiError, Caller, ErrorKind};
use crate::config::{AssumeRole, Target};

const NOT_TAKEN: &str = "these credentials are not taken, whatever is asked: are they expired, switched off, or of another partition?";

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
        // What is made of texts, lists and maps of texts can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// A statement that allows what was denied; in `regions` alone, where they are not all that the
/// target has.
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

/// Whose policies a statement belongs to.
pub(super) fn whose_policies(caller: Option<&Caller>) -> String {
    match caller.map(|caller| principal(&caller.arn)) {
        Some(arn) => format!("the policies of {arn}"),
        None => "the policies of who calls".to_owned(),
    }
}

/// The kind of policy that has to allow it, where the service says which; a statement elsewhere is of
/// no use. `None` where it says nothing, or that it is a policy of the caller's own.
pub(super) fn missing_in(error: &ApiError) -> Option<&str> {
    let (_, behind) = error.message.split_once("because no ")?;
    let (kind, _) = behind.split_once(" allows")?;
    (kind.len() < 60 && kind != "identity-based policy").then_some(kind)
}

/// Whether something denies it, which no statement that allows can change.
pub(super) fn is_explicit(error: &ApiError) -> bool {
    error.message.contains("explicit deny")
}

/// What to do about credentials that could not be had.
pub(super) fn about_credentials(
    target: &Target,
    error: &ApiError,
    base: Option<&Result<Caller, ApiError>>,
) -> Vec<String> {
    let message = &error.message;
    if is_about_time(message) {
        return vec![format!(
            "the machine's clock is over {} minutes off; set it right, and ask again",
            SKEW_REFUSED.as_secs() / 60
        )];
    }
    let role = target.assume_role.as_ref();
    // What the SDK has around this is no part of what STS said.
    let assuming = role.and_then(|role| {
        let (_, told) = message.split_once(&format!("assuming role {} ", role.role_arn))?;
        Some((role, told))
    });
    let Some((role, told)) = assuming else {
        return vec![about_own(target, message)];
    };
    match base {
        // Without these nobody asked for the role.
        Some(Err(own)) if own.kind == ErrorKind::Credentials => {
            return vec![about_own(target, &own.message)];
        }
        Some(Err(own)) if own.caller_refused => {
            return vec![format!("This is about who assumes the role: {NOT_TAKEN}")];
        }
        _ => {}
    }
    if !told.contains("AccessDenied") {
        return vec![about_sts(told).to_owned()];
    }
    about_denied_role(role, message, base)
}

/// What both sides must allow where STS denies the role.
fn about_denied_role(
    role: &AssumeRole,
    message: &str,
    base: Option<&Result<Caller, ApiError>>,
) -> Vec<String> {
    let caller = base.and_then(|base| base.as_ref().ok());
    let who = caller.map(|caller| principal(&caller.arn));
    let who = who.unwrap_or_else(|| "arn:aws:iam::ACCOUNT:role/WHO-ASSUMES-IT".to_owned());
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
            "The configuration has an external_id: the trust policy must ask for the very same, or for none.",
        ),
        None => (
            trust,
            "The configuration has no external_id: where the trust policy has a condition on sts:ExternalId, set assume_role.external_id to it.",
        ),
    };
    vec![
        format!(
            "Both must allow it. {}:\n{}",
            capital(&whose_policies(caller)),
            allow.text()
        ),
        format!("The trust policy of {}:\n{}", role.role_arn, trust.text()),
        external_id.to_owned(),
    ]
}

/// What to do where a target's credentials, those below a role, could not be had.
fn about_own(target: &Target, message: &str) -> String {
    if let Some(profile) = &target.profile {
        return format!(
            "look at profile {profile:?} in ~/.aws/config and ~/.aws/credentials, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE; sign in again where it is one of SSO"
        );
    }
    match says_one_of(message, &["AssumeRoleWithWebIdentity", "InvalidIdentityToken", "OpenIDConnect"]) {
        true => "the role that AWS_ROLE_ARN names must trust whoever gave the token in AWS_WEB_IDENTITY_TOKEN_FILE: in a pod the cluster's OIDC provider, with this namespace and service account",
        false => "give the process credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of its container, pod or instance",
    }
    .to_owned()
}

/// What to look at where STS gave no role, and not for want of a permission.
fn about_sts(message: &str) -> &'static str {
    let says = |parts: &[&str]| says_one_of(message, parts);
    if says(&["dispatch failure", "no answer within"]) {
        "STS must be reachable in this region, by the internet or a VPC endpoint for sts; AWS_ENDPOINT_URL_STS names another"
    } else if says(&["error parsing XML"]) {
        "something else answers in the place of STS: look at proxies, and at AWS_ENDPOINT_URL_STS"
    } else if says(&["Throttling", "InternalFailure", "ServiceUnavailable"]) {
        "STS is there, but doesn't answer for now: ask again later"
    } else if says(&["RegionDisabled"]) {
        "STS is switched off for this region: switch it on in the account settings of IAM"
    } else {
        "STS refuses what it is asked for: look at role_arn, external_id and session_name of assume_role"
    }
}

/// What to look at where no call is answered.
pub(super) fn about_failure(error: &ApiError, target: &Target, region: &str) -> String {
    let endpoint = match &target.endpoint_url {
        Some(url) => format!("endpoint_url {url}"),
        None => {
            format!("the service's endpoint in {region}, or the one that AWS_ENDPOINT_URL names")
        }
    };
    match error.kind {
        ErrorKind::Network => format!(
            "{endpoint} must be reachable from here: look at its name, at proxies and firewalls; within a VPC at its endpoint for imagebuilder"
        ),
        ErrorKind::Timeout => format!(
            "{endpoint} must answer within polling.request_timeout: look at what is between, or give it more time"
        ),
        ErrorKind::Parse => {
            format!("something else answers in the service's place: look at {endpoint} and at proxies")
        }
        ErrorKind::Server => "this is the service's own failure: ask again later".to_owned(),
        ErrorKind::Client => "a list of the account takes nothing that could be wrong: is this the service, and does the region have it?".to_owned(),
        ErrorKind::Credentials => {
            "credentials were there and are no longer: look at how long they last".to_owned()
        }
        ErrorKind::Throttled => {
            "others use this API in the account: ask for less, or have its quota raised".to_owned()
        }
        ErrorKind::Forbidden if is_about_time(&error.message) => {
            "the machine's clock is off: set it right".to_owned()
        }
        ErrorKind::Forbidden => NOT_TAKEN.to_owned(),
    }
}

/// STS and the service refuse what was signed by a clock that is off, and say so.
fn is_about_time(message: &str) -> bool {
    let so = [
        "Signature expired",
        "Signature not yet current",
        "RequestTimeTooSkewed",
    ];
    says_one_of(message, &so)
}

fn says_one_of(message: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| message.contains(part))
}

/// Who stands in a policy for a caller: of a session its role, whose path the session's ARN lacks.
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
    fn kind_of_policy_is_told_where_it_is_not_the_caller_s_own() {
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
    fn session_of_a_role_stands_in_a_policy_as_the_role() {
        let session = "arn:aws-cn:sts::111122223333:assumed-role/exporter/i-1234";
        assert_eq!(
            principal(session),
            "arn:aws-cn:iam::111122223333:role/exporter"
        );
        let user = "arn:aws:iam::111122223333:user/u";
        assert_eq!(principal(user), user);
    }

    #[test]
    fn token_that_nobody_trusts_is_no_want_of_credentials() {
        let text = "targets: [{name: t, regions: [us-west-2], images: ['*']}]";
        let checked = crate::config::Config::read("test.yaml", text, &|_| None);
        let target = &checked.unwrap().config.targets[0];
        for message in [
            "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "InvalidIdentityTokenException: No OpenIDConnect provider found in your account",
        ] {
            let error = ApiError::new(ErrorKind::Credentials, message);
            let told = about_credentials(target, &error, None);
            assert!(told[0].contains("OIDC provider"), "{told:?}");
        }
        let none = "no credentials found in chain. Attempted: WebIdentityToken: $AWS_WEB_IDENTITY_TOKEN_FILE was not set";
        let error = ApiError::new(ErrorKind::Credentials, none);
        let told = about_credentials(target, &error, None);
        assert!(told[0].starts_with("give the process credentials"));
    }
}
