//! The body of a response on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::idle::IdleTimer;
use super::{BodyError, is_malformed};
use crate::http::exchange::Recording;
use crate::http::hop_by_hop;
use crate::reason::Reason;
use crate::upstream::UpstreamBody;

/// The body of a response on its way to the client. When it is dropped the exchange is recorded.
pub(crate) struct ResponseBody {
    source: Source,
    /// Absent where the exchange goes on without a body: as a tunnel.
    recording: Option<Recording>,
}

enum Source {
    /// Nothing, or nothing any more.
    Empty,
    /// All of it.
    Full(Bytes),
    /// As it comes from the backend.
    Upstream(Box<Upstream>),
}

struct Upstream {
    body: UpstreamBody,
    idle: IdleTimer,
    deadline: Option<Deadline>,
}

/// When the response must be complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) time: Instant,
    /// What it is when it is not.
    pub(crate) reason: Reason,
}

struct Deadline {
    sleep: Pin<Box<Sleep>>,
    reason: Reason,
}

/// A body was given up.
#[derive(Debug, thiserror::Error)]
#[error("given up: {}", .0.as_str())]
struct GivenUp(Reason);

impl ResponseBody {
    /// No body, and nothing to record.
    pub(crate) fn unrecorded() -> Self {
        Self { source: Source::Empty, recording: None }
    }

    /// A body that is known as a whole.
    pub(crate) fn full(bytes: Bytes, recording: Recording) -> Self {
        let source = if bytes.is_empty() { Source::Empty } else { Source::Full(bytes) };
        Self { source, recording: Some(recording) }
    }

    /// The body of a backend's response.
    pub(crate) fn upstream(body: UpstreamBody, until: Option<Until>, recording: Recording) -> Self {
        if body.is_end_stream() {
            return Self { source: Source::Empty, recording: Some(recording) };
        }
        let idle = IdleTimer::new(recording.0.connection.worker.limits.stream_idle_timeout);
        let deadline = until.map(|it| Deadline { sleep: Box::pin(sleep_until(it.time)), reason: it.reason });
        let upstream = Box::new(Upstream { body, idle, deadline });
        Self { source: Source::Upstream(upstream), recording: Some(recording) }
    }

    fn count(&self, bytes: usize) {
        if let Some(recording) = &self.recording {
            recording.0.add_response_bytes(bytes);
        }
    }

    fn give_up(&mut self, reason: Reason) -> BodyError {
        if let Some(recording) = &self.recording {
            recording.0.blame(reason);
        }
        // The backend's stream ends with its body.
        self.source = Source::Empty;
        Box::new(GivenUp(reason))
    }
}

impl Upstream {
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<Reason> {
        if let Some(deadline) = &mut self.deadline
            && deadline.sleep.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(deadline.reason);
        }
        self.idle.poll_expired(context).map(|()| Reason::StreamIdle)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let upstream = match &mut self.source {
            Source::Empty => return Poll::Ready(None),
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                self.count(bytes.len());
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Source::Upstream(upstream) => upstream,
        };
        let frame = match Pin::new(&mut upstream.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let reason = ready!(upstream.poll_overdue(context));
                return Poll::Ready(Some(Err(self.give_up(reason))));
            }
        };
        upstream.idle.moved();
        let ended = frame.is_none() || upstream.body.is_end_stream();
        let frame = match frame {
            None => None,
            Some(Ok(mut frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.count(data.len());
                } else if let Some(trailers) = frame.trailers_mut() {
                    hop_by_hop::clean_trailers(trailers);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                if let Some(recording) = &self.recording {
                    recording.0.explain(crate::upstream::in_full(&error));
                }
                let is_malformed = is_malformed(&error);
                self.give_up(if is_malformed { Reason::UpstreamProtocol } else { Reason::UpstreamReset });
                return Poll::Ready(Some(Err(Box::new(error))));
            }
        };
        if ended {
            self.source = Source::Empty;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream(upstream) => upstream.body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(recording) = &self.recording {
            recording.0.complete.set(self.is_end_stream());
        }
    }
}
