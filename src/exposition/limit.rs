//! Bounds the series of a scrape: whole resources are kept out when they exceed `series_limit`.
//!
//! Owns which resources are kept out, and the records of those that are not. The limit is applied to
//! a scrape, because only a scrape has the records of all targets at one moment. `app` calls it.

mod count;
mod rank;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::scrape::Scrape;
use crate::baseline::Baseline;
use crate::finished::FinishedSeries;
use crate::snapshot::{
    Chunks, ImageNameRecord, ImageRecord, PipelineRecord, SeriesUsage, Snapshot, StepRecord, Table,
    WorkflowRecord,
};
use count::{Counted, Counter, total};
use rank::{FinishedTimes, Rank, Ranked};

/// The records that the limit leaves in scrapes. They stay from one scrape to the next, so that
/// their compressed text does.
#[derive(Debug, Default)]
pub struct LimitedRecords {
    /// By target and region.
    sources: HashMap<(Arc<str>, Arc<str>), SourceRecords>,
    finished: Table<FinishedSeries>,
    baselines: Table<Baseline>,
}

#[derive(Debug, Default)]
struct SourceRecords {
    steps: Table<StepRecord>,
    workflows: Table<WorkflowRecord>,
    images: Table<ImageRecord>,
    pipelines: Table<PipelineRecord>,
    image_names: Table<ImageNameRecord>,
}

/// The resources that stay in a scrape.
#[derive(Debug)]
struct SelectedResources {
    /// Resources of lower ranks are kept out; all are if there is none.
    least: Option<Rank>,
    finished: FinishedTimes,
    usage: SeriesUsage,
}

/// Returns how many series of the sources and of finished steps a scrape has, and how many its limit
/// keeps out of it.
pub fn series_usage(scrape: &Scrape) -> SeriesUsage {
    let counted = || match SelectedResources::of(scrape) {
        Ok(selection) => selection.usage,
        Err(usage) => usage,
    };
    *scrape.derived.series.get_or_init(counted)
}

impl LimitedRecords {
    /// Keeps resources out of a scrape that exceeds its limit. Returns whether it does.
    ///
    /// Series are counted here only if their number can exceed the limit.
    pub fn apply(&mut self, scrape: &mut Scrape) -> bool {
        let limit = scrape.series_limit;
        let can_exceed = limit > 0 && count::upper_bound(scrape) > limit;
        match can_exceed.then(|| SelectedResources::of(scrape)) {
            Some(Ok(selection)) => {
                // What is kept out still counts for the ends of what is kept.
                scrape.ends();
                self.keep(scrape, &selection);
                scrape.derived.series = selection.usage.into();
                return true;
            }
            Some(Err(usage)) => scrape.derived.series = usage.into(),
            None => {}
        }
        *self = Self::default();
        false
    }

    fn keep(&mut self, scrape: &mut Scrape, selection: &SelectedResources) {
        let mut before = std::mem::take(&mut self.sources);
        for source in &mut scrape.sources {
            let key = (source.target.clone(), source.region.clone());
            let mut records = before.remove(&key).unwrap_or_default();
            source.snapshot = Arc::new(records.keep(&source.snapshot, selection));
            self.sources.insert(key, records);
        }
        let finished = &mut scrape.finished.series;
        *finished = selection.keep(&mut self.finished, finished);
        let baselines = &mut scrape.baselines.series;
        *baselines = selection.keep(&mut self.baselines, baselines);
    }
}

impl SourceRecords {
    fn keep(&mut self, all: &Snapshot, selection: &SelectedResources) -> Snapshot {
        let steps = selection.keep(&mut self.steps, all.steps.records());
        Snapshot {
            steps: all.steps.with_records(steps),
            workflows: selection.keep(&mut self.workflows, &all.workflows),
            images: selection.keep(&mut self.images, &all.images),
            pipelines: selection.keep(&mut self.pipelines, &all.pipelines),
            image_names: selection.keep(&mut self.image_names, &all.image_names),
            ..all.clone()
        }
    }
}

impl SelectedResources {
    /// Selects resources in the order of their ranks, until the next one exceeds the limit.
    ///
    /// # Errors
    ///
    /// Returns the usage of a scrape that does not exceed the limit.
    fn of(scrape: &Scrape) -> Result<Self, SeriesUsage> {
        let (limit, total) = (scrape.series_limit, total(scrape));
        if limit == 0 || total <= limit {
            return Err(SeriesUsage {
                exposed: total,
                dropped: 0,
                limit,
            });
        }
        let finished = FinishedTimes::of(&scrape.finished.series);
        let mut ranks = Vec::new();
        for source in &scrape.sources {
            let snapshot = &source.snapshot;
            push_ranks(scrape, snapshot.steps.records(), &finished, &mut ranks);
            push_ranks(scrape, &snapshot.workflows, &finished, &mut ranks);
            push_ranks(scrape, &snapshot.images, &finished, &mut ranks);
            push_ranks(scrape, &snapshot.pipelines, &finished, &mut ranks);
            push_ranks(scrape, &snapshot.image_names, &finished, &mut ranks);
        }
        push_ranks(scrape, &scrape.finished.series, &finished, &mut ranks);
        push_ranks(scrape, &scrape.baselines.series, &finished, &mut ranks);
        ranks.sort_unstable_by(|one, other| other.cmp(one));
        let (least, exposed) = selected(&ranks, limit);
        let usage = SeriesUsage {
            exposed,
            dropped: total - exposed,
            limit,
        };
        Ok(Self {
            least,
            finished,
            usage,
        })
    }

    fn has(&self, record: &impl Ranked) -> bool {
        let rank = record.rank(&self.finished);
        self.least.is_some_and(|least| rank >= least)
    }

    /// Updates the table to the records that are selected, and returns them.
    fn keep<R: Ranked>(&self, table: &mut Table<R>, all: &Chunks<R>) -> Chunks<R> {
        let selected: Vec<&R> = all.iter().filter(|record| self.has(*record)).collect();
        if selected.len() == all.len() {
            *table = Table::default();
            return all.clone();
        }
        let keys: HashSet<&R::Key> = selected.iter().map(|record| record.key()).collect();
        let removed: Vec<_> = table
            .keys()
            .filter(|key| !keys.contains(key))
            .cloned()
            .collect();
        for key in &removed {
            table.remove(key);
        }
        for record in selected {
            if table.get(record.key()) != Some(record) {
                table.put(record.clone());
            }
        }
        table.records().clone()
    }
}

/// Appends the rank of each record that has series, with their number.
fn push_ranks<R: Ranked + Counted>(
    scrape: &Scrape,
    records: &Chunks<R>,
    finished: &FinishedTimes,
    ranks: &mut Vec<(Rank, u32)>,
) {
    let counter = Counter::new(scrape);
    let counted = records.iter().map(|record| {
        let rank = record.rank(finished);
        (rank, counter.count(record))
    });
    ranks.extend(counted.filter(|(_, series)| *series > 0));
}

/// Returns the least rank within the limit, and how many series it and the higher ones have. Series of
/// the same rank are selected together. The ranks are in descending order.
fn selected(ranks: &[(Rank, u32)], limit: u64) -> (Option<Rank>, u64) {
    let (mut least, mut exposed) = (None, 0);
    for same in ranks.chunk_by(|(one, _), (other, _)| one == other) {
        let series: u64 = same.iter().map(|(_, series)| u64::from(*series)).sum();
        if exposed + series > limit {
            break;
        }
        exposed += series;
        least = same.first().map(|(rank, _)| *rank);
    }
    (least, exposed)
}
