//! Error responses of the service.

/// An error response as the service writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The error's type, `InvalidRequestException`.
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// The text for a person.
    pub message: String,
    /// The place of the type in the response.
    pub form: ErrorForm,
}

/// The place of an error's type in the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorForm {
    /// In `x-amzn-ErrorType`.
    #[default]
    Header,
    /// In the body's `__type`, with a namespace before it.
    Type,
    /// In the body's `code`.
    Code,
}

impl ErrorResponse {
    /// Makes an error of the service's model, with the status of the model.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            status: status_of(kind),
            message: message.into(),
            form: ErrorForm::Header,
        }
    }
}

/// A request that breaks the service's model.
pub(crate) fn invalid(message: impl Into<String>) -> ErrorResponse {
    ErrorResponse::new("InvalidRequestException", message)
}

/// The HTTP status of an error in the service's model; 400 for other errors.
pub(crate) fn status_of(kind: &str) -> u16 {
    match kind {
        "ServiceException" => 500,
        "ServiceUnavailableException" => 503,
        "ServiceQuotaExceededException" => 402,
        "DryRunOperationException" => 412,
        "ForbiddenException" | "AccessDeniedException" => 403,
        "MissingAuthenticationTokenException" | "InvalidSignatureException" => 403,
        "ExpiredTokenException" | "UnrecognizedClientException" => 403,
        "CallRateLimitExceededException" | "TooManyRequestsException" => 429,
        "ResourceNotFoundException" | "UnknownOperationException" => 404,
        "MethodNotAllowedException" => 405,
        "InternalFailure" => 500,
        _ => 400,
    }
}
