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
    Chunks, Group, ImageNameRecord, ImageRecord, PipelineRecord, Record, StepRecord, WorkflowRecord,
};

/// A record whose series are counted.
pub(super) trait Counted: Record {
    /// What a family of this kind of records has.
    type Series: Debug + 'static;

    /// Returns the series of a family if it is of this kind.
    fn series(series: &'static Series) -> Option<&'static Self::Series>;

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

    fn write(&self, write: &WriteFinished, writer: &mut SeriesWriter<'_>, reading: &Reading) {
        write(writer, self, reading);
    }
}

/// Counts the series of records of one kind.
#[derive(Debug)]
pub(super) struct Counter<'a, R: Counted> {
    /// The families of the kind.
    families: Vec<(Entry, &'static R::Series)>,
    scrape: &'a Scrape,
    no_labels: LabelText,
}

impl<'a, R: Counted> Counter<'a, R> {
    pub(super) fn new(scrape: &'a Scrape) -> Self {
        let families = (0..).map_while(families::entry);
        let families = families.filter(|entry| entry.is_exposed(scrape.message_labels));
        Self {
            families: families
                .filter_map(|entry| Some((entry, R::series(entry.series)?)))
                .collect(),
            scrape,
            no_labels: LabelText::default(),
        }
    }

    /// Returns the number of series of a record.
    pub(super) fn count(&self, record: &R) -> u32 {
        let context = Context {
            now: self.scrape.now,
            status_format: self.scrape.status_format,
            target: "",
            source_labels: &self.no_labels,
            baselines: &self.scrape.baselines,
            ends: &self.scrape.ends,
            hash: 0,
        };
        let mut samples = 0;
        for (entry, series) in &self.families {
            let mut writer = SeriesWriter {
                family: entry.family,
                context,
                mode: Mode::Count,
                samples: 0,
                out: &mut Vec::new(),
            };
            record.write(series, &mut writer, &self.scrape.finished.reading);
            samples += writer.samples;
        }
        u32::try_from(samples).unwrap_or(u32::MAX)
    }

    fn count_all(&self, records: &Chunks<R>) -> u64 {
        let settings =
            self.scrape.status_format as u32 | u32::from(self.scrape.message_labels) << 1;
        let chunks = records.groups().flat_map(Group::chunks);
        let counts = chunks.map(|chunk| {
            chunk.series_count(settings, |records| {
                let counts = records.iter().map(|record| self.count(record));
                counts.fold(0, u32::saturating_add)
            })
        });
        counts.map(u64::from).sum()
    }
}

/// Returns the number of series of all resources of a scrape.
pub(super) fn total(scrape: &Scrape) -> u64 {
    let steps = Counter::new(scrape);
    let workflows = Counter::new(scrape);
    let images = Counter::new(scrape);
    let pipelines = Counter::new(scrape);
    let image_names = Counter::new(scrape);
    let sources = scrape.sources.iter().map(|source| {
        let snapshot = &source.snapshot;
        steps.count_all(snapshot.steps.records())
            + workflows.count_all(&snapshot.workflows)
            + images.count_all(&snapshot.images)
            + pipelines.count_all(&snapshot.pipelines)
            + image_names.count_all(&snapshot.image_names)
    });
    sources.sum::<u64>()
        + Counter::new(scrape).count_all(&scrape.finished.series)
        + Counter::new(scrape).count_all(&scrape.baselines.series)
}
