//! The one place where the time is read. Everything that decides is given a [`Now`].

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Timestamp;

/// One moment on both clocks: `instant` to wait and to measure by, `time` to compare with what the
/// service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub instant: Instant,
    pub time: Timestamp,
}

impl Now {
    /// The instant at which the other clock will show `time`, or now where that has passed.
    pub fn instant_at(&self, time: Timestamp) -> Instant {
        let ahead = time.millis_since(self.time).max(0).unsigned_abs();
        self.instant + Duration::from_millis(ahead)
    }

    pub fn plus(&self, duration: Duration) -> Self {
        Self {
            instant: self.instant + duration,
            time: self.time.plus(duration),
        }
    }
}

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// Began as given, and goes as tokio's clock goes, which a test may have paused.
    Tokio(Now),
}

impl Clock {
    pub fn now(&self) -> Now {
        #[expect(clippy::disallowed_methods, reason = "the place all others read from")]
        match self {
            Self::System => Now {
                instant: Instant::now(),
                time: Timestamp::from(std::time::SystemTime::now()),
            },
            Self::Tokio(start) => start.plus(start.instant.elapsed()),
        }
    }
}
