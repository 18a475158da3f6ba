//! Renders a scrape into frames, and compresses them if requested, while they are sent.

use std::sync::Arc;

use super::buffers::{FRAME_SIZE, FramePool, Next};
use super::gzip::GzipFrames;
use super::render::Exposition;
use super::shared::{Reader, SharedFrames};

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

impl Frames {
    pub fn new(exposition: Exposition, encoding: Encoding, shared: &SharedFrames) -> Self {
        Self(match encoding {
            Encoding::Identity => Source::Plain(Box::new(exposition), shared.pool.clone()),
            Encoding::Gzip => match shared.reader(exposition) {
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
