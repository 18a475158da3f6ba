//! Whether a target can be polled at all, told from the newest outcome of each operation, and what a
//! person may want to know of that: since when, what went wrong last, what is denied, and what the
//! service doesn't know.

use std::collections::{BTreeMap, BTreeSet};
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
    newest: [Option<Outcome>; Operation::ALL.len()],
    /// Whether the target could be polled when it was last judged, and since when that has been so.
    judged: Option<(bool, Timestamp)>,
    last_success: Option<Timestamp>,
    newest_fault: Option<Fault>,
    /// Until when operations are left alone, as they are denied.
    left_alone: [Option<Instant>; Operation::ALL.len()],
    /// When the call became due that waits longest.
    next_due: Option<Instant>,
    /// What the configuration names and the service doesn't know, and since when that is so.
    unknown: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// When the operation was last called, throttled or not.
    called: Instant,
    fault: bool,
    /// Since when it has been denied, where it is.
    denied_since: Option<Timestamp>,
}

/// A call that failed in a way that speaks against the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
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
    /// Until when it is left alone; `None` where it is tried on at its usual interval.
    pub left_alone: Option<Instant>,
}

impl Health {
    /// Throttling tells that someone is there, and nothing more: it is no outcome.
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
                self.newest_fault = Some(Fault {
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
        *newest = Some(Outcome {
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
        let since = |outcome: &&Outcome| now.duration_since(outcome.called) <= interval * WINDOW;
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
    pub fn newest_fault(&self) -> Option<&Fault> {
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

    /// What is denied now, as far as it was tried.
    pub fn denied(&self) -> impl Iterator<Item = Denial> {
        Operation::ALL.into_iter().filter_map(|operation| {
            let since = self.newest[operation as usize]?.denied_since?;
            Some(Denial {
                operation,
                since,
                left_alone: self.left_alone[operation as usize],
            })
        })
    }

    /// These operations are left alone until then, and no others.
    pub fn leave_alone(&mut self, operations: impl Iterator<Item = (Operation, Instant)>) {
        self.left_alone = Default::default();
        for (operation, until) in operations {
            self.left_alone[operation as usize] = Some(until);
        }
    }

    /// The service doesn't know what the configuration names. Returns whether that is news.
    pub fn not_known(&mut self, id: &str, at: Timestamp) -> bool {
        let news = !self.unknown.contains_key(id);
        if news {
            self.unknown.insert(id.to_owned(), at);
        }
        news
    }

    /// The service knows it.
    pub fn known(&mut self, id: impl ToString) {
        if !self.unknown.is_empty() {
            self.unknown.remove(&id.to_string());
        }
    }

    /// The configuration names just these now.
    pub fn named(&mut self, ids: &BTreeSet<String>) {
        self.unknown.retain(|id, _| ids.contains(id));
    }

    /// What the configuration names and the service doesn't know, and since when that is so.
    pub fn unknown(&self) -> &BTreeMap<String, Timestamp> {
        &self.unknown
    }

    /// The next call is due then.
    pub fn expect(&mut self, next_due: Option<Instant>) {
        self.next_due = next_due;
    }

    /// How long the call has waited that is due longest.
    pub fn behind(&self, now: Instant) -> Duration {
        let due = self.next_due;
        due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }
}

fn is_fault(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Forbidden
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
        assert_eq!(health.denied().next(), None);
        let later = now.plus(INTERVAL);
        health.record(WORKFLOW, Err(&error(ErrorKind::Forbidden)), now);
        health.record(WORKFLOW, Err(&error(ErrorKind::Forbidden)), later);
        health.leave_alone([(WORKFLOW, later.instant)].into_iter());
        let denial = Denial {
            operation: WORKFLOW,
            since: now.time,
            left_alone: Some(later.instant),
        };
        assert_eq!(health.denied().collect::<Vec<_>>(), [denial]);
        health.leave_alone(std::iter::empty());
        assert_eq!(health.denied().next().unwrap().left_alone, None);
        health.record(WORKFLOW, Ok(()), later);
        assert_eq!(health.denied().next(), None);
    }

    #[test]
    fn behind_is_how_long_a_call_that_is_due_has_waited() {
        let now = start();
        let mut health = Health::default();
        assert_eq!(health.behind(now.instant), Duration::ZERO);
        health.expect(Some(now.plus(INTERVAL).instant));
        assert_eq!(health.behind(now.instant), Duration::ZERO);
        assert_eq!(health.behind(now.plus(INTERVAL * 3).instant), INTERVAL * 2);
    }
}
