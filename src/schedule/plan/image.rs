//! Images whose builds are followed: when to ask which workflow executions they have, and when they
//! leave.

use std::time::Duration;

use tokio::time::Instant;

use super::executions::{Reading, SOON};
use super::leave::{Leaver, Left};
use super::queue::{Slot, Urgency};
use super::whole::SELDOM;
use super::{Call, HOUR, Plan};
use crate::api::{ErrorKind, Operation};
use crate::clock::Now;
use crate::model::{Image, ImageArn, ImageStatus, Tags, Timestamp, WorkflowExecutionId};

/// How long before its end a build may have begun, as far as it is looked for: an image tells when it
/// was created, and not when its build ended.
const LONGEST_BUILD: Duration = Duration::from_secs(12 * 60 * 60);

/// Who told of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// A list of the account, which does not tell the pipeline.
    List,
    Get,
}

/// What is to be done about an image that was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageNews {
    /// It is to be followed, if no other target has it.
    Wanted,
    /// It was this target's or was to be, and is no longer to be: see [`Plan::unwanted`].
    NoLongerWanted,
    /// It is not, or nobody knows yet; what was followed is until that is known.
    NotWanted,
}

#[derive(Debug, Default)]
pub(super) struct ImagePlan {
    /// The configuration names it.
    pub named: bool,
    standing: Standing,
    /// It is this target's. One that has left stays so: executions of it that failed may be kept.
    held: bool,
    /// What was last told of it, with its pipeline once that is known.
    pub told: Option<Image>,
    /// Whether a Get was answered.
    pub full: bool,
    /// Whether it changed since its executions were last listed.
    changed: bool,
    /// The executions of it that are followed.
    pub workflows: Vec<WorkflowExecutionId>,
    /// Since when its build has been known to be over.
    pub over_since: Option<Now>,
    /// When the last of its executions known ended, whether it is still followed or not.
    pub last_end: Option<Timestamp>,
    pub(super) reading: Reading,
    gets_failed: u32,
    /// The round of the account's list that last told of it.
    pub round: u64,
    pub leaves: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Nobody knows yet whether it is to be followed.
    #[default]
    Undecided,
    Unwanted,
    /// Another target has it.
    Foreign,
    Followed,
    /// It was followed, and has left.
    Left,
}

impl ImagePlan {
    pub(super) fn failed(&self) -> bool {
        let told = self.told.as_ref();
        told.is_some_and(|image| image.status == ImageStatus::Failed)
    }

    /// Whether its build is under way, as far as is known.
    pub(super) fn moves(&self) -> bool {
        let told = self.told.as_ref();
        told.is_some_and(|image| !image.status.is_terminal())
    }

    pub(super) fn is_followed(&self) -> bool {
        self.standing == Standing::Followed
    }

    /// Whether it is this target's, or is to be once the target that has it gives it up.
    fn is_claimed(&self) -> bool {
        self.held || self.standing == Standing::Foreign
    }

    pub(super) fn has_left(&self) -> bool {
        self.standing == Standing::Left
    }

    /// Whether everything that was to be asked about it first has been asked; `denied` says that
    /// it can't be asked for by itself.
    pub(super) fn attempted(&self, denied: bool) -> bool {
        match self.standing {
            Standing::Followed => self.reading.attempted,
            Standing::Undecided => self.full || self.gets_failed > 0 || denied,
            _ => true,
        }
    }
}

impl Plan {
    /// Follows just these images by their names in the configuration. Whether one that was named
    /// before stays, as the lists tell of it, [`Self::select`] decides next.
    pub fn name_images(&mut self, arns: &[ImageArn], now: Now) {
        for (arn, plan) in &mut self.images {
            plan.named &= arns.contains(arn);
        }
        for arn in arns {
            let plan = self.images.entry(arn.clone()).or_default();
            plan.named = true;
            if plan.standing == Standing::Unwanted {
                plan.standing = Standing::Undecided;
            }
            // The lists that told of it so far may no longer be asked for.
            if plan.standing != Standing::Left {
                let slot = Slot::new(now.instant, Urgency::Waiting);
                self.ask_for_image(arn, slot);
            }
        }
    }

