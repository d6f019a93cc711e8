//! What clients still send of requests that were answered before they were read.
//!
//! To drop such a body resets its HTTP/2 stream (RFC 9113, section 8.1), or closes an HTTP/1.1 connection with
//! bytes unread (RFC 9112, section 9.6). Both are allowed, and both cost clients the answer: a reset may
//! overtake it in the client, and TCP throws away what the client has not read yet. So the rest is read
//! to its end, while the answer is under way, as far as [`Limits`] lets it go on.
//!
//! [`Limits`]: crate::limits::Limits

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Incoming};
use tokio::time::{Sleep, sleep};

use crate::limits::Limits;

/// The bodies of one connection that nobody wants any more.
#[derive(Default)]
pub(super) struct UnreadBodies {
    bodies: RefCell<Vec<UnreadBody>>,
    /// Of the task that drives the connection.
    waker: Cell<Option<Waker>>,
}

struct UnreadBody {
    body: Incoming,
    bytes_left: usize,
    timeout: Pin<Box<Sleep>>,
}

impl UnreadBodies {
    /// Takes over the rest of a body.
    pub(super) fn add(&self, body: Incoming, limits: &Limits) {
        let timeout = Box::pin(sleep(limits.unread_body_timeout));
        let body = UnreadBody { body, bytes_left: limits.unread_body_bytes, timeout };
        self.bodies.borrow_mut().push(body);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Reads on. Whether a body has come to its end, or to its limit.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> bool {
        let mut bodies = self.bodies.borrow_mut();
        let before = bodies.len();
        bodies.retain_mut(|it| it.poll_end(context).is_pending());
        self.waker.set(Some(context.waker().clone()));
        bodies.len() < before
    }
}

impl UnreadBody {
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let Some(Ok(frame)) = frame else { return Poll::Ready(()) };
            let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
            match self.bytes_left.checked_sub(bytes) {
                Some(left) if !self.body.is_end_stream() => self.bytes_left = left,
                _ => return Poll::Ready(()),
            }
        }
        self.timeout.as_mut().poll(context)
    }
}
