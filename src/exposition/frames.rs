//! Renders a scrape into frames, and compresses them if requested, while they are sent.

use std::sync::Arc;

use super::buffers::{FRAME_SIZE, FramePool, Next};
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
    Gzip(Box<Gzip>),
    Ended,
}

impl Frames {
    pub fn new(exposition: Exposition, encoding: Encoding, pool: Arc<FramePool>) -> Self {
        let encoder = match encoding {
            Encoding::Identity => Encoder::Plain,
            Encoding::Gzip => Encoder::Gzip(Box::new(Gzip::new(pool.clone()))),
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
            Encoder::Gzip(gzip) => gzip.next(&mut self.exposition),
            Encoder::Ended => Next::End,
        }
    }
}
