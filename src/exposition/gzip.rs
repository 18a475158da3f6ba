//! The text as one gzip member: kept pieces, and what is compressed at the scrape.

use std::sync::Arc;

use bytes::Bytes;

use super::buffers::{FRAME_SIZE, Frame, FramePool, Next};
use super::render::Exposition;
use super::series::{FamilySeries, RecordSeries};
use super::sink::Sink;
use super::text::{self, Format};
use crate::family::Family;
use crate::pieces::{Compressor, Member, Piece, Stamp};
use crate::snapshot::{Chunk, Group};

/// Size in bytes from which on bytes are not copied to be sent together with others.
const LARGE: usize = 4 * 1024;

/// How many times faster lines are compressed quickly than well, at least.
const QUICKER: usize = 4;

/// The frames of a scrape as a gzip member.
#[derive(Debug)]
pub(super) struct GzipFrames {
    exposition: Exposition,
    gzip: Gzip,
}

impl GzipFrames {
    /// `is_recorded` says whether frames are kept for other scrapes.
    pub(super) fn new(exposition: Exposition, pool: Arc<FramePool>, is_recorded: bool) -> Self {
        Self {
            exposition,
            gzip: Gzip::new(pool, is_recorded),
        }
    }

    pub(super) fn next(&mut self) -> Next {
        self.gzip.next(&mut self.exposition)
    }
}

/// A gzip member on its way.
#[derive(Debug)]
pub(super) struct Gzip {
    member: Member,
    pool: Arc<FramePool>,
    /// The compressed bytes that are not sent yet.
    out: Frame,
    /// A joined piece to be sent after them.
    joined: Option<Bytes>,
    stamp: Stamp,
    has_ended: bool,
    /// Whether frames are kept for other scrapes. They then take no more memory than their bytes.
    is_recorded: bool,
    /// The number of pieces that were made.
    pub made: usize,
}

impl Gzip {
    pub(super) fn new(pool: Arc<FramePool>, is_recorded: bool) -> Self {
        let mut out = pool.take();
        Self {
            member: Member::begin(&mut out.bytes),
            pool,
            out,
            joined: None,
            stamp: Stamp::default(),
            has_ended: false,
            is_recorded,
            made: 0,
        }
    }

    /// Fills a frame, and compresses for as long as [`FRAME_SIZE`] bytes of text or one piece take.
    pub(super) fn next(&mut self, exposition: &mut Exposition) -> Next {
        if let Some(joined) = self.joined.take() {
            return Next::Frame(joined);
        }
        if self.has_ended {
            return Next::End;
        }
        self.fill(exposition);
        let is_full = self.out.bytes.len() >= FRAME_SIZE;
        if is_full || self.has_ended || self.joined.is_some() && !self.out.bytes.is_empty() {
            return Next::Frame(self.take_out());
        }
        self.joined.take().map_or(Next::Working, Next::Frame)
    }

    fn fill(&mut self, exposition: &mut Exposition) {
        let pool = self.pool.clone();
        let mut work = Work {
            text: pool.take(),
            compressor: pool.compressors.take(),
            compressed: 0,
            gzip: self,
        };
        let more = exposition.write_to(&mut work);
        work.compress_text();
        pool.compressors.put_back(work.compressor);
        if !more {
            debug_assert!(self.joined.is_none(), "the last family has no pieces");
            self.has_ended = true;
            self.member.end(&mut self.out.bytes);
        }
    }

    /// Takes the bytes to be sent. A frame for few bytes would be as much memory as for many.
    fn take_out(&mut self) -> Bytes {
        if self.out.bytes.len() >= LARGE && !self.is_recorded {
            return std::mem::replace(&mut self.out, self.pool.take()).into_bytes();
        }
        let bytes = Bytes::copy_from_slice(&self.out.bytes);
        self.out.bytes.clear();
        bytes
    }

    fn join(&mut self, piece: &Piece) {
        self.member.join(piece, &mut self.out.bytes);
    }
}

/// What one call to [`Gzip::fill`] uses, so that a scrape that waits for its client holds none of it.
#[derive(Debug)]
struct Work<'a> {
    gzip: &'a mut Gzip,
    /// Text to compress.
    text: Frame,
    compressor: Compressor,
    /// Size of the text that has been compressed, in bytes. Text that is compressed quickly counts less.
    compressed: usize,
}

