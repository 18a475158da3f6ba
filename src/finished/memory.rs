//! Remembers which executions have been counted, for as long as they could be counted again.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::poll::StepPoll;
use crate::clock::{Now, Past};
use crate::model::Timestamp;
use crate::snapshot::Observation;

/// How many times expired entries are removed within the time that an entry stays.
const SWEEPS: u32 = 16;

/// The counted executions. An execution that ended before the start of the process, or longer ago
/// than an entry stays, is counted only if two polls saw its end.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    started: Instant,
    keep: Duration,
    swept: Instant,
    /// The newest end of the removed entries. An execution that ended by then may have been counted.
    forgotten: Option<Timestamp>,
    /// By the number of the id.
    counted: HashMap<[u8; 16], Counted>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    at: Instant,
    /// When the execution ended, as the service says, at the latest when it was counted.
    ended: Timestamp,
}

impl Memory {
    pub(super) fn new(started: Instant, keep: Duration) -> Self {
        Self {
            started,
            keep,
            swept: started,
            forgotten: None,
            counted: HashMap::new(),
        }
    }

    pub(super) fn configure(&mut self, keep: Duration) {
        self.keep = keep;
    }

    /// Returns whether to count a finished execution, and remembers it as counted.
    pub(super) fn counts(&mut self, poll: &StepPoll<'_>, observed: &Observation, now: Now) -> bool {
        let witnessed = poll.saw_end();
        let has_time = observed.end.or(observed.start).is_some();
        if !(witnessed || has_time && self.is_new(poll.since, now.instant)) {
            return false;
        }
        let number = poll.after.id.number();
        if self.counted.contains_key(&number) {
            return false;
        }
        let counted = Counted {
            at: now.instant,
            ended: poll.since.time().min(now.time),
        };
        self.counted.insert(number, counted);
        true
    }

    /// Whether an execution that ended then has not been counted unless it is remembered.
    fn is_new(&self, ended: Past, now: Instant) -> bool {
        !ended.is_before(self.started)
            && ended.elapsed(now) <= self.keep
            && self.forgotten.is_none_or(|newest| ended.time() > newest)
    }

    /// Removes entries that are too old to be counted again, [`SWEEPS`] times while an entry stays.
    pub(super) fn forget(&mut self, now: Instant) {
        if now < self.swept + self.keep / SWEEPS {
            return;
        }
        self.swept = now;
        let before = self.counted.len();
        let (keep, forgotten) = (self.keep, &mut self.forgotten);
        self.counted.retain(|_, counted| {
            let stays = now.saturating_duration_since(counted.at) <= keep;
            if !stays {
                *forgotten = (*forgotten).max(Some(counted.ended));
            }
            stays
        });
        if self.counted.len() < before / 2 {
            self.counted.shrink_to_fit();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counted.len()
    }
}
