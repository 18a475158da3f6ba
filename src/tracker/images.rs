//! The image build versions: which are tracked, when their executions are listed, when they expire.
//!
//! Owns the rules about a single image. `discovery` knows whether an image is selected; the tracker
//! claims it for its target.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::context::Context;
use super::discovery::Discovery;
use super::executions::Executions;
use super::image::{Decision, ExecutionsListing, ImageSource, ImageState, Tracking, may_matter};
use super::ownership::Resource;
use super::pace::{Pace, SELDOM};
use super::queue::{Queue, Slot, Urgency};
use super::retention::Expiring;
use super::retry::{Policy, Retries};
use super::selection::Selection;
use crate::api::{Call, ErrorKind, Operation};
use crate::clock::Now;
use crate::model::{Image, ImageArn, Tags};
use crate::snapshot::{ImageName, ImageRecord, Table};

/// The images of one assignment.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// Ordered, so that the same responses always lead to the same calls.
    all: BTreeMap<ImageArn, ImageState>,
    /// The images that are exposed.
    pub exposed: Table<ImageRecord>,
}

impl Images {
    pub(super) fn get(&self, arn: &ImageArn) -> Option<&ImageState> {
        self.all.get(arn)
    }

    pub(super) fn get_mut(&mut self, arn: &ImageArn) -> Option<&mut ImageState> {
        self.all.get_mut(arn)
    }

    pub(super) fn contains(&self, arn: &ImageArn) -> bool {
        self.all.contains_key(arn)
    }

    pub(super) fn is_tracked(&self, arn: &ImageArn) -> bool {
        self.get(arn).is_some_and(ImageState::is_tracked)
    }

    pub(super) fn failed(&self, arn: &ImageArn) -> bool {
        self.get(arn).is_some_and(ImageState::failed)
    }

    /// Whether this target owns the image.
    pub(super) fn is_held(&self, arn: &ImageArn) -> bool {
        self.get(arn).is_some_and(|image| image.held)
    }

    /// Since when the image's build has been known to be over.
    pub(super) fn over_since(&self, arn: &ImageArn) -> Option<Now> {
        self.get(arn)?.over_since
    }

    /// The tags of an image.
    pub(super) fn tags(&self, arn: &ImageArn) -> Option<&Tags> {
        Some(&self.get(arn)?.observed.as_ref()?.tags)
    }

    /// The names of the tracked images.
    pub(super) fn tracked_names(&self) -> BTreeSet<ImageName> {
        let tracked = self.all.iter().filter(|(_, image)| image.is_tracked());
        tracked.map(|(arn, _)| ImageName::of(arn)).collect()
    }

    /// The images for which `chosen` holds.
    pub(super) fn arns(&self, chosen: impl Fn(&ImageState) -> bool) -> Vec<ImageArn> {
        let chosen = self.all.iter().filter(|(_, image)| chosen(image));
        chosen.map(|(arn, _)| arn.clone()).collect()
    }

    /// The images that another selection than before does not select, as far as is known, and that
    /// are not named.
    pub(super) fn deselected(
        &self,
        selection: &Selection,
        executions: &Executions,
    ) -> Vec<ImageArn> {
        let dropped = self.all.iter().filter(|(arn, image)| {
            let observed = image.observed.as_ref();
            let stays = observed.is_some_and(|image| {
                let by = image.pipeline.as_ref();
                let may = by.is_some_and(|by| selection.names_pipeline(by));
                selection.chooses_image(image) || (may && !selection.excludes_image(image))
            });
            // Of an evicted one, executions that failed may still be there.
            let executions = !executions.of_image(arn).is_empty();
            let known = image.is_tracked() || image.is_evicted() || executions;
            !(image.named || stays && known)
        });
        dropped.map(|(arn, _)| arn.clone()).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ImageArn, &ImageState)> {
        self.all.iter()
    }

    /// Tracks just these images by their names in the configuration. Whether one that was named
    /// before stays, because the lists return it, is decided next.
    pub(super) fn name(&mut self, c: &mut Context) {
        let arns = &c.assignment.named_images();
        for (arn, image) in &mut self.all {
            image.named &= arns.contains(arn);
        }
        for arn in arns {
            let image = self.all.entry(arn.clone()).or_default();
            image.named = true;
            if image.tracking == Tracking::Unselected {
                image.tracking = Tracking::Undecided;
            }
            // The lists that returned it so far may no longer be read.
            if !image.is_evicted() {
                let slot = Slot::new(c.now.instant, Urgency::Waiting);
                c.queue.request(Call::GetImage(arn.clone()), slot);
            }
        }
    }

