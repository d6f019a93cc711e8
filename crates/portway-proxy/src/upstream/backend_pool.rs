//! The endpoints of one backend as one worker sees them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use portway_config::EndpointAddress;
use tokio::sync::Notify;

use crate::limits::Limits;
use crate::reason::Reason;

use super::backends::Backend;
use super::endpoint_pool::{ConnectionSlot, EndpointPool};
use super::error::UpstreamError;
use super::pools::Wanted;
use super::retry_budget::RetryBudget;

/// Up to this number of endpoints all are compared; beyond it, two are drawn and the better is taken.
const COMPARE_ALL: usize = 16;

/// The endpoints of one backend as one worker sees them.
#[derive(Debug)]
pub(super) struct BackendPool {
    generation: Cell<u64>,
    endpoints: RefCell<Vec<Rc<EndpointPool>>>,
    cursor: Cell<usize>,
    used: Rc<Cell<usize>>,
    waiting: Cell<usize>,
    freed: Rc<Notify>,
    pub(super) retries: RetryBudget,
    pub(super) last_used: Cell<Instant>,
}

impl BackendPool {
    pub(super) fn new(limits: &Limits, seed: usize, now: Instant) -> Rc<Self> {
        Rc::new(Self {
            generation: Cell::new(0),
            endpoints: RefCell::default(),
            cursor: Cell::new(seed),
            used: Rc::default(),
            waiting: Cell::new(0),
            freed: Rc::default(),
            retries: RetryBudget::new(limits, now),
            last_used: Cell::new(now),
        })
    }

    /// Takes over the endpoints of a newer snapshot. Those that stay keep their connections.
    pub(super) fn update(&self, backend: &Backend, limits: &Limits) {
        if backend.generation <= self.generation.get() {
            return;
        }
        self.generation.set(backend.generation);
        let mut endpoints = self.endpoints.borrow_mut();
        let mut old = std::mem::take(&mut *endpoints);
        for address in &backend.endpoints {
            let kept = old.iter().position(|it| it.address == *address).map(|index| old.swap_remove(index));
            endpoints.push(
                kept.unwrap_or_else(|| EndpointPool::new(address.clone(), limits.upstream_idle_connections)),
            );
        }
        old.iter().for_each(|gone| gone.remove());
    }

    /// The endpoint that is preferred, if it may be had. Else the one with the fewest requests under way; those
    /// that failed of late or are to be avoided come last. Equals take turns.
    pub(super) fn choose(&self, wanted: Wanted<'_>, now: Instant) -> Option<Rc<EndpointPool>> {
        let endpoints = self.endpoints.borrow();
        let count = endpoints.len();
        let rank = |endpoint: &EndpointPool| {
            let avoided =
                matches!(endpoint.address, EndpointAddress::Socket(it) if wanted.avoid.contains(&it));
            (avoided, endpoint.is_ejected(now), endpoint.active())
        };
        if let Some(preferred) = wanted.prefer {
            let found = endpoints.iter().find(|it| it.address == *preferred);
            let may_be_had = |it: &&Rc<EndpointPool>| matches!(rank(it), (false, false, _));
            if let Some(found) = found.filter(may_be_had) {
                return Some(Rc::clone(found));
            }
        }
        let turn = self.cursor.get();
        self.cursor.set(turn.wrapping_add(1));
        let (first, compared) =
            if count <= COMPARE_ALL { (turn, count) } else { (turn.wrapping_mul(0x9E37_79B9), 2) };
        let step = if count <= COMPARE_ALL { 1 } else { 1 + turn % (count - 1) };
        (0..compared)
            .filter_map(|nth| endpoints.get(first.wrapping_add(nth * step).checked_rem(count)?))
            .min_by_key(|endpoint| rank(endpoint))
            .cloned()
    }

    /// Takes one of the requests that may be under way at once; waits for one in a queue that has
    /// an end itself.
    pub(super) async fn slot(&self, limits: &Limits) -> Result<ConnectionSlot, UpstreamError> {
        if self.used.get() >= limits.upstream_connections {
            self.wait_for_slot(limits).await?;
        }
        self.used.set(self.used.get() + 1);
        Ok(ConnectionSlot { used: Rc::clone(&self.used), freed: Rc::clone(&self.freed) })
    }

    async fn wait_for_slot(&self, limits: &Limits) -> Result<(), UpstreamError> {
        let overload = || {
            UpstreamError::new(
                Reason::Overload,
                format_args!(
                    "{} requests under way and {} waiting for this backend",
                    self.used.get(),
                    self.waiting.get()
                ),
            )
        };
        if self.waiting.get() >= limits.upstream_pending {
            return Err(overload());
        }
        let _waiting = Waiting::new(&self.waiting);
        let freed = async {
            while self.used.get() >= limits.upstream_connections {
                self.freed.notified().await;
            }
        };
        tokio::time::timeout(limits.connect_timeout, freed).await.map_err(|_| overload())
    }

    /// Closes idle connections; returns whether the pool itself is of no more use.
    pub(super) fn sweep(&self, now: Instant, idle_timeout: Duration, forget_after: Duration) -> bool {
        self.endpoints.borrow().iter().for_each(|endpoint| endpoint.sweep(now, idle_timeout));
        self.used.get() == 0
            && self.waiting.get() == 0
            && now.saturating_duration_since(self.last_used.get()) >= forget_after
    }
}

/// Counts who waits for a slot, also when the wait is given up.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
