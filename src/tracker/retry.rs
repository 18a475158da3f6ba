//! Decides when a failed call is retried: one policy for all calls.

use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::pace::HOUR;
use crate::api::ErrorKind;

/// How the failures of one kind of call are repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// The interval at which the call is made while it succeeds: the backoff is measured by it.
    pub interval: Duration,
    /// The resource is gone once the service has not known it for this time; the call is then made once
    /// an hour. `None`: the resource is never gone.
    pub gone_after: Option<Duration>,
    /// Whether a call that is denied waits an hour; otherwise it backs off like any other.
    pub denied_hourly: bool,
    /// Whether a list whose page token has expired is read again at once.
    pub restarts_at_once: bool,
}

/// The failures of one call since it last succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Retries {
    pub failures: u32,
    /// Since when the service has said that it does not know the resource.
    pub unknown_since: Option<Instant>,
    /// It has said so for long enough to be believed.
    pub gone: bool,
}

impl Policy {
    /// Of polls at this interval: hourly once access is denied or the resource is gone.
    pub(super) fn hourly(interval: Duration) -> Self {
        Self {
            interval,
            gone_after: Some(HOUR),
            denied_hourly: true,
            restarts_at_once: false,
        }
    }
}

impl Retries {
    /// Records a failure of this kind and returns how long the next attempt waits.
    pub(super) fn failed(&mut self, kind: ErrorKind, policy: Policy, c: &mut Context) -> Duration {
        let now = c.now.instant;
        self.failures = self.failures.saturating_add(1);
        let wait = c.wait_after(kind, policy.interval, self.failures);
        let jitter = &mut c.jitter;
        if kind == ErrorKind::Forbidden && policy.denied_hourly {
            return jitter.nearly(HOUR);
        }
        if kind == ErrorKind::Client
            && let Some(gone_after) = policy.gone_after
        {
            let gone_at = *self.unknown_since.get_or_insert(now) + gone_after;
            self.gone |= now >= gone_at;
            if !self.gone {
                return wait.min(gone_at - now);
            }
        }
        match self.gone {
            true => jitter.nearly(HOUR),
            false => wait,
        }
    }
}
