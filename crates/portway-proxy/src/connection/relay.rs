//! Copying bytes both ways between two connections.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How a relay ended.
#[derive(Debug)]
pub(super) enum End {
    /// Both sides said that they are done.
    Closed,
    /// No byte moved for too long.
    Idle,
    /// The client's connection failed.
    Client(io::Error),
    /// The endpoint's connection failed.
    Upstream(io::Error),
}

/// Bytes that were relayed; readable at any time, for the record of a connection that is cut.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// From the client.
    pub(super) received: Cell<u64>,
    /// To the client.
    pub(super) sent: Cell<u64>,
}

/// How long a relay may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// While both directions are open.
    pub(super) open: Duration,
    /// Once one direction has ended.
    pub(super) half_closed: Duration,
}

/// Copies until both sides are done, one fails, or no byte moves for too long. What one side ends, is ended
/// towards the other, while the opposite direction goes on (half-close).
///
/// `scratch` is shared by all relays of the thread: bytes go through it, and only those that the other side
/// does not take at once are kept. So a connection that is silent holds no buffer.
pub(super) async fn relay<A, B>(
    client: &mut A,
    upstream: &mut B,
    silence: Silence,
    scratch: &RefCell<Box<[u8]>>,
    counts: &Counts,
) -> End
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Half::default();
    let mut down = Half::default();
    let mut last = Instant::now();
    let mut longest = silence.open;
    let mut timer = pin!(tokio::time::sleep(longest));
    poll_fn(|context| {
        let before = (counts.received.get(), counts.sent.get(), up.is_blocked(), down.is_blocked());
        let up_done = match up.poll(context, client, upstream, scratch, &counts.received) {
            Poll::Ready(Err(Failed::Read(error))) => return Poll::Ready(End::Client(error)),
            Poll::Ready(Err(Failed::Write(error))) => return Poll::Ready(End::Upstream(error)),
            done => done.is_ready(),
        };
        let down_done = match down.poll(context, upstream, client, scratch, &counts.sent) {
            Poll::Ready(Err(Failed::Read(error))) => return Poll::Ready(End::Upstream(error)),
            Poll::Ready(Err(Failed::Write(error))) => return Poll::Ready(End::Client(error)),
            done => done.is_ready(),
        };
        if up_done && down_done {
            return Poll::Ready(End::Closed);
        }
        if before != (counts.received.get(), counts.sent.get(), up.is_blocked(), down.is_blocked()) {
            last = Instant::now();
        }
        if (up_done || down_done) && longest != silence.half_closed {
            longest = silence.half_closed;
            timer.as_mut().reset(last + longest);
        }
        // The timer is only moved when it fires: that is cheaper than with each byte.
        while timer.as_mut().poll(context).is_ready() {
            let due = last + longest;
            if due <= Instant::now() {
                return Poll::Ready(End::Idle);
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    })
    .await
}

/// One direction.
#[derive(Default)]
struct Half {
    state: State,
    /// Bytes that were read and that the other side has not taken.
    kept: Vec<u8>,
    /// How many of them it has taken since.
    taken: usize,
    /// Whether something was written that may still be in the writer's own buffer (TLS).
    unflushed: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The reader has ended; the writer is yet to be told.
    Ending,
    Ended,
}

enum Failed {
    Read(io::Error),
    Write(io::Error),
}

impl Half {
    /// Bytes that wait for the other side.
    fn is_blocked(&self) -> usize {
        self.kept.len() - self.taken
    }

    fn poll<R, W>(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        scratch: &RefCell<Box<[u8]>>,
        count: &Cell<u64>,
    ) -> Poll<Result<(), Failed>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            ready!(self.poll_kept(context, writer)).map_err(Failed::Write)?;
            match self.state {
                State::Open => {
                    let mut scratch = scratch.borrow_mut();
                    let mut read = ReadBuf::new(&mut scratch);
                    match Pin::new(&mut *reader).poll_read(context, &mut read) {
                        Poll::Ready(result) => ended_without_notice(result).map_err(Failed::Read)?,
                        Poll::Pending => {
                            ready!(self.poll_flush(context, writer)).map_err(Failed::Write)?;
                            return Poll::Pending;
                        }
                    }
                    let bytes = read.filled();
                    if bytes.is_empty() {
                        self.state = State::Ending;
                        continue;
                    }
                    count.set(count.get() + bytes.len() as u64);
                    self.write(context, writer, bytes).map_err(Failed::Write)?;
                }
                State::Ending => {
                    // Shutting down flushes first. A side that is gone already needs not be told.
                    let _ = ready!(Pin::new(&mut *writer).poll_shutdown(context));
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Writes what the writer takes, and keeps the rest.
    fn write<W>(&mut self, context: &mut Context<'_>, writer: &mut W, mut bytes: &[u8]) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        while !bytes.is_empty() {
            match Pin::new(&mut *writer).poll_write(context, bytes)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(length) => {
                    self.unflushed = true;
                    bytes = bytes.get(length..).unwrap_or_default();
                }
                Poll::Pending => {
                    self.kept.extend_from_slice(bytes);
                    break;
                }
            }
        }
        Ok(())
    }

    fn poll_kept<W>(&mut self, context: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while let Some(bytes) = self.kept.get(self.taken..).filter(|bytes| !bytes.is_empty()) {
            match ready!(Pin::new(&mut *writer).poll_write(context, bytes))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => self.taken += length,
            }
            self.unflushed = true;
        }
        // Frees the memory, too.
        (self.kept, self.taken) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    fn poll_flush<W>(&mut self, context: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        if self.unflushed {
            ready!(Pin::new(&mut *writer).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Many peers close a TLS connection without `close_notify`. What is relayed has its own framing, and a
/// reset would destroy data under way, so it counts as an ordinary end.
fn ended_without_notice(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
