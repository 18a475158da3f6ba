//! Reads the time. No other module does: decisions take a [`Now`] as an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Timestamp;

/// One moment on both clocks: `instant` for waits and durations, `time` for comparisons with times
/// from the service.
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

    /// Returns the moment so much later.
    pub fn plus(&self, duration: Duration) -> Self {
        Self {
            instant: self.instant + duration,
            time: self.time.plus(duration),
        }
    }
}

/// A source of the time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Starts at the given moment and advances with tokio's clock, which a test can pause.
    Tokio(Now),
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
        }
    }
}
