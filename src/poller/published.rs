//! What a poller publishes, and the place where it is read.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::Now;
use crate::health::{Health, HealthView};
use crate::snapshot::Snapshot;

/// What a poller shows: one moment of its target and region.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    pub snapshot: Arc<Snapshot>,
    pub health: Arc<Health>,
}

impl Publication {
    /// The health of the target at `now`. `interval` is the polling interval; `slowed_to` comes from
    /// the rate limiter.
    pub fn health(&self, now: Now, interval: Duration, slowed_to: Option<f64>) -> HealthView {
        let up = self.health.is_up(now.instant, interval);
        HealthView {
            up,
            since: self.health.since(up),
            last_success: self.health.last_success(),
            newest_fault: self.health.newest_fault().cloned(),
            recovered: self.health.has_recovered(),
            panicked: self.health.panicked_at(),
            denied: self.health.denied(&self.snapshot.denied_until, now),
            unknown: self.snapshot.unknown.clone(),
            behind: self.snapshot.behind(now.instant),
            slowed_to,
        }
    }
}

/// The newest publication of a poller: replaced in one swap, read without waiting for a poll.
#[derive(Debug, Default)]
pub struct Published(RwLock<Publication>);

impl Published {
    pub fn get(&self) -> Publication {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn replace(&self, publication: Publication) {
        let mut published = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // The one before is dropped after the lock is released.
        let before = std::mem::replace(&mut *published, publication);
        drop(published);
        drop(before);
    }
}
