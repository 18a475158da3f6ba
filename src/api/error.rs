//! The error of a call: a kind that the exporter acts on and counts, and a text for logs.

use std::fmt;

/// The kind of a failed call. The exporter acts on kinds and counts by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The service received too many requests.
    Throttled,
    /// Status 401 or 403: access denied.
    Forbidden,
    /// Another 400-class response, about the requested resource: the service does not know it, or
    /// no longer knows it.
    Client,
    /// Another 400-class response, about the request. It says nothing about the resource.
    Rejected,
    /// A 500-class response.
    Server,
    /// No response in time.
    Timeout,
    /// No connection, or a broken one.
    Network,
    /// A response from another server, or without a member that every response has.
    Parse,
    /// Credentials are missing or expired, or the role could not be assumed. Nothing was sent.
    Credentials,
}

impl ErrorKind {
    pub const ALL: [Self; 9] = [
        Self::Throttled,
        Self::Forbidden,
        Self::Client,
        Self::Rejected,
        Self::Server,
        Self::Timeout,
        Self::Network,
        Self::Parse,
        Self::Credentials,
    ];

    /// Returns the value of the label `result`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Forbidden => "forbidden",
            Self::Client => "client_error",
            Self::Rejected => "rejected",
            Self::Server => "server_error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Parse => "parse_error",
            Self::Credentials => "credentials",
        }
    }
}

/// A failed call: its kind, and a text for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorKind,
    /// The text with all known causes; for logs, never for labels.
    pub message: String,
    /// Whether a [`ErrorKind::Forbidden`] error is about the caller, as with an expired token. It
    /// then says nothing about the permission for the operation.
    pub caller_refused: bool,
    /// Whether the error response lacks the type that every error of the service has. A proxy may
    /// have sent it.
    pub untyped: bool,
    /// Whether the response is a page of a list that exceeds the bounds of one list.
    pub endless: bool,
}

/// The number of characters of an error's text that are kept. A server may send a text of any
/// length.
const LONGEST_MESSAGE: usize = 2_000;

impl ApiError {
    /// Returns an error with the beginning of the text.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
            message.truncate(end);
        }
        Self {
            kind,
            message,
            caller_refused: false,
            untyped: false,
            endless: false,
        }
    }

    /// Returns the error of a page that belongs to a list without an end, for this reason.
    pub fn endless(reason: impl fmt::Display) -> Self {
        Self {
            endless: true,
            ..Self::new(ErrorKind::Parse, format!("the list does not end: {reason}"))
        }
    }

    /// Returns whether the error is about the time of the signature: the machine's clock is off.
    pub fn is_about_time(&self) -> bool {
        let parts = [
            "RequestExpired",
            "Signature expired",
            "Signature not yet current",
            "RequestTimeTooSkewed",
        ];
        parts.iter().any(|part| self.message.contains(part))
    }

    /// Returns the kind of error for the operation. A rejected caller counts as missing
    /// credentials, which say nothing about the operation.
    pub fn about_operation(&self) -> ErrorKind {
        match self.caller_refused {
            true => ErrorKind::Credentials,
            false => self.kind,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
