//! Judges whether a target can be polled, from the newest result of each operation.
//!
//! Records also since when, the newest error and the denied operations, for the status page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{ApiError, ErrorKind, Operation};
use crate::clock::Now;
use crate::model::Timestamp;

/// The number of polling intervals for which the result of an operation counts.
const WINDOW: u32 = 5;

/// The newest result of each operation of one target and region.
#[derive(Clone, Debug, Default)]
pub struct Health {
    newest: [Option<LastCall>; Operation::ALL.len()],
    /// Whether the target could be polled at the last judgement, and when that began.
    judged: Option<(bool, Timestamp)>,
    last_success: Option<Timestamp>,
    newest_fault: Option<FailedCall>,
}

#[derive(Clone, Copy, Debug)]
struct LastCall {
    /// When the operation was last called, throttled or not.
    called: Instant,
    fault: bool,
    /// Start of the current denial, if access is denied.
    denied_since: Option<Timestamp>,
}

/// A failed call that counts against the health of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCall {
    pub at: Timestamp,
    pub operation: Operation,
    pub kind: ErrorKind,
    /// Untrusted, of bounded length.
    pub message: Arc<str>,
}

/// An operation that the credentials do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    pub operation: Operation,
    pub since: Timestamp,
    /// When it is called again; `None` if it is still called at its usual interval.
    pub again: Option<Timestamp>,
}

/// The published health of a target in one region.
#[derive(Clone, Debug, Default)]
pub struct HealthView {
    /// `None` before the first result.
    pub up: Option<bool>,
    /// When the target became up or down.
    pub since: Option<Timestamp>,
    /// When a call last succeeded.
    pub last_success: Option<Timestamp>,
    /// The newest failed call, at any age.
    pub newest_fault: Option<FailedCall>,
    /// Whether the operation of that call has succeeded since.
    pub recovered: bool,
    pub denied: Vec<Denial>,
    /// Resources that the configuration names and the service does not know, with the time at
    /// which that was noticed.
    pub unknown: Arc<BTreeMap<String, Timestamp>>,
    /// The poll lag of the most overdue call.
    pub behind: Duration,
    /// Calls per second, if throttling has reduced them below the configured rate.
    pub slowed_to: Option<f64>,
}

impl Health {
    /// Records the end of a call. A throttled call says nothing about the target's health.
    pub fn record(&mut self, operation: Operation, result: Result<(), &ApiError>, at: Now) {
        let newest = &mut self.newest[operation as usize];
        match result {
            Ok(()) => self.last_success = Some(at.time),
            Err(error) if error.kind == ErrorKind::Throttled => {
                if let Some(outcome) = newest {
                    outcome.called = at.instant;
                }
                return;
            }
            Err(error) if is_fault(error.kind) => {
                self.newest_fault = Some(FailedCall {
                    at: at.time,
                    operation,
                    kind: error.kind,
                    message: Arc::from(error.message.as_str()),
                });
            }
            Err(_) => {}
        }
        let denied = result.is_err_and(|error| error.about_operation() == ErrorKind::Forbidden);
        let since = newest.and_then(|outcome| outcome.denied_since);
        *newest = Some(LastCall {
            called: at.instant,
            fault: result.is_err_and(|error| is_fault(error.kind)),
            denied_since: denied.then(|| since.unwrap_or(at.time)),
        });
    }

    /// Returns [`Self::is_up`], and records the time at which it changed.
    pub fn judge(&mut self, now: Now, interval: Duration) -> Option<bool> {
        let up = self.is_up(now.instant, interval);
        if let Some(up) = up
            && self.judged.is_none_or(|(was, _)| was != up)
        {
            self.judged = Some((up, now.time));
        }
        up
    }

