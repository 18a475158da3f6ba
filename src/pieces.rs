//! Keeps compressed text, and joins it to gzip members without compressing it again.
//!
//! A [`Piece`] ends at a byte boundary and refers to no text before it. So pieces in any order are one
//! deflate stream, and their CRC-32 values combine to that of the whole text. [`Pieces`] are those of
//! a chunk of records: `snapshot` stores them with the chunk, and `exposition` fills them.

mod codes;
mod compressor;
mod kept;
mod lines;
mod member;

pub use compressor::{Compressor, CompressorPool};
pub use kept::{Pieces, Stamp};
pub use member::{Member, Piece};
