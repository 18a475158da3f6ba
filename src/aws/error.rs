//! What a failed call of the SDK was, told from its outermost shape to its innermost cause.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_imagebuilder::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;

use super::credentials::chain_text;
use crate::api::{ApiError, ErrorKind};

/// Error codes by which AWS services throttle, whatever the status; 429 always means it.
const THROTTLING_CODES: [&str; 8] = [
    "CallRateLimitExceededException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
];

/// Error codes of missing permissions, which come with 403 or with 400.
const FORBIDDEN_CODES: [&str; 3] = [
    "AccessDenied",
    "AccessDeniedException",
    "ForbiddenException",
];

/// Error codes of refused credentials, likewise.
const REFUSED_CODES: [&str; 7] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

pub(super) fn classify<E>(failure: &SdkError<E, Response>) -> ApiError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match failure {
        SdkError::ServiceError(context) => answered(
            context.raw().status().as_u16(),
            context.err(),
            context.err(),
        ),
        SdkError::ResponseError(context) => {
            let kind = if has_cause::<std::io::Error>(failure) || has_cause::<hyper::Error>(failure)
            {
                ErrorKind::Network
            } else {
                ErrorKind::Parse
            };
            let status = context.raw().status().as_u16();
            ApiError::new(kind, format!("HTTP {status}: {}", chain_text(failure)))
        }
        SdkError::TimeoutError(_) => ApiError::new(ErrorKind::Timeout, chain_text(failure)),
        _ => ApiError::new(unsent(failure), chain_text(failure)),
    }
}

/// The service, or something in its place, answered with an error.
fn answered(
    status: u16,
    metadata: &impl ProvideErrorMetadata,
    error: &(dyn Error + 'static),
) -> ApiError {
    let code = metadata.code();
    let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let caller_refused = status == 401 || is_one_of(&REFUSED_CODES);
    let kind = match status {
        429 => ErrorKind::Throttled,
        _ if is_one_of(&THROTTLING_CODES) => ErrorKind::Throttled,
        401 | 403 => ErrorKind::Forbidden,
        _ if caller_refused || is_one_of(&FORBIDDEN_CODES) => ErrorKind::Forbidden,
        500..=599 => ErrorKind::Server,
        // Every error of the service names its type. One that doesn't comes from a proxy or a
        // wrong endpoint, and says nothing about the step.
        400..=499 if code.is_some() => ErrorKind::Client,
        _ => ErrorKind::Parse,
    };
    let message = match (code, metadata.message()) {
        (Some(code), Some(message)) => format!("HTTP {status} {code}: {message}"),
        (Some(code), None) => format!("HTTP {status} {code}"),
        (None, _) => format!(
            "HTTP {status} without an error type, so not an answer of the service: {}",
            chain_text(error)
        ),
    };
    ApiError {
        caller_refused,
        untyped: code.is_none(),
        ..ApiError::new(kind, message)
    }
}

/// No answer came.
fn unsent(failure: &(dyn Error + 'static)) -> ErrorKind {
    if has_cause::<CredentialsError>(failure) {
        ErrorKind::Credentials
    } else {
        ErrorKind::Network
    }
}

fn has_cause<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<T>() {
            return true;
        }
        next = error.source();
    }
    false
}
