//! How far the service's clock is from the machine's.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Timestamp;

/// What the `Date` headers of one service's answers told of its clock. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct ServiceClock(Arc<Mutex<Option<i64>>>);

impl ServiceClock {
    /// An answer says that it was `date`, which has whole seconds alone; it was asked for and came
    /// at these times of the machine's clock.
    ///
    /// The service is taken to have looked at its clock half-way between, and in the middle of the
    /// second that it tells.
    pub fn told(&self, date: Timestamp, asked: Timestamp, answered: Timestamp) {
        let half_way = asked.millis() + answered.millis_since(asked) / 2;
        let skew = date.millis() + 500 - half_way;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
    }

    /// The service's clock minus the machine's in milliseconds, as the last answer told: good to half
    /// a second and half of the time that the answer took. `None` before the first.
    pub fn skew_millis(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        assert_eq!(ServiceClock::default().skew_millis(), None);
    }

    proptest! {
        #[test]
        fn skew_is_told_to_half_a_second_and_half_of_the_call(
            asked in 1_700_000_000_000..1_900_000_000_000i64,
            took in 0..20_000i64,
            looked_after in 0.0..=1.0f64,
            ahead in -1_000_000..1_000_000i64,
        ) {
            let looked = asked + (took as f64 * looked_after) as i64;
            let date = (looked + ahead).div_euclid(1_000) * 1_000;
            let clock = ServiceClock::default();
            let time = Timestamp::from_millis;
            clock.told(time(date), time(asked), time(asked + took));
            let error = (clock.skew_millis().unwrap() - ahead).abs();
            prop_assert!(error <= 500 + took / 2 + 1, "off by {error} ms");
        }
    }
}
