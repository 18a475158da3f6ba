//! The table's rows turned into text, in pieces: each call continues where the one before stopped.

use prometheus::proto::MetricFamily;

use super::families::{self, Entry, Series};
use super::finished;
use super::objects::write_selectors;
use super::scrape::Scrape;
use super::series::SeriesWriter;
use super::steps::StepSeries;
use super::text::{self, Format};
use crate::family::Family;
use crate::finished::FinishedSeries;
use crate::labels::{LabelText, names};
use crate::snapshot::{Chunks, Snapshot};

/// A scrape on its way into text.
#[derive(Debug)]
pub struct Exposition {
    scrape: Scrape,
    format: Format,
    /// `target` and `region` of each source.
    source_labels: Vec<LabelText>,
    gathered: Vec<MetricFamily>,
    at: Cursor,
}

/// Where the text goes on. Each number counts within the one before it.
#[derive(Debug, Default)]
struct Cursor {
    family: usize,
    /// Whether the family's comments are written.
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

    /// Goes on through the chunks; `write` tells how many of the records it is given are done.
    /// Whether all are.
    fn through<R>(&mut self, records: &Chunks<R>, mut write: impl FnMut(&[R]) -> usize) -> bool {
        while let Some(chunk) = records.chunk(self.chunk) {
            self.row += write(&chunk[self.row..]);
            if self.row < chunk.len() {
                return false;
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

    /// Appends text until `out` holds `enough` bytes, and a little more where a row goes over it.
    /// `false` once all is written.
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

    /// Whether the family is done.
    fn write_series(&mut self, entry: Entry, out: &mut Vec<u8>, enough: usize) -> bool {
        let family = entry.family;
        match entry.series {
            Series::Step(series) => self.write_records(
                family,
                |snapshot| snapshot.steps.records(),
                out,
                |writer, records| series.write(writer, records, enough),
            ),
            Series::Workflow(series) => self.write_records(
                family,
                |snapshot| &snapshot.workflows,
                out,
                |writer, records| series.write(writer, records, enough),
            ),
            Series::Image(series) => self.write_records(
                family,
                |snapshot| &snapshot.images,
                out,
                |writer, records| series.write(writer, records, enough),
            ),
            Series::ImageName(series) => self.write_records(
                family,
                |snapshot| &snapshot.image_names,
                out,
                |writer, records| series.write(writer, records, enough),
            ),
            Series::Pipeline(series) => self.write_records(
                family,
                |snapshot| &snapshot.pipelines,
                out,
                |writer, records| series.write(writer, records, enough),
            ),
            Series::Selector(value) => self.write_records(
                family,
                |snapshot| &snapshot.selectors,
                out,
                |writer, records| write_selectors(*value, writer, records, enough),
            ),
            Series::FinishedCount => self.write_finished(out, enough, |out, shown, series| {
                finished::count(out, family, series, shown.now);
            }),
            Series::FinishedDurations => self.write_finished(out, enough, |out, shown, series| {
                finished::durations(out, family, &shown.finished, series, shown.now);
            }),
            Series::Source(write) => {
                for (source, labels) in self.scrape.sources.iter().zip(&self.source_labels) {
                    write(family, source, labels, out);
                }
                true
            }
            Series::Gathered => self.write_gathered(family, out, enough),
        }
    }

    /// Of all sources, the `records` of their snapshot; `write` tells how many of those it is given are
    /// done. Whether the family is done.
    fn write_records<R>(
        &mut self,
        family: &'static Family,
        records: fn(&Snapshot) -> &Chunks<R>,
        out: &mut Vec<u8>,
        write: impl Fn(&mut SeriesWriter<'_>, &[R]) -> usize,
    ) -> bool {
        let at = &mut self.at;
        while let Some(source) = self.scrape.sources.get(at.source) {
            let mut writer = SeriesWriter {
                family,
                now: self.scrape.now,
                status_format: self.scrape.status_format,
                target: &source.target,
                source_labels: &self.source_labels[at.source],
                out,
            };
            if !at.through(records(&source.snapshot), |records| {
                write(&mut writer, records)
            }) {
                return false;
            }
            at.next_source();
        }
        true
    }

    /// Whether the family is done.
    fn write_finished(
        &mut self,
        out: &mut Vec<u8>,
        enough: usize,
        write: impl Fn(&mut Vec<u8>, &Scrape, &FinishedSeries),
    ) -> bool {
        let scrape = &self.scrape;
        self.at.through(&scrape.finished.series, |records| {
            for (done, series) in records.iter().enumerate() {
                if out.len() >= enough {
                    return done;
                }
                write(out, scrape, series);
            }
            records.len()
        })
    }

    /// Whether the family is done.
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
