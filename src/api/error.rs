//! Why a call failed: a kind to act on and count by, and text for a person.

use std::fmt;

/// Why a call failed. The kinds are what the exporter acts on and counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The service asks for fewer calls.
    Throttled,
    /// 401 and 403.
    Forbidden,
    /// Another 400-class response about the resource that was requested: the service does not know
    /// it, or no longer.
    Client,
    /// Another 400-class response, about the request. It says nothing about the resource.
    Rejected,
    /// 500-class.
    Server,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Network,
    /// An answer that is not the service's, or that lacks what makes it one.
    Parse,
    /// None found, expired, or a role that could not be assumed: nothing was sent.
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

    /// The value of the label `result`.
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

/// A failed call: its kind to act on, and text for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorKind,
    /// What went wrong, as far down as it is known; for logs, never for labels.
    pub message: String,
    /// Of a [`ErrorKind::Forbidden`] one: it was who asked that was refused, as with an expired
    /// token, and so tells nothing about what is allowed.
    pub caller_refused: bool,
    /// It was answered, but without the type that every error of the service has: by a proxy, say.
    pub untyped: bool,
}

/// Characters of a failure's text that are kept: part of it may be the service's, or of whatever
/// answers in its place, and as long as that likes.
const LONGEST_MESSAGE: usize = 2_000;

impl ApiError {
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
        }
    }

    /// What the failure says about the operation: one that refused the caller says no more than
    /// one for want of credentials.
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