    /// Applies a response about an image, and decides whether it is to be tracked.
    pub(super) fn observe(
        &mut self,
        image: &Image,
        source: ImageSource,
        discovery: &Discovery,
        c: &mut Context,
    ) -> Decision {
        if !self.contains(&image.arn) && !may_matter(image, c.pace, c.now.time) {
            return Decision::Leave;
        }
        let state = self.all.entry(image.arn.clone()).or_default();
        state.observe(image.clone(), source, discovery.images.number, c.now);
        self.decide(&image.arn, discovery, c)
    }

    /// The list has the image, but not its status. Returns what is known of it, which stays.
    pub(super) fn listed_unparsed(&mut self, arn: &ImageArn, pass: u64) -> Option<&Image> {
        let image = self.all.get_mut(arn)?;
        image.pass = pass;
        image.observed.as_ref()
    }

    /// A pass has ended. Images that it did not return have left the account.
    pub(super) fn remove_unlisted(&mut self, pass: u64, c: &mut Context) {
        for arn in self.arns(|image| !image.named && image.pass < pass) {
            if self.remove(&arn, c) {
                c.changes.released.push(Resource::Image(arn));
            }
        }
    }

    /// Decides whether an image is to be tracked, as far as is known now.
    pub(super) fn decide(
        &mut self,
        arn: &ImageArn,
        discovery: &Discovery,
        c: &mut Context,
    ) -> Decision {
        let Some(image) = self
            .all
            .get_mut(arn)
            .filter(|image| image.observed.is_some())
        else {
            return Decision::Leave;
        };
        let selected = discovery.selects(image);
        if image.is_evicted() {
            // Executions of it that failed may be there still.
            return match selected {
                Some(false) if image.is_claimed() => Decision::Untrack,
                _ => Decision::Leave,
            };
        }
        image.tracking = match selected {
            // The tracker claims it next.
            Some(true) => return Decision::Track,
            Some(false) if image.is_claimed() => return Decision::Untrack,
            // After a reload, until the pipelines are known again.
            None if image.is_tracked() => return Decision::Track,
            Some(false) => Tracking::Unselected,
            None => Tracking::Undecided,
        };
        // A Get that failed waits for its next attempt.
        let call = Call::GetImage(arn.clone());
        if selected.is_none() && !image.full && !c.queue.is_waiting(&call) {
            let slot = Slot::new(c.now.instant, image.urgency());
            c.queue.request(call, slot);
        }
        Decision::Leave
    }

    /// An image that is to be tracked is this target's. Returns whether it changed since its
    /// executions were last listed.
    pub(super) fn track(&mut self, arn: &ImageArn, c: &mut Context) -> bool {
        let Some(image) = self.all.get_mut(arn) else {
            return false;
        };
        image.tracking = Tracking::Tracked;
        image.held = true;
        let changed = std::mem::take(&mut image.changed);
        let (moves, urgency) = (image.moves(), image.urgency());
        let unread = image.listing.read.is_none();
        if changed {
            image.listing.times = 0;
        }
        if changed || moves {
            let expires = image.expires.take();
            c.retention.cancel(&Expiring::Image(arn.clone()), expires);
        }
        // A list that failed waits for its next attempt.
        if changed || (unread && !image.listing.attempted) {
            self.list_executions(arn, c.now.instant, urgency, c);
        }
        // Of one that has ended it may turn out that it ended too long ago.
        if moves || !unread {
            self.request_get(arn, c);
        }
        changed
    }

    /// The image is not this target's or not selected: no call is made about it. Returns whether it
    /// was owned.
    pub(super) fn stop(&mut self, arn: &ImageArn, tracking: Tracking, c: &mut Context) -> bool {
        forget_calls(arn, &mut c.queue);
        self.exposed.remove(arn);
        let Some(image) = self.all.get_mut(arn) else {
            return false;
        };
        let held = image.held;
        image.stop(tracking);
        let expires = image.expires.take();
        c.retention.cancel(&Expiring::Image(arn.clone()), expires);
        held
    }

    /// The image has expired; it is remembered so that the next list does not bring it back.
    pub(super) fn evict(&mut self, arn: &ImageArn, c: &mut Context) {
        forget_calls(arn, &mut c.queue);
        self.exposed.remove(arn);
        if let Some(image) = self.all.get_mut(arn) {
            image.tracking = Tracking::Evicted;
            image.expires = None;
            image.listing = ExecutionsListing::default();
        }
    }

    /// Neither tracks nor remembers the image. Returns whether it was owned or wanted.
    pub(super) fn remove(&mut self, arn: &ImageArn, c: &mut Context) -> bool {
        forget_calls(arn, &mut c.queue);
        self.exposed.remove(arn);
        let Some(image) = self.all.remove(arn) else {
            return false;
        };
        c.retention
            .cancel(&Expiring::Image(arn.clone()), image.expires);
        image.is_claimed()
    }

