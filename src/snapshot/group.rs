//! Chunks that follow one another, and the compressed text that is kept for all of them.

use std::sync::Arc;

use super::chunk::{CHUNK, Chunk, Record};
use crate::pieces::Pieces;

/// Maximum number of chunks in a group: a change copies one pointer each, and the next scrapes join
/// their pieces again.
const CHUNKS: usize = 16;

/// Maximum number of records in a group.
pub(super) const GROUP: usize = CHUNKS * CHUNK;

/// Chunks of one kind of records, all of them moving or all of them still.
#[derive(Clone, Debug)]
pub struct Group<R> {
    /// Each is full but the last of the sequence, which is not empty.
    chunks: Vec<Arc<Chunk<R>>>,
    /// Versions of the group share them as long as the versions of the chunks are the same.
    joined: Arc<Pieces>,
}

impl<R> Default for Group<R> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            joined: Arc::default(),
        }
    }
}

impl<R> Group<R> {
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk<R>> {
        self.chunks.iter().map(|chunk| &**chunk)
    }

    /// The chunk of this number, counted from 0; `None` after the last.
    pub fn chunk(&self, number: usize) -> Option<&Chunk<R>> {
        Some(self.chunks.get(number)?)
    }

    /// Whether its series can change while it has the same pieces.
    pub fn is_moving(&self) -> bool {
        self.chunks.first().is_some_and(|chunk| chunk.is_moving())
    }

    /// The compressed text of the series that the versions of its chunks identify: that of the chunks,
    /// joined.
    pub fn joined(&self) -> &Pieces {
        &self.joined
    }

    pub(super) fn get(&self, at: usize) -> Option<&R> {
        self.chunk(at / CHUNK)?.records().get(at % CHUNK)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

impl<R: Record> Group<R> {
    /// Adds a record to the last chunk if it has room, or else to a new one.
    pub(super) fn push(&mut self, record: R) {
        self.joined = Arc::default();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.records().len() < CHUNK => Arc::make_mut(chunk).push(record),
            _ => self.chunks.push(Arc::new(Chunk::new(record))),
        }
    }

    /// Puts `record` in place of the one at this index, which is returned.
    pub(super) fn replace(&mut self, at: usize, record: R) -> Option<R> {
        let chunk = Arc::make_mut(self.chunks.get_mut(at / CHUNK)?);
        let version = chunk.version();
        let before = chunk.replace(at % CHUNK, record);
        if chunk.version() != version {
            self.joined = Arc::default();
        }
        before
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        let chunk = Arc::make_mut(self.chunks.last_mut()?);
        self.joined = Arc::default();
        let record = chunk.pop()?;
        if chunk.records().is_empty() {
            self.chunks.pop();
        }
        Some(record)
    }
}
