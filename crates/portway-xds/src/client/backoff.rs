//! How long to wait before connecting again.

use std::time::Duration;

use crate::limits::Limits;

/// Doubles from try to try, with full jitter.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(limits: &Limits) -> Self {
        let (first, max) = (limits.reconnect_backoff, limits.reconnect_backoff_max);
        Self { first, max, next: first }
    }

    /// `random`: at least 0 and less than 1.
    pub(super) fn next(&mut self, random: f64) -> Duration {
        let wait = self.next.mul_f64(random.clamp(0.0, 1.0));
        self.next = self.next.saturating_mul(2).min(self.max);
        wait
    }

    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}
