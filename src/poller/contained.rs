//! Contains a panic of a poller: its target is down, and starts again after a backoff. Others go on.
//!
//! A panic leaves the tracker in an unknown state, so nothing of it is used again. Until the new start,
//! the last publication stays, with its target down, and the target keeps its resources: another one
//! that exposed them could give a series two values. Then the target begins as after a restart of
//! the process. Counters are not part of the tracker and never fall.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::published::{Publication, Published};
use super::{Poller, Tools};
use crate::self_metrics::Subsystem;
use crate::tracker::Assignment;

/// The first delay. Each further panic doubles it.
const FIRST_DELAY: Duration = Duration::from_secs(10);

/// The longest delay, before jitter.
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// A poller that ran for this time begins with the first delay again.
const RECOVERED_AFTER: Duration = Duration::from_secs(3_600);

impl Poller {
    /// Polls until `stop` turns true or its sender is gone. `attempted` turns true when the first
    /// attempt for every step has ended, well or not.
    pub async fn run(
        self,
        mut stop: watch::Receiver<bool>,
        attempted: watch::Sender<bool>,
    ) -> Self {
        let mut poller = self;
        let mut delays = Delays::new(poller.tools.seed);
        loop {
            let remains = Remains::of(&poller);
            let clock = remains.tools.clock;
            let started = clock.now().instant;
            // A set ends its task with itself.
            let mut task = JoinSet::new();
            task.spawn(poller.poll(stop.clone(), attempted.clone()));
            if let Some(Ok(poller)) = task.join_next().await {
                return poller;
            }
            let delay = delays.next(clock.now().instant - started);
            remains.mark_down(delay);
            let stopped = tokio::time::timeout(delay, stop.wait_for(|stop| *stop)).await;
            poller = remains.start();
            if stopped.is_ok() {
                return poller;
            }
        }
    }
}

/// What a panic leaves of a poller.
struct Remains {
    assignment: Arc<Assignment>,
    tools: Tools,
    published: Arc<Published>,
}

impl Remains {
    fn of(poller: &Poller) -> Self {
        Self {
            assignment: poller.assignment().clone(),
            tools: poller.tools.clone(),
            published: poller.published.clone(),
        }
    }

    fn mark_down(&self, delay: Duration) {
        self.tools.process.panicked(Subsystem::Poller);
        tracing::error!(
            target = self.assignment.target.name,
            region = self.assignment.region,
            ?delay,
            "a defect of the exporter stopped the polls of this target; they start again after the delay"
        );
        let Publication {
            snapshot,
            mut health,
        } = self.published.get();
        Arc::make_mut(&mut health).panicked(self.tools.clock.now());
        self.published.replace(Publication { snapshot, health });
    }

    /// Returns a poller without state, as after a restart, in the same place.
    fn start(self) -> Poller {
        let health = self.published.get().health;
        // Nothing is exposed when others take its resources over.
        self.published.replace(Publication {
            health: health.clone(),
            ..Publication::default()
        });
        let Assignment { rank, region, .. } = &*self.assignment;
        self.tools.claims.release_all(*rank, region);
        let mut poller = Poller::new(self.assignment, self.tools);
        poller.health = health;
        poller.published = self.published;
        poller
    }
}

/// The delays before the new starts of a poller.
struct Delays {
    next: Duration,
    chance: fastrand::Rng,
}

impl Delays {
    fn new(seed: u64) -> Self {
        Self {
            next: FIRST_DELAY,
            chance: fastrand::Rng::with_seed(seed),
        }
    }

    /// Returns the delay after a poller that ran for this time.
    fn next(&mut self, ran: Duration) -> Duration {
        if ran >= RECOVERED_AFTER {
            self.next = FIRST_DELAY;
        }
        let delay = self.next;
        self.next = (delay * 2).min(LONGEST_DELAY);
        delay.mul_f64(0.75 + self.chance.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_five_minutes_and_begin_again_after_a_good_hour() {
        let mut delays = Delays::new(7);
        let mut expect = |ran: u64, seconds: u64| {
            let (delay, expected) = (
                delays.next(Duration::from_secs(ran)),
                Duration::from_secs(seconds),
            );
            assert!(delay >= expected.mul_f64(0.75), "{delay:?}");
            assert!(delay <= expected.mul_f64(1.25), "{delay:?}");
        };
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            expect(3_599, seconds);
        }
        expect(3_600, 10);
        expect(0, 20);
    }
}
