//! Joins text and pieces to one gzip member (RFC 1952).

use zlib_rs::crc32::{crc32, crc32_combine_gen, crc32_combine_op};

use super::compressor::Compressor;

/// The magic number, deflate, no flags, no time, and an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The final block of deflate (RFC 1951), without text.
const FINAL_BLOCK: [u8; 2] = [0x03, 0];

/// Compressed text that can be joined to any member.
#[derive(Debug)]
pub struct Piece {
    /// Blocks of deflate that end at a byte boundary; none of them is the final one.
    deflated: Box<[u8]>,
    /// The CRC-32 of the text.
    crc: u32,
    /// The operator that appends a text of this length to the CRC-32 of another one.
    append: u32,
    /// The length of the text in bytes, modulo 2^32.
    len: u32,
}

impl Piece {
    /// Compresses a text that will stay as it is.
    pub fn new(text: &[u8], compressor: &mut Compressor) -> Self {
        let mut deflated = Vec::with_capacity(text.len() / 8);
        compressor.compress(text, &mut deflated);
        Self::of(text, deflated)
    }

    /// Compresses a text that will soon change.
    pub fn of_lines(text: &[u8], compressor: &mut Compressor) -> Self {
        let mut deflated = Vec::with_capacity(text.len() / 8);
        compressor.compress_lines(text, &mut deflated);
        Self::of(text, deflated)
    }

    fn of(text: &[u8], deflated: Vec<u8>) -> Self {
        Self {
            deflated: deflated.into(),
            crc: crc32(0, text),
            append: crc32_combine_gen(text.len() as u64),
            len: text.len() as u32,
        }
    }

    /// Returns the number of compressed bytes.
    pub fn size(&self) -> usize {
        self.deflated.len()
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
        compressor.compress(text, out);
        self.crc = crc32(self.crc, text);
        self.len = self.len.wrapping_add(text.len() as u32);
    }

    /// Appends a piece.
    pub fn join(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        out.extend_from_slice(&piece.deflated);
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
