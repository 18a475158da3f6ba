//! The list of an image's workflow executions: when it is read, and what a page of it means.

use tokio::time::Instant;

use super::context::Context;
use super::executions::Executions;
use super::image::Tracking;
use super::images::{Images, policy};
use super::queue::Urgency;
use crate::api::{ErrorKind, Operation};
use crate::clock::Past;
use crate::model::ImageArn;

/// An image whose build goes on, and that has no execution that runs, has its executions listed as
/// often as steps are polled, so many times; then at the discovery interval.
const SOON: u32 = 10;
/// The executions of an image whose build goes on are listed after the first discovery pass that
/// ends so many discovery intervals after the last time, whatever its steps suggest; as passes
/// come a little early, that is the sixth. During the tests each pass lists them: only test
/// workflows run in parallel, so that one can begin while no other has ended.
const AT_LEAST: u32 = 5;

impl Images {
    /// A page of an image's executions was read, and each of them taken in.
    pub(super) fn executions_read(
        &mut self,
        arn: &ImageArn,
        (count, next): (usize, Option<String>),
        asked: Instant,
        executions: &Executions,
        c: &mut Context,
    ) {
        let now = c.now.instant;
        let Some(image) = self.get_mut(arn).filter(|image| image.is_tracked()) else {
            return;
        };
        let (moves, urgency) = (image.moves(), image.urgency());
        let listing = &mut image.listing;
        listing.refused = false;
        if let Some(pause) = listing.pager.read(count, next) {
            return self.list_executions(arn, now + pause, urgency, c);
        }
        listing.attempted = true;
        listing.read = Some(asked);
        listing.times = listing.times.saturating_add(1);
        let soon = listing.times < SOON;
        if std::mem::take(&mut listing.pager.again) {
            self.list_executions(arn, now, urgency, c);
        }
        self.settle(arn, executions, c);
        if moves && soon && !executions.any_live(arn) {
            // One has ended and the next one has not begun.
            let next = asked + c.jitter.nearly(c.pace.interval);
            self.list_executions(arn, next.max(now), Urgency::Waiting, c);
        }
        self.request_get(arn, c);
    }

    /// A page of an image's executions could not be read.
    pub(super) fn executions_failed(
        &mut self,
        arn: &ImageArn,
        kind: ErrorKind,
        executions: &Executions,
        c: &mut Context,
    ) {
        let Some(image) = self.get_mut(arn).filter(|image| image.is_tracked()) else {
            return;
        };
        let (urgency, now) = (image.urgency(), c.now.instant);
        let listing = &mut image.listing;
        let policy = policy(c.pace);
        let failure = listing.pager.failed(kind, policy, c);
        listing.attempted = true;
        listing.refused =
            !failure.half_read && matches!(kind, ErrorKind::Client | ErrorKind::Forbidden);
        self.list_executions(arn, now + failure.wait, urgency, c);
        self.settle(arn, executions, c);
        if kind == ErrorKind::Forbidden {
            c.deny(Operation::ListWorkflowExecutions);
        }
    }

    /// An execution of the image is left to another target, which names it.
    pub(super) fn leave_execution(&mut self, arn: &ImageArn) {
        if let Some(image) = self.get_mut(arn) {
            image.left_execution = true;
        }
    }

    /// Lists the executions of each image that left one of them to another target.
    pub(super) fn list_left(&mut self, c: &mut Context) {
        for arn in self.arns(|image| image.left_execution) {
            if let Some(image) = self.get_mut(&arn) {
                image.left_execution = false;
            }
            self.list_executions(&arn, c.now.instant, Urgency::Waiting, c);
        }
    }

    /// The account's images were listed once more: requests what the steps alone do not tell.
    pub(super) fn list_overdue_executions(&mut self, executions: &Executions, c: &mut Context) {
        let (interval, now) = (c.pace.discovery_interval, c.now.instant);
        let due = self.iter().filter(|(arn, image)| {
            let old = match image.is_testing() {
                // The pass before this one may have been a little late.
                true => interval / 2,
                false => interval * AT_LEAST,
            };
            let long_ago = image.listing.read.is_some_and(|read| now >= read + old);
            image.is_tracked() && image.moves() && (long_ago || !executions.any_live(arn))
        });
        let due: Vec<ImageArn> = due.map(|(arn, _)| arn.clone()).collect();
        for arn in due {
            self.list_executions(&arn, now, Urgency::Discovery, c);
        }
    }

    /// An execution of the image has ended then.
    pub(super) fn execution_ended(&mut self, arn: &ImageArn, ended: Past) {
        if let Some(image) = self.get_mut(arn).filter(|image| image.is_tracked()) {
            let later = |last: Past| last.time() < ended.time();
            if image.last_end.is_none_or(later) {
                image.last_end = Some(ended);
            }
        }
    }

    /// Resources are kept for another time: schedules each eviction again.
    pub(super) fn settle_again(&mut self, executions: &Executions, c: &mut Context) {
        for arn in self.arns(|_| true) {
            self.settle(&arn, executions, c);
            // What was evicted may have been so too early.
            if let Some(image) = self.get_mut(&arn).filter(|image| image.is_evicted()) {
                image.tracking = Tracking::Undecided;
                image.changed = true;
            }
        }
    }
}
