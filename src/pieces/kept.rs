//! The pieces that are kept for some records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::member::Piece;

/// The pieces of a chunk or of a group of chunks, at most one for each metric family.
///
/// Scrapes at the same time wait for each other, so that only one of them makes a piece.
#[derive(Debug, Default)]
pub struct Pieces {
    kept: Mutex<Kept>,
    without_text: [AtomicU64; VARIANTS],
}

/// The number of variants that a text can have.
const VARIANTS: usize = 2;

/// The pieces, by the number of the family.
#[derive(Debug, Default)]
pub struct Kept(Vec<Option<Stamped>>);

/// What a text depends on and what can change while its piece exists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// A hash of what is the same for all records.
    pub context: u64,
    pub values: Vec<u8>,
}

#[derive(Debug, Default)]
struct Stamped {
    stamp: Stamp,
    piece: Piece,
}

impl Pieces {
    pub fn lock(&self) -> MutexGuard<'_, Kept> {
        // No code under the lock panics between two changes.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a family is known to have no text in this variant.
    pub fn has_no_text(&self, family: usize, variant: usize) -> bool {
        let families = self.without_text[variant].load(Ordering::Relaxed);
        families & bit(family) != 0
    }

    /// Remembers that a family has no text in this variant.
    pub fn set_no_text(&self, family: usize, variant: usize) {
        self.without_text[variant].fetch_or(bit(family), Ordering::Relaxed);
    }
}

/// The bit of a family; 0 if there is none for it.
fn bit(family: usize) -> u64 {
    1_u64.checked_shl(family as u32).unwrap_or(0)
}

impl Kept {
    /// Returns the piece of a family if it has this stamp.
    pub fn get(&self, family: usize, stamp: &Stamp) -> Option<&Piece> {
        let stamped = self.0.get(family)?.as_ref()?;
        (stamped.stamp == *stamp).then_some(&stamped.piece)
    }

    /// Returns the same to change it without another text.
    pub fn get_mut(&mut self, family: usize, stamp: &Stamp) -> Option<&mut Piece> {
        let stamped = self.0.get_mut(family)?.as_mut()?;
        (stamped.stamp == *stamp).then_some(&mut stamped.piece)
    }

    /// Gives the piece of a family this stamp, and returns it for the caller to make it.
    pub fn make(&mut self, family: usize, stamp: &Stamp) -> &mut Piece {
        if self.0.len() <= family {
            self.0.resize_with(family + 1, || None);
        }
        let stamped = self.0[family].get_or_insert_default();
        // Reuses the memory of the values before.
        stamped.stamp.values.clone_from(&stamp.values);
        stamped.stamp.context = stamp.context;
        &mut stamped.piece
    }

    /// Returns the memory that the pieces and their stamps take, in bytes.
    pub fn size(&self) -> usize {
        let stamped = self.0.iter().flatten();
        let bytes = stamped.map(|one| one.stamp.values.capacity() + one.piece.size());
        bytes.sum::<usize>() + self.0.capacity() * size_of::<Option<Stamped>>()
    }
}
