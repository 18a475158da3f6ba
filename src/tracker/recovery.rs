//! Keeps backoffs short while a target's calls succeed, and ends them when an outage is over.
//!
//! Each call has its own backoff. It grows to minutes while all calls of the target fail. The first
//! success after such an outage ends the backoff of all calls, so that all values are current within
//! two intervals. A call of the outage that fails later, at its timeout, does not wait for its backoff
//! either.
//!
//! While others of the target succeed, a call that fails is retried within two of its intervals. This
//! is rarer than its polls, so one call that fails takes less of the rate limit than before. Retries
//! can also be of calls that are made once. So many of them wait longer: together they take at most
//! [`RATE_PART`] of the rate limit, and the first success of their operation ends their backoff.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::pace::{Pace, longest_backoff};
use super::queue::Queue;
use crate::api::{Call, Operation};

/// The part of the rate limit that the retries of a target take at most while others succeed.
const RATE_PART: f64 = 1.0 / 3.0;
/// A wait is shortened by up to a half, so a call waits for this part of it on average.
const MEAN_WAIT: f64 = 0.75;

/// The calls that failed, and when others succeeded. See the module.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// The calls that wait after a failure, unless they are made hourly.
    failed: BTreeMap<Operation, BTreeSet<Call>>,
    succeeded: BTreeMap<Operation, Instant>,
    /// When the last outage of each operation ended.
    ended: BTreeMap<Operation, Instant>,
}

impl Recovery {
    /// Returns the longest wait of a failed call of this interval. `rate` is the rate limit.
    pub(super) fn longest_backoff(
        &self,
        interval: Duration,
        rate: f64,
        pace: Pace,
        now: Instant,
    ) -> Duration {
        let longest = longest_backoff(interval);
        if self.is_outage(pace, now) {
            return longest;
        }
        let waiting: usize = self.failed.values().map(BTreeSet::len).sum();
        let share = waiting as f64 / (rate * RATE_PART * MEAN_WAIT);
        let share = Duration::try_from_secs_f64(share).unwrap_or(longest);
        longest.min(share.max(interval * 2))
    }

    /// Whether no call of the target has succeeded for as long as two of its regular calls take.
    fn is_outage(&self, pace: Pace, now: Instant) -> bool {
        let outage = pace.interval.max(pace.discovery_interval) * 2;
        let last = self.succeeded.values().max();
        last.is_none_or(|last| now >= *last + outage)
    }

    /// Records the failure of a call that was made at `asked`. Returns whether it belongs to an outage
    /// that is over: it only now reaches its timeout.
    pub(super) fn failed(&mut self, call: &Call, asked: Instant, queue: &Queue) -> bool {
        let operation = call.operation();
        let calls = self.failed.entry(operation).or_default();
        calls.insert(call.clone());
        // Some may be about resources that are no longer tracked.
        if calls.len() > queue.len() {
            calls.retain(|call| queue.is_pending(call));
        }
        { self.ended.get(&operation) }.is_some_and(|ended| asked <= *ended)
    }

    /// The call is denied or its resource gone: it is retried hourly, whatever else succeeds.
    pub(super) fn forget(&mut self, call: &Call) {
        if let Some(calls) = self.failed.get_mut(&call.operation()) {
            calls.remove(call);
        }
    }

    /// Records the success of a call. Returns the calls whose outage ended with it. An outage of one
    /// operation ends with the success of a call that failed before: a success after a pause may only
    /// show that few calls are made.
    pub(super) fn succeeded(&mut self, call: &Call, pace: Pace, now: Instant) -> Vec<Call> {
        let operation = call.operation();
        let of_target = self.is_outage(pace, now);
        let outage = pace.interval * 2;
        let last = self.succeeded.insert(operation, now);
        let calls = self.failed.entry(operation).or_default();
        let of_operation = calls.remove(call) && last.is_none_or(|last| now >= last + outage);
        let over: Vec<Operation> = match (of_target, of_operation) {
            (true, _) => Operation::ALL.to_vec(),
            (false, true) => vec![operation],
            (false, false) => return Vec::new(),
        };
        self.ended.extend(over.iter().map(|over| (*over, now)));
        let calls = over.iter().filter_map(|over| self.failed.remove(over));
        calls.flatten().collect()
    }
}
