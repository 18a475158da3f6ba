//! Defines the findings about one target in one region.

use std::time::Duration;

use super::estimate::Estimate;
use crate::api::{ApiError, Caller, ErrorKind, Operation};
use crate::config::{LimitKey, RateLimit};

/// The clock skew from which on a warning is reported: durations of running steps are off by as much.
pub(super) const SKEW_WARNING: Duration = Duration::from_secs(60);
/// The clock skew from which on requests are refused. Signed requests "must reach AWS within five
/// minutes of the time stamp in the request", as the IAM user guide says.
pub(super) const SKEW_REFUSED: Duration = Duration::from_secs(5 * 60);

/// The findings about one target in one region.
#[derive(Debug)]
pub struct Findings {
    pub target: String,
    pub region: String,
    /// The identity of the credentials.
    pub caller: Result<Caller, ApiError>,
    /// The identity that assumes the role, if that failed.
    pub base: Option<Result<Caller, ApiError>>,
    /// One check for each operation that is needed, in the order of the exporter's calls.
    pub checks: Vec<Check>,
    /// The service's clock minus this machine's; `None` without a response.
    pub skew_millis: Option<i64>,
    pub warnings: Vec<String>,
    /// `None` if too little could be read.
    pub estimate: Option<Estimate>,
    /// Whether the service refuses pages of the usual size.
    pub(super) has_small_pages: bool,
    pub(super) limit_key: LimitKey,
    pub(super) rate_limit: RateLimit,
}

/// The outcome of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub operation: Operation,
    pub outcome: CheckOutcome,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CheckOutcome {
    /// The call succeeded, with this result.
    Allowed(String),
    /// The resource does not exist. The service checks permissions first, so the call is allowed.
    NotFound(String),
    Denied(ApiError),
    /// The service refuses the caller for every operation.
    CallerRefused(ApiError),
    Throttled(ApiError),
    /// There was no response, or another server's.
    Failed(ApiError),
    /// An earlier call failed in a way in which this one would fail too.
    Skipped,
}

impl CheckOutcome {
    /// Returns the outcome of a failed call. `tried` is the requested resource; a list of the account
    /// has none, and a client error is then a failure.
    pub(super) fn of_failure(error: ApiError, tried: Option<String>) -> Self {
        match (error.kind, tried) {
            (ErrorKind::Forbidden, _) if error.untyped => Self::Failed(error),
            _ if error.caller_refused => Self::CallerRefused(error),
            (ErrorKind::Forbidden, _) => Self::Denied(error),
            (ErrorKind::Throttled, _) => Self::Throttled(error),
            (ErrorKind::Client, Some(tried)) => Self::NotFound(tried),
            _ => Self::Failed(error),
        }
    }

    /// Returns whether every other call would fail too.
    pub(super) fn fails_every_call(&self) -> bool {
        match self {
            Self::CallerRefused(_) => true,
            Self::Failed(error) => {
                matches!(error.kind, ErrorKind::Credentials | ErrorKind::Network)
            }
            _ => false,
        }
    }

    fn is_well(&self) -> bool {
        match self {
            Self::Allowed(_) | Self::NotFound(_) | Self::Throttled(_) => true,
            Self::Denied(_) | Self::CallerRefused(_) | Self::Failed(_) | Self::Skipped => false,
        }
    }
}

impl Findings {
    /// Returns whether the exporter can do everything that is configured.
    pub fn is_well(&self) -> bool {
        let caller_is_there = match &self.caller {
            Err(error) => error.kind != ErrorKind::Credentials,
            Ok(_) => true,
        };
        let asked = self.checks.iter().all(|check| check.outcome.is_well());
        caller_is_there && asked && !self.is_skewed_by(SKEW_REFUSED)
    }

    /// Returns whether any call succeeded.
    pub(super) fn has_response(&self) -> bool {
        let answered = |check: &Check| {
            matches!(
                check.outcome,
                CheckOutcome::Allowed(_) | CheckOutcome::NotFound(_)
            )
        };
        self.checks.iter().any(answered)
    }

    /// Returns the number of throttled operations, of which it is unknown whether they are allowed.
    pub(super) fn throttled(&self) -> usize {
        let throttled = |check: &&Check| matches!(check.outcome, CheckOutcome::Throttled(_));
        self.checks.iter().filter(throttled).count()
    }

    /// Returns the number of warnings.
    pub(super) fn count_warnings(&self) -> usize {
        let skewed = self.is_skewed_by(SKEW_WARNING) && !self.is_skewed_by(SKEW_REFUSED);
        self.warnings.len() + self.throttled() + usize::from(skewed)
    }

    pub(super) fn is_skewed_by(&self, limit: Duration) -> bool {
        let skew = self.skew_millis.unwrap_or_default();
        u128::from(skew.unsigned_abs()) >= limit.as_millis()
    }

    pub(super) fn denied(&self) -> Vec<&Check> {
        let denied = |check: &&Check| matches!(check.outcome, CheckOutcome::Denied(_));
        self.checks.iter().filter(denied).collect()
    }
}
