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
    /// The last version.
    versions: AtomicU64,
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
    /// The version of the records that is known to have these values; 0 is none.
    version: u64,
    piece: Piece,
}

impl Pieces {
    pub fn lock(&self) -> MutexGuard<'_, Kept> {
        // A piece that is being made when code under the lock panics is not kept.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns no pieces, for versions with higher numbers than this one.
    pub fn after(version: u64) -> Self {
        Self {
            versions: AtomicU64::new(version),
            ..Self::default()
        }
    }

    /// Returns a number that no other version of the records has.
    pub fn new_version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed) + 1
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

    /// Returns the piece of a family if it is known to be that of this version. It can be changed, but
    /// not its text.
    pub fn of_version(&mut self, family: usize, context: u64, version: u64) -> Option<&mut Piece> {
        let stamped = self.0.get_mut(family)?.as_mut()?;
        let is_known = stamped.version == version && stamped.stamp.context == context;
        is_known.then_some(&mut stamped.piece)
    }

    /// Returns the piece of a family with this stamp. If there is none, `make` makes it, in the memory of
    /// the one before. `version` is the one with this stamp, if there is one.
    pub fn get_or_make(
        &mut self,
        family: usize,
        stamp: &Stamp,
        version: Option<u64>,
        make: impl FnOnce(&mut Piece),
    ) -> &Piece {
        if self.0.len() <= family {
            self.0.resize_with(family + 1, || None);
        }
        let slot = &mut self.0[family];
        let mut stamped = match slot.take() {
            Some(kept) if kept.stamp == *stamp => kept,
            before => {
                let mut stamped = before.unwrap_or_default();
                make(&mut stamped.piece);
                stamped.stamp.values.clone_from(&stamp.values);
                stamped.stamp.context = stamp.context;
                stamped
            }
        };
        stamped.version = version.unwrap_or(0);
        &slot.insert(stamped).piece
    }

    /// Returns the memory that the pieces and their stamps take, in bytes.
    pub fn size(&self) -> usize {
        let stamped = self.0.iter().flatten();
        let bytes = stamped.map(|one| one.stamp.values.capacity() + one.piece.size());
        bytes.sum::<usize>() + self.0.capacity() * size_of::<Option<Stamped>>()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn piece_that_a_panic_interrupts_is_made_again() {
        let pieces = Pieces::default();
        let stamp = |context| Stamp {
            context,
            values: Vec::new(),
        };
        pieces.lock().get_or_make(1, &stamp(1), None, |_| {});
        for context in [1, 2] {
            let mut made = false;
            let interrupted = catch_unwind(AssertUnwindSafe(|| {
                pieces.lock().get_or_make(1, &stamp(2), None, |_| {
                    made = true;
                    panic!("half-way");
                });
            }));
            assert!(made && interrupted.is_err());
            assert!(pieces.lock().get(1, &stamp(context)).is_none());
        }
        let mut made = false;
        pieces
            .lock()
            .get_or_make(1, &stamp(2), None, |_| made = true);
        assert!(made);
        pieces
            .lock()
            .get_or_make(1, &stamp(2), None, |_| panic!("it is there"));
    }
}
