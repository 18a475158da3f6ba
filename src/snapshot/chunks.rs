//! The records of one kind: the moving ones and the still ones, each in a sequence of its own.

use super::chunk::{Chunk, Record};
use super::group::Group;
use super::sequence::Sequence;

/// The place of a record: its index in one of the two sequences. A table has one for each record, so
/// both are in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slot {
    fn new(is_moving: bool, at: usize) -> Self {
        let slot = at << 1 | usize::from(is_moving);
        Self(u32::try_from(slot).expect("memory has no room for so many records"))
    }

    pub(super) fn is_moving(self) -> bool {
        self.0 & 1 == 1
    }

    pub(super) fn at(self) -> usize {
        (self.0 >> 1) as usize
    }
}

/// The records of one kind at one moment. A clone is cheap and never changes.
#[derive(Clone, Debug)]
pub struct Chunks<R> {
    moving: Sequence<R>,
    still: Sequence<R>,
}

impl<R> Default for Chunks<R> {
    fn default() -> Self {
        Self {
            moving: Sequence::default(),
            still: Sequence::default(),
        }
    }
}

impl<R> Chunks<R> {
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        let chunks = self.groups().flat_map(Group::chunks);
        chunks.flat_map(Chunk::records)
    }

    pub fn groups(&self) -> impl Iterator<Item = &Group<R>> {
        self.moving.groups().chain(self.still.groups())
    }

    /// The group of this number, counted from 0; `None` after the last.
    pub fn group(&self, number: usize) -> Option<&Group<R>> {
        match number.checked_sub(self.moving.groups_len()) {
            None => self.moving.group(number),
            Some(number) => self.still.group(number),
        }
    }

    /// Whether it shares all records with the other, which is then equal.
    pub fn is_same(&self, other: &Self) -> bool {
        self.moving.is_same(&other.moving) && self.still.is_same(&other.still)
    }

    /// Returns the number of moving records.
    pub fn moving_len(&self) -> usize {
        self.moving.len()
    }

    pub fn len(&self) -> usize {
        self.moving.len() + self.still.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&R> {
        match slot.is_moving() {
            true => self.moving.get(slot.at()),
            false => self.still.get(slot.at()),
        }
    }

    fn sequence(&mut self, is_moving: bool) -> &mut Sequence<R> {
        match is_moving {
            true => &mut self.moving,
            false => &mut self.still,
        }
    }
}

impl<R: Record> Chunks<R> {
    pub(super) fn push(&mut self, record: R) -> Slot {
        let is_moving = record.is_moving();
        let sequence = self.sequence(is_moving);
        sequence.push(record);
        Slot::new(is_moving, sequence.len() - 1)
    }

    /// Puts `record` in place of the one at this slot, which is returned. Both are moving or still.
    pub(super) fn replace(&mut self, slot: Slot, record: R) -> Option<R> {
        self.sequence(slot.is_moving()).replace(slot.at(), record)
    }

    /// Returns the last slot of the sequence that has this one; `None` if it has none.
    pub(super) fn last_like(&self, slot: Slot) -> Option<Slot> {
        let sequence = match slot.is_moving() {
            true => &self.moving,
            false => &self.still,
        };
        Some(Slot::new(slot.is_moving(), sequence.len().checked_sub(1)?))
    }

    /// Removes the record at this slot. The last one of its sequence takes its place, so that no
    /// chunk but the last has room.
    pub(super) fn swap_remove(&mut self, slot: Slot) -> Option<R> {
        let sequence = self.sequence(slot.is_moving());
        let last = sequence.pop()?;
        match slot.at() == sequence.len() {
            true => Some(last),
            false => sequence.replace(slot.at(), last),
        }
    }
}
