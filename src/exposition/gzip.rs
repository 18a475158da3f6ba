//! The text as one gzip member: kept pieces, and what is compressed at the scrape.

use std::sync::Arc;

use super::buffers::{FRAME_SIZE, Frame, FramePool};
use super::render::Exposition;
use super::series::{ChunkSeries, RecordSeries};
use super::sink::Sink;
use crate::pieces::{Compressor, Member, Piece, Stamp};

/// A gzip member on its way.
#[derive(Debug)]
pub(super) struct Gzip {
    member: Member,
    /// The compressed bytes. The caller replaces a full frame by an empty one.
    pub out: Frame,
    pool: Arc<FramePool>,
    /// The number of pieces that were made.
    pub made: usize,
}

impl Gzip {
    pub(super) fn new(pool: Arc<FramePool>) -> Self {
        let mut out = pool.take();
        Self {
            member: Member::begin(&mut out.bytes),
            out,
            pool,
            made: 0,
        }
    }

    /// Fills the frame, and compresses at most about [`FRAME_SIZE`] bytes of text or one piece for it.
    /// Returns `true` once the member is complete.
    pub(super) fn advance(&mut self, exposition: &mut Exposition) -> bool {
        let pool = self.pool.clone();
        let mut work = Work {
            text: pool.take(),
            compressor: pool.compressors.take(),
            stamp: Stamp::default(),
            compressed: 0,
            gzip: self,
        };
        let more = exposition.write_to(&mut work);
        work.compress_text();
        pool.compressors.put_back(work.compressor);
        if !more {
            self.member.end(&mut self.out.bytes);
        }
        !more
    }
}

/// What one call to [`Gzip::advance`] uses, so that a scrape that waits for its client holds none of it.
#[derive(Debug)]
struct Work<'a> {
    gzip: &'a mut Gzip,
    /// Text to compress.
    text: Frame,
    compressor: Compressor,
    stamp: Stamp,
    /// Size of the text that has been compressed, in bytes.
    compressed: usize,
}

impl Work<'_> {
    /// Compresses text that is not kept.
    fn compress_text(&mut self) {
        let (text, out) = (&mut self.text.bytes, &mut self.gzip.out.bytes);
        self.gzip.member.text(text, &mut self.compressor, out);
        self.compressed += text.len();
        text.clear();
    }

    fn make<S: RecordSeries>(&mut self, chunk: &ChunkSeries<'_, S>) -> Piece {
        let text = &mut self.text.bytes;
        chunk.write(&mut 0, text, usize::MAX);
        let make = match chunk.chunk.is_moving() {
            true => Piece::of_lines,
            false => Piece::new,
        };
        let piece = make(text, &mut self.compressor);
        self.compressed += text.len();
        self.gzip.made += 1;
        text.clear();
        piece
    }
}

impl Sink for Work<'_> {
    fn is_full(&self) -> bool {
        self.compressed + self.text.bytes.len() >= FRAME_SIZE
            || self.gzip.out.bytes.len() >= FRAME_SIZE
    }

    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text.bytes
    }

    fn chunk<S: RecordSeries>(&mut self, chunk: &ChunkSeries<'_, S>, _: &mut usize) -> bool {
        if self.is_full() {
            return false;
        }
        self.compress_text();
        chunk.stamp(&mut self.stamp);
        let mut kept = chunk.chunk.pieces().lock();
        if let Some(piece) = kept.get(chunk.number, &self.stamp) {
            self.gzip.member.join(piece, &mut self.gzip.out.bytes);
            return true;
        }
        let piece = self.make(chunk);
        self.gzip.member.join(&piece, &mut self.gzip.out.bytes);
        kept.put(chunk.number, &self.stamp, piece);
        true
    }
}
