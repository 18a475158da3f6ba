//! Where a scrape is written: as plain text, or to another representation of it.

use super::series::{FamilySeries, RecordSeries};
use super::text::{self, Format};
use crate::family::Family;
use crate::snapshot::{Chunk, Group};

/// Takes the text of a scrape in order.
pub(super) trait Sink {
    /// Whether it takes no more text for now.
    fn is_full(&self) -> bool;

    /// The output for text that is written at each scrape.
    fn text(&mut self) -> &mut Vec<u8>;

    /// Writes the comments of the family with this number.
    fn comments(&mut self, _number: usize, family: &Family, format: Format) {
        text::comments(self.text(), family, format);
    }

    /// Writes all series of a group at once if it can, and returns whether it has.
    fn group<S: RecordSeries>(
        &mut self,
        _series: &FamilySeries<'_, S>,
        _group: &Group<S::Record>,
    ) -> bool {
        false
    }

    /// Writes the series of a chunk from `row` on, and sets `row` to the first record that had no
    /// room. Returns whether all are written.
    fn chunk<S: RecordSeries>(
        &mut self,
        series: &FamilySeries<'_, S>,
        chunk: &Chunk<S::Record>,
        row: &mut usize,
    ) -> bool;
}

/// Plain text until `out` holds `enough` bytes. The last record may exceed it.
#[derive(Debug)]
pub(super) struct PlainText<'a> {
    pub out: &'a mut Vec<u8>,
    pub enough: usize,
}

impl Sink for PlainText<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= self.enough
    }

    fn text(&mut self) -> &mut Vec<u8> {
        self.out
    }

    fn chunk<S: RecordSeries>(
        &mut self,
        series: &FamilySeries<'_, S>,
        chunk: &Chunk<S::Record>,
        row: &mut usize,
    ) -> bool {
        series.write(chunk, row, self.out, self.enough)
    }
}
