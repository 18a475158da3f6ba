//! When a failed call is made again: one policy for all calls, and the jitter of the schedule.

use std::time::Duration;

use tokio::time::Instant;

use super::pace::HOUR;

use crate::api::ErrorKind;

/// The longest wait after failures, where the step's own interval is not longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// A seeded source of chance.
#[derive(Debug)]
pub(super) struct Jitter(fastrand::Rng);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Anything from nothing to `bound`.
    pub(super) fn below(&mut self, bound: Duration) -> Duration {
        bound.mul_f64(self.0.f64())
    }

    /// `interval` or a little less, never more: an interval is a promise.
    pub(super) fn nearly(&mut self, interval: Duration) -> Duration {
        interval.mul_f64(0.95 + 0.05 * self.0.f64())
    }

    /// The wait after so many failures in a row, the last of this kind. What is throttled waits for
    /// the rate limit, which the throttling has lowered: beside that no longer than the interval,
    /// so that all is seen in time again as soon as the rate is back.
    pub(super) fn after_failure(
        &mut self,
        kind: ErrorKind,
        interval: Duration,
        failures: u32,
    ) -> Duration {
        let wait = self.backoff(interval, failures);
        match kind {
            ErrorKind::Throttled => wait.min(self.nearly(interval)),
            _ => wait,
        }
    }

    /// The wait after so many failures in a row: a quarter of the interval first, so that one lost
    /// answer makes nothing late, then twice as long each time up to a bound, each wait shortened
    /// by up to a half.
    fn backoff(&mut self, interval: Duration, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let wait = (interval / 4).saturating_mul(1 << doublings);
        let bounded = wait.min(LONGEST_BACKOFF.max(interval));
        bounded.mul_f64(0.5 + 0.5 * self.0.f64())
    }
}

/// How the failures of one kind of call are repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// The interval at which the call is made while it succeeds: the backoff is measured by it.
    pub interval: Duration,
    /// How long the service must have said that it does not know the resource until it is taken for
    /// gone and the call is made hourly; `None` where it never is.
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

impl Retries {
    /// Records a failure of this kind and returns how long the next attempt waits.
    pub(super) fn failed(
        &mut self,
        kind: ErrorKind,
        policy: Policy,
        jitter: &mut Jitter,
        now: Instant,
    ) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = jitter.after_failure(kind, policy.interval, self.failures);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn backoff_grows_to_its_bound_and_no_further(
            seed: u64,
            seconds in 1..3_600u64,
            failures in 1..1_000u32,
        ) {
            let interval = Duration::from_secs(seconds);
            let wait = Jitter::new(seed).backoff(interval, failures);
            let bound = LONGEST_BACKOFF.max(interval);
            prop_assert!(wait <= bound);
            prop_assert!(wait >= interval / 8);
            if failures > 16 {
                prop_assert!(wait >= bound / 2);
            }
        }

        #[test]
        fn nearly_an_interval_is_never_more(seed: u64, millis in 1..1_000_000u64) {
            let interval = Duration::from_millis(millis);
            let nearly = Jitter::new(seed).nearly(interval);
            prop_assert!(nearly <= interval && nearly >= interval.mul_f64(0.9));
        }
    }
}
