//! Estimates the difference between the service's clock and the machine's.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Timestamp;

/// The clock skew of one service, from the `Date` headers of its responses. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct ServiceClock(Arc<Mutex<Option<i64>>>);

impl ServiceClock {
    /// Records the `Date` header of a response, which has whole seconds.
    ///
    /// `sent` and `received` are times of the machine's clock. The estimate takes the middle of the
    /// header's second for the time half-way between them.
    pub fn observe(&self, date: Timestamp, sent: Timestamp, received: Timestamp) {
        let half_way = sent.millis() + received.millis_since(sent) / 2;
        let skew = date.millis() + 500 - half_way;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
    }

    /// Returns the service's clock minus the machine's in milliseconds, from the last response.
    ///
    /// The error is at most half a second plus half of the call's duration. `None` before the first
    /// response.
    pub fn skew_millis(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn skew_is_unknown_before_the_first_response() {
        assert_eq!(ServiceClock::default().skew_millis(), None);
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
            clock.observe(time(date), time(sent), time(sent + took));
            let error = (clock.skew_millis().unwrap() - ahead).abs();
            prop_assert!(error <= 500 + took / 2 + 1, "off by {error} ms");
        }
    }
}
