//! Gives the memory of connections back to the system when most of them have ended.
//!
//! The allocator gives freed memory back while it is being used. After a peak of load a worker may be used so little that
//! it would hold on to what the peak took for hours.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;

/// Fewer connections than these at once are no peak: what they take is not worth the work.
const LEAST_PEAK: usize = 16;
/// From the moment that half of the connections of a peak are gone until the memory is given back: the others are likely
/// to end as well, or new ones to come.
const PAUSE: Duration = Duration::from_millis(200);

/// Follows the number of open connections of a worker.
#[derive(Debug, Default)]
pub(super) struct Ebb {
    peak: Cell<usize>,
    has_come: Notify,
}

impl Ebb {
    pub(super) fn rose_to(&self, open: usize) {
        self.peak.set(self.peak.get().max(open));
    }

    pub(super) fn fell_to(&self, open: usize) {
        if self.is_ebb(open) {
            self.has_come.notify_one();
        }
    }

    fn is_ebb(&self, open: usize) -> bool {
        self.peak.get() >= LEAST_PEAK && open <= self.peak.get() / 2
    }

    /// Calls `give_back` after each peak; `open` tells how many connections are open. Does not end.
    pub(super) async fn after_each(&self, open: &Cell<usize>, give_back: impl Fn()) {
        loop {
            self.has_come.notified().await;
            tokio::time::sleep(PAUSE).await;
            if self.is_ebb(open.get()) {
                self.peak.set(open.get());
                give_back();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// Lets the number of connections go through `numbers`, two pauses apart; returns how often memory was given back.
    async fn given_back_after(numbers: &[usize]) -> usize {
        let local = tokio::task::LocalSet::new();
        let (ebb, open, given) = (Rc::new(Ebb::default()), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let task = (Rc::clone(&ebb), Rc::clone(&open), Rc::clone(&given));
        local.spawn_local(async move {
            let (ebb, open, given) = task;
            ebb.after_each(&open, || given.set(given.get() + 1)).await;
        });
        local
            .run_until(async {
                for number in numbers {
                    while open.get() < *number {
                        open.set(open.get() + 1);
                        ebb.rose_to(open.get());
                    }
                    while open.get() > *number {
                        open.set(open.get() - 1);
                        ebb.fell_to(open.get());
                    }
                    tokio::time::sleep(PAUSE * 2).await;
                }
                given.get()
            })
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_once_after_a_peak() {
        assert_eq!(given_back_after(&[64, 32]).await, 1, "half of them have gone");
        assert_eq!(given_back_after(&[64, 0, 1, 0, 2, 1]).await, 1, "no peak since");
        assert_eq!(given_back_after(&[64, 0, 64, 0]).await, 2, "after each peak");
        assert_eq!(given_back_after(&[64, 33]).await, 0, "most are there");
        assert_eq!(given_back_after(&[15, 0]).await, 0, "no peak");
    }
}
