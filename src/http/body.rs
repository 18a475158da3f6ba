//! The body of a response: a text, or the frames of a scrape.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::exposition::{Frames, Next};

#[derive(Debug)]
pub(super) enum Body {
    /// Sent with its length.
    Text(Bytes),
    /// Sent in chunks until the last frame.
    Scrape(Box<Frames>),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Text(text) if text.is_empty() => Poll::Ready(None),
            Self::Text(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Self::Scrape(frames) => match frames.advance() {
                Next::Frame(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Next::End => Poll::Ready(None),
                // Compression takes long for little output: let other tasks run, and the
                // connection send its buffer.
                Next::Working => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Scrape(_) => SizeHint::default(),
        }
    }
}
