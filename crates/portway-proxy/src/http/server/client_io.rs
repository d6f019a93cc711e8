//! A client's byte stream: tells when bytes come in, gives back those that were read too early, and lingers at its end.
//!
//! A socket that is closed while bytes of the client wait in it is reset, and a reset takes from the client what it
//! has not read yet: the answer that said why its request was not read. So the end is in two stages (RFC 9112, section
//! 9.6): no more is written, and what still comes is read and thrown away until the client closes or the time is up.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes that are thrown away at once.
const DISCARDED_AT_ONCE: usize = 4096;

/// A client's byte stream.
#[derive(Debug)]
pub(super) struct ClientIo<I> {
    io: I,
    /// What was read to find out the protocol.
    unread: Bytes,
    /// Set whenever bytes come in. It is shared within one thread only, but upgrades need a `Send` stream.
    received: Arc<AtomicBool>,
    /// The client has closed its side, or is gone.
    ended: bool,
    /// How long it may take for that once our side is closed.
    linger_timeout: Duration,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<I> ClientIo<I> {
    pub(super) fn new(io: I, received: Arc<AtomicBool>, linger_timeout: Duration) -> Self {
        Self { io, unread: Bytes::new(), received, ended: false, linger_timeout, lingering: None }
    }

    /// Gives bytes back; they are read again first.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for ClientIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.unread.has_remaining() {
            let length = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(length));
        } else {
            let room = buffer.remaining();
            let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
            self.ended |= read.is_err() || room > 0 && buffer.filled().len() == before;
            read?;
        }
        if buffer.filled().len() > before {
            self.received.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientIo<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
            self.lingering = Some(Box::pin(sleep(self.linger_timeout)));
        }
        self.poll_linger(context).map(Ok)
    }
}

impl<I: AsyncRead + Unpin> ClientIo<I> {
    /// Reads until the client closes its side, or for as long as it may take.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // First, so that a client that never pauses does not go on for ever.
        if self.lingering.as_mut().is_none_or(|until| until.as_mut().poll(context).is_ready()) {
            return Poll::Ready(());
        }
        while !self.ended {
            let mut discarded = [0; DISCARDED_AT_ONCE];
            let mut buffer = ReadBuf::new(&mut discarded);
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => self.ended = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }
}
