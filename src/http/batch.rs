//! Bytes that are sent together, with as few calls of the system as possible.
//!
//! hyper sends each frame of a body by itself, because the bound of a request's head bounds its buffer
//! too. So a frame is a batch.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Size in bytes from which on a batch is sent: half of what the send buffer of a connection takes.
const FULL: usize = 256 * 1024;

/// Maximum number of parts of a batch. hyper passes no more than 64 to the system at once.
const PARTS: usize = 48;

/// Some parts, none of which is empty.
#[derive(Debug, Default)]
pub(super) struct Batch {
    parts: VecDeque<Bytes>,
    /// Size of all parts in bytes.
    left: usize,
}

impl Batch {
    /// Adds bytes that are not empty.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.left += bytes.len();
        self.parts.push_back(bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.left >= FULL || self.parts.len() >= PARTS
    }
}

impl From<Bytes> for Batch {
    fn from(bytes: Bytes) -> Self {
        let mut batch = Self::default();
        if !bytes.is_empty() {
            batch.push(bytes);
        }
        batch
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.parts);
        filled
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    fn advance(&mut self, mut sent: usize) {
        self.left -= sent;
        while sent > 0 {
            let part = { self.parts.front_mut() }.expect("no more is sent than the parts have");
            if sent < part.len() {
                part.advance(sent);
                return;
            }
            sent -= part.len();
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Sends a batch in steps of any size, as the system takes them.
        #[test]
        fn batch_is_sent_in_order_and_completely(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..10),
            steps in proptest::collection::vec(1..30_usize, 200),
            slices in 1..5_usize,
        ) {
            let mut batch = Batch::default();
            parts.iter().cloned().for_each(|part| batch.push(part.into()));
            let mut sent = Vec::new();
            for step in steps {
                prop_assert_eq!(batch.has_remaining(), !batch.chunk().is_empty());
                let mut filled = vec![IoSlice::new(&[]); slices];
                let count = batch.chunks_vectored(&mut filled);
                let offered: Vec<u8> = { filled[..count].iter() }
                    .flat_map(|slice| slice.iter().copied())
                    .collect();
                let step = step.min(offered.len());
                sent.extend_from_slice(&offered[..step]);
                batch.advance(step);
            }
            prop_assert!(batch.is_empty());
            prop_assert_eq!(sent, parts.concat());
        }
    }
}
