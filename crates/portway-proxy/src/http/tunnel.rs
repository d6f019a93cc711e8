//! Tunnels: what a request becomes when both sides agree to go on in another protocol.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::exchange::{Exchange, Recording};
use crate::reason::Reason;
use crate::upstream::UpstreamBody;

/// The two sides of a tunnel.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) client: OnUpgrade,
    pub(super) backend: OnUpgrade,
    /// Held while the tunnel lives: it counts as a request under way at its endpoint.
    pub(super) body: UpstreamBody,
}

/// Carries bytes both ways until both sides have closed, or none moves for too long.
pub(super) async fn run(sides: Sides, recording: Recording) {
    let exchange = &recording.0;
    let (Ok(client), Ok(backend)) = tokio::join!(sides.client, sides.backend) else {
        exchange.blame(Reason::ClientGone);
        return;
    };
    let moved = Rc::new(Cell::new(true));
    let mut client = Counted { io: TokioIo::new(client), exchange, moved: &moved };
    let mut backend = TokioIo::new(backend);
    let timeout = exchange.connection.worker.limits.stream_idle_timeout;
    tokio::select! {
        carried = copy_bidirectional(&mut client, &mut backend) => {
            // A side that resets the connection ends the tunnel like one that closes it.
            exchange.complete.set(true);
            if let Err(error) = carried {
                tracing::debug!(request = exchange.request_id.as_str(), %error, "a tunnel broke off");
            }
        }
        () = idle(&moved, timeout) => exchange.blame(Reason::StreamIdle),
    }
    drop(sides.body);
}

/// Returns when nothing has moved for a whole period.
async fn idle(moved: &Cell<bool>, period: Duration) {
    if period.is_zero() {
        return std::future::pending().await;
    }
    while moved.replace(false) {
        tokio::time::sleep(period).await;
    }
}

/// The client's side, which counts for both directions.
struct Counted<'a, I> {
    io: I,
    exchange: &'a Exchange,
    moved: &'a Cell<bool>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Counted<'_, I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        self.exchange.add_request_bytes(buffer.filled().len() - before);
        self.moved.set(true);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Counted<'_, I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(context, data))?;
        self.exchange.add_response_bytes(written);
        self.moved.set(true);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
