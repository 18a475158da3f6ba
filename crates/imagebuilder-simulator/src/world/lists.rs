//! What is in a list at a moment, and in what order: one that tells nothing, but stays the same
//! while pages are read.

use std::ops::Range;

use crate::ids::Place;
use crate::plan::Plan;
use imagebuilder_model::Timestamp;

use super::World;

/// Something in a list, and its place in the list's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub rank: u64,
    pub(super) place: Place,
}

/// Told apart from the timeline's draws for the same place.
const SALT_LISTED: u64 = 1 << 33;
const SALT_RANK: u64 = SALT_LISTED + 1;

impl World {
    /// In the order of the answer.
    pub(super) fn in_order(&self, places: impl Iterator<Item = Place>) -> Vec<Listed> {
        let ranked = places.map(|place| Listed {
            rank: self.tempo.number(place, SALT_RANK),
            place,
        });
        let mut listed: Vec<_> = ranked.collect();
        listed.sort_unstable_by_key(|listed| listed.rank);
        listed
    }

    pub(super) fn plans_of<'a>(
        &'a self,
        region: &'a str,
        account: Option<&'a str>,
    ) -> impl Iterator<Item = (u16, &'a Plan)> {
        let all = (0..).zip(&self.plans);
        all.filter(move |(_, plan)| {
            let pipeline = &plan.pipeline;
            pipeline.region == region && account.is_none_or(|account| account == pipeline.account)
        })
    }

    /// The builds that have begun and whose images are still kept, without playing any.
    pub(super) fn begun(&self, pipeline: u16, now: Timestamp) -> Range<u32> {
        let plan = &self.plans[usize::from(pipeline)];
        let every = self.every(plan);
        let since = now.millis_since(self.begin_of(plan, 0));
        let begun = |since: i64| {
            let count = since.div_euclid(every) + 1;
            count.clamp(0, i64::from(self.count_of(plan))) as u32
        };
        begun(since - self.kept_images())..begun(since)
    }

    /// How long after its begin the lists tell of a build's image.
    pub(super) fn listing_delay(&self, build: Place) -> i64 {
        self.tempo
            .draw(build, SALT_LISTED, self.scenario.listed_after)
    }

    pub(super) fn kept_images(&self) -> i64 {
        self.tempo.scaled(self.scenario.keep_images)
    }
}

/// The place of a build's first step.
pub(super) fn first(pipeline: u16, build: u32) -> Place {
    Place {
        pipeline,
        build,
        run: 0,
        workflow: 0,
        step: 0,
    }
}
