//! What the series of all kinds of things have in common: names and labels that come ready, records
//! one after the other until a frame is full, and statuses.

use super::text::{self, SampleValue};
use crate::config::StatusFormat;
use crate::family::Family;
use crate::labels::{LabelText, names};
use crate::model::Timestamp;

/// Writes series of one family for what one source has.
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
    /// Writes the records one after the other, and returns how many of them are done when `out` holds
    /// `enough`.
    pub(super) fn each<R>(
        &mut self,
        records: &[R],
        enough: usize,
        mut write: impl FnMut(&mut Self, &R),
    ) -> usize {
        for (done, record) in records.iter().enumerate() {
            if self.out.len() >= enough {
                return done;
            }
            write(self, record);
        }
        records.len()
    }

    /// The series of a status, whose name and labels up to the status `identity` writes. In a
    /// stateset they are put together once and copied.
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

    /// Begins a sample: the family's name, and labels that come ready.
    pub(super) fn begin(&mut self, labels: &[&LabelText]) {
        begin(self.out, self.family, labels);
    }

    /// Ends a sample with its value.
    pub(super) fn end(&mut self, value: SampleValue) {
        text::end_labels(self.out);
        text::value(self.out, value);
    }
}

/// The name, and labels that come ready.
pub(super) fn begin(out: &mut Vec<u8>, family: &Family, labels: &[&LabelText]) {
    out.extend_from_slice(family.name.as_bytes());
    out.push(b'{');
    for labels in labels {
        push(out, labels);
    }
}

pub(super) fn push(out: &mut Vec<u8>, labels: &LabelText) {
    out.extend_from_slice(labels.as_str().as_bytes());
}
