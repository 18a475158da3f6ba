//! The list of an image's workflow executions: when it is read, and how far.

use std::time::Duration;

use tokio::time::Instant;

use super::image::{ImagePlan, urgency};
use super::queue::{Slot, Urgency};
use super::{Call, HOUR, Plan};
use crate::api::{ErrorKind, Operation};
use crate::model::{ImageArn, WorkflowStatus};

/// A moving image without an execution that moves is asked for the next one as often as steps are,
/// so many times; then as often as is discovered.
pub(super) const SOON: u32 = 10;
/// The executions of a moving image are listed at the first round that comes so many discovery
/// intervals after the last time, whatever its steps suggest; as rounds come a little early, the sixth.
const AT_LEAST: u32 = 5;

/// How far the list of its executions was read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) token: Option<String>,
    pub(super) failures: u32,
    /// The service last said that it does not know the image, or that nobody may ask.
    pub(super) refused: bool,
    pub(super) attempted: bool,
    /// When the last one that was read to its end began.
    pub(super) read: Option<Instant>,
    /// How often it was read since the image changed.
    pub(super) times: u32,
    /// Something happened while it was read.
    pub(super) again: bool,
}

impl Plan {
    /// Where the next page of an image's executions begins.
    pub fn workflows_token(&self, arn: &ImageArn) -> Option<String> {
        self.images.get(arn)?.reading.token.clone()
    }

    /// A page of an image's executions was read, and each of them told.
    pub fn workflows_read(
        &mut self,
        arn: &ImageArn,
        next: Option<String>,
        asked: Instant,
        now: Instant,
    ) {
        let Some(plan) = self.images.get_mut(arn) else {
            return;
        };
        let moves = plan.moves();
        let reading = &mut plan.reading;
        reading.failures = 0;
        reading.refused = false;
        reading.token = next;
        if reading.token.is_some() {
            return self.read_workflows(arn, now, urgency(moves));
        }
        reading.attempted = true;
        reading.read = Some(asked);
        reading.times = reading.times.saturating_add(1);
        let soon = reading.times < SOON;
        if std::mem::take(&mut reading.again) {
            self.read_workflows(arn, now, urgency(moves));
        }
        self.list_released(arn, now);
        self.settle_image(arn);
        let plan = self.images.get(arn);
        if moves && soon && plan.is_some_and(|plan| !self.has_live_execution(plan)) {
            // One has ended and the next one has not begun.
            let next = asked + self.jitter.nearly(self.pace.interval);
            self.read_workflows(arn, next.max(now), Urgency::Waiting);
        }
        self.complete_image(arn, now);
    }

    /// The page asked for was larger than the service allows: the same again, smaller.
    pub fn workflows_too_large(&mut self, arn: &ImageArn, now: Instant) {
        let moves = self.images.get(arn).is_some_and(ImagePlan::moves);
        self.read_workflows(arn, now, urgency(moves));
    }

    /// A page of an image's executions could not be read. Returns whether such lists are denied, as
    /// they were not before.
    pub fn workflows_failed(&mut self, arn: &ImageArn, kind: ErrorKind, now: Instant) -> bool {
        let Some(plan) = self.images.get_mut(arn) else {
            return false;
        };
        let moves = plan.moves();
        let reading = &mut plan.reading;
        let half_read = reading.token.take().is_some();
        reading.attempted = true;
        reading.refused = !half_read && matches!(kind, ErrorKind::Client | ErrorKind::Forbidden);
        reading.failures = reading.failures.saturating_add(1);
        let failures = reading.failures;
        let wait = match kind {
            // A token can expire between two pages.
            ErrorKind::Client if half_read && failures == 1 => Duration::ZERO,
            ErrorKind::Forbidden => HOUR,
            // The service knows the image no longer, or not yet.
            ErrorKind::Client if failures > SOON => HOUR,
            _ => {
                let interval = self.pace.discovery_interval;
                self.jitter.after_failure(kind, interval, failures)
            }
        };
        let became =
            kind == ErrorKind::Forbidden && self.deny(Operation::ListWorkflowExecutions, now);
        self.read_workflows(arn, now + wait, urgency(moves));
        self.settle_image(arn);
        became
    }

    /// Lists the executions of an image no later than then.
    pub(super) fn read_workflows(&mut self, arn: &ImageArn, due: Instant, urgency: Urgency) {
        let call = Call::Workflows(arn.clone());
        let followed = self.images.get(arn).is_some_and(ImagePlan::is_followed);
        if !followed {
            return;
        }
        if self.in_flight.contains(&call) {
            // What it is about to tell may be too old already.
            if let Some(plan) = self.images.get_mut(arn) {
                plan.reading.again = true;
            }
            return;
        }
        self.queue.no_later(call, Slot::new(due, urgency));
    }

    /// The account's images were listed once more: looks at what its steps alone do not tell.
    pub(super) fn images_due(&mut self, now: Instant) {
        let old = self.pace.discovery_interval * AT_LEAST;
        let due = self.images.iter().filter(|(_, plan)| {
            let read = plan.reading.read;
            let long_ago = read.is_some_and(|read| now >= read + old);
            plan.is_followed() && plan.moves() && (long_ago || !self.has_live_execution(plan))
        });
        let due: Vec<ImageArn> = due.map(|(arn, _)| arn.clone()).collect();
        for arn in due {
            self.read_workflows(&arn, now, Urgency::Discovery);
        }
    }

    pub(super) fn has_live_execution(&self, plan: &ImagePlan) -> bool {
        plan.workflows.iter().any(|id| {
            let whole = self.whole(*id);
            let status = whole.and_then(|whole| whole.status.as_ref());
            status.is_some_and(|status| !status.is_terminal() && *status != WorkflowStatus::Pending)
        })
    }
}
