//! Defines what the series of all kinds of records share: names, labels that were escaped
//! beforehand, and statuses.

use super::scrape::Scrape;
use super::text::{self, SampleValue};
use crate::config::StatusFormat;
use crate::family::Family;
use crate::labels::{LabelText, names};
use crate::model::Timestamp;
use crate::pieces::Stamp;
use crate::snapshot::{Chunk, Chunks, Snapshot};

/// Ends a record in a stamp. Neither a name nor a value has this byte, because they are UTF-8.
const END_OF_RECORD: u8 = 0xff;

/// The series that a family has for each record of one kind.
pub(super) trait RecordSeries {
    type Record;

    /// Whether the series depend on the record alone, not on the time or on the last poll as well.
    fn is_steady(&self) -> bool;

    /// Whether the number of series of a record depends on the values of the record alone. If not, it is
    /// at most one.
    fn has_fixed_number(&self) -> bool {
        self.is_steady()
    }

    fn write(&self, writer: &mut SeriesWriter<'_>, record: &Self::Record);
}

/// The series of records that are in a snapshot.
pub(super) trait SnapshotSeries: RecordSeries {
    fn records(snapshot: &Snapshot) -> &Chunks<Self::Record>;
}

/// What the series of all families share, for one target and region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub scrape: &'a Scrape,
    pub target: &'a str,
    /// `target` and `region`.
    pub source_labels: &'a LabelText,
    /// A hash of the labels and of the settings of the scrape.
    pub hash: u64,
}

impl Context<'_> {
    #[inline]
    pub(super) fn now(&self) -> Timestamp {
        self.scrape.now
    }

    fn status_format(&self) -> StatusFormat {
        self.scrape.status_format
    }
}

/// Writes series of one family for one target and region.
#[derive(Debug)]
pub(super) struct SeriesWriter<'a> {
    pub family: &'static Family,
    pub context: Context<'a>,
    pub mode: Mode,
    /// The number of samples.
    pub samples: usize,
    pub out: &'a mut Vec<u8>,
}

/// What a [`SeriesWriter`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Text,
    /// Without names and labels of records. A stamp has the rest.
    Stamp,
    /// Nothing: it counts the samples.
    Count,
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
        if self.mode == Mode::Stamp {
            if let Some(current) = current {
                self.out.push(b'=');
                self.out.extend_from_slice(current.as_bytes());
            }
            return;
        }
        let place = current.and_then(|current| known.iter().position(|s| *s == current));
        let format = self.context.status_format();
        let has_stateset = format == StatusFormat::Stateset;
        if has_stateset {
            self.samples += known.len();
        }
        let start = self.out.len();
        if has_stateset && self.mode == Mode::Text {
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
            && (place.is_none() || format == StatusFormat::Sparse)
        {
            identity(self);
            self.label(names::STATUS, current);
            self.end(SampleValue::Flag(true));
        }
    }

    /// Begins a sample: the family's name, and labels that were escaped beforehand.
    #[inline]
    pub(super) fn begin(&mut self, labels: &[&LabelText]) {
        self.begin_with("", labels);
    }

    /// Begins a sample whose name is that of the family and a suffix.
    #[inline]
    pub(super) fn begin_with(&mut self, suffix: &str, labels: &[&LabelText]) {
        if self.mode != Mode::Text {
            return;
        }
        self.out.extend_from_slice(self.family.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        self.out.push(b'{');
        for labels in labels {
            self.push(labels);
        }
    }

    /// Writes labels that were escaped beforehand.
    #[inline]
    pub(super) fn push(&mut self, labels: &LabelText) {
        if self.mode == Mode::Text {
            self.push_changing(labels);
        }
    }

    /// Writes labels that can change while `Record::has_labels_of` holds, so a stamp has them.
    #[inline]
    pub(super) fn push_changing(&mut self, labels: &LabelText) {
        self.write(|out| out.extend_from_slice(labels.as_str().as_bytes()));
    }

    /// Writes a label, unless its value is empty.
    #[inline]
    pub(super) fn label(&mut self, name: &str, value: &str) {
        self.write(|out| text::label(out, name, value));
    }

    /// Writes what `write` appends, unless samples are only counted.
    #[inline]
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.mode != Mode::Count {
            write(self.out);
        }
    }

    /// Ends a sample with its value.
    #[inline]
    pub(super) fn end(&mut self, value: SampleValue) {
        self.samples += 1;
        if self.mode == Mode::Text {
            text::end_labels(self.out);
        }
        self.write(|out| text::value(out, value));
    }
}

/// The series that a family has for records of one kind.
#[derive(Debug)]
pub(super) struct FamilySeries<'a, S> {
    pub family: &'static Family,
    /// The number of the family.
    pub number: usize,
    pub context: Context<'a>,
    pub series: &'a S,
}

impl<S: RecordSeries> FamilySeries<'_, S> {
    pub(super) fn is_steady(&self) -> bool {
        self.series.is_steady()
    }

    /// Writes the series of the records of a chunk from `row` on, until `out` holds `enough` bytes.
    /// Returns whether all are written.
    pub(super) fn write(
        &self,
        chunk: &Chunk<S::Record>,
        row: &mut usize,
        out: &mut Vec<u8>,
        enough: usize,
    ) -> bool {
        if chunk.is_moving() {
            return self.write_records(chunk, row, out, enough);
        }
        // Many families have no series for most records, and reading these takes longer than writing.
        let pieces = chunk.pieces();
        let variant = self.context.status_format() as usize;
        if pieces.has_no_text(self.number, variant) {
            return true;
        }
        let (begin, before) = (*row, out.len());
        let is_complete = self.write_records(chunk, row, out, enough);
        if is_complete && begin == 0 && out.len() == before {
            pieces.set_no_text(self.number, variant);
        }
        is_complete
    }

    fn write_records(
        &self,
        chunk: &Chunk<S::Record>,
        row: &mut usize,
        out: &mut Vec<u8>,
        enough: usize,
    ) -> bool {
        let mut writer = self.writer(out, Mode::Text);
        for record in &chunk.records()[*row..] {
            if writer.out.len() >= enough {
                return false;
            }
            self.series.write(&mut writer, record);
            *row += 1;
        }
        true
    }

    /// Sets the stamp of the text of a chunk. That of a still one has no values.
    pub(super) fn stamp(&self, chunk: &Chunk<S::Record>, stamp: &mut Stamp) {
        stamp.context = self.context.hash;
        stamp.values.clear();
        if !chunk.is_moving() {
            return;
        }
        let mut writer = self.writer(&mut stamp.values, Mode::Stamp);
        for record in chunk.records() {
            self.series.write(&mut writer, record);
            writer.out.push(END_OF_RECORD);
        }
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, mode: Mode) -> SeriesWriter<'a> {
        SeriesWriter {
            family: self.family,
            context: self.context,
            mode,
            samples: 0,
            out,
        }
    }
}
