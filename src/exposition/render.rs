//! Renders the metric table in pieces: each call continues where the previous one stopped.

use prometheus::proto::MetricFamily;

use super::families::{self, Entry, Series};
use super::objects::SelectorMatches;
use super::scrape::{Scrape, ScrapeSource};
use super::series::{RecordSeries, SeriesWriter};
use super::steps::StepSeries;
use super::text::{self, Format, SampleValue};
use crate::family::Family;
use crate::labels::{LabelText, names};
use crate::snapshot::{Chunks, Phase};

/// A scrape that is being rendered.
#[derive(Debug)]
pub struct Exposition {
    scrape: Scrape,
    format: Format,
    /// `target` and `region` of each source.
    source_labels: Vec<LabelText>,
    gathered: Vec<MetricFamily>,
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
    /// A chunk of the source's records.
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
        self.chunk = 0;
        self.row = 0;
    }

    /// Calls `write` for each record from the cursor on, until it returns `false`: it then had no
    /// room for the record. Returns whether all are written.
    fn write_each<R>(&mut self, records: &Chunks<R>, mut write: impl FnMut(&R) -> bool) -> bool {
        while let Some(chunk) = records.chunk(self.chunk) {
            for record in &chunk[self.row..] {
                if !write(record) {
                    return false;
                }
                self.row += 1;
            }
            self.chunk += 1;
            self.row = 0;
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
        let mut gathered = scrape.process.gather();
        for source in &scrape.sources {
            gathered.extend(source.metrics.gather());
        }
        Self {
            scrape,
            format,
            source_labels,
            gathered,
            at: Cursor::default(),
        }
    }

    /// Appends text until `out` holds `enough` bytes; the last record may exceed it. Returns `false`
    /// when the text is complete.
    pub fn write(&mut self, out: &mut Vec<u8>, enough: usize) -> bool {
        while let Some(entry) = families::entry(self.at.family) {
            if out.len() >= enough {
                return true;
            }
            let wanted = match entry.series {
                Series::Step(StepSeries::Message) => self.scrape.message_labels,
                _ => true,
            };
            if !wanted {
                self.at.next_family();
                continue;
            }
            if !self.at.begun {
                text::comments(out, entry.family, self.format);
                self.at.begun = true;
            }
            if !self.write_series(entry, out, enough) {
                return true;
            }
            self.at.next_family();
            if families::entry(self.at.family).is_none() && self.format == Format::OpenMetrics {
                out.extend_from_slice(b"# EOF\n");
            }
        }
        false
    }

    /// Writes series until `out` holds `enough` bytes. Returns whether the family is complete.
    fn write_series(&mut self, entry: Entry, out: &mut Vec<u8>, enough: usize) -> bool {
        let family = entry.family;
        match entry.series {
            Series::Step(series) => self.write_records(family, series, out, enough),
            Series::Workflow(series) => self.write_records(family, series, out, enough),
            Series::Image(series) => self.write_records(family, series, out, enough),
            Series::ImageName(series) => self.write_records(family, series, out, enough),
            Series::Pipeline(series) => self.write_records(family, series, out, enough),
            Series::SelectorMatches => self.write_records(family, &SelectorMatches, out, enough),
            Series::Finished(write) => self.at.write_each(&self.scrape.finished.series, |series| {
                let has_room = out.len() < enough;
                if has_room {
                    write(out, family, &self.scrape, series);
                }
                has_room
            }),
            Series::Source(value) => self.write_sources(family, out, |source, writer| {
                if let Some(value) = value(source, writer.now) {
                    writer.begin(&[writer.source_labels]);
                    writer.end(value);
                }
            }),
            Series::TrackedSteps => self.write_sources(family, out, |source, writer| {
                for phase in Phase::ALL {
                    writer.begin(&[writer.source_labels]);
                    text::label(writer.out, names::STATE, phase.as_str());
                    let steps = source.snapshot.steps.in_phase(phase);
                    writer.end(SampleValue::Count(steps as u64));
                }
            }),
            Series::Gathered => self.write_gathered(family, out, enough),
        }
    }

    /// Writes the series of all records of all sources. Returns whether the family is complete.
    fn write_records<S: RecordSeries>(
        &mut self,
        family: &'static Family,
        series: &S,
        out: &mut Vec<u8>,
        enough: usize,
    ) -> bool {
        while self.at.source < self.scrape.sources.len() {
            let (source, mut writer) = self.source(self.at.source, family, out);
            let records = S::records(&source.snapshot);
            let mut at = self.at;
            let is_complete = at.write_each(records, |record| {
                let has_room = writer.out.len() < enough;
                if has_room {
                    series.write(&mut writer, record);
                }
                has_room
            });
            self.at = at;
            if !is_complete {
                return false;
            }
            self.at.next_source();
        }
        true
    }

    /// Writes the series of all sources, which are few. The family is then complete.
    fn write_sources(
        &self,
        family: &'static Family,
        out: &mut Vec<u8>,
        write: impl Fn(&ScrapeSource, &mut SeriesWriter<'_>),
    ) -> bool {
        for index in 0..self.scrape.sources.len() {
            let (source, mut writer) = self.source(index, family, out);
            write(source, &mut writer);
        }
        true
    }

    fn source<'a>(
        &'a self,
        index: usize,
        family: &'static Family,
        out: &'a mut Vec<u8>,
    ) -> (&'a ScrapeSource, SeriesWriter<'a>) {
        let source = &self.scrape.sources[index];
        let writer = SeriesWriter {
            family,
            now: self.scrape.now,
            status_format: self.scrape.status_format,
            target: &source.target,
            source_labels: &self.source_labels[index],
            out,
        };
        (source, writer)
    }

    /// Returns whether the family is complete.
    fn write_gathered(&mut self, family: &Family, out: &mut Vec<u8>, enough: usize) -> bool {
        let at = &mut self.at;
        while let Some(gathered) = self.gathered.get(at.source) {
            if gathered.name() == family.name {
                while let Some(metric) = gathered.get_metric().get(at.row) {
                    if out.len() >= enough {
                        return false;
                    }
                    text::gathered(out, family, metric);
                    at.row += 1;
                }
            }
            at.next_source();
        }
        true
    }
}