    /// Something told of an image.
    pub fn image_told(&mut self, image: &Image, source: ImageSource, now: Now) -> ImageNews {
        if !self.images.contains_key(&image.arn) {
            if !self.may_matter(image, now) {
                return ImageNews::NotWanted;
            }
            self.images.insert(image.arn.clone(), ImagePlan::default());
        }
        let round = self.rounds.images.number;
        let Some(plan) = self.images.get_mut(&image.arn) else {
            return ImageNews::NotWanted;
        };
        let mut image = image.clone();
        let changed = match &plan.told {
            Some(before) => {
                image.pipeline = image.pipeline.or_else(|| before.pipeline.clone());
                has_changed(before, &image)
            }
            None => true,
        };
        plan.changed |= changed;
        match source {
            ImageSource::List => plan.round = round,
            ImageSource::Get => plan.full = true,
        }
        let moves = !image.status.is_terminal();
        plan.over_since = match moves {
            true => None,
            false => plan.over_since.or(Some(now)),
        };
        // A short retry may have failed again before the list told of it.
        if plan.standing == Standing::Left && (moves || changed) {
            plan.standing = Standing::Undecided;
        }
        plan.told = Some(image);
        let arn = plan.told.as_ref().map(|image| image.arn.clone());
        arn.map_or(ImageNews::NotWanted, |arn| self.decide(&arn, now.instant))
    }

    /// Whether an image is to be followed, as far as is known now.
    pub fn decide(&mut self, arn: &ImageArn, now: Instant) -> ImageNews {
        let Some(plan) = self.images.get(arn) else {
            return ImageNews::NotWanted;
        };
        if plan.told.is_none() {
            return ImageNews::NotWanted;
        }
        let decided = self.rounds.decided(plan);
        if plan.standing == Standing::Left {
            // Executions of it that failed may be there still.
            return match decided {
                Some(false) if plan.is_claimed() => ImageNews::NoLongerWanted,
                _ => ImageNews::NotWanted,
            };
        }
        let (full, moves) = (plan.full, plan.moves());
        let standing = match decided {
            // Who it belongs to is asked next.
            Some(true) => return ImageNews::Wanted,
            Some(false) if plan.is_claimed() => return ImageNews::NoLongerWanted,
            // After a reload, until the pipelines are known again.
            None if plan.is_followed() => return ImageNews::Wanted,
            Some(false) => Standing::Unwanted,
            None => Standing::Undecided,
        };
        if let Some(plan) = self.images.get_mut(arn) {
            plan.standing = standing;
        }
        // A Get that failed waits for its next attempt.
        let asked = self.queue.is_waiting(&Call::Image(arn.clone()));
        if standing == Standing::Undecided && !full && !asked {
            let urgency = urgency(moves);
            self.ask_for_image(arn, Slot::new(now, urgency));
        }
        ImageNews::NotWanted
    }

    /// An image that is wanted is this target's: it is followed from now on, if it was not.
    pub fn image_claimed(&mut self, arn: &ImageArn, now: Instant) {
        let Some(plan) = self.images.get_mut(arn) else {
            return;
        };
        plan.standing = Standing::Followed;
        plan.held = true;
        let changed = std::mem::take(&mut plan.changed);
        let moves = plan.moves();
        let unread = plan.reading.read.is_none();
        if changed {
            plan.reading.times = 0;
        }
        if let Some(leaves) = plan.leaves.take_if(|_| changed || moves) {
            self.leaving.remove(&(leaves, Leaver::Image(arn.clone())));
        }
        if changed || unread {
            self.read_workflows(arn, now, urgency(moves));
        }
        if changed {
            // One that fails or does well after all keeps its executions longer or shorter.
            let workflows = self.images.get(arn).map(|plan| plan.workflows.clone());
            for id in workflows.unwrap_or_default() {
                self.settle_whole(id, now);
            }
        }
        // Of one that has ended it may turn out that it ended too long ago.
        if moves || !unread {
            self.complete_image(arn, now);
        }
        self.settle_image(arn);
    }

    /// Another target has the image.
    pub fn image_is_foreign(&mut self, arn: &ImageArn, now: Instant) -> Left {
        let mut left = Left::default();
        if let Some(plan) = self.images.get_mut(arn) {
            plan.standing = Standing::Foreign;
            plan.changed = true;
            plan.reading = Reading::default();
            if std::mem::take(&mut plan.held) {
                left.images.push(arn.clone());
            }
        }
        self.forget_image_calls(arn);
        self.drop_executions(arn, now, &mut left);
        left
    }

    /// What an image, if it is followed, may be shown as: one that ended is shown once it is known
    /// that it did not end too long ago.
    pub fn shown_image(&self, arn: &ImageArn, now: Now) -> Option<&Image> {
        let plan = self.images.get(arn)?;
        let denied = self.denied(Operation::ListWorkflowExecutions, now.instant);
        let known = plan.moves() || plan.reading.read.is_some() || denied.is_some();
        let stays = plan.leaves.is_none_or(|leaves| leaves > now.time);
        let shown = plan.is_followed() && known && stays;
        plan.told.as_ref().filter(|_| shown)
    }

