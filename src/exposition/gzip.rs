//! The text as one gzip member: kept pieces, and what is compressed at the scrape.

use super::buffers::{FRAME_SIZE, Frame};
use super::render::Exposition;
use super::series::{ChunkSeries, RecordSeries};
use super::sink::Sink;
use crate::pieces::Member;

/// Size in bytes from which on text is compressed.
const TEXT_SIZE: usize = FRAME_SIZE / 2;

/// A gzip member on its way.
#[derive(Debug)]
pub(super) struct Gzip {
    member: Member,
    /// Text that is still to compress; it is not kept.
    text: Frame,
    stamp: Vec<u8>,
    /// Whether a piece was made since the last call.
    pub made: bool,
    /// The compressed bytes. The caller replaces a full frame by an empty one.
    pub out: Frame,
}

impl Gzip {
    pub(super) fn new(text: Frame, mut out: Frame) -> Self {
        Self {
            member: Member::begin(&mut out.bytes),
            text,
            stamp: Vec::new(),
            made: false,
            out,
        }
    }

    /// Fills the frame with pieces that are kept, until there is text to compress: that of one piece,
    /// or [`TEXT_SIZE`]. Returns `true` once the member is complete.
    pub(super) fn advance(&mut self, exposition: &mut Exposition) -> bool {
        self.made = false;
        let more = exposition.write_to(self);
        self.compress_text();
        if !more {
            self.member.end(&mut self.out.bytes);
        }
        !more
    }

    fn compress_text(&mut self) {
        self.member.text(&self.text.bytes, &mut self.out.bytes);
        self.text.bytes.clear();
    }
}

impl Sink for Gzip {
    fn is_full(&self) -> bool {
        self.made || self.text.bytes.len() >= TEXT_SIZE || self.out.bytes.len() >= FRAME_SIZE
    }

    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text.bytes
    }

    fn chunk<S: RecordSeries>(&mut self, chunk: &ChunkSeries<'_, S>, _: &mut usize) -> bool {
        if self.is_full() {
            return false;
        }
        self.compress_text();
        self.stamp.clear();
        chunk.write_stamp(&mut self.stamp);
        let pieces = chunk.chunk.pieces();
        let piece = pieces.get(chunk.number, &self.stamp, || {
            self.made = true;
            chunk.write(&mut 0, &mut self.text.bytes, usize::MAX);
            let piece = self.member.make(&self.text.bytes, &mut self.out.bytes);
            self.text.bytes.clear();
            piece
        });
        self.member.join(&piece, &mut self.out.bytes);
        true
    }
}
