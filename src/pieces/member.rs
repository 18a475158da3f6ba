//! Joins text and pieces to one gzip member (RFC 1952).

use bytes::Bytes;
use zlib_rs::crc32::{crc32, crc32_combine_gen, crc32_combine_op};

use super::compressor::Compressor;

/// The magic number, deflate, no flags, no time, and an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The final block of deflate (RFC 1951), without text.
const FINAL_BLOCK: [u8; 2] = [0x03, 0];

/// Compressed text that can be joined to any member.
#[derive(Debug)]
pub struct Piece {
    deflated: Deflated,
    /// The CRC-32 of the text.
    crc: u32,
    /// The operator that appends a text of this length to the CRC-32 of another one.
    append: u32,
    /// The length of the text in bytes, modulo 2^32.
    len: u32,
}

/// Blocks of deflate that end at a byte boundary; none of them is the final one.
#[derive(Debug)]
enum Deflated {
    /// Memory that is used again when the piece is made again.
    Own(Vec<u8>),
    /// A part of joined pieces.
    Shared(Bytes),
}

impl Default for Piece {
    /// Returns the piece of an empty text.
    fn default() -> Self {
        Self {
            deflated: Deflated::Own(Vec::new()),
            crc: 0,
            append: crc32_combine_gen(0),
            len: 0,
        }
    }
}

impl Deflated {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Piece {
    /// Makes it the piece of a text that will stay as it is.
    pub fn make(&mut self, text: &[u8], compressor: &mut Compressor) {
        let mut deflated = Vec::with_capacity(text.len() / 8);
        compressor.compress(text, &mut deflated);
        deflated.shrink_to_fit();
        self.set(text, deflated);
    }

    /// Makes it the piece of lines that will soon change.
    pub fn make_quickly(&mut self, text: &[u8], compressor: &mut Compressor) {
        let mut deflated = match &mut self.deflated {
            Deflated::Own(bytes) => std::mem::take(bytes),
            Deflated::Shared(_) => Vec::new(),
        };
        deflated.clear();
        compressor.compress_lines(text, &mut deflated);
        self.set(text, deflated);
    }

    fn set(&mut self, text: &[u8], deflated: Vec<u8>) {
        *self = Self {
            deflated: Deflated::Own(deflated),
            crc: crc32(0, text),
            append: crc32_combine_gen(text.len() as u64),
            len: text.len() as u32,
        };
    }

    /// Returns the piece of all texts in this order. The pieces become parts of it, so that the
    /// compressed text is in memory once.
    pub fn join(parts: &mut [&mut Self]) -> Self {
        let size = parts.iter().map(|part| part.size()).sum();
        let mut deflated = Vec::with_capacity(size);
        let mut joined = Self::default();
        for part in &*parts {
            deflated.extend_from_slice(part.deflated.as_slice());
            joined.crc = crc32_combine_op(joined.crc, part.crc, part.append);
            // The operator of both lengths is the product of both.
            joined.append = crc32_combine_op(joined.append, 0, part.append);
            joined.len = joined.len.wrapping_add(part.len);
        }
        let bytes = Bytes::from(deflated);
        let mut at = 0;
        for part in parts {
            let end = at + part.size();
            part.deflated = Deflated::Shared(bytes.slice(at..end));
            at = end;
        }
        joined.deflated = Deflated::Shared(bytes);
        joined
    }

    /// Returns the compressed bytes, without a copy if they are joined.
    pub fn bytes(&self) -> Bytes {
        match &self.deflated {
            Deflated::Own(bytes) => Bytes::copy_from_slice(bytes),
            Deflated::Shared(bytes) => bytes.clone(),
        }
    }

    /// Returns the number of compressed bytes.
    pub fn size(&self) -> usize {
        self.deflated.as_slice().len()
    }
}

/// The checksums of a gzip member in progress. Its bytes are appended to the output that the caller
/// passes.
#[derive(Debug)]
pub struct Member {
    /// The CRC-32 of the text so far.
    crc: u32,
    /// The length of the text so far. RFC 1952 stores it modulo 2^32.
    len: u32,
}

impl Member {
    /// Begins a member with its header.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&HEADER);
        Self { crc: 0, len: 0 }
    }

    /// Appends text that is not kept.
    pub fn text(&mut self, text: &[u8], compressor: &mut Compressor, out: &mut Vec<u8>) {
        compressor.compress_lines(text, out);
        self.crc = crc32(self.crc, text);
        self.len = self.len.wrapping_add(text.len() as u32);
    }

    /// Appends a piece.
    pub fn join(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        out.extend_from_slice(piece.deflated.as_slice());
        self.add(piece);
    }

    /// Appends a piece whose bytes the caller appends.
    pub fn add(&mut self, piece: &Piece) {
        self.crc = crc32_combine_op(self.crc, piece.crc, piece.append);
        self.len = self.len.wrapping_add(piece.len);
    }

    /// Ends the member with the final block, the checksum and the length.
    pub fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&FINAL_BLOCK);
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
    }
}
