//! A body that several attempts may need: what the first has read is kept for the next, up to a cap.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{BodyError, RequestBody};

/// A body that several attempts may need, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Replay(Rc<RefCell<Shared>>);

#[derive(Debug)]
struct Shared {
    source: RequestBody,
    /// As it was before anything was read.
    size: SizeHint,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    limit: usize,
    trailers: Option<HeaderMap>,
    ended: bool,
    /// More was read than may be kept. Nothing is kept any more.
    overflowed: bool,
    /// The attempt that may read.
    attempt: u32,
}

impl Replay {
    /// Keeps up to `limit` bytes of `source`.
    pub(crate) fn new(source: RequestBody, limit: usize) -> Self {
        let ended = source.is_end_stream();
        let size = source.size_hint();
        Self(Rc::new(RefCell::new(Shared {
            source,
            size,
            kept: Vec::new(),
            kept_bytes: 0,
            limit,
            trailers: None,
            ended,
            overflowed: false,
            attempt: 0,
        })))
    }

    /// Whether another attempt can have the whole body.
    pub(crate) fn is_possible(&self) -> bool {
        !self.0.borrow().overflowed
    }

    /// The body for the next attempt. The body of the former attempt fails from now on.
    pub(crate) fn next(&self) -> RequestBody {
        let attempt = {
            let mut shared = self.0.borrow_mut();
            shared.attempt += 1;
            shared.attempt
        };
        RequestBody::replayed(Attempt { shared: Rc::clone(&self.0), attempt, next: 0, trailers_sent: false })
    }
}

/// The body of one attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    shared: Rc<RefCell<Shared>>,
    attempt: u32,
    /// Index of the next chunk among those kept.
    next: usize,
    trailers_sent: bool,
}

impl Attempt {
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.shared.borrow_mut();
        if shared.attempt != self.attempt {
            return Poll::Ready(Some(Err("another attempt has taken over".into())));
        }
        if let Some(chunk) = shared.kept.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(chunk.clone()))));
        }
        if shared.ended {
            let trailers = if self.trailers_sent { None } else { shared.trailers.clone() };
            self.trailers_sent = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let frame = ready!(Pin::new(&mut shared.source).poll_frame(context));
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).cloned();
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref()).cloned();
        if let Some(data) = data {
            self.next += 1;
            shared.keep(data);
        } else if trailers.is_some() {
            self.trailers_sent = true;
            shared.trailers = trailers;
        }
        shared.ended = frame.is_none() || shared.source.is_end_stream();
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let shared = self.shared.borrow();
        let all_data = shared.overflowed || self.next >= shared.kept.len();
        shared.ended && all_data && (self.trailers_sent || shared.trailers.is_none())
    }

    /// What is left for this attempt to send; exact only as long as nothing was sent.
    pub(super) fn size_hint(&self) -> SizeHint {
        let shared = self.shared.borrow();
        match self.next {
            0 => shared.size,
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

impl Shared {
    fn keep(&mut self, data: Bytes) {
        self.kept_bytes += data.len();
        if self.overflowed || self.kept_bytes > self.limit {
            self.overflowed = true;
            self.kept = Vec::new();
        } else {
            self.kept.push(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn each_attempt_has_the_whole_body() {
        let replay = Replay::new(RequestBody::full(Bytes::from_static(b"abc")), 3);
        for _ in 0..3 {
            assert!(replay.is_possible());
            let body = replay.next();
            assert_eq!(body.size_hint().exact(), Some(3));
            assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_cap_is_sent_once() {
        let replay = Replay::new(RequestBody::full(Bytes::from_static(b"abcd")), 3);
        assert_eq!(replay.next().collect().await.unwrap().to_bytes(), "abcd");
        assert!(!replay.is_possible());
    }

    #[tokio::test]
    async fn a_former_attempt_reads_no_more() {
        let replay = Replay::new(RequestBody::full(Bytes::from_static(b"abc")), 3);
        let former = replay.next();
        let latter = replay.next();
        assert!(former.collect().await.is_err());
        assert_eq!(latter.collect().await.unwrap().to_bytes(), "abc");
    }
}
