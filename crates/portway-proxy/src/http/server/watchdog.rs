//! Ends connections that only take up room: idle ones, and those that send a head too slowly.
//!
//! There is one timer for each connection, and it is moved only when it fires or when a head comes in
//! pieces; a request on a busy connection costs nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::ClientConnection;

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// It had no request for too long.
    Idle,
    /// A head was not complete in time.
    Head,
}

/// Watches one connection.
pub(super) struct Watchdog {
    sleep: Pin<Box<Sleep>>,
    /// Since when a part of a head has been there.
    head_since: Option<Instant>,
    head_timeout: Duration,
    idle_timeout: Duration,
}

impl Watchdog {
    pub(super) fn new(connection: &ClientConnection) -> Self {
        let limits = &connection.worker.limits;
        Self {
            // A connection that never asks is given as long as one that asks slowly.
            sleep: Box::pin(sleep_until(Instant::now() + limits.request_header_timeout)),
            head_since: None,
            head_timeout: limits.request_header_timeout,
            idle_timeout: limits.downstream_idle_timeout,
        }
    }

    /// To be called after hyper has done all that it can.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, connection: &ClientConnection) -> Poll<Expired> {
        self.watch_head(connection);
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let now = Instant::now();
            let (deadline, expired) = self.deadline(now, connection);
            if now >= deadline {
                return Poll::Ready(expired);
            }
            self.sleep.as_mut().reset(deadline);
        }
    }

    fn watch_head(&mut self, connection: &ClientConnection) {
        match (connection.has_partial_head(), self.head_since) {
            (true, None) => {
                let now = Instant::now();
                self.head_since = Some(now);
                if self.sleep.deadline() > now + self.head_timeout {
                    self.sleep.as_mut().reset(now + self.head_timeout);
                }
            }
            (false, Some(_)) => self.head_since = None,
            _ => {}
        }
    }

    fn deadline(&self, now: Instant, connection: &ClientConnection) -> (Instant, Expired) {
        match (connection.idle_since(), self.head_since) {
            (None, _) => (now + self.idle_timeout, Expired::Idle),
            (Some(_), Some(since)) => (since + self.head_timeout, Expired::Head),
            (Some(since), None) if connection.has_served() => (since + self.idle_timeout, Expired::Idle),
            (Some(since), None) => (since + self.head_timeout, Expired::Head),
        }
    }
}
