//! The image names that have series, and when each was last in use.
//!
//! A name is in use while its executions are tracked, or its builds or its pipeline are in the account.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::poll::StepPoll;
use crate::labels::LabelText;
use crate::snapshot::ImageName;

/// The most series that one review removes, because pollers and scrapes wait for it.
pub(super) const AT_ONCE: usize = 10_000;

/// The names of each target and region; `None` stands for steps whose image is unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    all: HashMap<Poller, HashMap<Option<ImageName>, Name>>,
    /// Those in `all` that are no longer polled.
    unpolled: HashSet<Poller>,
}

/// A target and one of its regions.
type Poller = (Arc<str>, Arc<str>);

#[derive(Clone, Debug)]
struct Name {
    used: Instant,
    /// The series that the target owns.
    series: Vec<LabelText>,
}

impl Names {
    /// Records that a poll created a series, or made the target an owner of it.
    pub(super) fn add(&mut self, poll: &StepPoll<'_>, series: LabelText, now: Instant) {
        self.name(poll, now).series.push(series);
    }

    /// Records that a poll counted an execution.
    pub(super) fn counted(&mut self, poll: &StepPoll<'_>, now: Instant) {
        self.name(poll, now).used = now;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all.values().all(HashMap::is_empty)
    }

    fn name(&mut self, poll: &StepPoll<'_>, now: Instant) -> &mut Name {
        let poller = poller(poll.target, poll.region);
        let names = self.all.entry(poller).or_default();
        let observed = poll.after.observed.as_ref();
        let image = observed.and_then(|observed| observed.subject.image.as_ref());
        let none = || Name {
            used: now,
            series: Vec::new(),
        };
        names.entry(image.map(ImageName::of)).or_insert_with(none)
    }

    /// Applies which targets and regions are polled from now on.
    pub(super) fn polled(&mut self, polled: &[(&str, &str)]) {
        let is_polled = |one: &&Poller| polled.contains(&(&*one.0, &*one.1));
        let known = self.all.keys();
        self.unpolled = known.filter(|one| !is_polled(one)).cloned().collect();
    }

    /// Applies which names are in use now; in regions of the target that are no longer polled, none
    /// is. Forgets the names that have not been in use for `retention`, and returns their series; `None`
    /// forgets none. From [`AT_ONCE`] series on, the rest waits for the next review.
    pub(super) fn review(
        &mut self,
        target: &str,
        region: &str,
        in_use: &HashSet<Option<ImageName>>,
        retention: Option<Duration>,
        now: Instant,
    ) -> Vec<LabelText> {
        let mut expired = Vec::new();
        let unpolled = self.unpolled.iter().filter(|(of, _)| **of == *target);
        let none = HashSet::new();
        let unpolled = unpolled.map(|region| (region.clone(), &none));
        let regions: Vec<_> = unpolled.chain([(poller(target, region), in_use)]).collect();
        for (region, in_use) in regions {
            if let Some(names) = self.all.get_mut(&region) {
                expire(names, in_use, retention, now, &mut expired);
            }
        }
        expired
    }

    /// Forgets the series that a target no longer owns.
    pub(super) fn retain_owned(&mut self, owns: impl Fn(&str, &LabelText) -> bool) {
        self.all.retain(|(target, _), names| {
            names.retain(|_, name| {
                name.series.retain(|series| owns(target, series));
                !name.series.is_empty()
            });
            !names.is_empty()
        });
    }
}

fn poller(target: &str, region: &str) -> Poller {
    (Arc::from(target), Arc::from(region))
}

/// Removes the names that have not been in use for `retention`, and adds their series to `expired`.
fn expire(
    names: &mut HashMap<Option<ImageName>, Name>,
    in_use: &HashSet<Option<ImageName>>,
    retention: Option<Duration>,
    now: Instant,
    expired: &mut Vec<LabelText>,
) {
    names.retain(|image, name| {
        if in_use.contains(image) {
            name.used = now;
        }
        let unused = now.saturating_duration_since(name.used);
        let stays =
            retention.is_none_or(|retention| unused < retention) || expired.len() >= AT_ONCE;
        if !stays {
            expired.append(&mut name.series);
        }
        stays
    });
    if names.len() < names.capacity() / 4 {
        names.shrink_to_fit();
    }
}
