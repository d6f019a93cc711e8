//! What the admin server tells of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use portway_proxy::observe::Observer;

use crate::standalone::Published;

/// What the admin server tells of. Written by the one who serves, read by whoever asks.
#[derive(Debug)]
pub(crate) struct AdminState {
    published: RwLock<Option<Arc<Published>>>,
    draining: AtomicBool,
    observer: Arc<Observer>,
}

/// Whether requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// No configuration is served yet.
    Starting,
    Ready,
    /// No new connections are accepted.
    Draining,
}

impl AdminState {
    /// Nothing is served yet.
    pub(crate) fn new(observer: Arc<Observer>) -> Self {
        Self { published: RwLock::new(None), draining: AtomicBool::new(false), observer }
    }

    /// What is served.
    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells of this from now on.
    pub(crate) fn publish(&self, published: Arc<Published>) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(published);
    }

    /// From now on, requests should be sent elsewhere.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn readiness(&self) -> Readiness {
        if self.draining.load(Ordering::Relaxed) {
            Readiness::Draining
        } else if self.published().is_none() {
            Readiness::Starting
        } else {
            Readiness::Ready
        }
    }

    pub(super) fn metrics(&self) -> String {
        self.observer.metrics()
    }
}
