//! Polling intervals, retention, and the jitter of the schedule.

use std::time::Duration;

use crate::api::ErrorKind;

/// For how long a denied operation is not called, and the service must have said that it does not
/// know a resource until that is believed; also how often either is tried again.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
/// What the configuration names is polled again every so many discovery intervals once it has
/// settled.
pub(super) const SELDOM: u32 = 10;

/// The longest backoff, unless the interval of the call is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The longest wait of a call that is made at this interval, while the target's calls fail.
pub(super) fn longest_backoff(interval: Duration) -> Duration {
    LONGEST_BACKOFF.max(interval)
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Of the steps that are not listed one by one.
    pub interval: Duration,
    pub discovery_interval: Duration,
    pub retention: Duration,
    /// Of what failed.
    pub retention_failed: Duration,
}

impl Pace {
    pub(super) fn retention(self, failed: bool) -> Duration {
        match failed {
            true => self.retention_failed,
            false => self.retention,
        }
    }
}

/// A seeded source of random waits.
#[derive(Debug)]
pub(super) struct Jitter(fastrand::Rng);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns a random duration up to `bound`.
    pub(super) fn below(&mut self, bound: Duration) -> Duration {
        bound.mul_f64(self.0.f64())
    }

    /// `interval` or a little less, never more: an interval is a promise.
    pub(super) fn nearly(&mut self, interval: Duration) -> Duration {
        interval.mul_f64(self.part())
    }

    /// Returns the part of an interval after which a call is made again: 0.95 to 1.
    pub(super) fn part(&mut self) -> f64 {
        0.95 + 0.05 * self.0.f64()
    }

    /// The wait after so many failures in a row, the last of this kind, at most `longest`. What is
    /// throttled waits for the rate limit, which the throttling has lowered: beside that no longer than
    /// the interval, so that all is seen in time again as soon as the rate is back.
    pub(super) fn after_failure(
        &mut self,
        kind: ErrorKind,
        interval: Duration,
        failures: u32,
        longest: Duration,
    ) -> Duration {
        let wait = self.backoff(interval, failures, longest);
        match kind {
            ErrorKind::Throttled => wait.min(self.nearly(interval)),
            _ => wait,
        }
    }

    /// The wait after so many failures in a row: a quarter of the interval first, so that one lost
    /// answer makes nothing late, then twice as long each time up to `longest`, each wait
    /// shortened by up to a half.
    fn backoff(&mut self, interval: Duration, failures: u32, longest: Duration) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let wait = (interval / 4).saturating_mul(1 << doublings);
        wait.min(longest).mul_f64(0.5 + 0.5 * self.0.f64())
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
            let bound = longest_backoff(interval);
            let wait = Jitter::new(seed).backoff(interval, failures, bound);
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