impl Work<'_> {
    /// Compresses text that is not kept.
    fn compress_text(&mut self) {
        let (text, out) = (&mut self.text.bytes, &mut self.gzip.out.bytes);
        self.gzip.member.text(text, &mut self.compressor, out);
        self.compressed += text.len() / QUICKER;
        text.clear();
    }

    fn make<S: RecordSeries>(
        &mut self,
        series: &FamilySeries<'_, S>,
        chunk: &Chunk<S::Record>,
        piece: &mut Piece,
    ) {
        let text = &mut self.text.bytes;
        series.write(chunk, &mut 0, text, usize::MAX);
        if chunk.is_moving() {
            piece.make_quickly(text, &mut self.compressor);
            self.compressed += text.len() / QUICKER;
        } else {
            piece.make(text, &mut self.compressor);
            self.compressed += text.len();
        }
        self.gzip.made += 1;
        text.clear();
    }
}

impl Sink for Work<'_> {
    fn is_full(&self) -> bool {
        self.compressed + self.text.bytes.len() >= FRAME_SIZE
            || self.gzip.out.bytes.len() >= FRAME_SIZE
            || self.gzip.joined.is_some()
    }

    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text.bytes
    }

    fn comments(&mut self, number: usize, family: &Family, format: Format) {
        self.compress_text();
        let pool = self.gzip.pool.clone();
        let mut kept = pool.comments(format).lock();
        let stamp = Stamp::default();
        let piece = kept.get_or_make(number, &stamp, None, |piece| {
            text::comments(&mut self.text.bytes, family, format);
            piece.make(&self.text.bytes, &mut self.compressor);
            self.text.bytes.clear();
        });
        self.gzip.join(piece);
    }

    /// Takes the joined piece of a group whose versions identify the text, or joins those of its chunks
    /// if all are there.
    fn group<S: RecordSeries>(
        &mut self,
        series: &FamilySeries<'_, S>,
        group: &Group<S::Record>,
    ) -> bool {
        if group.is_moving() && !series.is_steady() || self.is_full() {
            return false;
        }
        let stamp = Stamp {
            context: series.context.hash,
            values: Vec::new(),
        };
        let mut kept = group.joined().lock();
        let piece = match kept.get(series.number, &stamp) {
            Some(piece) => piece,
            None => {
                let Some(joined) = joined(group, series.number, stamp.context) else {
                    return false;
                };
                kept.get_or_make(series.number, &stamp, None, |piece| *piece = joined)
            }
        };
        self.compress_text();
        if piece.size() < LARGE {
            self.gzip.join(piece);
        } else {
            self.gzip.member.add(piece);
            self.gzip.joined = Some(piece.bytes());
        }
        true
    }

    fn chunk<S: RecordSeries>(
        &mut self,
        series: &FamilySeries<'_, S>,
        chunk: &Chunk<S::Record>,
        _: &mut usize,
    ) -> bool {
        if self.is_full() {
            return false;
        }
        self.compress_text();
        let is_steady = series.is_steady() || !chunk.is_moving();
        let version = is_steady.then(|| chunk.version());
        let context = series.context.hash;
        let mut kept = chunk.pieces().lock();
        let known = version.and_then(|version| kept.of_version(series.number, context, version));
        if let Some(piece) = known {
            self.gzip.join(piece);
            return true;
        }
        let mut stamp = std::mem::take(&mut self.gzip.stamp);
        series.stamp(chunk, &mut stamp);
        let piece = kept.get_or_make(series.number, &stamp, version, |piece| {
            self.make(series, chunk, piece);
        });
        self.gzip.join(piece);
        self.gzip.stamp = stamp;
        true
    }
}

/// Joins the pieces of the chunks of a group; `None` if one of them is not made.
fn joined<R>(group: &Group<R>, family: usize, context: u64) -> Option<Piece> {
    // Each scrape locks chunks in this order.
    let chunks = group.chunks();
    let mut kept: Vec<_> = chunks
        .map(|chunk| (chunk.pieces().lock(), chunk.version()))
        .collect();
    let parts = kept.iter_mut();
    let parts: Option<Vec<_>> = parts
        .map(|(kept, version)| kept.of_version(family, context, *version))
        .collect();
    Some(Piece::join(&mut parts?))
}
