//! What was found out about one target in one region.

use std::time::Duration;

use super::estimate::Estimate;
use crate::api::{ApiError, Caller, ErrorKind, Operation};
use crate::config::{LimitKey, RateLimit};

/// From here on it is worth a word: what is shown of running steps is as far off.
pub(super) const SKEW_TO_WARN_OF: Duration = Duration::from_secs(60);
/// From here on requests are refused, which "must reach AWS within five minutes of the time stamp in
/// the request", as the IAM user guide says of signed ones.
pub(super) const SKEW_REFUSED: Duration = Duration::from_secs(5 * 60);

/// What was found out about one target in one region.
#[derive(Debug)]
pub struct Findings {
    pub target: String,
    pub region: String,
    /// Whose credentials they are.
    pub caller: Result<Caller, ApiError>,
    /// Who was to assume the role, where that failed.
    pub base: Option<Result<Caller, ApiError>>,
    /// One for each operation that is needed, in the order of the flow.
    pub checks: Vec<Check>,
    /// The service's clock minus ours; `None` where no answer told.
    pub skew_millis: Option<i64>,
    pub warnings: Vec<String>,
    /// `None` where too little could be read.
    pub estimate: Option<Estimate>,
    /// The service takes no pages of the usual size.
    pub(super) has_small_pages: bool,
    pub(super) limit_key: LimitKey,
    pub(super) rate_limit: RateLimit,
}

/// What became of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub operation: Operation,
    pub outcome: CheckOutcome,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CheckOutcome {
    /// Answered; what with.
    Allowed(String),
    /// The service does not know what was asked for, and would have denied it before it said so.
    NothingThere(String),
    Denied(ApiError),
    /// The service refuses who asks, whatever for.
    CallerRefused(ApiError),
    Throttled(ApiError),
    /// No answer, or none of the service's.
    Failed(ApiError),
    /// A call before it failed in a way that this one would, too.
    NotAsked,
}

impl CheckOutcome {
    /// Of a call that failed; `tried` is what was asked for. Of a list of the account, which asks
    /// for nothing in particular, an error of the client is no answer.
    pub(super) fn of_failure(error: ApiError, tried: Option<String>) -> Self {
        match (error.kind, tried) {
            (ErrorKind::Forbidden, _) if error.untyped => Self::Failed(error),
            _ if error.caller_refused => Self::CallerRefused(error),
            (ErrorKind::Forbidden, _) => Self::Denied(error),
            (ErrorKind::Throttled, _) => Self::Throttled(error),
            (ErrorKind::Client, Some(tried)) => Self::NothingThere(tried),
            _ => Self::Failed(error),
        }
    }

    /// Whether every other call would fail as well.
    pub(super) fn speaks_for_all(&self) -> bool {
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
            Self::Allowed(_) | Self::NothingThere(_) | Self::Throttled(_) => true,
            Self::Denied(_) | Self::CallerRefused(_) | Self::Failed(_) | Self::NotAsked => false,
        }
    }
}

impl Findings {
    /// Whether the exporter can do all that is configured.
    pub fn is_well(&self) -> bool {
        let caller_is_there = match &self.caller {
            Err(error) => error.kind != ErrorKind::Credentials,
            Ok(_) => true,
        };
        let asked = self.checks.iter().all(|check| check.outcome.is_well());
        caller_is_there && asked && !self.is_skewed_by(SKEW_REFUSED)
    }

    /// Whether the service answered anything that was asked.
    pub(super) fn has_answer(&self) -> bool {
        let answered = |check: &Check| {
            matches!(
                check.outcome,
                CheckOutcome::Allowed(_) | CheckOutcome::NothingThere(_)
            )
        };
        self.checks.iter().any(answered)
    }

    /// Those of which nobody knows whether they are allowed.
    pub(super) fn throttled(&self) -> usize {
        let throttled = |check: &&Check| matches!(check.outcome, CheckOutcome::Throttled(_));
        self.checks.iter().filter(throttled).count()
    }

    /// How many things are worth a look that are no reason to fail.
    pub(super) fn count_warnings(&self) -> usize {
        let skewed = self.is_skewed_by(SKEW_TO_WARN_OF) && !self.is_skewed_by(SKEW_REFUSED);
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
