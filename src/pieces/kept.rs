//! The pieces that are kept for a chunk of records.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::member::Piece;

/// The pieces of a chunk of records, at most one for each metric family.
///
/// Scrapes at the same time wait for each other, so that only one of them makes a piece.
#[derive(Debug, Default)]
pub struct Pieces(Mutex<Kept>);

/// The pieces, by the number of the family.
#[derive(Debug, Default)]
pub struct Kept(Vec<Option<Stamped>>);

/// What a text depends on and what can change while its piece exists.
#[derive(Debug, Default)]
pub struct Stamp {
    /// A hash of what is the same for all records.
    pub context: u64,
    pub values: Vec<u8>,
}

#[derive(Debug)]
struct Stamped {
    context: u64,
    values: Box<[u8]>,
    piece: Piece,
}

impl Pieces {
    pub fn lock(&self) -> MutexGuard<'_, Kept> {
        // No code under the lock panics between two changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Returns the piece of a family if it has this stamp.
    pub fn get(&self, family: usize, stamp: &Stamp) -> Option<&Piece> {
        let stamped = self.0.get(family)?.as_ref()?;
        let is_current = stamped.context == stamp.context && *stamped.values == *stamp.values;
        is_current.then_some(&stamped.piece)
    }

    /// Keeps the piece of a family in place of the one before.
    pub fn put(&mut self, family: usize, stamp: &Stamp, piece: Piece) {
        if self.0.len() <= family {
            self.0.resize_with(family + 1, || None);
        }
        self.0[family] = Some(Stamped {
            context: stamp.context,
            values: stamp.values.as_slice().into(),
            piece,
        });
    }

    /// Returns the memory that the pieces and their stamps take, in bytes.
    pub fn size(&self) -> usize {
        let stamped = self.0.iter().flatten();
        let bytes = stamped.map(|one| one.values.len() + one.piece.size());
        bytes.sum::<usize>() + self.0.capacity() * size_of::<Option<Stamped>>()
    }
}
