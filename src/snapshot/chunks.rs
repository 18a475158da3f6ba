//! A sequence that is copied on write: a clone is cheap and never changes.
//!
//! Chunks hold records and groups hold chunks, both shared with the clones. A change after a clone
//! copies the list of groups, one group and one chunk, whatever the number of records.

use std::sync::Arc;

/// Records a chunk: few enough that copying one costs little.
const CHUNK: usize = 128;
/// Chunks a group: a change copies one pointer each.
const GROUP: usize = 128;

type Chunk<R> = Arc<Vec<R>>;

/// The records of one kind at one moment.
#[derive(Clone, Debug)]
pub struct Chunks<R> {
    /// Each group and each chunk is full but the last, which is not empty.
    groups: Vec<Arc<Vec<Chunk<R>>>>,
    len: usize,
}

impl<R> Default for Chunks<R> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            len: 0,
        }
    }
}

impl<R> Chunks<R> {
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        let groups = self.groups.iter();
        groups
            .flat_map(|group| group.iter())
            .flat_map(|chunk| chunk.iter())
    }

    /// The chunk of this number, counted from 0; `None` after the last.
    pub fn chunk(&self, number: usize) -> Option<&[R]> {
        let chunk = self.groups.get(number / GROUP)?.get(number % GROUP)?;
        Some(chunk)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn get(&self, slot: usize) -> Option<&R> {
        self.chunk(slot / CHUNK)?.get(slot % CHUNK)
    }
}

impl<R: Clone> Chunks<R> {
    pub(super) fn push(&mut self, record: R) {
        if self.len.is_multiple_of(CHUNK * GROUP) {
            self.groups.push(Arc::default());
        }
        let starts_chunk = self.len.is_multiple_of(CHUNK);
        if let Some(group) = self.groups.last_mut() {
            let group = Arc::make_mut(group);
            if starts_chunk {
                group.push(Arc::new(Vec::with_capacity(1)));
            }
            if let Some(chunk) = group.last_mut() {
                Arc::make_mut(chunk).push(record);
                self.len += 1;
            }
        }
    }

    /// Puts `record` in place of the one at this slot, which is returned.
    pub(super) fn replace(&mut self, slot: usize, record: R) -> Option<R> {
        let group = self.groups.get_mut(slot / CHUNK / GROUP)?;
        let chunk = Arc::make_mut(group).get_mut(slot / CHUNK % GROUP)?;
        let place = Arc::make_mut(chunk).get_mut(slot % CHUNK)?;
        Some(std::mem::replace(place, record))
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        let group = Arc::make_mut(self.groups.last_mut()?);
        let chunk = Arc::make_mut(group.last_mut()?);
        let record = chunk.pop()?;
        self.len -= 1;
        if chunk.is_empty() {
            group.pop();
        }
        if group.is_empty() {
            self.groups.pop();
        }
        Some(record)
    }
}
