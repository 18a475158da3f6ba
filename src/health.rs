//! Judges whether a target can be polled, from the newest result of each operation.
//!
//! Records also since when, the newest error and the denied operations, for the status page.

#[cfg(test)]
mod tests;

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
    /// When a defect of the exporter stopped the polls, if no call has succeeded since.
    panicked: Option<Timestamp>,
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
    /// When a defect of the exporter stopped the polls, if no call has succeeded since.
    pub panicked: Option<Timestamp>,
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
            Ok(()) => {
                self.last_success = Some(at.time);
                self.panicked = None;
            }
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

    /// Records that a defect of the exporter stopped the polls. The target is down until a call succeeds.
    pub fn panicked(&mut self, at: Now) {
        self.panicked = Some(at.time);
        // After a panic the interval decides nothing.
        self.judge(at, Duration::ZERO);
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
    /// called last decide. After a panic it is `false` until a call succeeds.
    pub fn is_up(&self, now: Instant, interval: Duration) -> Option<bool> {
        if self.panicked.is_some() {
            return Some(false);
        }
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

    /// Returns when a defect of the exporter stopped the polls, if no call has succeeded since.
    pub fn panicked_at(&self) -> Option<Timestamp> {
        self.panicked
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
