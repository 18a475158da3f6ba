//! Counts the series of records without writing them.

use std::fmt::Debug;

use super::super::families::{self, Entry, Series};
use super::super::finished::WriteFinished;
use super::super::objects::ObjectSeries;
use super::super::scrape::Scrape;
use super::super::series::{Context, Mode, RecordSeries, SeriesWriter};
use super::super::steps::{StepSeries, TypicalDuration};
use crate::baseline::Baseline;
use crate::finished::{FinishedSeries, Reading};
use crate::labels::LabelText;
use crate::snapshot::{
    Chunk, Chunks, Group, ImageNameRecord, ImageRecord, PipelineRecord, Record, StepRecord,
    WorkflowRecord,
};

/// A record whose series are counted.
pub(super) trait Counted: Record {
    /// What a family of this kind of records has.
    type Series: Debug + 'static;

    /// Returns the series of a family if it is of this kind.
    fn series(series: &'static Series) -> Option<&'static Self::Series>;

    /// As [`RecordSeries::has_fixed_number`].
    fn has_fixed_number(series: &Self::Series) -> bool;

    /// Writes the series of the record. `reading` has the bounds of histograms.
    fn write(&self, series: &Self::Series, writer: &mut SeriesWriter<'_>, reading: &Reading);
}

macro_rules! counted {
    ($($record:ty: $variant:ident($series:ty),)+) => {$(
        impl Counted for $record {
            type Series = $series;

            fn series(series: &'static Series) -> Option<&'static $series> {
                match series {
                    Series::$variant(series) => Some(series),
                    _ => None,
                }
            }

            fn has_fixed_number(series: &$series) -> bool {
                RecordSeries::has_fixed_number(series)
            }

            fn write(&self, series: &$series, writer: &mut SeriesWriter<'_>, _: &Reading) {
                series.write(writer, self);
            }
        }
    )+};
}

counted! {
    StepRecord: Step(StepSeries),
    WorkflowRecord: Workflow(ObjectSeries<WorkflowRecord>),
    ImageRecord: Image(ObjectSeries<ImageRecord>),
    PipelineRecord: Pipeline(ObjectSeries<PipelineRecord>),
    ImageNameRecord: ImageName(ObjectSeries<ImageNameRecord>),
    Baseline: Typical(TypicalDuration),
}

impl Counted for FinishedSeries {
    type Series = WriteFinished;

    fn series(series: &'static Series) -> Option<&'static WriteFinished> {
        match series {
            Series::Finished(write) => Some(write),
            _ => None,
        }
    }

    /// Only values change from 0.
    fn has_fixed_number(_: &WriteFinished) -> bool {
        true
    }

    fn write(&self, write: &WriteFinished, writer: &mut SeriesWriter<'_>, reading: &Reading) {
        write(writer, self, reading);
    }
}

type CountedFamily<R> = (Entry, &'static <R as Counted>::Series);

/// Counts the series of records of one kind.
#[derive(Debug)]
pub(super) struct Counter<'a, R: Counted> {
    /// The families of the kind with a fixed number of series.
    fixed: Vec<CountedFamily<R>>,
    /// The other families of the kind.
    varying: Vec<CountedFamily<R>>,
    scrape: &'a Scrape,
    no_labels: LabelText,
}

/// How the series are counted that come and go with the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Varying {
    /// Those that exist.
    Counted,
    /// All that can exist; this reads no record.
    Assumed,
}

impl<'a, R: Counted> Counter<'a, R> {
    pub(super) fn new(scrape: &'a Scrape) -> Self {
        let families = (0..).map_while(families::entry);
        let families = families.filter(|entry| entry.is_exposed(scrape.message_labels));
        let families = families.filter_map(|entry| Some((entry, R::series(entry.series)?)));
        let (fixed, varying) = families.partition(|(_, series)| R::has_fixed_number(series));
        Self {
            fixed,
            varying,
            scrape,
            no_labels: LabelText::default(),
        }
    }

    /// Returns the number of series of a record.
    pub(super) fn count(&self, record: &R) -> u32 {
        self.count_in(&self.fixed, record) + self.count_in(&self.varying, record)
    }

    fn count_in(&self, families: &[CountedFamily<R>], record: &R) -> u32 {
        let count = |(entry, series): &CountedFamily<R>| {
            let mut writer = SeriesWriter {
                family: entry.family,
                context: Context {
                    scrape: self.scrape,
                    target: "",
                    source_labels: &self.no_labels,
                    hash: 0,
                },
                mode: Mode::Count,
                samples: 0,
                out: &mut Vec::new(),
            };
            record.write(series, &mut writer, &self.scrape.finished.reading);
            u32::try_from(writer.samples).unwrap_or(u32::MAX)
        };
        families.iter().map(count).sum()
    }

    fn count_chunk(&self, chunk: &Chunk<R>, varying: Varying) -> u64 {
        let settings =
            self.scrape.status_format as u32 | u32::from(self.scrape.message_labels) << 1;
        let count = |families: &[CountedFamily<R>], records: &[R]| {
            let counts = records.iter().map(|record| self.count_in(families, record));
            counts.fold(0, u32::saturating_add)
        };
        let kept = chunk.series_count(settings, |records| match chunk.is_moving() {
            true => count(&self.fixed, records),
            // Nothing of a still chunk varies.
            false => count(&self.fixed, records).saturating_add(count(&self.varying, records)),
        });
        let varying = match varying {
            _ if !chunk.is_moving() => 0,
            Varying::Counted => count(&self.varying, chunk.records()).into(),
            Varying::Assumed => (chunk.records().len() * self.varying.len()) as u64,
        };
        u64::from(kept) + varying
    }

    fn count_all(&self, records: &Chunks<R>, varying: Varying) -> u64 {
        let chunks = records.groups().flat_map(Group::chunks);
        chunks.map(|chunk| self.count_chunk(chunk, varying)).sum()
    }
}

/// Returns the number of series of all resources of a scrape.
pub(super) fn total(scrape: &Scrape) -> u64 {
    sum(scrape, Varying::Counted)
}

/// Returns a number that [`total`] does not exceed, from kept numbers.
pub(super) fn upper_bound(scrape: &Scrape) -> u64 {
    sum(scrape, Varying::Assumed)
}

fn sum(scrape: &Scrape, varying: Varying) -> u64 {
    let steps = Counter::new(scrape);
    let workflows = Counter::new(scrape);
    let images = Counter::new(scrape);
    let pipelines = Counter::new(scrape);
    let image_names = Counter::new(scrape);
    let sources = scrape.sources.iter().map(|source| {
        let snapshot = &source.snapshot;
        steps.count_all(snapshot.steps.records(), varying)
            + workflows.count_all(&snapshot.workflows, varying)
            + images.count_all(&snapshot.images, varying)
            + pipelines.count_all(&snapshot.pipelines, varying)
            + image_names.count_all(&snapshot.image_names, varying)
    });
    sources.sum::<u64>()
        + Counter::new(scrape).count_all(&scrape.finished.series, varying)
        + Counter::new(scrape).count_all(&scrape.baselines.series, varying)
}