    /// An image that was followed is no longer selected.
    pub fn unwanted(&mut self, arn: &ImageArn, now: Instant) -> Left {
        let mut left = Left::default();
        let Some(plan) = self.images.get_mut(arn) else {
            return left;
        };
        plan.standing = Standing::Unwanted;
        plan.held = false;
        plan.changed = true;
        plan.reading = Reading::default();
        left.images.push(arn.clone());
        self.forget_image_calls(arn);
        self.drop_executions(arn, now, &mut left);
        left
    }

    /// The tags of an image, as last told.
    pub fn tags_of(&self, arn: &ImageArn) -> Option<&Tags> {
        let plan = self.images.get(arn)?;
        plan.told.as_ref().map(|image| &image.tags)
    }

    /// The images that are followed.
    pub fn followed_images(&self) -> impl Iterator<Item = &ImageArn> {
        let followed = self.images.iter().filter(|(_, plan)| plan.is_followed());
        followed.map(|(arn, _)| arn)
    }

    /// The images that are this target's, whether they are followed or have left.
    pub fn held_images(&self) -> impl Iterator<Item = &ImageArn> {
        let held = self.images.iter().filter(|(_, plan)| plan.held);
        held.map(|(arn, _)| arn)
    }

    /// Whether the image is this target's.
    pub fn holds_image(&self, arn: &ImageArn) -> bool {
        self.images.get(arn).is_some_and(|plan| plan.held)
    }

    /// Whether the image was followed, and has left.
    pub fn image_has_left(&self, arn: &ImageArn) -> bool {
        self.images.get(arn).is_some_and(ImagePlan::has_left)
    }

    /// The images that would be followed if another target did not have them.
    pub fn foreign_images(&self) -> impl Iterator<Item = &ImageArn> {
        let images = self.images.iter();
        let foreign = images.filter(|(_, plan)| plan.standing == Standing::Foreign);
        foreign.map(|(arn, _)| arn)
    }

    /// A Get of an image failed. Returns whether Gets are denied, as they were not before.
    pub fn image_failed(&mut self, arn: &ImageArn, kind: ErrorKind, now: Instant) -> bool {
        let Some(plan) = self.images.get_mut(arn) else {
            return false;
        };
        plan.gets_failed = plan.gets_failed.saturating_add(1);
        let (failures, moves) = (plan.gets_failed, plan.moves());
        if plan.named && plan.told.is_none() {
            plan.reading.attempted = true;
        }
        let wait = match kind {
            ErrorKind::Forbidden => HOUR,
            // It will hardly become known.
            ErrorKind::Client if failures > SOON => HOUR,
            _ => {
                let interval = self.pace.discovery_interval;
                self.jitter.after_failure(kind, interval, failures)
            }
        };
        let became = kind == ErrorKind::Forbidden && self.deny(Operation::GetImage, now);
        self.ask_for_image(arn, Slot::new(now + wait, urgency(moves)));
        became
    }

    /// A Get of an image was answered, and what it told was taken in.
    pub fn image_answered(&mut self, arn: &ImageArn, now: Instant) {
        let wanted = self.rounds.images.wanted;
        let Some(plan) = self.images.get_mut(arn) else {
            return;
        };
        plan.gets_failed = 0;
        if plan.named && !wanted && plan.standing != Standing::Left {
            let times = if plan.moves() { 1 } else { SELDOM };
            let wait = self.jitter.nearly(self.pace.discovery_interval * times);
            self.ask_for_image(arn, Slot::new(now + wait, Urgency::Discovery));
        }
    }

    /// Asks for what the lists do not tell of an image, where that is not known.
    pub(super) fn complete_image(&mut self, arn: &ImageArn, now: Instant) {
        let Some(plan) = self.images.get(arn) else {
            return;
        };
        if plan.is_followed() && !plan.full && plan.gets_failed == 0 {
            let slot = Slot::new(now, Urgency::Discovery);
            self.ask_for_image(arn, slot);
        }
    }

    fn ask_for_image(&mut self, arn: &ImageArn, slot: Slot) {
        let call = Call::Image(arn.clone());
        if !self.in_flight.contains(&call) {
            self.queue.no_later(call, slot);
        }
    }

