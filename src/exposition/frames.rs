//! Renders a scrape into frames, and compresses them if requested, while they are sent.

use std::sync::Arc;

use bytes::Bytes;

use super::buffers::{FRAME_SIZE, FramePool};
use super::gzip::Gzip;
use super::render::Exposition;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
}

/// The frames of a scrape, in order.
#[derive(Debug)]
pub struct Frames {
    exposition: Exposition,
    pool: Arc<FramePool>,
    encoder: Encoder,
}

#[derive(Debug)]
enum Encoder {
    Plain,
    Gzip(Gzip),
    Ended,
}

/// The result of one bounded piece of work.
#[derive(Debug)]
pub enum Next {
    /// A frame that is not empty.
    Frame(Bytes),
    /// Text was compressed, and the frame is not full yet.
    Working,
    End,
}

impl Frames {
    pub fn new(exposition: Exposition, encoding: Encoding, pool: Arc<FramePool>) -> Self {
        let encoder = match encoding {
            Encoding::Identity => Encoder::Plain,
            Encoding::Gzip => Encoder::Gzip(Gzip::new(pool.clone())),
        };
        Self {
            exposition,
            pool,
            encoder,
        }
    }

    /// Renders at most about [`FRAME_SIZE`] bytes of text.
    pub fn advance(&mut self) -> Next {
        match &mut self.encoder {
            Encoder::Plain => {
                let mut frame = self.pool.take();
                if !self.exposition.write(&mut frame.bytes, FRAME_SIZE) {
                    self.encoder = Encoder::Ended;
                }
                if frame.bytes.is_empty() {
                    return Next::End;
                }
                Next::Frame(frame.into_bytes())
            }
            Encoder::Gzip(gzip) => {
                let ended = gzip.advance(&mut self.exposition);
                let full = gzip.out.bytes.len() >= FRAME_SIZE;
                if !ended && !full {
                    return Next::Working;
                }
                let frame = std::mem::replace(&mut gzip.out, self.pool.take());
                if ended {
                    self.encoder = Encoder::Ended;
                }
                Next::Frame(frame.into_bytes())
            }
            Encoder::Ended => Next::End,
        }
    }
}
