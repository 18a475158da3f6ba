//! Classifies a failed call of the SDK by the error response and by the causes of the error.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_imagebuilder::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;

use super::body::BodyTooLong;
use super::credentials::chain_text;
use super::secrets::Secrets;
use crate::api::{ApiError, ErrorKind};

/// Error codes for throttling in AWS services, with any status. Status 429 always means throttling.
/// `CallRateLimitExceededException` is documented as the rate of the EC2 calls that Image Builder
/// makes on the caller's behalf.
const THROTTLING_CODES: [&str; 11] = [
    "BandwidthLimitExceeded",
    "CallRateLimitExceededException",
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Error codes of missing permissions, which come with 403 or with 400.
///
/// These codes, and those below, are compared without the suffix `Exception`: services write them
/// with it and without.
const FORBIDDEN_CODES: [&str; 5] = [
    "AccessDenied",
    "Forbidden",
    "NotAuthorized",
    "Unauthorized",
    "UnauthorizedOperation",
];

/// Error codes of rejected callers: credentials, signature, time of the request, subscription.
const REFUSED_CODES: [&str; 14] = [
    "AuthFailure",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignature",
    "InvalidToken",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SubscriptionRequired",
    "UnrecognizedClient",
];

/// Error codes of the service's own failures, which some services send with 400.
const SERVER_CODES: [&str; 4] = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
];

/// The only error codes about the requested resource or page.
///
/// They are those of the service's model, which has no specific error for an unknown step. Any
/// other code is about the request, so a step does not count as unknown because of it.
const RESOURCE_CODES: [&str; 7] = [
    "ClientException",
    "InvalidPaginationTokenException",
    "InvalidParameterCombinationException",
    "InvalidParameterException",
    "InvalidParameterValueException",
    "InvalidRequestException",
    "ResourceNotFoundException",
];

/// Returns the kind and the text of a failed call. The text has passed `secrets`, which masks
/// credentials: all errors of the API are made here.
pub(super) fn classify<E>(failure: &SdkError<E, Response>, secrets: &Secrets) -> ApiError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let error = |kind, text: String| ApiError::new(kind, secrets.masked(&text));
    match failure {
        SdkError::ServiceError(context) => error_response(
            context.raw().status().as_u16(),
            context.err(),
            context.err(),
            secrets,
        ),
        SdkError::ResponseError(context) => {
            let kind = if has_cause::<std::io::Error>(failure) || has_cause::<hyper::Error>(failure)
            {
                ErrorKind::Network
            } else {
                ErrorKind::Parse
            };
            let status = context.raw().status().as_u16();
            error(kind, format!("HTTP {status}: {}", chain_text(failure)))
        }
        SdkError::TimeoutError(_) => error(ErrorKind::Timeout, chain_text(failure)),
        _ if has_cause::<BodyTooLong>(failure) => error(ErrorKind::Parse, chain_text(failure)),
        _ => error(kind_without_response(failure), chain_text(failure)),
    }
}

