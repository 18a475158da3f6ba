//! The text in frames for a connection: rendered, and compressed where asked for, as they are sent.

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

/// A scrape's frames, one after the other.
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

/// What a bounded piece of work gave.
#[derive(Debug)]
pub enum Next {
    /// Never empty.
    Frame(Bytes),
    /// Nothing to send yet: text was compressed, and there is more.
    Working,
    End,
}

impl Frames {
    pub fn new(exposition: Exposition, encoding: Encoding, pool: Arc<FramePool>) -> Self {
        let encoder = match encoding {
            Encoding::Identity => Encoder::Plain,
            Encoding::Gzip => Encoder::Gzip(Box::new(Gzip::new(pool.take(), pool.take()))),
        };
        Self {
            exposition,
            pool,
            encoder,
        }
    }

    /// Renders about [`FRAME_SIZE`] bytes of text at most.
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
