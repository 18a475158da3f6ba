//! A sequence that is copied on write: a clone is cheap and never changes.
//!
//! Chunks hold records and groups hold chunks, both shared with the clones. A change after a clone
//! copies the list of groups, one group and one chunk, whatever the number of records.

use std::sync::Arc;

use super::chunk::Record;
use super::group::{GROUP, Group};

/// Records in the order of their slots, all of them moving or all of them still.
#[derive(Clone, Debug)]
pub(super) struct Sequence<R> {
    /// Each is full but the last, which is not empty.
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
    pub(super) fn groups(&self) -> &[Arc<Group<R>>] {
        &self.groups
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, slot: usize) -> Option<&R> {
        self.groups.get(slot / GROUP)?.get(slot % GROUP)
    }
}

impl<R: Record> Sequence<R> {
    pub(super) fn push(&mut self, record: R) {
        if self.len.is_multiple_of(GROUP) {
            self.groups.push(Arc::default());
        }
        if let Some(group) = self.groups.last_mut() {
            Arc::make_mut(group).push(record);
            self.len += 1;
        }
    }

    /// Puts `record` in place of the one at this slot, which is returned.
    pub(super) fn replace(&mut self, slot: usize, record: R) -> Option<R> {
        let group = self.groups.get_mut(slot / GROUP)?;
        Arc::make_mut(group).replace(slot % GROUP, record)
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        let group = Arc::make_mut(self.groups.last_mut()?);
        let record = group.pop()?;
        self.len -= 1;
        if group.is_empty() {
            self.groups.pop();
        }
        Some(record)
    }
}
