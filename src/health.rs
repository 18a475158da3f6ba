//! Whether a target can be polled at all, judged by the newest outcome of each operation, and what a
//! person may want to know of that: since when, what went wrong last, and what is denied.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{ApiError, ErrorKind, Operation};
use crate::clock::Now;
use crate::model::Timestamp;

/// How many polling intervals an operation's outcome speaks for.
const WINDOW: u32 = 5;

/// The newest outcome of each operation of one target and region.
#[derive(Clone, Debug, Default)]
pub struct Health {
    newest: [Option<LastCall>; Operation::ALL.len()],
    /// Whether the target could be polled when it was last judged, and since when that has been so.
    judged: Option<(bool, Timestamp)>,
    last_success: Option<Timestamp>,
    newest_fault: Option<FailedCall>,
}

#[derive(Clone, Copy, Debug)]
struct LastCall {
    /// When the operation was last called, throttled or not.
    called: Instant,
    fault: bool,
    /// Since when it has been denied, where it is.
    denied_since: Option<Timestamp>,
}

/// A call that failed in a way that speaks against the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCall {
    pub at: Timestamp,
    pub operation: Operation,
    pub kind: ErrorKind,
    /// Untrusted, of bounded length.
    pub message: Arc<str>,
}

/// An operation that the credentials don't allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    pub operation: Operation,
    pub since: Timestamp,
    /// When it is called again; `None` where it is called on at its usual interval.
    pub again: Option<Timestamp>,
}

/// The health of a target in one region, as it is shown.
#[derive(Clone, Debug, Default)]
pub struct HealthView {
    /// `None` before the first outcome.
    pub up: Option<bool>,
    /// Since when it has been so.
    pub since: Option<Timestamp>,
    /// When a call last succeeded.
    pub last_success: Option<Timestamp>,
    /// What last went wrong, however long ago.
    pub newest_fault: Option<FailedCall>,
    /// Whether the operation of that fault has succeeded since.
    pub recovered: bool,
    pub denied: Vec<Denial>,
    /// Resources that the configuration names and the service does not know, and since when.
    pub unknown: Arc<BTreeMap<String, Timestamp>>,
    /// How long the call has waited that is due longest.
    pub behind: Duration,
    /// Calls a second, where throttling has made them fewer than configured.
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

    /// As [`Self::is_up`], and remembers since when that has been so.
    pub fn judge(&mut self, now: Now, interval: Duration) -> Option<bool> {
        let up = self.is_up(now.instant, interval);
        if let Some(up) = up
            && self.judged.is_none_or(|(was, _)| was != up)
        {
            self.judged = Some((up, now.time));
        }
        up
    }

    /// `false` where every operation called in the last five polling intervals failed by a fault
    /// of credentials, network or service. Where none was called in that time, what was called
    /// last decides; `None` before the first outcome.
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

    /// Since when the target has been up, or down, where that was noticed.
    pub fn since(&self, up: Option<bool>) -> Option<Timestamp> {
        let (judged, since) = self.judged?;
        (up == Some(judged)).then_some(since)
    }

    /// When a call last succeeded.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// What last went wrong, however long ago.
    pub fn newest_fault(&self) -> Option<&FailedCall> {
        self.newest_fault.as_ref()
    }

    /// Whether the operation that last went wrong has worked since.
    pub fn has_recovered(&self) -> bool {
        let fault = self.newest_fault.as_ref();
        fault.is_some_and(|fault| {
            let newest = self.newest[fault.operation as usize];
            newest.is_some_and(|outcome| !outcome.fault)
        })
    }

    /// What is denied now, as far as it was tried. `denied_until` says until when operations are not
    /// called.
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
    fn nothing_is_said_before_the_first_outcome_and_throttling_is_none() {
        let now = start();
        let mut health = Health::default();
        assert_eq!(health.is_up(now.instant, INTERVAL), None);
        health.record(STEP, Err(&error(ErrorKind::Throttled)), now);
        assert_eq!(health.is_up(now.instant, INTERVAL), None);
    }

    #[test]
    fn every_fault_is_one_and_the_service_not_knowing_a_step_is_none() {
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
    fn newest_outcome_of_an_operation_counts_while_it_is_throttled() {
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
    fn what_was_called_last_decides_when_nothing_is_called_any_more() {
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
    fn target_is_up_or_down_since_it_was_first_found_so() {
        let now = start();
        let mut health = Health::default();
        let mut tell = |result: Result<(), &ApiError>, at: Now| {
            health.record(STEP, result, at);
            let up = health.judge(at, INTERVAL);
            health.since(up)
        };
        let fault = error(ErrorKind::Network);
        assert_eq!(tell(Ok(()), now), Some(now.time));
        assert_eq!(tell(Ok(()), now.plus(INTERVAL)), Some(now.time));
        let down = now.plus(INTERVAL * 2);
        assert_eq!(tell(Err(&fault), down), Some(down.time));
        assert_eq!(tell(Err(&fault), now.plus(INTERVAL * 3)), Some(down.time));
        assert_eq!(health.last_success(), Some(now.plus(INTERVAL).time));
        let newest = health.newest_fault().unwrap();
        assert_eq!(
            (newest.at, &*newest.message),
            (now.plus(INTERVAL * 3).time, "it went wrong")
        );
        assert_eq!(health.since(Some(true)), None);
    }

    #[test]
    fn fault_is_over_once_its_operation_has_worked_and_no_other() {
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
    fn denied_is_what_was_last_refused_by_its_action_until_it_is_answered() {
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
