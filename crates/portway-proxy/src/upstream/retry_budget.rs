//! How many retries a backend may get: a share of its requests, so that retries cannot multiply an
//! outage (GEP-3388).

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::limits::Limits;

/// Parts that the interval is counted in; the window moves by one of them at a time.
const SLOTS: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    requests: u32,
    retries: u32,
}

#[derive(Debug)]
struct Window {
    slots: [Slot; SLOTS],
    current: usize,
    since: Instant,
}

/// Counts requests and retries of one backend over a moving interval.
#[derive(Debug)]
pub(super) struct RetryBudget {
    percent: u64,
    least: u64,
    slot: Duration,
    window: RefCell<Window>,
}

impl RetryBudget {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let interval = limits.retry_budget_interval.max(Duration::from_millis(SLOTS as u64));
        let least = u64::from(limits.retry_budget_min_per_second) * interval.as_millis() as u64 / 1000;
        Self {
            percent: u64::from(limits.retry_budget_percent),
            least,
            slot: interval / SLOTS as u32,
            window: RefCell::new(Window { slots: [Slot::default(); SLOTS], current: 0, since: now }),
        }
    }

    /// Counts a first attempt.
    pub(super) fn request(&self, now: Instant) {
        let mut window = self.window.borrow_mut();
        window.advance(now, self.slot);
        window.slot().requests += 1;
    }

    /// Whether one more retry is within the budget; it is counted if so.
    pub(super) fn try_retry(&self, now: Instant) -> bool {
        let mut window = self.window.borrow_mut();
        window.advance(now, self.slot);
        let (requests, retries) = window.sums();
        let allowed = (requests * self.percent / 100).max(self.least);
        let permitted = retries < allowed;
        if permitted {
            window.slot().retries += 1;
        }
        permitted
    }
}

impl Window {
    fn advance(&mut self, now: Instant, slot: Duration) {
        let mut steps = 0;
        while now.saturating_duration_since(self.since) >= slot {
            self.since += slot;
            self.current = (self.current + 1) % SLOTS;
            *self.slot() = Slot::default();
            steps += 1;
            if steps > SLOTS {
                self.since = now;
            }
        }
    }

    fn slot(&mut self) -> &mut Slot {
        // `current` is always taken modulo SLOTS.
        &mut self.slots[self.current]
    }

    fn sums(&self) -> (u64, u64) {
        self.slots.iter().fold((0, 0), |(requests, retries), slot| {
            (requests + u64::from(slot.requests), retries + u64::from(slot.retries))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(now: Instant) -> RetryBudget {
        RetryBudget::new(&Limits::default(), now)
    }

    #[test]
    fn a_quiet_backend_gets_the_least_number() {
        let now = Instant::now();
        let budget = budget(now);
        let granted = (0..1000).filter(|_| budget.try_retry(now)).count();
        assert_eq!(granted, 100, "10 a second over 10 seconds");
    }

    #[test]
    fn a_busy_backend_gets_its_share() {
        let now = Instant::now();
        let budget = budget(now);
        (0..10_000).for_each(|_| budget.request(now));
        let granted = (0..10_000).filter(|_| budget.try_retry(now)).count();
        assert_eq!(granted, 2000, "20 % of the requests");
    }

    #[test]
    fn the_past_is_forgotten() {
        let now = Instant::now();
        let budget = budget(now);
        while budget.try_retry(now) {}
        assert!(!budget.try_retry(now + Duration::from_secs(9)));
        assert!(budget.try_retry(now + Duration::from_secs(11)));
        assert!(budget.try_retry(now + Duration::from_secs(100_000)));
    }
}
