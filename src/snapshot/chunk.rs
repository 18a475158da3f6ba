//! A few records that are copied together, and the compressed text that is kept for them.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use super::series_count::SeriesCount;
use crate::pieces::Pieces;

/// Maximum number of records in a chunk: few enough that copying and compressing one costs little.
pub(super) const CHUNK: usize = 64;

/// What a snapshot holds: replaced whole, never patched in place.
pub trait Record: Clone + Debug + PartialEq {
    type Key: Clone + Eq + Hash + Debug;

    /// Never changes.
    fn key(&self) -> &Self::Key;

    /// Whether values of its series change with the time, or new records will soon replace it.
    ///
    /// Moving and still records are in chunks of their own. The pieces of a still chunk are not
    /// compared with its records, because each change removes them.
    fn is_moving(&self) -> bool {
        false
    }

    /// Whether its series have the names and labels of those of `before`, apart from labels that a
    /// value determines, such as a status.
    fn has_labels_of(&self, before: &Self) -> bool {
        self == before
    }

    /// Whether its series are those of `before`, apart from those that also depend on the time or on the
    /// last poll.
    fn has_values_of(&self, before: &Self) -> bool {
        self == before
    }
}

/// Records of one kind, all of them moving or all of them still.
#[derive(Clone, Debug)]
pub struct Chunk<R> {
    records: Vec<R>,
    is_moving: bool,
    /// Versions of the chunk share them as long as the labels are the same.
    pieces: Arc<Pieces>,
    version: u64,
    series_count: SeriesCount,
}

impl<R> Chunk<R> {
    pub fn records(&self) -> &[R] {
        &self.records
    }

    /// Whether its series can change while it has the same pieces.
    pub fn is_moving(&self) -> bool {
        self.is_moving
    }

    /// The compressed text of its series.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// Identifies the values of its series among its versions, apart from values that also depend on the
    /// time or on the last poll.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns a number of series that depends on the values of the records alone, and keeps it.
    ///
    /// `settings` identifies what else the number depends on.
    pub fn series_count(&self, settings: u32, count: impl FnOnce(&[R]) -> u32) -> u32 {
        self.series_count.get(settings, || count(&self.records))
    }
}

impl<R: Record> Chunk<R> {
    pub(super) fn new(record: R) -> Self {
        let pieces = Arc::<Pieces>::default();
        Self {
            is_moving: record.is_moving(),
            records: vec![record],
            version: pieces.new_version(),
            pieces,
            series_count: SeriesCount::default(),
        }
    }

    pub(super) fn push(&mut self, record: R) {
        self.begin_version(false);
        let len = self.records.len();
        if len == self.records.capacity() {
            // A copy has no room. Twice its size may be more than a chunk ever holds.
            self.records.reserve_exact(len.min(CHUNK - len).max(1));
        }
        self.records.push(record);
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        self.begin_version(false);
        self.records.pop()
    }

    /// Puts `record` in place of the one at this index, which is returned.
    pub(super) fn replace(&mut self, at: usize, record: R) -> Option<R> {
        let before = self.records.get(at)?;
        if !self.is_moving || !record.has_values_of(before) {
            self.begin_version(self.is_moving && record.has_labels_of(before));
        }
        let place = self.records.get_mut(at)?;
        Some(std::mem::replace(place, record))
    }

    /// Drops what is kept for the values before a change.
    fn begin_version(&mut self, keeps_pieces: bool) {
        if !keeps_pieces {
            self.pieces = Arc::new(Pieces::after(self.version));
        }
        self.version = self.pieces.new_version();
        self.series_count = SeriesCount::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_that_is_published_between_its_records_has_no_room_for_more_than_it_ever_holds() {
        let mut chunk = Chunk::new((0_u16, 0_u32));
        for at in 1..CHUNK {
            // The published version has the records, so the next push is one to a copy.
            chunk = chunk.clone();
            chunk.push((at as u16, 0));
            assert!(chunk.records.capacity() <= CHUNK, "{at}");
        }
    }
}
