//! Writes the series of one workflow execution, image, pipeline or selector.
//!
//! `families` declares the families and the functions that return their values.

use super::series::{RecordSeries, SeriesWriter, SnapshotSeries};
use super::text::SampleValue;
use crate::baseline::ExpectedEnds;
use crate::labels::{LabelText, names};
use crate::model::Timestamp;
use crate::snapshot::{
    Chunks, ImageNameRecord, ImageRecord, PipelineRecord, SelectorRecord, Snapshot, StepResults,
    WorkflowRecord,
};

/// The series that a family has for a resource, and the function that returns their value. If the
/// function returns `None`, there are no series.
#[derive(Debug)]
pub(super) enum ObjectSeries<R> {
    /// One series.
    Value(fn(&R) -> Option<SampleValue>),
    /// One series with the value at this time, if it has one at any time.
    AtTime(fn(&R, Timestamp) -> Option<SampleValue>),
    /// One series with the time at which the resource is expected to end.
    ExpectedEnd(fn(&R, &ExpectedEnds) -> Option<Timestamp>),
    /// One series for each known status, or for the current one alone.
    Status {
        known: &'static [&'static str],
        current: fn(&R) -> Option<&str>,
    },
    /// One series with the target and static information as further labels. Always 1.
    Info(fn(&R) -> Option<[&LabelText; 2]>),
    /// One series for each set of labels, always 1.
    Details(fn(&R) -> &[LabelText]),
    /// One series for each result of a step.
    Results(fn(&R) -> Option<StepResults>),
}

/// A kind of resource, each with its own labels.
pub(super) trait Object: Sized {
    fn records(snapshot: &Snapshot) -> &Chunks<Self>;

    /// Returns the labels that identify the resource, and the target's own labels; `None` until
    /// they are known.
    fn identity(&self) -> Option<[&LabelText; 2]>;
}

impl Object for WorkflowRecord {
    fn records(snapshot: &Snapshot) -> &Chunks<Self> {
        &snapshot.workflows
    }

    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.observed.as_ref()?.identity, &self.own_labels])
    }
}

impl Object for ImageRecord {
    fn records(snapshot: &Snapshot) -> &Chunks<Self> {
        &snapshot.images
    }

    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl Object for ImageNameRecord {
    fn records(snapshot: &Snapshot) -> &Chunks<Self> {
        &snapshot.image_names
    }

    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl Object for PipelineRecord {
    fn records(snapshot: &Snapshot) -> &Chunks<Self> {
        &snapshot.pipelines
    }

    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl<R: Object> RecordSeries for ObjectSeries<R> {
    type Record = R;

    fn is_steady(&self) -> bool {
        !matches!(self, Self::AtTime(_) | Self::ExpectedEnd(_))
    }

    fn has_fixed_number(&self) -> bool {
        !matches!(self, Self::ExpectedEnd(_))
    }

    fn write(&self, writer: &mut SeriesWriter<'_>, record: &R) {
        let Some(identity) = record.identity() else {
            return;
        };
        match self {
            Self::Value(value) => sample(writer, &identity, value(record)),
            Self::AtTime(value) => {
                let value = value(record, writer.context.now());
                sample(writer, &identity, value);
            }
            Self::ExpectedEnd(end) => {
                let at = end(record, writer.context.scrape.ends());
                let millis = at.map(Timestamp::millis);
                sample(writer, &identity, millis.map(SampleValue::Millis));
            }
            Self::Status { known, current } => {
                if let Some(current) = current(record) {
                    writer.status(known, Some(current), |writer| writer.begin(&identity));
                }
            }
            Self::Info(details) => {
                if let Some(details) = details(record) {
                    writer.begin(&identity);
                    writer.label(names::TARGET, writer.context.target);
                    for labels in details {
                        writer.push(labels);
                    }
                    writer.end(SampleValue::Flag(true));
                }
            }
            Self::Details(series) => {
                for labels in series(record) {
                    writer.begin(&identity);
                    writer.push_changing(labels);
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
                        writer.label(names::RESULT, result);
                        writer.end(SampleValue::Count(count.into()));
                    }
                }
            }
        }
    }
}

fn sample(writer: &mut SeriesWriter<'_>, identity: &[&LabelText], value: Option<SampleValue>) {
    if let Some(value) = value {
        writer.begin(identity);
        writer.end(value);
    }
}

impl<R: Object> SnapshotSeries for ObjectSeries<R> {
    fn records(snapshot: &Snapshot) -> &Chunks<R> {
        R::records(snapshot)
    }
}

/// The number of resources that match each selector, with the labels of the target and region.
pub(super) struct SelectorMatches;

impl RecordSeries for SelectorMatches {
    type Record = SelectorRecord;

    fn is_steady(&self) -> bool {
        true
    }

    fn write(&self, writer: &mut SeriesWriter<'_>, record: &SelectorRecord) {
        writer.begin(&[writer.context.source_labels, &record.labels]);
        writer.end(SampleValue::Count(record.matches as u64));
    }
}

impl SnapshotSeries for SelectorMatches {
    fn records(snapshot: &Snapshot) -> &Chunks<SelectorRecord> {
        &snapshot.selectors
    }
}
