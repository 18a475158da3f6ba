//! Polling intervals and retention.

use std::time::Duration;

/// For how long a denied operation is not called, and the service must have said that it does not
/// know a resource until that is believed; also how often either is tried again.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
/// What the configuration names is polled again every so many discovery intervals once it has
/// settled.
pub(super) const SELDOM: u32 = 10;

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
