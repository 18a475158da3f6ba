//! A sequence that is copied on write: a clone is cheap and never changes.
//!
//! Chunks hold records, groups hold chunks and sections hold groups, all shared with the clones. A change
//! after a clone copies a section, a group and a chunk, whatever the number of records. A clone
//! copies the list of sections, which has one for each 32 768 records.

use std::sync::Arc;

use super::chunk::Record;
use super::group::{GROUP, Group};

/// Maximum number of groups in a section.
const SECTION: usize = 32;

/// Records in the order of their slots, all of them moving or all of them still.
#[derive(Clone, Debug)]
pub(super) struct Sequence<R> {
    /// Each is full but the last, which is not empty.
    sections: Vec<Arc<Section<R>>>,
    len: usize,
}

/// Each group is full but the last of the sequence, which is not empty.
type Section<R> = Vec<Arc<Group<R>>>;

impl<R> Default for Sequence<R> {
    fn default() -> Self {
        Self {
            sections: Vec::new(),
            len: 0,
        }
    }
}

impl<R> Sequence<R> {
    pub(super) fn groups(&self) -> impl Iterator<Item = &Group<R>> {
        let groups = self.sections.iter().flat_map(|section| section.iter());
        groups.map(|group| &**group)
    }

    /// The group of this number, counted from 0; `None` after the last.
    pub(super) fn group(&self, number: usize) -> Option<&Group<R>> {
        Some(self.sections.get(number / SECTION)?.get(number % SECTION)?)
    }

    /// The number of groups.
    pub(super) fn groups_len(&self) -> usize {
        self.len.div_ceil(GROUP)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether both share all sections.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let mut pairs = self.sections.iter().zip(&other.sections);
        self.len == other.len && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
    }

    pub(super) fn get(&self, slot: usize) -> Option<&R> {
        self.group(slot / GROUP)?.get(slot % GROUP)
    }
}

impl<R: Record> Sequence<R> {
    pub(super) fn push(&mut self, record: R) {
        if self.len.is_multiple_of(GROUP * SECTION) {
            self.sections.push(Arc::default());
        }
        let Some(section) = self.sections.last_mut() else {
            return;
        };
        let section = Arc::make_mut(section);
        if self.len.is_multiple_of(GROUP) {
            section.push(Arc::default());
        }
        if let Some(group) = section.last_mut() {
            Arc::make_mut(group).push(record);
            self.len += 1;
        }
    }

    /// Puts `record` in place of the one at this slot, which is returned.
    pub(super) fn replace(&mut self, slot: usize, record: R) -> Option<R> {
        let section = self.sections.get_mut(slot / (GROUP * SECTION))?;
        let group = Arc::make_mut(section).get_mut(slot / GROUP % SECTION)?;
        Arc::make_mut(group).replace(slot % GROUP, record)
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        let section = Arc::make_mut(self.sections.last_mut()?);
        let group = Arc::make_mut(section.last_mut()?);
        let record = group.pop()?;
        self.len -= 1;
        if group.is_empty() {
            section.pop();
        }
        if section.is_empty() {
            self.sections.pop();
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_after_a_clone_copies_a_part_whatever_the_number_of_records() {
        let mut sequence: Sequence<(u16, u32)> = Sequence::default();
        let count = 2 * GROUP * SECTION + 1;
        for at in 0..count {
            sequence.push((at as u16, 0));
        }
        assert_eq!(sequence.groups_len(), sequence.groups().count());
        let before = sequence.clone();
        sequence.replace(GROUP * SECTION, (0, 1));
        let shared = |one: &Sequence<_>, other: &Sequence<_>| {
            let pairs = one.sections.iter().zip(&other.sections);
            pairs.filter(|(one, other)| Arc::ptr_eq(one, other)).count()
        };
        assert_eq!(shared(&before, &sequence), 2);
        let pairs = before.groups().zip(sequence.groups());
        let copied = pairs.filter(|(one, other)| !std::ptr::eq(*one, *other));
        assert_eq!(copied.count(), 1);
        let last = GROUP * SECTION * 2;
        assert_eq!(sequence.pop(), before.get(last).copied());
        assert_eq!(sequence.sections.len(), 2);
        assert_eq!(sequence.group(sequence.groups_len()).map(|_| ()), None);
    }
}
