//! What the rules about all resources share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::assignment::Assignment;
use super::changes::{Changes, Notice};
use super::failures::Failures;
use super::labels::Labels;
use super::pace::{HOUR, Jitter, Pace, longest_backoff};
use super::queue::{Queue, Urgency};
use super::recovery::Recovery;
use super::retention::Retention;
use crate::api::{Call, ErrorKind, Operation};
use crate::clock::Now;
use crate::model::ImageArn;

/// See the module.
#[derive(Debug)]
pub(super) struct Context {
    pub assignment: Arc<Assignment>,
    pub labels: Labels,
    pub pace: Pace,
    pub queue: Queue,
    pub jitter: Jitter,
    pub retention: Retention,
    pub failures: Failures,
    pub recovery: Recovery,
    pub changes: Changes,
    pub signals: Vec<ImageSignal>,
    /// When the tracker began.
    pub since: Instant,
    /// The time of the event that is handled.
    pub now: Now,
}

/// What happened to an execution that concerns its image. It is handled after the response, as more
/// of the response may concern the image.
#[derive(Debug)]
pub(super) enum ImageSignal {
    /// The image's executions are to be listed, no later than then.
    List(ImageArn, Instant, Urgency),
    /// An execution of the image has settled.
    Settled(ImageArn),
}

impl Context {
    pub(super) fn list_executions_of(&mut self, image: ImageArn, due: Instant, urgency: Urgency) {
        self.signals.push(ImageSignal::List(image, due, urgency));
    }

    /// Returns how long a call of this interval waits after so many failures in a row.
    pub(super) fn wait_after(
        &mut self,
        kind: ErrorKind,
        interval: Duration,
        failures: u32,
    ) -> Duration {
        let (pace, now) = (self.pace, self.now.instant);
        let rate = self.assignment.target.rate_limit.requests_per_second;
        let longest = match kind {
            ErrorKind::Forbidden => longest_backoff(interval),
            _ => { &self.recovery }.longest_backoff(interval, rate, pace, now),
        };
        self.jitter.after_failure(kind, interval, failures, longest)
    }

    /// Records the failure of a call that was made at `asked`. It is scheduled again already, if at
    /// all.
    pub(super) fn call_failed(&mut self, call: &Call, kind: ErrorKind, asked: Instant) {
        let now = self.now.instant;
        let is_hourly = { self.queue.due(call) }.is_some_and(|due| due >= now + HOUR / 2);
        if is_hourly || kind == ErrorKind::Forbidden {
            self.recovery.forget(call);
        } else if self.recovery.failed(call, asked, &self.queue) {
            self.retry_within_an_interval(call);
        }
    }

    /// Records the success of a call.
    pub(super) fn call_succeeded(&mut self, call: &Call) {
        let over = { &mut self.recovery }.succeeded(call, self.pace, self.now.instant);
        for call in over {
            self.retry_within_an_interval(&call);
        }
    }

    /// Makes a call at a random time, so that many calls are spread.
    fn retry_within_an_interval(&mut self, call: &Call) {
        let due = self.now.instant + self.jitter.below(self.pace.interval);
        self.queue.not_after(call, due);
    }

    /// An operation was denied: it is not called for an hour, and noticed once.
    pub(super) fn deny(&mut self, operation: Operation) {
        if self.queue.deny(operation, self.now.instant) {
            self.notice(Notice::Denied(operation));
        }
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.changes.notices.push(notice);
    }
}
