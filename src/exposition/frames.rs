//! The text in frames for a connection: rendered, and compressed where asked for, as they are sent.
//!
//! Owns the buffers, which go back to their pool when the connection has sent them: memory fresh
//! from the allocator costs a scrape more than the text in it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::Exposition;
use super::gzip::Gzip;

/// Bytes from which on a frame is sent.
pub const FRAME_SIZE: usize = 64 * 1024;

/// Room behind [`FRAME_SIZE`] for the row that goes over it.
const SLACK: usize = 8 * 1024;

/// Frames kept while nobody uses them: what one scrape has under way at once.
const KEPT: usize = 8;

/// Buffers that are not in use.
#[derive(Default)]
pub struct FramePool {
    idle: Mutex<Vec<Vec<u8>>>,
}

impl FramePool {
    fn take(self: &Arc<Self>) -> Frame {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Frame {
            bytes: idle.unwrap_or_else(|| Vec::with_capacity(FRAME_SIZE + SLACK)),
            pool: self.clone(),
        }
    }

    fn put_back(&self, mut bytes: Vec<u8>) {
        // One that a long row has made larger is not worth its memory.
        if bytes.capacity() > FRAME_SIZE + SLACK {
            return;
        }
        bytes.clear();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(bytes);
        }
    }
}

impl fmt::Debug for FramePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramePool").finish_non_exhaustive()
    }
}

/// A buffer that goes back to its pool.
#[derive(Debug)]
pub struct Frame {
    pub bytes: Vec<u8>,
    pool: Arc<FramePool>,
}

impl Frame {
    fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.pool.put_back(std::mem::take(&mut self.bytes));
    }
}

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
    state: State,
}

#[derive(Debug)]
enum State {
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
        let state = match encoding {
            Encoding::Identity => State::Plain,
            Encoding::Gzip => State::Gzip(Box::new(Gzip::new(pool.take(), pool.take()))),
        };
        Self {
            exposition,
            pool,
            state,
        }
    }

    /// Renders about [`FRAME_SIZE`] bytes of text at most.
    pub fn advance(&mut self) -> Next {
        match &mut self.state {
            State::Plain => {
                let mut frame = self.pool.take();
                if !self.exposition.write(&mut frame.bytes, FRAME_SIZE) {
                    self.state = State::Ended;
                }
                if frame.bytes.is_empty() {
                    return Next::End;
                }
                Next::Frame(frame.into_bytes())
            }
            State::Gzip(gzip) => {
                let ended = gzip.advance(&mut self.exposition);
                let full = gzip.out.bytes.len() >= FRAME_SIZE;
                if !ended && !full {
                    return Next::Working;
                }
                let frame = std::mem::replace(&mut gzip.out, self.pool.take());
                if ended {
                    self.state = State::Ended;
                }
                Next::Frame(frame.into_bytes())
            }
            State::Ended => Next::End,
        }
    }
}