    /// Returns whether the target can be polled; `None` before the first result.
    ///
    /// It is `false` if every operation called in the last five polling intervals failed on
    /// credentials, network or server errors. If none was called in that time, the operations
    /// called last decide.
    pub fn is_up(&self, now: Instant, interval: Duration) -> Option<bool> {
        let outcomes = || self.newest.iter().flatten();
        let last = outcomes().map(|outcome| outcome.called).max()?;
        let since = |outcome: &&LastCall| now.duration_since(outcome.called) <= interval * WINDOW;
        let mut recent = outcomes().filter(since).peekable();
        Some(if recent.peek().is_some() {
            recent.any(|outcome| !outcome.fault)
        } else {
            outcomes().any(|outcome| outcome.called == last && !outcome.fault)
        })
    }

    /// Returns when the target became up or down, if that was observed.
    pub fn since(&self, up: Option<bool>) -> Option<Timestamp> {
        let (judged, since) = self.judged?;
        (up == Some(judged)).then_some(since)
    }

    /// Returns when a call last succeeded.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// Returns the newest failed call, at any age.
    pub fn newest_fault(&self) -> Option<&FailedCall> {
        self.newest_fault.as_ref()
    }

    /// Returns whether the operation of the newest failed call has succeeded since.
    pub fn has_recovered(&self) -> bool {
        let fault = self.newest_fault.as_ref();
        fault.is_some_and(|fault| {
            let newest = self.newest[fault.operation as usize];
            newest.is_some_and(|outcome| !outcome.fault)
        })
    }

    /// Returns the operations whose last call was denied. `denied_until` has the times until which
    /// operations are not called.
    pub fn denied(&self, denied_until: &[(Operation, Instant)], now: Now) -> Vec<Denial> {
        let again = |operation| {
            let until = denied_until.iter().find(|(denied, _)| *denied == operation);
            until.map(|(_, until)| now.time.plus(until.saturating_duration_since(now.instant)))
        };
        let denied = Operation::ALL.into_iter().filter_map(|operation| {
            Some(Denial {
                operation,
                since: self.newest[operation as usize]?.denied_since?,
                again: again(operation),
            })
        });
        denied.collect()
    }
}

