//! The body of a request on its way to a backend.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::idle::IdleTimer;
use super::replay::Attempt;
use super::tee::{BodyCopy, Tee};
use super::{BodyError, is_malformed};
use crate::http::exchange::Exchange;
use crate::http::hop_by_hop;
use crate::reason::Reason;

/// The body of a request on its way to a backend. It never leaves its worker's thread.
pub struct RequestBody {
    source: Source,
}

enum Source {
    /// Nothing, or nothing any more.
    Empty,
    /// All of it.
    Full(Bytes),
    /// As it comes from the client.
    Client(Box<FromClient>),
    /// For one of several attempts.
    Replay(Box<Attempt>),
    /// With copies.
    Tee(Box<Tee>),
    /// A copy.
    Copy(BodyCopy),
}

/// A body as it comes from the client.
struct FromClient {
    /// Absent once it is nobody's any more.
    body: Option<Incoming>,
    idle: IdleTimer,
    exchange: Rc<Exchange>,
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self { source: Source::Empty }
    }

    /// A body that is known as a whole.
    pub fn full(bytes: Bytes) -> Self {
        Self { source: if bytes.is_empty() { Source::Empty } else { Source::Full(bytes) } }
    }

    /// The body of a client's request.
    pub(crate) fn from_client(body: Incoming, exchange: &Rc<Exchange>) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        let idle = IdleTimer::new(exchange.connection.worker.limits.stream_idle_timeout);
        let from_client = FromClient { body: Some(body), idle, exchange: Rc::clone(exchange) };
        Self { source: Source::Client(Box::new(from_client)) }
    }

    pub(super) fn replayed(attempt: Attempt) -> Self {
        Self {
            source: if attempt.is_end_stream() { Source::Empty } else { Source::Replay(Box::new(attempt)) },
        }
    }

    pub(super) fn tee(tee: Tee) -> Self {
        Self { source: Source::Tee(Box::new(tee)) }
    }

    pub(super) fn copy(copy: BodyCopy) -> Self {
        Self { source: Source::Copy(copy) }
    }

    /// Reads the whole body, if it has no more than `limit` bytes. Trailers are dropped.
    pub(crate) async fn read_whole(mut self, limit: usize) -> Result<Bytes, Unreadable> {
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await {
            let Ok(data) = frame.map_err(|_| Unreadable::Broken)?.into_data() else { continue };
            if whole.len() + data.len() > limit {
                return Err(Unreadable::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

/// Why a body could not be read as a whole.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is larger than allowed.
    TooLarge,
    /// It ended early.
    Broken,
}

impl FromClient {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = match Pin::new(body).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => {
                // There is no rest to be read.
                self.body = None;
                if is_malformed(&error) {
                    self.exchange.blame(Reason::BadRequest);
                    self.exchange.explain(crate::upstream::in_full(&error));
                    self.exchange.distrust_framing();
                }
                return Poll::Ready(Some(Err(error.into())));
            }
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.idle.poll_expired(context));
                self.exchange.blame(Reason::StreamIdle);
                return Poll::Ready(Some(Err("the client sends no more of the body".into())));
            }
        };
        self.idle.moved();
        Poll::Ready(frame.map(|frame| {
            let mut frame = frame?;
            if let Some(data) = frame.data_ref() {
                self.exchange.add_request_bytes(data.len());
            } else if let Some(trailers) = frame.trailers_mut() {
                hop_by_hop::clean_trailers(trailers);
            }
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for FromClient {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.exchange.leave_unread(body);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Empty => Poll::Ready(None),
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Client(body) => body.poll_frame(context),
            Source::Replay(attempt) => attempt.poll_frame(context),
            Source::Tee(tee) => tee.poll_frame(context),
            Source::Copy(copy) => copy.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Full(_) => false,
            Source::Client(from_client) => from_client.is_end_stream(),
            Source::Replay(attempt) => attempt.is_end_stream(),
            Source::Tee(tee) => tee.source.is_end_stream(),
            Source::Copy(copy) => copy.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Client(from_client) => from_client.size_hint(),
            Source::Replay(attempt) => attempt.size_hint(),
            Source::Tee(tee) => tee.source.size_hint(),
            Source::Copy(copy) => copy.size_hint(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}
