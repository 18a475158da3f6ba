//! The text as one gzip member, compressed while it is rendered.
//!
//! Owns the compressor; `frames` owns where its bytes go.

use flate2::{Compress, Compression, FlushCompress, Status};

use super::buffers::{FRAME_SIZE, Frame};
use super::render::Exposition;

/// Exposition text repeats itself so much that higher levels cost thrice the time for little.
const LEVEL: u32 = 1;

/// The largest window deflate has.
const WINDOW_BITS: u8 = 15;

/// A gzip member on its way.
#[derive(Debug)]
pub(super) struct Gzip {
    compress: Compress,
    /// Text to compress, from `taken` on.
    text: Frame,
    taken: usize,
    /// Whether more text follows that of `text`.
    more: bool,
    /// The compressed bytes. The caller replaces a full frame by an empty one of the same capacity.
    pub out: Frame,
}

impl Gzip {
    pub(super) fn new(text: Frame, out: Frame) -> Self {
        Self {
            compress: Compress::new_gzip(Compression::new(LEVEL), WINDOW_BITS),
            text,
            taken: 0,
            more: true,
            out,
        }
    }

    /// Compresses a frame of text at most, as far as `out` has room. `true` once all is in `out`.
    pub(super) fn advance(&mut self, exposition: &mut Exposition) -> bool {
        if self.taken == self.text.bytes.len() && self.more {
            self.text.bytes.clear();
            self.taken = 0;
            self.more = exposition.write(&mut self.text.bytes, FRAME_SIZE);
        }
        let flush = if self.more {
            FlushCompress::None
        } else {
            FlushCompress::Finish
        };
        let before = self.compress.total_in();
        let status = self
            .compress
            .compress_vec(&self.text.bytes[self.taken..], &mut self.out.bytes, flush)
            .expect("deflate refuses no input");
        self.taken += (self.compress.total_in() - before) as usize;
        status == Status::StreamEnd
    }
}
