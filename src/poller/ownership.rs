//! Which target owns a resource that several targets of one account and region select: the first in
//! the order of the file exposes, polls and counts it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::tracker::{Ownership, Resource};

/// The claims of all pollers. A poller's rank is its target's place in the file.
#[derive(Debug)]
pub struct Claims {
    held: Mutex<HashMap<Resource, Held>>,
    /// Changes when somebody must give something up, or has.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Held {
    by: usize,
    /// It was given up for `by`, who has not heard of it yet.
    passed: bool,
    /// Who may have it instead once it is given up, the first of all.
    wanted_by: BTreeSet<usize>,
}

impl Held {
    /// `rank` neither has nor wants it any longer: the first of those who want it has it now. Returns
    /// whether somebody has it.
    fn give_up(&mut self, rank: usize) -> bool {
        self.wanted_by.remove(&rank);
        if self.by != rank {
            return true;
        }
        let Some(first) = self.wanted_by.pop_first() else {
            return false;
        };
        self.by = first;
        self.passed = true;
        true
    }
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }
}

impl Claims {
    /// Whether `rank` has it from now on. Where a later one has it, that one is asked to give it up,
    /// and the claim is to be made again when there is news.
    pub fn claim(&self, claim: &Resource, rank: usize) -> bool {
        let mut held = self.lock();
        let Some(one) = held.get_mut(claim) else {
            let wanted_by = BTreeSet::new();
            held.insert(
                claim.clone(),
                Held {
                    by: rank,
                    passed: false,
                    wanted_by,
                },
            );
            return true;
        };
        if one.by == rank {
            let is_first = one.wanted_by.first().is_none_or(|first| *first > rank);
            if !is_first && one.passed {
                // It has done nothing with it, so it has nothing to give up.
                one.give_up(rank);
                one.wanted_by.insert(rank);
                drop(held);
                self.tell();
                return false;
            }
            one.passed = false;
            return is_first;
        }
        let new = one.wanted_by.insert(rank);
        if new && rank < one.by {
            drop(held);
            self.tell();
        }
        false
    }

    /// `rank` has it no longer, or wants it no longer: the first of those who want it has it now.
    /// Were it free, who gave it up could have it again before they have heard of it.
    pub fn release(&self, claim: &Resource, rank: usize) {
        let mut held = self.lock();
        let Some(one) = held.get_mut(claim) else {
            return;
        };
        let had = one.by == rank;
        if !one.give_up(rank) {
            held.remove(claim);
        } else if had {
            drop(held);
            self.tell();
        }
    }

    /// `rank` has and wants nothing in the region any longer: what it has passes to the first of those
    /// who want it. A target has one rank in all of its regions.
    pub fn release_all(&self, rank: usize, region: &str) {
        self.lock()
            .retain(|claim, one| claim.region() != region || one.give_up(rank));
        self.tell();
    }

    /// Whether `rank` has it, and nobody before it wants it.
    pub fn keeps(&self, claim: &Resource, rank: usize) -> bool {
        let held = self.lock();
        held.get(claim).is_some_and(|one| {
            one.by == rank && one.wanted_by.first().is_none_or(|first| *first > rank)
        })
    }

    /// Changes when somebody must give something up, or has.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Resource, Held>> {
        // Nothing of what is done under the lock panics half-way.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.news.send_modify(|news| *news += 1);
    }
}

/// The claims as one target sees them.
#[derive(Clone, Debug)]
pub(super) struct Owners {
    pub claims: Arc<Claims>,
    /// The target's place in the file.
    pub rank: usize,
}

impl Owners {
    /// The target owns and wants the resource no longer.
    pub(super) fn release(&self, resource: &Resource) {
        self.claims.release(resource, self.rank);
    }
}

impl Ownership for Owners {
    fn claim(&self, resource: &Resource) -> bool {
        self.claims.claim(resource, self.rank)
    }

    fn keeps(&self, resource: &Resource) -> bool {
        self.claims.keeps(resource, self.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PipelineArn;

    fn claim() -> Resource {
        let arn = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden";
        Resource::Pipeline(PipelineArn::parse(arn).unwrap())
    }

    #[test]
    fn who_comes_first_has_it_until_one_before_it_wants_it() {
        let claims = Claims::default();
        let mut news = claims.news();
        assert!(claims.claim(&claim(), 1));
        assert!(!claims.claim(&claim(), 2));
        assert!(!news.has_changed().unwrap());
        assert!(claims.keeps(&claim(), 1));

        assert!(!claims.claim(&claim(), 0));
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        assert!(!claims.keeps(&claim(), 1));
        claims.release(&claim(), 1);
        assert!(news.has_changed().unwrap());
        assert!(claims.claim(&claim(), 0));
        assert!(claims.keeps(&claim(), 0));
    }

    #[test]
    fn what_is_given_up_goes_to_who_wanted_it_though_others_ask_first() {
        let claims = Claims::default();
        assert!(claims.claim(&claim(), 2));
        assert!(!claims.claim(&claim(), 1));
        assert!(!claims.claim(&claim(), 0));
        claims.release(&claim(), 2);
        assert!(!claims.claim(&claim(), 2));
        assert!(claims.keeps(&claim(), 0));
        claims.release(&claim(), 1);
        claims.release(&claim(), 0);
        assert!(claims.keeps(&claim(), 2));
    }

    #[test]
    fn what_passes_to_one_goes_on_to_who_wants_it_before_it_hears_of_it() {
        let claims = Claims::default();
        assert!(claims.claim(&claim(), 2));
        assert!(!claims.claim(&claim(), 1));
        claims.release(&claim(), 2);
        let news = claims.news();
        assert!(!claims.claim(&claim(), 0));
        assert!(!claims.claim(&claim(), 1));
        assert!(news.has_changed().unwrap());
        assert!(claims.claim(&claim(), 0));
        claims.release(&claim(), 0);
        assert!(claims.claim(&claim(), 1));
    }

    #[test]
    fn all_that_one_has_and_wants_in_a_region_is_released_at_once() {
        let claims = Claims::default();
        let pipeline = |place: &str| {
            let arn = format!("arn:aws:imagebuilder:{place}");
            Resource::Pipeline(PipelineArn::parse(&arn).unwrap())
        };
        let silver = pipeline("us-west-2:111122223333:image-pipeline/silver");
        let elsewhere = pipeline("eu-west-1:111122223333:image-pipeline/golden");
        for held in [&claim(), &elsewhere] {
            assert!(claims.claim(held, 1));
            assert!(!claims.claim(held, 2));
        }
        assert!(claims.claim(&silver, 2));
        assert!(!claims.claim(&silver, 1));
        let news = claims.news();
        claims.release_all(1, "us-west-2");
        assert!(news.has_changed().unwrap());
        assert!(claims.keeps(&claim(), 2));
        assert!(claims.keeps(&silver, 2));
        assert!(claims.keeps(&elsewhere, 1));
        claims.release_all(2, "us-west-2");
        assert!(claims.claim(&claim(), 1));
        assert!(claims.claim(&silver, 1));
    }

    #[test]
    fn what_is_given_up_goes_to_who_asks_next() {
        let claims = Claims::default();
        assert!(claims.claim(&claim(), 0));
        assert!(!claims.claim(&claim(), 1));
        claims.release(&claim(), 0);
        assert!(claims.claim(&claim(), 1));
    }
}
