//! The state of one image build version, and whether it is tracked.

use std::time::Duration;

use crate::clock::{Now, Past};
use crate::model::{Image, ImageStatus, Timestamp};

use super::pace::Pace;
use super::pager::Pager;
use super::queue::Urgency;
use super::retry::Retries;
use tokio::time::Instant;

/// The longest build that discovery assumes: a response has the creation time of an image, but not the
/// end of its build.
const LONGEST_BUILD: Duration = Duration::from_secs(12 * 60 * 60);

/// The operation that returned an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageSource {
    /// The list of the account, which does not have the pipeline.
    List,
    Get,
}

/// What follows for an image from a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is to be tracked, if no other target owns it.
    Track,
    /// It was this target's or was to be, and is no longer selected.
    Untrack,
    /// It is not selected, or that is not known yet; what is tracked stays so until it is known.
    Leave,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tracking {
    /// It is not known yet whether the image is selected.
    #[default]
    Undecided,
    Unselected,
    /// Another target owns it.
    Foreign,
    Tracked,
    /// It was tracked, and its retention has expired.
    Evicted,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ImageState {
    /// The configuration names it.
    pub named: bool,
    pub tracking: Tracking,
    /// This target owns it. An evicted one stays owned: executions of it that failed may be kept.
    pub held: bool,
    /// The last response about it, with its pipeline once that is known.
    pub observed: Option<Image>,
    /// Whether a Get succeeded.
    pub full: bool,
    /// Whether it changed since its executions were last listed.
    pub changed: bool,
    /// Since when its build has been known to be over.
    pub over_since: Option<Now>,
    /// When the last of its known executions ended, whether that is still tracked or not.
    pub last_end: Option<Past>,
    pub created: Option<Past>,
    pub listing: ExecutionsListing,
    /// An execution of it was left to another target, which names it.
    pub left_execution: bool,
    /// Gets that failed in a row.
    pub get: Retries,
    /// The last discovery pass that returned it.
    pub pass: u64,
    /// When it is evicted, once all has settled.
    pub expires: Option<Instant>,
}

/// The list of an image's executions: how far it has been read, and how often.
#[derive(Debug, Default)]
pub(super) struct ExecutionsListing {
    pub pager: Pager,
    /// The service last said that it does not know the image, or that the call is denied.
    pub refused: bool,
    pub attempted: bool,
    /// When the last one that was read to its end began.
    pub read: Option<Instant>,
    /// How often it was read since the image changed.
    pub times: u32,
}

impl ImageState {
    pub(super) fn failed(&self) -> bool {
        let observed = self.observed.as_ref();
        observed.is_some_and(|image| image.status == ImageStatus::Failed)
    }

    /// Whether its build is under way, as far as is known.
    pub(super) fn moves(&self) -> bool {
        let observed = self.observed.as_ref();
        observed.is_some_and(|image| !image.status.is_terminal())
    }

    /// Whether its test workflows run, as far as is known.
    pub(super) fn is_testing(&self) -> bool {
        let observed = self.observed.as_ref();
        observed.is_some_and(|image| image.status == ImageStatus::Testing)
    }

    pub(super) fn is_tracked(&self) -> bool {
        self.tracking == Tracking::Tracked
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.tracking == Tracking::Evicted
    }

    /// Returns when so much has passed since the end of the build, as far as is known, once its
    /// executions do not change any more. `pending` says whether they are about to be listed.
    pub(super) fn expires_after(&self, retention: Duration, pending: bool) -> Option<Instant> {
        let listing = &self.listing;
        let failing = listing.pager.retries.failures > 0;
        let read = listing.read.is_some() && !failing && !pending;
        let ended = self.last_end.map(|ended| ended.plus(retention));
        let after_creation = |duration| Some(self.created?.plus(duration));
        if self.moves() {
            None
        } else if read || listing.refused {
            ended.or_else(|| after_creation(retention))
        } else if failing && listing.read.is_none() {
            // Its end is unknown while the list fails.
            ended.or_else(|| after_creation(LONGEST_BUILD + retention))
        } else {
            None
        }
    }

    /// Whether it is this target's, or is to be once the target that owns it gives it up.
    pub(super) fn is_claimed(&self) -> bool {
        self.held || self.tracking == Tracking::Foreign
    }

    /// How urgent the calls about it are.
    pub(super) fn urgency(&self) -> Urgency {
        match self.moves() {
            true => Urgency::Waiting,
            false => Urgency::Discovery,
        }
    }

    /// Whether the first calls about it have been attempted. `get_denied` says that
    /// GetImage is denied, `list_denied` that ListWorkflowExecutions is.
    pub(super) fn attempted(&self, get_denied: bool, list_denied: bool) -> bool {
        match self.tracking {
            Tracking::Tracked => self.listing.attempted || list_denied,
            Tracking::Undecided => self.full || self.get.failures > 0 || get_denied,
            _ => true,
        }
    }

    /// Applies a response, and records whether its executions may have changed.
    pub(super) fn observe(&mut self, mut image: Image, source: ImageSource, pass: u64, now: Now) {
        let changed = match &self.observed {
            Some(before) => {
                image.pipeline = image.pipeline.or_else(|| before.pipeline.clone());
                has_changed(before, &image)
            }
            None => true,
        };
        self.changed |= changed;
        match source {
            ImageSource::List => self.pass = pass,
            ImageSource::Get => self.full = true,
        }
        let moves = !image.status.is_terminal();
        self.over_since = match moves {
            true => None,
            false => self.over_since.or(Some(now)),
        };
        // A short retry may have failed again before the list returned it.
        if self.is_evicted() && (moves || changed) {
            self.tracking = Tracking::Undecided;
        }
        self.created = image.created.map(|time| {
            let known = self.created.filter(|known| known.time() == time);
            known.unwrap_or_else(|| now.past(time))
        });
        self.observed = Some(image);
    }

    /// It is not tracked, so that all is read again should it be.
    pub(super) fn stop(&mut self, tracking: Tracking) {
        self.tracking = tracking;
        self.held = false;
        self.changed = true;
        self.listing = ExecutionsListing::default();
    }
}

/// Whether an image that is not known yet may have to be exposed: its build is in progress, or ended
/// recently, as far as its creation time shows.
pub(super) fn may_matter(image: &Image, pace: Pace, now: Timestamp) -> bool {
    let retention = pace.retention(image.status == ImageStatus::Failed);
    let recent = |created: Timestamp| created.plus(LONGEST_BUILD + retention) > now;
    !image.status.is_terminal() || image.created.is_some_and(recent)
}

/// Whether an image's executions may have changed since the response before. Age is no change.
fn has_changed(before: &Image, now: &Image) -> bool {
    let done = |image: &Image| {
        image.status.is_terminal()
            && !matches!(image.status, ImageStatus::Failed | ImageStatus::Cancelled)
    };
    let same = before.status == now.status && before.failure == now.failure;
    let only_older = done(before) && done(now);
    !same && !only_older
}
