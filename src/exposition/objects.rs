//! How the series of workflow executions, images and pipelines are put together, record by record.
//!
//! Owns the labels; which families there are, and their values, stand in `families`.

use super::series::{SeriesWriter, push};
use super::text::{self, SampleValue};
use crate::labels::{LabelText, names};
use crate::model::Timestamp;
use crate::snapshot::{
    ImageNameRecord, ImageRecord, PipelineRecord, SelectorRecord, StepResults, WorkflowRecord,
};

/// The families of a kind of things: how its series are labelled, and the function that has their
/// value. Where that gives none there are no series.
#[derive(Debug)]
pub(super) enum ObjectSeries<R> {
    /// One series.
    Value(fn(&R, Timestamp) -> Option<SampleValue>),
    /// One series a known status, or only the current one.
    Status {
        known: &'static [&'static str],
        current: fn(&R) -> Option<&str>,
    },
    /// 1, with the target's name and what is known of the thing as further labels.
    Info(fn(&R) -> Option<[&LabelText; 2]>),
    /// One series for each set of labels, always 1.
    Details(fn(&R) -> &[LabelText]),
    /// One series a result.
    Results(fn(&R) -> Option<StepResults>),
}

/// What there can be many of, each with labels of its own.
pub(super) trait Object {
    /// What says which one it is, and the target's own labels; `None` until that is known.
    fn identity(&self) -> Option<[&LabelText; 2]>;
}

impl Object for WorkflowRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.observed.as_ref()?.identity, &self.own_labels])
    }
}

impl Object for ImageRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl Object for ImageNameRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl Object for PipelineRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl<R: Object> ObjectSeries<R> {
    /// Writes the series of these records, and returns how many of them are done when `out` holds
    /// `enough`.
    pub(super) fn write(
        &self,
        writer: &mut SeriesWriter<'_>,
        records: &[R],
        enough: usize,
    ) -> usize {
        writer.each(records, enough, |writer, record| {
            if let Some(identity) = record.identity() {
                self.write_one(writer, record, identity);
            }
        })
    }

    fn write_one(&self, writer: &mut SeriesWriter<'_>, record: &R, identity: [&LabelText; 2]) {
        match self {
            Self::Value(value) => {
                if let Some(value) = value(record, writer.now) {
                    writer.begin(&identity);
                    writer.end(value);
                }
            }
            Self::Status { known, current } => {
                if let Some(current) = current(record) {
                    writer.status(known, Some(current), |writer| writer.begin(&identity));
                }
            }
            Self::Info(details) => {
                if let Some(details) = details(record) {
                    writer.begin(&identity);
                    text::label(writer.out, names::TARGET, writer.target);
                    for labels in details {
                        push(writer.out, labels);
                    }
                    writer.end(SampleValue::Flag(true));
                }
            }
            Self::Details(series) => {
                for labels in series(record) {
                    writer.begin(&identity);
                    push(writer.out, labels);
                    writer.end(SampleValue::Flag(true));
                }
            }
            Self::Results(results) => {
                if let Some(results) = results(record) {
                    for (result, count) in [
                        ("succeeded", results.succeeded),
                        ("failed", results.failed),
                        ("skipped", results.skipped),
                    ] {
                        writer.begin(&identity);
                        text::label(writer.out, names::RESULT, result);
                        writer.end(SampleValue::Count(count.into()));
                    }
                }
            }
        }
    }
}

/// Writes a series for each of these selectors, and returns how many of them are done when `out`
/// holds `enough`.
pub(super) fn write_selectors(
    value: fn(&SelectorRecord) -> SampleValue,
    writer: &mut SeriesWriter<'_>,
    records: &[SelectorRecord],
    enough: usize,
) -> usize {
    writer.each(records, enough, |writer, record| {
        writer.begin(&[writer.source_labels, &record.labels]);
        writer.end(value(record));
    })
}
