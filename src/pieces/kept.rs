//! The pieces that are kept for a chunk of records.

use std::sync::{Arc, Mutex, PoisonError};

use super::member::Piece;

/// The pieces of a chunk of records, at most one for each metric family.
#[derive(Debug, Default)]
pub struct Pieces {
    /// By the number of the family.
    kept: Mutex<Vec<Option<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    stamp: Box<[u8]>,
    piece: Arc<Piece>,
}

impl Pieces {
    /// Returns the kept piece of a family, or makes and keeps it.
    ///
    /// `stamp` holds all that the text depends on and that can change while these pieces exist. A
    /// piece with another stamp is replaced. Scrapes at the same time wait for each other, so that
    /// only one of them makes the piece.
    pub fn get(&self, family: usize, stamp: &[u8], make: impl FnOnce() -> Piece) -> Arc<Piece> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() <= family {
            kept.resize_with(family + 1, || None);
        }
        if let Some(kept) = &kept[family]
            && *kept.stamp == *stamp
        {
            return kept.piece.clone();
        }
        let piece = Arc::new(make());
        kept[family] = Some(Kept {
            stamp: stamp.into(),
            piece: piece.clone(),
        });
        piece
    }

    /// Returns the memory that the pieces and their stamps take, in bytes.
    pub fn size(&self) -> usize {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let each = kept.iter().flatten();
        let bytes: usize = each
            .map(|kept| kept.stamp.len() + size_of::<Piece>() + kept.piece.size())
            .sum();
        bytes + kept.capacity() * size_of::<Option<Kept>>()
    }
}
