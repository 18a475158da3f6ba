//! What is known, as text for Prometheus: the one table of families and how its rows become bytes.
//!
//! Owns the names, meanings and order of everything on `/metrics`, both text formats, the frames
//! they are sent in and their compression. Knows nothing of HTTP. Reads a [`Scrape`], which the
//! program takes from the store and from `self_metrics` when a scrape begins.
//!
//! The text is never there as a whole: [`Exposition::write`] goes on where it stopped, so a scrape
//! holds a few frames, however many steps there are.

mod families;
mod frames;
mod gzip;
mod steps;
mod text;

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use prometheus::proto::MetricFamily;

use crate::config::StatusFormat;
use crate::finished::FinishedSnapshot;
use crate::labels::LabelText;
use crate::model::Timestamp;
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::store::{StepRecord, StoreSnapshot};

use families::{Entry, Series, StepSeries};
pub use frames::{Encoding, FRAME_SIZE, FramePool, Frames, Next};
use steps::StepWriter;

/// What one scrape shows.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// What running steps are measured by.
    pub now: Timestamp,
    pub status_format: StatusFormat,
    /// Whether `imagebuilder_workflow_step_message_info` is shown.
    pub message_labels: bool,
    pub sources: Vec<Source>,
    pub finished: FinishedSnapshot,
    pub process: Arc<ProcessMetrics>,
}

/// What one target has in one region.
#[derive(Clone, Debug)]
pub struct Source {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub store: StoreSnapshot,
    /// Whether the service can be used; `None` before the first outcome.
    pub up: Option<bool>,
    pub metrics: Arc<PollerMetrics>,
}

/// The text formats. Their samples are the same; comments and the end differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A scrape on its way into text.
#[derive(Debug)]
pub struct Exposition {
    scrape: Scrape,
    format: Format,
    /// `target` and `region` of each source.
    source_labels: Vec<LabelText>,
    gathered: Vec<MetricFamily>,
    at: Position,
}

/// Where the text goes on. Each number counts within the one before it.
#[derive(Debug, Default)]
struct Position {
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

impl Position {
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

    fn next_chunk(&mut self) {
        self.chunk += 1;
        self.row = 0;
    }
}

impl Exposition {
    pub fn new(scrape: Scrape, format: Format) -> Self {
        let source_labels = scrape
            .sources
            .iter()
            .map(|source| {
                LabelText::new([("target", &*source.target), ("region", &*source.region)])
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
            at: Position::default(),
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
            let ended = match entry.series {
                Series::Step(series) => self.write_steps(&entry, series, out, enough),
                Series::Source(write) => {
                    for (source, labels) in self.scrape.sources.iter().zip(&self.source_labels) {
                        write(entry.family, source, labels, out);
                    }
                    true
                }
                Series::Gathered => self.write_gathered(&entry, out, enough),
            };
            if !ended {
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
    fn write_steps(
        &mut self,
        entry: &Entry,
        series: StepSeries,
        out: &mut Vec<u8>,
        enough: usize,
    ) -> bool {
        let Scrape {
            now,
            status_format,
            sources,
            ..
        } = &self.scrape;
        let at = &mut self.at;
        while let Some(source) = sources.get(at.source) {
            let mut writer = StepWriter {
                family: entry.family,
                now: *now,
                status_format: *status_format,
                target: &source.target,
                source_labels: &self.source_labels[at.source],
                out,
            };
            while let Some(chunk) = source.store.steps.chunks().get(at.chunk) {
                let rest: &[StepRecord] = &chunk[at.row..];
                at.row += writer.write(series, rest, enough);
                if at.row < chunk.len() {
                    return false;
                }
                at.next_chunk();
            }
            at.next_source();
        }
        true
    }

    /// Whether the family is done.
    fn write_gathered(&mut self, entry: &Entry, out: &mut Vec<u8>, enough: usize) -> bool {
        let at = &mut self.at;
        while let Some(gathered) = self.gathered.get(at.source) {
            if gathered.name() == entry.family.name {
                while let Some(metric) = gathered.get_metric().get(at.row) {
                    if out.len() >= enough {
                        return false;
                    }
                    text::gathered(out, entry.family, metric);
                    at.row += 1;
                }
            }
            at.next_source();
        }
        true
    }
}
