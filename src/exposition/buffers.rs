//! The buffers that a scrape's text is written to.
//!
//! They go back to their pool when the connection has sent them: memory fresh from the allocator costs
//! a scrape more than the text in it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::text::Format;
use crate::pieces::{CompressorPool, Pieces};

/// Size in bytes from which on a frame is sent.
pub const FRAME_SIZE: usize = 64 * 1024;

/// Additional capacity for the row that exceeds [`FRAME_SIZE`].
const SLACK: usize = 8 * 1024;

/// Maximum number of idle frames, as many as one scrape uses at once.
const KEPT: usize = 8;

/// The result of one bounded piece of work.
#[derive(Debug)]
pub enum Next {
    /// A frame that is not empty.
    Frame(Bytes),
    /// Text was compressed, and the frame is not full yet.
    Working,
    End,
}

/// Buffers and compressors that are not in use, and the comments of the families.
#[derive(Default)]
pub(super) struct FramePool {
    idle: Mutex<Vec<Vec<u8>>>,
    pub(super) compressors: CompressorPool,
    text_comments: Pieces,
    open_metrics_comments: Pieces,
}

impl FramePool {
    pub(super) fn take(self: &Arc<Self>) -> Frame {
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

    pub(super) fn comments(&self, format: Format) -> &Pieces {
        match format {
            Format::Text => &self.text_comments,
            Format::OpenMetrics => &self.open_metrics_comments,
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
pub(super) struct Frame {
    pub bytes: Vec<u8>,
    pool: Arc<FramePool>,
}

impl Frame {
    pub(super) fn into_bytes(self) -> Bytes {
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
