//! Renders a scrape into frames, and compresses them if requested, while they are sent.

use std::sync::Arc;

use super::buffers::{FRAME_SIZE, FramePool, Next};
use super::gzip::Gzip;
use super::render::Exposition;
use super::shared::Reader;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
}

/// The frames of a scrape, in order.
#[derive(Debug)]
pub struct Frames(Source);

#[derive(Debug)]
enum Source {
    Plain(Box<Exposition>, Arc<FramePool>),
    Gzip(Box<GzipFrames>),
    Shared(Reader),
    Ended,
}

/// The frames of a scrape as a gzip member.
#[derive(Debug)]
pub(super) struct GzipFrames {
    exposition: Exposition,
    gzip: Gzip,
}

impl GzipFrames {
    /// `is_recorded` is whether frames are kept for other scrapes.
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

impl Frames {
    pub fn new(exposition: Exposition, encoding: Encoding, pool: Arc<FramePool>) -> Self {
        Self(match encoding {
            Encoding::Identity => Source::Plain(Box::new(exposition), pool),
            Encoding::Gzip => match pool.together.reader(exposition, &pool) {
                Ok(reader) => Source::Shared(reader),
                Err(frames) => Source::Gzip(frames),
            },
        })
    }

    /// Renders at most about [`FRAME_SIZE`] bytes of text.
    pub fn advance(&mut self) -> Next {
        match &mut self.0 {
            Source::Plain(exposition, pool) => {
                let mut frame = pool.take();
                if !exposition.write(&mut frame.bytes, FRAME_SIZE) {
                    self.0 = Source::Ended;
                }
                if frame.bytes.is_empty() {
                    return Next::End;
                }
                Next::Frame(frame.into_bytes())
            }
            Source::Gzip(frames) => frames.next(),
            Source::Shared(reader) => reader.next(),
            Source::Ended => Next::End,
        }
    }
}
