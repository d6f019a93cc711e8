//! Notices when a body does not move.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Notices when a body does not move for a time. A timer is made only when one has to wait, and is not
/// touched by each frame: what expires is a period in which nothing moved, so that a stream ends after
/// one to two times the timeout.
#[derive(Debug)]
pub(super) struct IdleTimer {
    timeout: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    moved: bool,
}

impl IdleTimer {
    /// A timeout of zero never expires.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, sleep: None, moved: false }
    }

    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// To be called while the body waits: ready when it has waited for too long.
    pub(super) fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.timeout.is_zero() {
            return Poll::Pending;
        }
        let timeout = self.timeout;
        let timer = self.sleep.get_or_insert_with(|| Box::pin(sleep(timeout)));
        while timer.as_mut().poll(context).is_ready() {
            if !std::mem::take(&mut self.moved) {
                return Poll::Ready(());
            }
            timer.as_mut().reset(tokio::time::Instant::now() + timeout);
        }
        Poll::Pending
    }
}