/// Classifies an error response of the service, or of another server in its place.
fn error_response(
    status: u16,
    metadata: &impl ProvideErrorMetadata,
    error: &(dyn Error + 'static),
    secrets: &Secrets,
) -> ApiError {
    let code = metadata.code();
    let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let stem = code.map(|code| code.strip_suffix("Exception").unwrap_or(code));
    let has_stem = |stems: &[&str]| stem.is_some_and(|stem| stems.contains(&stem));
    let caller_refused = status == 401 || has_stem(&REFUSED_CODES);
    let kind = match status {
        429 => ErrorKind::Throttled,
        _ if is_one_of(&THROTTLING_CODES) => ErrorKind::Throttled,
        401 | 403 => ErrorKind::Forbidden,
        _ if caller_refused || has_stem(&FORBIDDEN_CODES) => ErrorKind::Forbidden,
        500..=599 => ErrorKind::Server,
        _ if has_stem(&SERVER_CODES) => ErrorKind::Server,
        400..=499 if is_one_of(&RESOURCE_CODES) => ErrorKind::Client,
        // Every error of the service names its type. An error without one comes from a proxy or
        // a wrong endpoint.
        400..=499 if code.is_some() => ErrorKind::Rejected,
        _ => ErrorKind::Parse,
    };
    let message = match (code, metadata.message()) {
        (Some(code), Some(message)) => format!("HTTP {status} {code}: {message}"),
        (Some(code), None) => format!("HTTP {status} {code}"),
        (None, _) => format!(
            "HTTP {status} without an error type, so not a response of the service: {}",
            chain_text(error)
        ),
    };
    ApiError {
        caller_refused,
        untyped: code.is_none(),
        ..ApiError::new(kind, secrets.masked(&message))
    }
}

/// Returns the kind of a failure without a response.
fn kind_without_response(failure: &(dyn Error + 'static)) -> ErrorKind {
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

#[cfg(test)]
mod tests {
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn error_of(status: u16, code: &str) -> ApiError {
        let metadata = ErrorMetadata::builder().code(code).message("m").build();
        error_response(status, &metadata, &metadata, &Secrets::default())
    }

    #[test]
    fn only_a_code_about_the_resource_is_a_client_error() {
        for (status, code) in [
            (400, "ClientException"),
            (400, "InvalidRequestException"),
            (400, "InvalidParameterException"),
            (400, "InvalidParameterValueException"),
            (400, "InvalidParameterCombinationException"),
            (400, "InvalidPaginationTokenException"),
            (404, "ResourceNotFoundException"),
        ] {
            assert_eq!(error_of(status, code).kind, ErrorKind::Client, "{code}");
        }
    }

    // The common errors of AWS's API references, older versions included.

    #[test]
    fn common_error_about_the_caller_is_forbidden() {
        for code in [
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "OptInRequired",
            "RequestExpired",
            "RequestExpiredException",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ] {
            for status in [400, 401, 403] {
                let error = error_of(status, code);
                assert_eq!(error.kind, ErrorKind::Forbidden, "{status} {code}");
                assert_eq!(error.about_operation(), ErrorKind::Credentials, "{code}");
            }
        }
        for code in [
            "AccessDenied",
            "AccessDeniedException",
            "ForbiddenException",
            "NotAuthorized",
        ] {
            for status in [400, 403] {
                let error = error_of(status, code);
                assert_eq!(error.about_operation(), ErrorKind::Forbidden, "{code}");
            }
        }
    }

    #[test]
    fn other_code_is_about_the_request() {
        for (status, code) in [
            (400, "InvalidAction"),
            (400, "InvalidParameterCombination"),
            (400, "InvalidParameterValue"),
            (400, "InvalidQueryParameter"),
            (400, "MalformedHttpRequestException"),
            (404, "MalformedQueryString"),
            (400, "MissingAction"),
            (400, "MissingParameter"),
            (400, "RequestAbortedException"),
            (413, "RequestEntityTooLargeException"),
            (408, "RequestTimeoutException"),
            (400, "SerializationException"),
            (404, "UnknownOperationException"),
            (400, "ValidationError"),
            (400, "ValidationException"),
            (400, "NeverHeardOfException"),
            (404, "NeverHeardOfException"),
        ] {
            assert_eq!(error_of(status, code).kind, ErrorKind::Rejected, "{code}");
        }
    }

    #[test]
    fn throttling_and_failures_of_the_service_are_recognized_with_any_status() {
        for code in ["InternalFailure", "InternalError", "ServiceUnavailable"] {
            for status in [400, 500, 503] {
                assert_eq!(error_of(status, code).kind, ErrorKind::Server, "{code}");
            }
        }
        for code in THROTTLING_CODES {
            for status in [400, 429, 503] {
                assert_eq!(error_of(status, code).kind, ErrorKind::Throttled, "{code}");
            }
        }
    }
}
