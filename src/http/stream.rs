//! A connection's stream with deadlines: for the head of a request, for an idle connection, and for a
//! client that does not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::connections::Connection;
use super::limits::Limits;

/// A stream whose reads and writes fail once their deadline has passed.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    connection: Arc<Connection>,
    limits: Limits,
    reading: Reading,
    /// The number of requests at the last read.
    requests: u64,
    /// Passes when the client has not read for too long; `None` while it reads.
    write_deadline: Option<Pin<Box<Sleep>>>,
}

/// What a read waits for.
#[derive(Debug)]
enum Reading {
    /// The rest of a head, or the first one.
    Head(Pin<Box<Sleep>>),
    /// The first byte of another request.
    Idle(Pin<Box<Sleep>>),
    /// Nothing, as a request is in progress.
    Request,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>, limits: Limits) -> Self {
        Self {
            stream,
            connection,
            limits,
            reading: Reading::Head(timer(limits.head_timeout)),
            requests: 0,
            write_deadline: None,
        }
    }

    /// Returns the first byte, which can be read again.
    pub(super) async fn first_byte(&self) -> io::Result<u8> {
        let mut first = [0];
        match self.stream.peek(&mut first).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(first[0]),
        }
    }

    /// Sets the deadline of the next read by what the connection does.
    fn update_reading(&mut self) {
        let (busy, requests) = self.connection.state();
        if busy {
            self.reading = Reading::Request;
        } else if requests != self.requests || matches!(self.reading, Reading::Request) {
            self.reading = Reading::Idle(timer(self.limits.idle_timeout));
        }
        self.requests = requests;
    }

    /// Watches the result of a write.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_deadline = None;
            self.connection.progressed();
            if !self.connection.state().0 {
                // The response has ended. hyper does not read again by itself, and the deadline of an
                // idle connection begins with a read.
                cx.waker().wake_by_ref();
            }
            return result;
        }
        let timeout = self.limits.write_timeout;
        let deadline = self.write_deadline.get_or_insert_with(|| timer(timeout));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(timed_out("the client has stopped reading")))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.update_reading();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_ready()
            && buffer.filled().len() > before
            && matches!(this.reading, Reading::Idle(_))
        {
            this.reading = Reading::Head(timer(this.limits.head_timeout));
        }
        let (deadline, late) = match &mut this.reading {
            Reading::Request => return read,
            Reading::Head(deadline) => (deadline, "the request was not complete in time"),
            Reading::Idle(deadline) => (deadline, "the connection was idle for too long"),
        };
        // Also checked after a read, as bytes can arrive one by one for ever.
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(timed_out(late)));
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

fn timer(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep(duration))
}

fn timed_out(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, reason)
}
