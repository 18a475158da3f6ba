//! The rule for *slow*: after what duration a running step is slow, given how long it usually takes.
//!
//! It is chosen by the simulation below it, whose figures docs/baselines.md shows.

#[cfg(test)]
mod page;
#[cfg(test)]
mod picture;
#[cfg(test)]
mod simulation;

use std::time::Duration;

/// Fewer samples are no baseline.
pub(super) const LEAST: usize = 3;

/// A step is slow after this many medians at the earliest.
const MEDIANS: u32 = 3;

/// What a step may take beyond its median, whatever that is: polls are half a minute apart, and a
/// step of seconds also waits for its instance.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// How much the samples vary counts for more where they are few: the exponent is this number, divided
/// by the number of samples less one.
const WEIGHT: f64 = 12.0;

/// Below this, the variation of a step says nothing.
const SHORT: Duration = Duration::from_secs(60);

/// However much the samples vary, a step is slow after the largest of them, multiplied by this.
const MOST: f64 = 5.0;

/// After what duration a step is slow; `None` without a baseline. `durations` are those of its last
/// executions, 10 at most, the oldest first.
pub(super) fn slow_after(durations: &[Duration]) -> Option<Duration> {
    let median = median(durations)?;
    let largest = *durations.iter().max()?;
    let smallest = *durations.iter().min()?;
    let usual = median.saturating_mul(MEDIANS).max(median + MARGIN);
    let varied = extrapolated(smallest, largest, durations.len());
    (durations.len() >= LEAST).then(|| usual.max(varied))
}

/// How long the next execution may take, given how much the last ones vary: the largest, multiplied by
/// a power of its ratio to the smallest.
fn extrapolated(smallest: Duration, largest: Duration, samples: usize) -> Duration {
    let ratio = largest.max(SHORT).div_duration_f64(smallest.max(SHORT));
    let exponent = WEIGHT / (samples.max(2) - 1) as f64;
    largest.mul_f64(ratio.powf(exponent).min(MOST))
}

/// The median; of an even number of durations, the mean of the two in the middle.
pub(super) fn median(durations: &[Duration]) -> Option<Duration> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    match sorted.len() % 2 {
        0 => Some((*sorted.get(middle - 1)? + upper) / 2),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes<const N: usize>(minutes: [u64; N]) -> [Duration; N] {
        minutes.map(|minutes| Duration::from_secs(60 * minutes))
    }

    fn slow_after_minutes<const N: usize>(last: [u64; N]) -> u64 {
        slow_after(&minutes(last)).unwrap().as_secs() / 60
    }

    #[test]
    fn fewer_than_three_samples_are_no_baseline() {
        assert_eq!(slow_after(&[]), None);
        assert_eq!(slow_after(&minutes([9, 9])), None);
        assert!(slow_after(&minutes([9, 9, 9])).is_some());
    }

    #[test]
    fn steady_step_is_slow_after_three_medians() {
        assert_eq!(slow_after_minutes([9, 9, 10]), 27);
        assert_eq!(slow_after_minutes([8, 9, 9, 10, 9, 8, 9, 9, 9, 9]), 27);
    }

    #[test]
    fn short_step_is_slow_after_five_minutes_more() {
        let seconds = [1, 50, 3].map(Duration::from_secs);
        assert_eq!(slow_after(&seconds), Some(Duration::from_secs(303)));
        assert_eq!(slow_after_minutes([2, 2, 2]), 7);
    }

    #[test]
    fn varying_step_is_slow_later_the_fewer_samples_it_has() {
        // 12 x 5 with 3 samples, 12 x (12 / 8)^3 with 5.
        assert_eq!(slow_after_minutes([8, 10, 12]), 60);
        assert_eq!(slow_after_minutes([8, 10, 12, 10, 10]), 40);
        let ten = [8, 10, 12, 10, 10, 10, 10, 10, 10, 10];
        assert_eq!(slow_after_minutes(ten), 30);
    }

    #[test]
    fn median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&minutes([9, 1, 4])), Some(minutes([4])[0]));
        assert_eq!(median(&minutes([9, 1, 4, 6])), Some(minutes([5])[0]));
    }

    proptest! {
        /// Durations up to ten years: a broken clock of the service must not stop a scrape.
        #[test]
        fn no_sample_is_slow_and_the_order_does_not_matter(
            millis in proptest::collection::vec(0..315_360_000_000_u64, 3..=10),
        ) {
            let mut last: Vec<_> = millis.into_iter().map(Duration::from_millis).collect();
            let slow = slow_after(&last).unwrap();
            prop_assert!(last.iter().all(|sample| *sample <= slow));
            prop_assert!(slow >= median(&last).unwrap() + MARGIN);
            last.reverse();
            prop_assert_eq!(slow_after(&last), Some(slow));
        }

        /// Samples within a sixth of each other notice a hang within three medians.
        #[test]
        fn steady_samples_notice_a_hang_within_three_medians(
            smallest in 150..36_000_u64,
            above in proptest::collection::vec(0..=16_u64, 3..=10),
        ) {
            let millis = above.iter().map(|percent| smallest * (1000 + percent * 10));
            let last: Vec<_> = millis.map(Duration::from_millis).collect();
            prop_assert_eq!(slow_after(&last), Some(median(&last).unwrap() * 3));
        }
    }
}
