//! Pauses between attempts to watch.
//!
//! kube's own grow to half a minute, and each watch has its own: after an absence of the API server, one kind of object
//! would come a minute after another. These grow to two seconds; a few requests a second are nothing to an API server.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use kube::runtime::utils::Backoff;

use crate::limits::{WATCH_PAUSE, WATCH_PAUSE_MAX};

/// Pauses that grow, each up to a quarter shorter by chance, so that not all watches come at once.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
    chance: RandomState,
}

impl Pauses {
    /// Begins with the shortest.
    pub(crate) fn new() -> Self {
        Self { next: WATCH_PAUSE, chance: RandomState::new() }
    }

    /// The next one.
    pub(crate) fn draw(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(WATCH_PAUSE_MAX);
        let mut hasher = self.chance.build_hasher();
        hasher.write_u128(pause.as_nanos());
        self.chance = RandomState::new();
        let shorter = u32::from(hasher.finish().to_be_bytes()[0]);
        pause - pause * shorter / (4 * 256)
    }

    /// Goes back to the shortest.
    pub(crate) fn begin_again(&mut self) {
        self.next = WATCH_PAUSE;
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.draw())
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.begin_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_begin_again() {
        let mut pauses = Pauses::new();
        let taken: Vec<_> = pauses.by_ref().take(8).collect();
        let mut full = WATCH_PAUSE;
        for pause in taken {
            assert!(pause <= full && pause >= full * 3 / 4, "{pause:?} of {full:?}");
            full = (full * 2).min(WATCH_PAUSE_MAX);
        }
        pauses.reset();
        assert!(pauses.next().unwrap() <= WATCH_PAUSE);
    }
}