    /// Says when the image leaves, where nothing of it can change any more.
    pub(super) fn settle_image(&mut self, arn: &ImageArn) {
        let Some(plan) = self.images.get(arn) else {
            return;
        };
        let reading = &plan.reading;
        // What is about to be read may tell of an execution that began and ended between two lists.
        let call = Call::Workflows(arn.clone());
        let due = self.queue.is_waiting(&call) || self.in_flight.contains(&call);
        let read = reading.read.is_some() && reading.failures == 0 && !due;
        let known = read || reading.refused;
        let settled = |id: &WorkflowExecutionId| {
            let whole = self.whole(*id);
            whole.is_none_or(|whole| whole.leaves.is_some())
        };
        let Some(told) = &plan.told else { return };
        if !plan.is_followed() || plan.moves() || !known || !plan.workflows.iter().all(settled) {
            return;
        }
        let Some(ended) = plan.last_end.or(told.created) else {
            return;
        };
        let leaves = ended.plus(self.retention(plan.failed()));
        if let Some(plan) = self.images.get_mut(arn)
            && let Some(before) = plan.leaves.replace(leaves)
        {
            self.leaving.remove(&(before, Leaver::Image(arn.clone())));
        }
        self.leaving.insert((leaves, Leaver::Image(arn.clone())));
    }

    /// Things are kept for another time: says anew when each leaves.
    pub(super) fn retain_otherwise(&mut self, now: Instant) {
        let wholes = self.workflows.iter().filter(|(_, workflow)| {
            let whole = workflow.whole.as_ref();
            whole.is_some_and(|whole| whole.leaves.is_some())
        });
        let wholes: Vec<_> = wholes.map(|(id, _)| *id).collect();
        for id in wholes {
            self.settle_whole(id, now);
        }
        let images: Vec<ImageArn> = self.images.keys().cloned().collect();
        for arn in images {
            self.settle_image(&arn);
            // What has left may have done so too early.
            if let Some(plan) = self.images.get_mut(&arn).filter(|plan| plan.has_left()) {
                plan.standing = Standing::Undecided;
                plan.changed = true;
            }
        }
    }

    /// The image has left; it is remembered so that the next list does not bring it back.
    pub(super) fn image_left(&mut self, arn: &ImageArn) {
        self.forget_image_calls(arn);
        if let Some(plan) = self.images.get_mut(arn) {
            plan.standing = Standing::Left;
            plan.leaves = None;
            plan.reading = Reading::default();
        }
    }

    /// The image is no longer followed, nor remembered; its executions neither.
    pub(super) fn drop_image(&mut self, arn: &ImageArn, now: Instant, left: &mut Left) {
        self.drop_executions(arn, now, left);
        self.image_gone(arn, left);
    }

    /// The image is there no longer; its executions may be.
    pub(super) fn image_gone(&mut self, arn: &ImageArn, left: &mut Left) {
        self.forget_image_calls(arn);
        let Some(plan) = self.images.remove(arn) else {
            return;
        };
        if let Some(leaves) = plan.leaves {
            self.leaving.remove(&(leaves, Leaver::Image(arn.clone())));
        }
        if plan.is_claimed() {
            left.images.push(arn.clone());
        }
    }

    fn drop_executions(&mut self, arn: &ImageArn, now: Instant, left: &mut Left) {
        let Some(plan) = self.images.get_mut(arn) else {
            return;
        };
        let workflows = std::mem::take(&mut plan.workflows);
        if let Some(leaves) = plan.leaves.take() {
            self.leaving.remove(&(leaves, Leaver::Image(arn.clone())));
        }
        for id in workflows {
            match self.whole_mut(id) {
                // It stays for its own name's sake, and waits behind no other.
                Some(whole) if whole.named => {
                    whole.image = None;
                    if whole.leaves.is_none() {
                        self.list_no_later(id, Slot::new(now, Urgency::Waiting));
                    }
                }
                _ => self.drop_whole(id, now, left),
            }
        }
    }

    fn forget_image_calls(&mut self, arn: &ImageArn) {
        self.queue.remove(&Call::Workflows(arn.clone()));
        self.queue.remove(&Call::Image(arn.clone()));
    }

    /// Whether an image that is not known yet can be one to show: it moves, or ended not too long
    /// ago, as far as its creation tells.
    fn may_matter(&self, image: &Image, now: Now) -> bool {
        let retention = self.retention(image.status == ImageStatus::Failed);
        let recent = |created: Timestamp| created.plus(LONGEST_BUILD + retention) > now.time;
        !image.status.is_terminal() || image.created.is_some_and(recent)
    }
}

/// Whether an image's executions may be others than when it was told of before. Growing old is no
/// such change.
fn has_changed(before: &Image, now: &Image) -> bool {
    let done = |image: &Image| {
        image.status.is_terminal()
            && !matches!(image.status, ImageStatus::Failed | ImageStatus::Cancelled)
    };
    let same = before.status == now.status && before.failure == now.failure;
    let only_older = done(before) && done(now);
    !same && !only_older
}

pub(super) fn urgency(moves: bool) -> Urgency {
    match moves {
        true => Urgency::Waiting,
        false => Urgency::Discovery,
    }
}
