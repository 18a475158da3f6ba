//! Estimates the difference between the service's clock and the machine's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Now;
use crate::model::Timestamp;

/// From this skew on, the machine's clock is wrong. A smaller one may be the error of the estimate,
/// which is the duration of a slow call.
const WRONG_MILLIS: u64 = 30_000;

/// The clock skew of one service, from the `Date` headers of its responses. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct ServiceClock(Arc<Mutex<Option<i64>>>);

impl ServiceClock {
    /// Records the `Date` header of a response, which has whole seconds.
    ///
    /// The call took so long until `received`, a time of the machine's clock, which may have stepped
    /// meanwhile. The estimate takes the middle of the header's second for half of that before.
    pub fn observe(&self, date: Timestamp, took: Duration, received: Timestamp) {
        let half_way = received.minus(took / 2);
        let skew = date.plus_millis(500).millis_since(half_way);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
    }

    /// Returns the service's clock minus the machine's in milliseconds, from the last response.
    ///
    /// The error is at most half a second plus half of the call's duration. `None` before the first
    /// response.
    pub fn skew_millis(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the moment of a response with the time of the service if the machine's clock is wrong.
    pub fn corrected(&self, now: Now) -> Now {
        match self.skew_millis() {
            Some(skew) if skew.unsigned_abs() >= WRONG_MILLIS => Now {
                time: now.time.plus_millis(skew),
                ..now
            },
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn skew_is_unknown_before_the_first_response() {
        assert_eq!(ServiceClock::default().skew_millis(), None);
    }

    #[test]
    fn only_a_wrong_clock_is_corrected() {
        let now = Clock::System.now();
        for (ahead, corrected) in [(29_999, 0), (30_000, 30_000), (-90_000, -90_000)] {
            let clock = ServiceClock::default();
            assert_eq!(clock.corrected(now), now);
            let date = now.time.plus_millis(ahead - 500);
            clock.observe(date, Duration::ZERO, now.time);
            let expected = Now {
                time: now.time.plus_millis(corrected),
                ..now
            };
            assert_eq!(clock.corrected(now), expected, "{ahead}");
        }
    }

    proptest! {
        #[test]
        fn skew_is_exact_to_half_a_second_and_half_of_the_call(
            sent in 1_700_000_000_000..1_900_000_000_000i64,
            took in 0..20_000i64,
            stamped_after in 0.0..=1.0f64,
            ahead in -1_000_000..1_000_000i64,
        ) {
            let stamped = sent + (took as f64 * stamped_after) as i64;
            let date = (stamped + ahead).div_euclid(1_000) * 1_000;
            let clock = ServiceClock::default();
            let time = Timestamp::from_millis;
            clock.observe(time(date), Duration::from_millis(took as u64), time(sent + took));
            let error = (clock.skew_millis().unwrap() - ahead).abs();
            prop_assert!(error <= 500 + took / 2 + 1, "off by {error} ms");
        }
    }
}
