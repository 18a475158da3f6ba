//! Writes one gzip member (RFC 1952) from new text and from pieces.

use flate2::{Compress, Compression, FlushCompress};
use zlib_rs::crc32::{crc32, crc32_combine_gen, crc32_combine_op};

/// Higher levels take up to twice the time for 5 % less. Level 1 is no faster and a half larger.
const LEVEL: u32 = 2;

/// The magic number, deflate, no flags, no time, and an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Room that the compressor gets at least, in bytes: a flush takes six.
const ROOM: usize = 64;

/// Compressed text that can be joined to any member.
#[derive(Debug)]
pub struct Piece {
    /// Blocks of deflate that end at a byte boundary; none of them is the final one.
    deflated: Box<[u8]>,
    /// The CRC-32 of the text.
    crc: u32,
    /// The operator that appends a text of this length to the CRC-32 of another one.
    append: u32,
    /// The length of the text in bytes.
    len: usize,
}

impl Piece {
    /// Returns the number of compressed bytes.
    pub fn size(&self) -> usize {
        self.deflated.len()
    }
}

/// A gzip member in progress. The caller passes the same output to each call, or continues with an
/// empty one after it has taken what was written.
#[derive(Debug)]
pub struct Member {
    compress: Compress,
    /// Whether the compressor holds text that the output lacks.
    pending: bool,
    /// The CRC-32 of the text so far.
    crc: u32,
    /// The length of the text so far, modulo 2^32.
    len: u32,
}

impl Member {
    /// Begins a member with its header.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&HEADER);
        Self {
            compress: Compress::new(Compression::new(LEVEL), false),
            pending: false,
            crc: 0,
            len: 0,
        }
    }

    /// Appends text that is not kept.
    pub fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.crc = crc32(self.crc, text);
        self.count(text.len());
        self.compress(text, FlushCompress::None, out);
        self.pending = true;
    }

    /// Compresses text into a piece, which is not part of this member yet.
    pub fn make(&mut self, text: &[u8], out: &mut Vec<u8>) -> Piece {
        self.flush(out);
        let mut deflated = Vec::with_capacity(text.len() / 8 + ROOM);
        if !text.is_empty() {
            self.compress(text, FlushCompress::Full, &mut deflated);
        }
        Piece {
            deflated: deflated.into(),
            crc: crc32(0, text),
            append: crc32_combine_gen(text.len() as u64),
            len: text.len(),
        }
    }

    /// Appends a piece.
    pub fn join(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        self.flush(out);
        out.extend_from_slice(&piece.deflated);
        self.crc = crc32_combine_op(self.crc, piece.crc, piece.append);
        self.count(piece.len);
    }

    /// Ends the member with the final block, the checksum and the length.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.compress(&[], FlushCompress::Finish, out);
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
    }

    fn count(&mut self, bytes: usize) {
        // RFC 1952 stores the length modulo 2^32.
        self.len = self.len.wrapping_add(bytes as u32);
    }

    /// Writes what the compressor holds, up to a byte boundary. What follows does not refer to it.
    fn flush(&mut self, out: &mut Vec<u8>) {
        if self.pending {
            self.compress(&[], FlushCompress::Full, out);
            self.pending = false;
        }
    }

    fn compress(&mut self, mut text: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        loop {
            if out.capacity() - out.len() < ROOM {
                out.reserve(ROOM);
            }
            let before = self.compress.total_in();
            self.compress
                .compress_vec(text, out, flush)
                .expect("deflate refuses no input");
            text = &text[(self.compress.total_in() - before) as usize..];
            // The compressor fills the output as long as it has something to write.
            if text.is_empty() && out.len() < out.capacity() {
                return;
            }
        }
    }
}