    /// Exposes the image where it is tracked: one that ended once the list of its executions was
    /// attempted, which may show that it ended too long ago.
    pub(super) fn expose(&mut self, arn: &ImageArn, c: &mut Context) {
        let denied = c
            .queue
            .denied(Operation::ListWorkflowExecutions, c.now.instant);
        let image = self.all.get(arn).filter(|image| {
            let known = image.moves() || image.listing.attempted || denied.is_some();
            let stays = image.expires.is_none_or(|expires| expires > c.now.instant);
            image.is_tracked() && known && stays
        });
        let Some(observed) = image.and_then(|image| image.observed.as_ref()) else {
            self.exposed.remove(arn);
            return;
        };
        let tags = c.labels.tags(&observed.tags);
        let before = self.exposed.get(arn);
        let mut record = match before {
            Some(record) => record.after_response(observed),
            None => ImageRecord::new(observed, c.labels.target(), tags.clone(), c.labels.region()),
        };
        // One that failed before the tracker began was logged by an earlier process.
        let created = image.and_then(|image| image.created);
        let created_before = created.is_none_or(|created| created.is_before(c.since));
        let is_old = before.map_or(created_before, |before| before.failed());
        record.info_labels = tags;
        record.own_labels = c.labels.target();
        if record.failed() && !is_old {
            c.changes.failed_images.push(record.clone());
        }
        c.failures.build_failed(&record);
        self.exposed.put(record);
    }

    /// A Get of an image failed.
    pub(super) fn get_failed(&mut self, arn: &ImageArn, kind: ErrorKind, c: &mut Context) {
        let Some(image) = self.all.get_mut(arn) else {
            return;
        };
        if image.named && image.observed.is_none() {
            image.listing.attempted = true;
        }
        let (policy, now) = (policy(c.pace), c.now.instant);
        let wait = image.get.failed(kind, policy, c);
        let slot = Slot::new(now + wait, image.urgency());
        c.queue.request(Call::GetImage(arn.clone()), slot);
        if kind == ErrorKind::Forbidden {
            c.deny(Operation::GetImage);
        }
    }

    /// A Get of an image succeeded and was applied. `discovers` says whether the list of the account
    /// returns images too.
    pub(super) fn got(&mut self, arn: &ImageArn, discovers: bool, c: &mut Context) {
        let Some(image) = self.all.get_mut(arn) else {
            return;
        };
        image.get = Retries::default();
        if image.named && !discovers && !image.is_evicted() {
            let times = if image.moves() { 1 } else { SELDOM };
            let wait = c.jitter.nearly(c.pace.discovery_interval * times);
            let slot = Slot::new(c.now.instant + wait, Urgency::Discovery);
            c.queue.request(Call::GetImage(arn.clone()), slot);
        }
    }

    /// Requests what the lists do not tell of a tracked image, where that is not known.
    pub(super) fn request_get(&self, arn: &ImageArn, c: &mut Context) {
        let image = self.get(arn).filter(|image| image.is_tracked());
        if image.is_some_and(|image| !image.full && image.get.failures == 0) {
            let slot = Slot::new(c.now.instant, Urgency::Discovery);
            c.queue.request(Call::GetImage(arn.clone()), slot);
        }
    }

    /// Lists the executions of an image no later than then.
    pub(super) fn list_executions(
        &mut self,
        arn: &ImageArn,
        due: Instant,
        urgency: Urgency,
        c: &mut Context,
    ) {
        let call = Call::ListWorkflowExecutions(arn.clone());
        let Some(image) = self.get_mut(arn).filter(|image| image.is_tracked()) else {
            return;
        };
        match c.queue.in_flight(&call) {
            // What the response is about to tell may be stale already.
            true => image.listing.pager.again = true,
            false => c.queue.no_later(call, Slot::new(due, urgency)),
        }
    }

    /// Schedules the eviction of the image, where nothing of it can change any more.
    pub(super) fn settle(&mut self, arn: &ImageArn, executions: &Executions, c: &mut Context) {
        let Some(image) = self.all.get_mut(arn) else {
            return;
        };
        // What is about to be listed may tell of an execution that began and ended between two lists.
        let call = Call::ListWorkflowExecutions(arn.clone());
        let retention = c.pace.retention(image.failed());
        let expires = image.expires_after(retention, c.queue.is_pending(&call));
        let Some(expires) = expires.filter(|_| image.is_tracked() && executions.all_settled(arn))
        else {
            return;
        };
        let before = image.expires.replace(expires);
        let what = Expiring::Image(arn.clone());
        c.retention.schedule(what, expires, before);
    }
}

/// How Gets of an image and lists of its executions are repeated.
pub(super) fn policy(pace: Pace) -> Policy {
    Policy {
        restarts_at_once: true,
        ..Policy::hourly(pace.discovery_interval)
    }
}

fn forget_calls(arn: &ImageArn, queue: &mut Queue) {
    queue.remove(&Call::ListWorkflowExecutions(arn.clone()));
    queue.remove(&Call::GetImage(arn.clone()));
}
