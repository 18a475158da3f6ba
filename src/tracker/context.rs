//! What the rules about all resources share.

use std::sync::Arc;

use tokio::time::Instant;

use super::assignment::Assignment;
use super::changes::{Changes, Notice};
use super::failures::Failures;
use super::labels::Labels;
use super::pace::{Jitter, Pace};
use super::queue::{Queue, Urgency};
use super::retention::Retention;
use crate::api::Operation;
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
