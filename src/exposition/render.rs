//! Renders the metric table in pieces: each call continues where the previous one stopped.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use prometheus::proto::MetricFamily;

use super::families::{self, Entry, Series};
use super::finished::FinishedSteps;
use super::limit::series_usage;
use super::objects::SelectorMatches;
use super::scrape::{Scrape, ScrapeSource};
use super::series::{Context, FamilySeries, Mode, RecordSeries, SeriesWriter, SnapshotSeries};
use super::sink::{PlainText, Sink};
use super::text::{self, Format, SampleValue};
use crate::config::StatusFormat;
use crate::family::Family;
use crate::labels::{LabelText, names};
use crate::snapshot::{Chunks, Phase};

/// A scrape that is being rendered.
#[derive(Debug)]
pub struct Exposition {
    scrape: Arc<Scrape>,
    format: Format,
    /// `target` and `region` of each source.
    source_labels: Vec<LabelText>,
    /// The labels of series without a source.
    no_labels: LabelText,
    /// The metrics of the exporter itself, when the first text is written.
    gathered: Option<Vec<MetricFamily>>,
    at: Cursor,
}

/// The position where rendering continues. Each number counts within the one before it.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    family: usize,
    /// Whether the family's comments have been written.
    begun: bool,
    /// A source, or a gathered family.
    source: usize,
    /// A group of the source's records.
    group: usize,
    chunk: usize,
    /// A record of the chunk, or a metric of the gathered family.
    row: usize,
}

impl Cursor {
    fn next_family(&mut self) {
        *self = Self {
            family: self.family + 1,
            ..Self::default()
        };
    }

    fn next_source(&mut self) {
        self.source += 1;
        self.group = 0;
        self.chunk = 0;
        self.row = 0;
    }

    /// Writes the series of the records from the cursor on. Returns whether all are written.
    fn write_chunks<S: RecordSeries>(
        &mut self,
        family: &'static Family,
        context: Context<'_>,
        series: &S,
        records: &Chunks<S::Record>,
        sink: &mut impl Sink,
    ) -> bool {
        let series = FamilySeries {
            family,
            number: self.family,
            context,
            series,
        };
        while let Some(group) = records.group(self.group) {
            let begun = self.chunk > 0 || self.row > 0;
            if begun || !sink.group(&series, group) {
                while let Some(chunk) = group.chunk(self.chunk) {
                    if !sink.chunk(&series, chunk, &mut self.row) {
                        return false;
                    }
                    self.chunk += 1;
                    self.row = 0;
                }
            }
            self.group += 1;
            self.chunk = 0;
        }
        true
    }
}

impl Exposition {
    pub fn new(scrape: Scrape, format: Format) -> Self {
        let source_labels = scrape
            .sources
            .iter()
            .map(|source| {
                LabelText::new([
                    (names::TARGET, &*source.target),
                    (names::REGION, &*source.region),
                ])
            })
            .collect();
        Self {
            scrape: Arc::new(scrape),
            format,
            source_labels,
            no_labels: LabelText::default(),
            gathered: None,
            at: Cursor::default(),
        }
    }

