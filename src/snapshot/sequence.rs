//! A sequence that is copied on write: a clone is cheap and never changes.
//!
//! Chunks hold records and groups hold chunks, both shared with the clones. A change after a clone
//! copies the list of groups, one group and one chunk, whatever the number of records.

use std::sync::Arc;

use super::chunk::{CHUNK, Chunk, Record};

/// Chunks a group: a change copies one pointer each.
const GROUP: usize = 128;

type Group<R> = Vec<Arc<Chunk<R>>>;

/// Records in the order of their slots, all of them moving or all of them still.
#[derive(Clone, Debug)]
pub(super) struct Sequence<R> {
    /// Each group and each chunk is full but the last, which is not empty.
    groups: Vec<Arc<Group<R>>>,
    len: usize,
}

impl<R> Default for Sequence<R> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            len: 0,
        }
    }
}

impl<R> Sequence<R> {
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk<R>> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.iter().map(|chunk| &**chunk))
    }

    /// The chunk of this number, counted from 0; `None` after the last.
    pub(super) fn chunk(&self, number: usize) -> Option<&Chunk<R>> {
        let chunk = self.groups.get(number / GROUP)?.get(number % GROUP)?;
        Some(chunk)
    }

    pub(super) fn chunk_count(&self) -> usize {
        self.len.div_ceil(CHUNK)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, slot: usize) -> Option<&R> {
        self.chunk(slot / CHUNK)?.records().get(slot % CHUNK)
    }
}

impl<R: Record> Sequence<R> {
    pub(super) fn push(&mut self, record: R) {
        if self.len.is_multiple_of(CHUNK * GROUP) {
            self.groups.push(Arc::default());
        }
        let starts_chunk = self.len.is_multiple_of(CHUNK);
        if let Some(group) = self.groups.last_mut() {
            let group = Arc::make_mut(group);
            match group.last_mut() {
                Some(chunk) if !starts_chunk => Arc::make_mut(chunk).push(record),
                _ => group.push(Arc::new(Chunk::new(record))),
            }
            self.len += 1;
        }
    }

    /// Puts `record` in place of the one at this slot, which is returned.
    pub(super) fn replace(&mut self, slot: usize, record: R) -> Option<R> {
        let group = self.groups.get_mut(slot / CHUNK / GROUP)?;
        let chunk = Arc::make_mut(group).get_mut(slot / CHUNK % GROUP)?;
        Arc::make_mut(chunk).replace(slot % CHUNK, record)
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        let group = Arc::make_mut(self.groups.last_mut()?);
        let chunk = Arc::make_mut(group.last_mut()?);
        let record = chunk.pop()?;
        self.len -= 1;
        if chunk.records().is_empty() {
            group.pop();
        }
        if group.is_empty() {
            self.groups.pop();
        }
        Some(record)
    }
}
