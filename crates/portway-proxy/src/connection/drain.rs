//! Telling connections to end when their current requests have.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// Tells a connection that it should end when its current requests have.
///
/// It follows the socket that accepted the connection and, for TLS, also the listener that the handshake
/// was made for: whichever goes away first ends the connection. Cheap to clone; it stays on its thread.
#[derive(Clone, Debug)]
pub struct DrainSignal {
    socket: Rc<Drain>,
    listener: Option<Rc<Drain>>,
}

impl DrainSignal {
    /// A signal that never comes.
    pub fn never() -> Self {
        DrainTrigger::default().signal()
    }

    /// Waits until the connection should end. Never returns while it need not.
    pub async fn drained(&mut self) {
        match &self.listener {
            None => self.socket.wait().await,
            Some(listener) => tokio::select! {
                () = self.socket.wait() => {}
                () = listener.wait() => {}
            },
        }
    }

    /// Whether the connection should end.
    pub fn is_draining(&self) -> bool {
        self.socket.begun.get() || self.listener.as_ref().is_some_and(|listener| listener.begun.get())
    }

    /// The same signal, which also comes when `listener` is triggered.
    pub(crate) fn or(self, listener: &DrainTrigger) -> Self {
        Self { listener: Some(Rc::clone(&listener.0)), ..self }
    }
}

/// Gives the signal. Dropping it without a trigger leaves its signals silent for good.
#[derive(Clone, Debug, Default)]
pub struct DrainTrigger(Rc<Drain>);

impl DrainTrigger {
    /// A signal that this trigger gives.
    pub fn signal(&self) -> DrainSignal {
        DrainSignal { socket: Rc::clone(&self.0), listener: None }
    }

    /// Gives the signal, once and for all.
    pub fn drain(&self) {
        self.0.begun.set(true);
        let waiting = self.0.waiting.take();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

#[derive(Default)]
struct Drain {
    begun: Cell<bool>,
    waiting: RefCell<Slab<Waker>>,
}

impl Drain {
    fn wait(&self) -> Waiting<'_> {
        Waiting { drain: self, key: None }
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("begun", &self.begun.get()).finish_non_exhaustive()
    }
}

/// One who waits. Connections poll this each time they are woken for anything, so it must cost next to
/// nothing: no lock, and no new waker while the task stays the same.
struct Waiting<'a> {
    drain: &'a Drain,
    key: Option<usize>,
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let drain = self.drain;
        if drain.begun.get() {
            return Poll::Ready(());
        }
        let mut waiting = drain.waiting.borrow_mut();
        match self.key.and_then(|key| waiting.get_mut(key)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.key = Some(waiting.insert(context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // After the signal nobody is added, so the key cannot be another's.
            self.drain.waiting.borrow_mut().try_remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn waits_until_triggered_and_stays_triggered() {
        let trigger = DrainTrigger::default();
        let mut signal = trigger.signal();
        assert!(signal.drained().now_or_never().is_none());
        trigger.drain();
        assert!(signal.is_draining());
        assert!(signal.drained().now_or_never().is_some());
        assert!(trigger.signal().drained().now_or_never().is_some());
    }

    #[test]
    fn either_source_is_enough() {
        let (socket, listener) = (DrainTrigger::default(), DrainTrigger::default());
        let mut signal = socket.signal().or(&listener);
        assert!(signal.drained().now_or_never().is_none());
        listener.drain();
        assert!(signal.drained().now_or_never().is_some());
        assert!(!socket.signal().is_draining());
    }

    #[tokio::test]
    async fn wakes_who_waits() {
        let trigger = DrainTrigger::default();
        let mut signal = trigger.signal();
        tokio::join!(signal.drained(), async { trigger.drain() });
        assert!(DrainSignal::never().drained().now_or_never().is_none());
    }
}
