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

    /// Whether a moving record has more or fewer series at another time, not just other values.
    const SERIES_COME_AND_GO: bool = true;

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
}

/// Records of one kind, all of them moving or all of them still.
#[derive(Clone, Debug)]
pub struct Chunk<R> {
    records: Vec<R>,
    is_moving: bool,
    /// Versions of the chunk share them as long as the labels are the same.
    pieces: Arc<Pieces>,
    /// Only this version of the chunk has it.
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
}

impl<R: Record> Chunk<R> {
    /// The number of its series, which is kept if it cannot change.
    ///
    /// `settings` identifies what the number depends on besides the records and the time.
    pub fn series_count(&self, settings: u32, count: impl FnOnce(&[R]) -> u32) -> u32 {
        match self.is_moving && R::SERIES_COME_AND_GO {
            true => count(&self.records),
            false => self.series_count.get(settings, || count(&self.records)),
        }
    }

    pub(super) fn new(record: R) -> Self {
        Self {
            is_moving: record.is_moving(),
            records: vec![record],
            pieces: Arc::default(),
            series_count: SeriesCount::default(),
        }
    }

    pub(super) fn push(&mut self, record: R) {
        self.pieces = Arc::default();
        self.series_count = SeriesCount::default();
        self.records.push(record);
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        self.pieces = Arc::default();
        self.series_count = SeriesCount::default();
        self.records.pop()
    }

    /// Puts `record` in place of the one at this index, which is returned.
    pub(super) fn replace(&mut self, at: usize, record: R) -> Option<R> {
        let place = self.records.get_mut(at)?;
        self.series_count = SeriesCount::default();
        if !self.is_moving || !record.has_labels_of(place) {
            self.pieces = Arc::default();
        }
        Some(std::mem::replace(place, record))
    }
}
