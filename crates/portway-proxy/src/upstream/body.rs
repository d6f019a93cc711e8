//! Bodies on their way to a backend and back.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::endpoint_pool::Lease;

pub use crate::http::RequestBody;

/// The body of a response. At its end it gives the connection back to the pool; dropped before, it
/// closes the connection (HTTP/1.1) or resets the stream (HTTP/2).
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    /// A frame that was read to see whether there is one.
    first: Option<Box<Frame<Bytes>>>,
    lease: Option<Lease>,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { incoming, first: None, lease: Some(lease) };
        body.release_at_end();
        body
    }

    /// Whether the body is broken as far as it has come: then nothing of the response need go out to the client. A body of known
    /// length breaks later if at all.
    pub(crate) fn broken_at_once(&mut self) -> Option<hyper::Error> {
        if self.is_end_stream() || self.incoming.size_hint().exact().is_some() {
            return None;
        }
        // Whoever reads on asks to be woken.
        match Pin::new(&mut *self).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Err(error))) => Some(error),
            Poll::Ready(Some(Ok(frame))) => {
                self.first = Some(Box::new(frame));
                None
            }
            Poll::Ready(None) | Poll::Pending => None,
        }
    }

    /// A server that writes this body may not poll past its last frame, so the end is looked for
    /// after each one.
    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.release();
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(*first)));
        }
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
        match &frame {
            Some(Ok(_)) => self.release_at_end(),
            Some(Err(_)) => self.lease = None,
            None => {
                if let Some(lease) = self.lease.take() {
                    lease.release();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // What of the body was read already had no length that is known.
        if self.first.is_some() { SizeHint::default() } else { self.incoming.size_hint() }
    }
}
