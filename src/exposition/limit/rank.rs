//! The order in which resources are kept out of a scrape.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use crate::baseline::Baseline;
use crate::finished::FinishedSeries;
use crate::model::{StepStatus, Timestamp, WorkflowStatus};
use crate::snapshot::{
    Chunks, ImageNameRecord, ImageRecord, Phase, PipelineRecord, Record, StepRecord, WorkflowRecord,
};

/// The rank of a resource. Resources of the lowest rank are kept out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    class: Class,
    /// The older of two resources of a class ranks lower.
    since: Option<Timestamp>,
    /// A hash of the key, which separates resources of the same age.
    key: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// It cannot change any more. Counters of finished steps are in this class too.
    Settled,
    /// It is settled, and alerts report its failure.
    Unresolved,
    /// A pipeline, an image name or the usual duration of a step.
    Named,
    /// It can change, and does not run.
    Waiting,
    Running,
}

impl Rank {
    fn new(class: Class, since: Option<Timestamp>, key: &impl Hash) -> Self {
        Self {
            class,
            since,
            key: hash(key),
        }
    }
}

/// When a step of each name last finished, by the hash of the name. All counters of a step have one
/// rank, so that a scrape never has its failures without its successes.
#[derive(Debug, Default)]
pub(super) struct FinishedTimes(HashMap<u64, Timestamp>);

impl FinishedTimes {
    pub(super) fn of(finished: &Chunks<FinishedSeries>) -> Self {
        let mut times = HashMap::new();
        for series in finished.iter() {
            let at = series.changed_at();
            let time = times.entry(hash(series.step())).or_insert(at);
            *time = at.max(*time);
        }
        Self(times)
    }
}

/// A resource that the limit can keep out.
pub(super) trait Ranked: Record {
    fn rank(&self, finished: &FinishedTimes) -> Rank;
}

impl Ranked for Baseline {
    fn rank(&self, _: &FinishedTimes) -> Rank {
        Rank::new(Class::Named, self.newest(), self.key())
    }
}

impl Ranked for StepRecord {
    fn rank(&self, _: &FinishedTimes) -> Rank {
        let observed = self.observed.as_ref();
        let class = match (self.phase, observed.map(|observed| &observed.values.status)) {
            (Phase::Active, Some(StepStatus::Running)) => Class::Running,
            (Phase::Pending | Phase::Active, _) => Class::Waiting,
            (Phase::Settled | Phase::Gone, _) if self.unresolved.is_some() => Class::Unresolved,
            (Phase::Settled | Phase::Gone, _) => Class::Settled,
        };
        let since = observed.and_then(|observed| observed.end.or(observed.start));
        Rank::new(class, since, &self.id)
    }
}

impl Ranked for WorkflowRecord {
    fn rank(&self, _: &FinishedTimes) -> Rank {
        let observed = self.observed.as_ref();
        let class = match observed.map(|observed| &observed.status) {
            Some(WorkflowStatus::Running | WorkflowStatus::RollbackInProgress) => Class::Running,
            Some(status) if status.is_terminal() => Class::Settled,
            _ => Class::Waiting,
        };
        let since = observed.and_then(|observed| observed.end.or(observed.start));
        Rank::new(class, since, &self.id)
    }
}

impl Ranked for ImageRecord {
    fn rank(&self, _: &FinishedTimes) -> Rank {
        let class = match self.status.is_terminal() {
            false => Class::Running,
            true if self.unresolved.is_some() => Class::Unresolved,
            true => Class::Settled,
        };
        Rank::new(class, self.created, &self.arn)
    }
}

impl Ranked for PipelineRecord {
    fn rank(&self, _: &FinishedTimes) -> Rank {
        Rank::new(Class::Named, self.last_run, &self.arn)
    }
}

impl Ranked for ImageNameRecord {
    fn rank(&self, _: &FinishedTimes) -> Rank {
        Rank::new(Class::Named, Some(self.newest.created), &self.key)
    }
}

impl Ranked for FinishedSeries {
    fn rank(&self, finished: &FinishedTimes) -> Rank {
        let key = hash(self.step());
        Rank {
            class: Class::Settled,
            since: finished.0.get(&key).copied(),
            key,
        }
    }
}

/// Returns a number that is the same in each process, so that replicas keep out the same resources.
fn hash(key: &(impl Hash + ?Sized)) -> u64 {
    BuildHasherDefault::<DefaultHasher>::new().hash_one(key)
}
