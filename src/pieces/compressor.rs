//! Compresses texts so that the results can be joined.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Compression, FlushCompress};

use super::lines::LineCompressor;

/// Higher levels take up to twice the time for 5 % less. Level 1 is no faster and a half larger.
const LEVEL: u32 = 2;

/// Room that the compressor gets at least, in bytes: a flush takes six.
const ROOM: usize = 64;

/// Maximum number of idle compressors, each of about 280 KiB.
const KEPT: usize = 4;

/// Compressors that are not in use. A scrape takes one while it compresses, not while it waits for its
/// client. So there are about as many as threads, whatever the number of scrapes.
#[derive(Default)]
pub struct CompressorPool {
    idle: Mutex<Vec<Compressor>>,
}

impl CompressorPool {
    pub fn take(&self) -> Compressor {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| Compressor {
            general: Compress::new(Compression::new(LEVEL), false),
            lines: LineCompressor::new(),
        })
    }

    pub fn put_back(&self, compressor: Compressor) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(compressor);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Compressor>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CompressorPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompressorPool").finish_non_exhaustive()
    }
}

/// A compressor. It holds nothing of a text after it has compressed it.
#[derive(Debug)]
pub struct Compressor {
    general: Compress,
    lines: LineCompressor,
}

impl Compressor {
    /// Appends a text as blocks of deflate that end at a byte boundary and refer to no other text.
    /// None of them is the final one.
    pub(super) fn compress(&mut self, mut text: &[u8], out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        loop {
            if out.capacity() - out.len() < ROOM {
                out.reserve(ROOM);
            }
            let before = self.general.total_in();
            self.general
                .compress_vec(text, out, FlushCompress::Full)
                .expect("deflate refuses no input");
            text = &text[(self.general.total_in() - before) as usize..];
            // The compressor fills the output as long as it has something to write.
            if text.is_empty() && out.len() < out.capacity() {
                return;
            }
        }
    }

    /// Does the same in a fraction of the time, for lines that differ little. The result is larger.
    pub(super) fn compress_lines(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.lines.compress(text, out);
    }
}