    pub(super) fn scrape(&self) -> &Arc<Scrape> {
        &self.scrape
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Appends text until `out` holds `enough` bytes; the last record may exceed it. Returns `false`
    /// when the text is complete.
    pub fn write(&mut self, out: &mut Vec<u8>, enough: usize) -> bool {
        self.write_to(&mut PlainText { out, enough })
    }

    /// Writes text until the sink is full. Returns `false` when the text is complete.
    pub(super) fn write_to(&mut self, sink: &mut impl Sink) -> bool {
        self.gathered.get_or_insert_with(|| gather(&self.scrape));
        while let Some(entry) = families::entry(self.at.family) {
            if sink.is_full() {
                return true;
            }
            if !entry.is_exposed(self.scrape.message_labels) {
                self.at.next_family();
                continue;
            }
            if !self.at.begun {
                sink.comments(self.at.family, entry.family, self.format);
                self.at.begun = true;
            }
            if !self.write_series(entry, sink) {
                return true;
            }
            self.at.next_family();
            if families::entry(self.at.family).is_none() && self.format == Format::OpenMetrics {
                sink.text().extend_from_slice(b"# EOF\n");
            }
        }
        false
    }

    /// Writes series until the sink is full. Returns whether the family is complete.
    fn write_series(&mut self, entry: Entry, sink: &mut impl Sink) -> bool {
        let family = entry.family;
        match entry.series {
            Series::Step(series) => self.write_records(family, series, sink),
            Series::Workflow(series) => self.write_records(family, series, sink),
            Series::Image(series) => self.write_records(family, series, sink),
            Series::ImageName(series) => self.write_records(family, series, sink),
            Series::Pipeline(series) => self.write_records(family, series, sink),
            Series::SelectorMatches => self.write_records(family, &SelectorMatches, sink),
            Series::Finished(write) => {
                let (write, reading) = (*write, &self.scrape.finished.reading.clone());
                let series = FinishedSteps { write, reading };
                self.write_without_source(family, &series, |scrape| &scrape.finished.series, sink)
            }
            Series::Typical(series) => {
                self.write_without_source(family, series, |scrape| &scrape.baselines.series, sink)
            }
            Series::Source(value) => self.write_sources(family, sink.text(), |source, writer| {
                if let Some(value) = value(source, writer.context.now()) {
                    writer.begin(&[writer.context.source_labels]);
                    writer.end(value);
                }
            }),
            Series::TrackedSteps => self.write_sources(family, sink.text(), |source, writer| {
                for phase in Phase::ALL {
                    writer.begin(&[writer.context.source_labels]);
                    writer.label(names::STATE, phase.as_str());
                    let steps = source.snapshot.steps.in_phase(phase);
                    writer.end(SampleValue::Count(steps as u64));
                }
            }),
            Series::History => self.write_sources(family, sink.text(), |source, writer| {
                let Some(history) = source.snapshot.history else {
                    return;
                };
                let states = [
                    ("pending", history.pending),
                    ("read", history.read),
                    ("failed", history.failed),
                ];
                for (state, builds) in states {
                    writer.begin(&[writer.context.source_labels]);
                    writer.label(names::STATE, state);
                    writer.end(SampleValue::Count(builds));
                }
            }),
            Series::Usage(value) => {
                let value = SampleValue::Count(value(&series_usage(&self.scrape)));
                text::sample_without_labels(sink.text(), family, value);
                true
            }
            Series::Gathered => self.write_gathered(family, sink),
        }
    }

    /// Writes the series of all records of all sources. Returns whether the family is complete.
    fn write_records<S: SnapshotSeries>(
        &mut self,
        family: &'static Family,
        series: &S,
        sink: &mut impl Sink,
    ) -> bool {
        let mut at = self.at;
        while let Some(source) = self.scrape.sources.get(at.source) {
            let context = self.context(&source.target, &self.source_labels[at.source]);
            let records = S::records(&source.snapshot);
            let is_complete = at.write_chunks(family, context, series, records, sink);
            self.at = at;
            if !is_complete {
                return false;
            }
            at.next_source();
        }
        true
    }

    /// Writes series that have no source. Returns whether the family is complete.
    fn write_without_source<S: RecordSeries>(
        &mut self,
        family: &'static Family,
        series: &S,
        records: fn(&Scrape) -> &Chunks<S::Record>,
        sink: &mut impl Sink,
    ) -> bool {
        let context = self.context("", &self.no_labels);
        let mut at = self.at;
        let is_complete = at.write_chunks(family, context, series, records(&self.scrape), sink);
        self.at = at;
        is_complete
    }

    /// Writes the series of all sources, which are few. The family is then complete.
    fn write_sources(
        &self,
        family: &'static Family,
        out: &mut Vec<u8>,
        write: impl Fn(&ScrapeSource, &mut SeriesWriter<'_>),
    ) -> bool {
        for (source, labels) in self.scrape.sources.iter().zip(&self.source_labels) {
            let mut writer = SeriesWriter {
                family,
                context: self.context(&source.target, labels),
                mode: Mode::Text,
                samples: 0,
                out,
            };
            write(source, &mut writer);
        }
        true
    }

    fn context<'a>(&'a self, target: &'a str, source_labels: &'a LabelText) -> Context<'a> {
        Context {
            scrape: &self.scrape,
            target,
            source_labels,
            hash: context_hash(self.scrape.status_format, source_labels),
        }
    }

    /// Returns whether the family is complete.
    fn write_gathered(&mut self, family: &Family, sink: &mut impl Sink) -> bool {
        let at = &mut self.at;
        let gathered = self.gathered.as_deref().unwrap_or_default();
        while let Some(gathered) = gathered.get(at.source) {
            if gathered.name() == family.name {
                while let Some(metric) = gathered.get_metric().get(at.row) {
                    if sink.is_full() {
                        return false;
                    }
                    text::gathered(sink.text(), family, metric);
                    at.row += 1;
                }
            }
            at.next_source();
        }
        true
    }
}

/// Returns the metrics of the exporter itself.
fn gather(scrape: &Scrape) -> Vec<MetricFamily> {
    let sources = scrape.sources.iter().map(|source| source.metrics.gather());
    { [scrape.process.gather()].into_iter().chain(sources) }
        .flatten()
        .collect()
}

/// Identifies what the series of a source depend on besides their records and the time.
fn context_hash(status_format: StatusFormat, source_labels: &LabelText) -> u64 {
    BuildHasherDefault::<DefaultHasher>::new().hash_one((status_format as u8, source_labels))
}