fn is_fault(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Forbidden
        | ErrorKind::Rejected
        | ErrorKind::Server
        | ErrorKind::Timeout
        | ErrorKind::Network
        | ErrorKind::Parse
        | ErrorKind::Credentials => true,
        ErrorKind::Client | ErrorKind::Throttled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Operation = Operation::GetWorkflowStepExecution;
    const WORKFLOW: Operation = Operation::GetWorkflowExecution;
    const INTERVAL: Duration = Duration::from_secs(30);

    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    fn start() -> Now {
        Now {
            instant: Instant::now(),
            time: Timestamp::from_millis(0),
        }
    }

    fn error(kind: ErrorKind) -> ApiError {
        ApiError::new(kind, "it went wrong")
    }

    #[test]
    fn health_is_unknown_before_the_first_result_and_throttling_does_not_count() {
        let now = start();
        let mut health = Health::default();
        assert_eq!(health.is_up(now.instant, INTERVAL), None);
        health.record(STEP, Err(&error(ErrorKind::Throttled)), now);
        assert_eq!(health.is_up(now.instant, INTERVAL), None);
    }

    #[test]
    fn every_error_counts_except_throttling_and_an_unknown_step() {
        let now = start();
        for kind in ErrorKind::ALL {
            let mut health = Health::default();
            health.record(STEP, Ok(()), now);
            health.record(STEP, Err(&error(kind)), now);
            let expected = matches!(kind, ErrorKind::Throttled | ErrorKind::Client);
            assert_eq!(
                health.is_up(now.instant, INTERVAL),
                Some(expected),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn one_operation_that_works_keeps_the_target_up_for_five_intervals() {
        let now = start();
        let mut health = Health::default();
        health.record(STEP, Ok(()), now);
        health.record(
            WORKFLOW,
            Err(&error(ErrorKind::Forbidden)),
            now.plus(INTERVAL),
        );
        assert_eq!(
            health.is_up(now.plus(INTERVAL * 5).instant, INTERVAL),
            Some(true)
        );
        let later = now.plus(INTERVAL * 5 + Duration::from_secs(1));
        assert_eq!(health.is_up(later.instant, INTERVAL), Some(false));
    }

    #[test]
    fn last_result_of_an_operation_counts_while_it_is_throttled() {
        let now = start();
        let mut health = Health::default();
        health.record(STEP, Ok(()), now);
        health.record(
            STEP,
            Err(&error(ErrorKind::Throttled)),
            now.plus(INTERVAL * 9),
        );
        health.record(
            WORKFLOW,
            Err(&error(ErrorKind::Forbidden)),
            now.plus(INTERVAL * 10),
        );
        assert_eq!(
            health.is_up(now.plus(INTERVAL * 10).instant, INTERVAL),
            Some(true)
        );
    }

    #[test]
    fn last_called_operation_decides_when_calls_have_stopped() {
        let now = start();
        let mut health = Health::default();
        health.record(STEP, Err(&error(ErrorKind::Network)), now);
        health.record(WORKFLOW, Ok(()), now.plus(INTERVAL));
        assert_eq!(
            health.is_up(now.plus(INTERVAL * 100).instant, INTERVAL),
            Some(true)
        );
        health.record(
            STEP,
            Err(&error(ErrorKind::Network)),
            now.plus(INTERVAL * 2),
        );
        assert_eq!(
            health.is_up(now.plus(INTERVAL * 100).instant, INTERVAL),
            Some(false)
        );
    }

    #[test]
    fn target_is_up_or_down_since_the_first_such_result() {
        let now = start();
        let mut health = Health::default();
        let mut record = |result: Result<(), &ApiError>, at: Now| {
            health.record(STEP, result, at);
            let up = health.judge(at, INTERVAL);
            health.since(up)
        };
        let fault = error(ErrorKind::Network);
        assert_eq!(record(Ok(()), now), Some(now.time));
        assert_eq!(record(Ok(()), now.plus(INTERVAL)), Some(now.time));
        let down = now.plus(INTERVAL * 2);
        assert_eq!(record(Err(&fault), down), Some(down.time));
        assert_eq!(record(Err(&fault), now.plus(INTERVAL * 3)), Some(down.time));
        assert_eq!(health.last_success(), Some(now.plus(INTERVAL).time));
        let newest = health.newest_fault().unwrap();
        assert_eq!(
            (newest.at, &*newest.message),
            (now.plus(INTERVAL * 3).time, "it went wrong")
        );
        assert_eq!(health.since(Some(true)), None);
    }

    #[test]
    fn target_recovers_when_the_failed_operation_succeeds() {
        let now = start();
        let mut health = Health::default();
        assert!(!health.has_recovered());
        health.record(STEP, Err(&error(ErrorKind::Timeout)), now);
        health.record(WORKFLOW, Ok(()), now);
        assert!(!health.has_recovered());
        health.record(STEP, Err(&error(ErrorKind::Throttled)), now);
        assert!(!health.has_recovered());
        health.record(STEP, Ok(()), now);
        assert!(health.has_recovered());
        health.record(STEP, Err(&error(ErrorKind::Timeout)), now);
        assert!(!health.has_recovered());
    }

    #[test]
    fn operation_is_denied_from_the_first_refusal_until_it_succeeds() {
        let now = start();
        let mut health = Health::default();
        let refused = ApiError {
            caller_refused: true,
            ..error(ErrorKind::Forbidden)
        };
        health.record(STEP, Err(&refused), now);
        assert_eq!(health.denied(&[], now), []);
        let later = now.plus(INTERVAL);
        health.record(WORKFLOW, Err(&error(ErrorKind::Forbidden)), now);
        health.record(WORKFLOW, Err(&error(ErrorKind::Forbidden)), later);
        let denial = Denial {
            operation: WORKFLOW,
            since: now.time,
            again: Some(later.time),
        };
        assert_eq!(health.denied(&[(WORKFLOW, later.instant)], now), [denial]);
        assert_eq!(health.denied(&[], now)[0].again, None);
        health.record(WORKFLOW, Ok(()), later);
        assert_eq!(health.denied(&[], now), []);
    }
}
