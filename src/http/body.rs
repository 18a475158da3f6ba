//! The body of a response: a text, a text that is kept compressed, or the frames of a scrape.
//!
//! Each is sent piece by piece, so that a client that does not read holds little memory.

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::read::GzDecoder;
use hyper::body::{Frame, SizeHint};

use super::batch::Batch;
use super::connections::Request;
use crate::exposition::{FRAME_SIZE, Frames, Next};

#[derive(Debug)]
pub(super) enum Body {
    /// Sent with its length.
    Text(Bytes),
    /// Sent with its length.
    Packed(Packed),
    /// Sent in chunks until the last frame.
    Scrape(Box<Scraped>),
}

/// The frames of a scrape, which are sent in batches.
#[derive(Debug)]
pub(super) struct Scraped {
    frames: Frames,
    /// The frames that wait to be sent with others.
    batch: Batch,
    has_begun: bool,
}

impl Scraped {
    pub(super) fn new(frames: Frames) -> Self {
        Self {
            frames,
            batch: Batch::default(),
            has_begun: false,
        }
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        // The first frame is sent at once.
        while !self.batch.is_full() && (self.has_begun || self.batch.is_empty()) {
            match self.frames.advance() {
                Next::Frame(bytes) => self.batch.push(bytes),
                Next::End => break,
                // Compression takes long for little output: let other tasks run, and the
                // connection send its buffer.
                Next::Working => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        self.has_begun = true;
        let batch = std::mem::take(&mut self.batch);
        Poll::Ready((!batch.is_empty()).then_some(batch))
    }
}

/// A text that is decompressed while it is sent.
#[derive(Debug)]
pub(super) struct Packed {
    decoder: Box<GzDecoder<std::io::Cursor<Vec<u8>>>>,
    /// Number of bytes that have not been decompressed.
    left: usize,
}

impl Packed {
    /// Takes a text of `length` bytes as gzip.
    pub(super) fn new(gzip: Vec<u8>, length: usize) -> Self {
        Self {
            decoder: Box::new(GzDecoder::new(std::io::Cursor::new(gzip))),
            left: length,
        }
    }

    fn next(&mut self) -> Bytes {
        let mut piece = vec![0; self.left.min(FRAME_SIZE)];
        let read = self.decoder.read_exact(&mut piece);
        read.expect("the server itself has compressed this many bytes");
        self.left -= piece.len();
        piece.into()
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl hyper::body::Body for Body {
    type Data = Batch;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Batch>, Infallible>>> {
        let this = self.get_mut();
        if this.is_end_stream() {
            return Poll::Ready(None);
        }
        let piece = match this {
            Self::Text(text) => text.split_to(text.len().min(FRAME_SIZE)),
            Self::Packed(packed) => packed.next(),
            Self::Scrape(scraped) => {
                let batch = scraped.poll_batch(cx);
                return batch.map(|batch| batch.map(|batch| Ok(Frame::data(batch))));
            }
        };
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Packed(packed) => packed.left == 0,
            Self::Scrape(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Packed(packed) => SizeHint::with_exact(packed.left as u64),
            Self::Scrape(_) => SizeHint::default(),
        }
    }
}

/// The body of a response whose request is in progress until the last piece is taken.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    /// Ends when hyper drops the body.
    _request: Arc<Request>,
}

impl Sending {
    pub(super) fn new(body: Body, request: Arc<Request>) -> Self {
        Self {
            body,
            _request: request,
        }
    }
}

impl hyper::body::Body for Sending {
    type Data = Batch;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Batch>, Infallible>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
