//! Reads the time. No other module does: decisions take a [`Now`] as an argument.
//!
//! The wall clock may be wrong at first, and may step. So what lasts in this process goes by the
//! monotonic clock: a time of the service becomes a [`Past`] when its response arrives.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Timestamp;

/// One moment on both clocks: `instant` for waits, durations and ages, `time` for comparisons with
/// times from the service at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub instant: Instant,
    pub time: Timestamp,
}

impl Now {
    /// Returns the instant at which the other clock reaches `time`, or now if that has passed.
    pub fn instant_at(&self, time: Timestamp) -> Instant {
        let ahead = time.millis_since(self.time).max(0).unsigned_abs();
        self.instant + Duration::from_millis(ahead)
    }

    /// Returns the moment that the service calls `time`, which is not later than now.
    pub fn past(&self, time: Timestamp) -> Past {
        Past {
            time,
            known: self.instant,
            age_millis: self.time.millis_since(time).max(0).unsigned_abs(),
        }
    }

    /// Returns the moment so much later.
    pub fn plus(&self, duration: Duration) -> Self {
        Self {
            instant: self.instant + duration,
            time: self.time.plus(duration),
        }
    }
}

/// A time of the service on the monotonic clock. Steps of the wall clock after the response that
/// has the time do not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    time: Timestamp,
    /// When the response arrived that first had the moment, and how long it had passed then.
    known: Instant,
    age_millis: u64,
}

impl Past {
    /// The moment as the service names it.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns for how long the moment has passed.
    pub fn elapsed(&self, now: Instant) -> Duration {
        self.age() + now.saturating_duration_since(self.known)
    }

    /// Returns when so much has passed since the moment, at the earliest when the moment became known.
    pub fn plus(&self, duration: Duration) -> Instant {
        self.known + duration.saturating_sub(self.age())
    }

    /// Whether the moment is earlier than `instant`.
    pub fn is_before(&self, instant: Instant) -> bool {
        self.age() > self.known.saturating_duration_since(instant) || self.known < instant
    }

    fn age(&self) -> Duration {
        Duration::from_millis(self.age_millis)
    }
}

/// A source of the time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Starts at the given moment and advances with tokio's clock, which a test can pause.
    Tokio(Now),
    /// What a test reads, for example a wall clock that steps.
    Scripted(fn() -> Now),
}

impl Clock {
    /// Returns the current moment.
    pub fn now(&self) -> Now {
        #[expect(
            clippy::disallowed_methods,
            reason = "all other code reads the time from here"
        )]
        match self {
            Self::System => Now {
                instant: Instant::now(),
                time: Timestamp::from(std::time::SystemTime::now()),
            },
            Self::Tokio(start) => start.plus(start.instant.elapsed()),
            Self::Scripted(read) => read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn time_of_the_service_does_not_move_when_the_wall_clock_steps(
            age_millis in -1_000_000_000..1_000_000_000_i64,
            passed in 0..1_000_000_000_u64,
            duration in 0..1_000_000_000_u64,
        ) {
            let response = Clock::System.now();
            let past = response.past(response.time.plus_millis(-age_millis));
            let millis = Duration::from_millis;
            let age = millis(age_millis.max(0).unsigned_abs());
            // Whatever the wall clock shows then, only the instant counts.
            let now = response.instant + millis(passed);
            prop_assert_eq!(past.elapsed(now), age + millis(passed));
            let is_over = past.plus(millis(duration)) <= now;
            prop_assert_eq!(is_over, age + millis(passed) >= millis(duration));
            prop_assert!(past.plus(millis(duration)) >= response.instant);
            prop_assert!(past.is_before(response.instant + millis(1)));
            prop_assert_eq!(past.is_before(response.instant), age > Duration::ZERO);
        }
    }
}
