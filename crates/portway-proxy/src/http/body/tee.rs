//! A body with copies: the backend's pace rules, a copy that lags too far behind is given up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{BodyError, RequestBody};

/// A body that is copied as it is read.
#[derive(Debug)]
pub(super) struct Tee {
    pub(super) source: RequestBody,
    copies: Vec<Rc<RefCell<Queue>>>,
}

/// A copy of a body.
#[derive(Debug)]
pub(super) struct BodyCopy {
    queue: Rc<RefCell<Queue>>,
    /// Of the original, before anything was read.
    size: SizeHint,
    begun: bool,
}

/// What was read of the original and not yet of the copy.
#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    limit: usize,
    trailers: Option<HeaderMap>,
    end: Option<End>,
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    /// The original broke off, or the copy lagged behind.
    GivenUp,
}

impl RequestBody {
    /// Makes copies of the body, each of which may lag behind by `limit` bytes.
    pub(crate) fn copied(self, count: usize, limit: usize) -> (Self, Vec<Self>) {
        if count == 0 || self.is_end_stream() {
            return (self, (0..count).map(|_| Self::empty()).collect());
        }
        let size = self.size_hint();
        let queues: Vec<_> =
            (0..count).map(|_| Rc::new(RefCell::new(Queue { limit, ..Queue::default() }))).collect();
        let copy = |queue: &Rc<_>| BodyCopy { queue: Rc::clone(queue), size, begun: false };
        let copies = queues.iter().map(|queue| Self::copy(copy(queue))).collect();
        (Self::tee(Tee { source: self, copies: queues }), copies)
    }
}

impl Tee {
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.source).poll_frame(context));
        for copy in &self.copies {
            copy.borrow_mut().take(frame.as_ref().map(Result::as_ref));
        }
        if self.source.is_end_stream() {
            self.end(End::Complete);
        }
        Poll::Ready(frame)
    }

    fn end(&self, end: End) {
        self.copies.iter().for_each(|copy| copy.borrow_mut().end(end));
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.end(End::GivenUp);
    }
}

impl Queue {
    fn take(&mut self, frame: Option<Result<&Frame<Bytes>, &BodyError>>) {
        match frame {
            None => self.end(End::Complete),
            Some(Err(_)) => self.end(End::GivenUp),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.push(data);
                } else if let Some(trailers) = frame.trailers_ref() {
                    self.trailers = Some(trailers.clone());
                }
            }
        }
    }

    fn push(&mut self, data: &Bytes) {
        if self.end.is_some() {
            return;
        }
        if self.bytes + data.len() > self.limit {
            self.chunks.clear();
            self.bytes = 0;
            self.end(End::GivenUp);
        } else {
            self.bytes += data.len();
            self.chunks.push_back(data.clone());
            self.wake();
        }
    }

    /// The first end stays.
    fn end(&mut self, end: End) {
        if self.end.is_none() {
            self.end = Some(end);
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl BodyCopy {
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.begun = true;
        let mut queue = self.queue.borrow_mut();
        if let Some(chunk) = queue.chunks.pop_front() {
            queue.bytes -= chunk.len();
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match queue.end {
            None => {
                queue.reader = Some(context.waker().clone());
                Poll::Pending
            }
            Some(End::Complete) => {
                Poll::Ready(queue.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Some(End::GivenUp) => Poll::Ready(Some(Err("the copy was given up".into()))),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let queue = self.queue.borrow();
        queue.chunks.is_empty() && queue.trailers.is_none() && queue.end == Some(End::Complete)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        if self.begun { SizeHint::default() } else { self.size }
    }
}

impl Drop for BodyCopy {
    fn drop(&mut self) {
        // Nobody reads any more, so nothing needs to be kept.
        let mut queue = self.queue.borrow_mut();
        queue.chunks.clear();
        queue.bytes = 0;
        queue.end = Some(End::GivenUp);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn original() -> RequestBody {
        RequestBody::full(Bytes::from_static(b"abc"))
    }

    #[tokio::test]
    async fn copies_are_equal() {
        let (original, copies) = original().copied(2, 3);
        assert_eq!(original.size_hint().exact(), Some(3));
        assert_eq!(original.collect().await.unwrap().to_bytes(), "abc");
        for copy in copies {
            assert_eq!(copy.size_hint().exact(), Some(3));
            assert_eq!(copy.collect().await.unwrap().to_bytes(), "abc");
        }
    }

    #[tokio::test]
    async fn a_copy_that_lags_is_given_up_and_the_original_is_not() {
        let (original, mut copies) = original().copied(1, 2);
        assert_eq!(original.collect().await.unwrap().to_bytes(), "abc");
        assert!(copies.remove(0).collect().await.is_err());
    }

    #[tokio::test]
    async fn a_copy_breaks_off_with_the_original() {
        let (original, mut copies) = original().copied(1, 3);
        drop(original);
        assert!(copies.remove(0).collect().await.is_err());
    }

    #[tokio::test]
    async fn a_copy_waits_for_the_original() {
        let (original, mut copies) = original().copied(1, 3);
        let copy = copies.remove(0);
        let (copy, ()) = tokio::join!(copy.collect(), async {
            tokio::task::yield_now().await;
            original.collect().await.unwrap();
        });
        assert_eq!(copy.unwrap().to_bytes(), "abc");
    }
}
