//! Defines what the series of all kinds of records share: names, labels that were escaped
//! beforehand, and statuses.

use super::text::{self, SampleValue};
use crate::config::StatusFormat;
use crate::family::Family;
use crate::labels::{LabelText, names};
use crate::model::Timestamp;
use crate::snapshot::{Chunks, Snapshot};

/// The series that a family has for each record of one kind.
pub(super) trait RecordSeries {
    type Record;

    fn records(snapshot: &Snapshot) -> &Chunks<Self::Record>;

    fn write(&self, writer: &mut SeriesWriter<'_>, record: &Self::Record);
}

/// Writes series of one family for one target and region.
#[derive(Debug)]
pub(super) struct SeriesWriter<'a> {
    pub family: &'static Family,
    pub now: Timestamp,
    pub status_format: StatusFormat,
    pub target: &'a str,
    pub source_labels: &'a LabelText,
    pub out: &'a mut Vec<u8>,
}

impl SeriesWriter<'_> {
    /// Writes the series of a status. `identity` writes the name and the labels before the status;
    /// a stateset calls it once and copies its text.
    pub(super) fn status(
        &mut self,
        known: &[&str],
        current: Option<&str>,
        identity: impl Fn(&mut Self),
    ) {
        let place = current.and_then(|current| known.iter().position(|s| *s == current));
        let start = self.out.len();
        if self.status_format == StatusFormat::Stateset {
            identity(self);
            self.out.extend_from_slice(b"status=\"");
            let end = self.out.len();
            for (at, name) in known.iter().enumerate() {
                if at > 0 {
                    self.out.extend_from_within(start..end);
                }
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(if place == Some(at) {
                    b"\"} 1\n"
                } else {
                    b"\"} 0\n"
                });
            }
        }
        if let Some(current) = current
            && (place.is_none() || self.status_format == StatusFormat::Sparse)
        {
            identity(self);
            text::label(self.out, names::STATUS, current);
            self.end(SampleValue::Flag(true));
        }
    }

    /// Begins a sample: the family's name, and labels that were escaped beforehand.
    pub(super) fn begin(&mut self, labels: &[&LabelText]) {
        self.out.extend_from_slice(self.family.name.as_bytes());
        self.out.push(b'{');
        for labels in labels {
            push(self.out, labels);
        }
    }

    /// Ends a sample with its value.
    pub(super) fn end(&mut self, value: SampleValue) {
        text::end_labels(self.out);
        text::value(self.out, value);
    }
}

pub(super) fn push(out: &mut Vec<u8>, labels: &LabelText) {
    out.extend_from_slice(labels.as_str().as_bytes());
}
