//! What the admin server tells of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use portway_config::network_policy::PolicyFacts;
use portway_proxy::observe::Observer;
use prometheus_client::collector::Collector;
use tokio::sync::watch;

use super::exposition::exposition;
use crate::agent_mode::{AnnouncedAddress, Guarding, PolicyReport, Seen};
use crate::kernel_path::{KernelPath, KernelReport, ListenerPath};
use crate::standalone::Published;

/// What the admin server tells of. Written by the one who serves, read by whoever asks.
#[derive(Debug)]
pub(crate) struct AdminState {
    published: RwLock<Option<Arc<Published>>>,
    draining: AtomicBool,
    observer: Arc<Observer>,
    kernel_path: Option<KernelPath>,
    announcements: Option<watch::Receiver<Seen>>,
    policy: Option<Guarding>,
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
        Self {
            published: RwLock::new(None),
            draining: AtomicBool::new(false),
            observer,
            kernel_path: None,
            announcements: None,
            policy: None,
        }
    }

    /// Tells of what the kernel serves as well.
    pub(crate) fn with_kernel_path(self, kernel_path: KernelPath) -> Self {
        Self { kernel_path: Some(kernel_path), ..self }
    }

    /// Tells of who announces addresses as well.
    pub(crate) fn with_announcements(self, announcements: watch::Receiver<Seen>) -> Self {
        Self { announcements: Some(announcements), ..self }
    }

    /// Tells of network policies as well.
    pub(crate) fn with_policy(self, policy: Guarding) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// What network policies do.
    pub(super) fn policy(&self) -> Option<PolicyReport> {
        self.policy.as_ref().map(Guarding::report)
    }

    /// What network policies are made of, where they are enforced.
    pub(super) fn policy_facts(&self) -> Option<PolicyFacts> {
        self.policy.as_ref().map(Guarding::facts)
    }

    /// Addresses of Gateways, and the nodes that announce them.
    pub(super) fn announced(&self) -> Vec<AnnouncedAddress> {
        self.announcements.as_ref().map(|it| it.borrow().addresses.clone()).unwrap_or_default()
    }

    /// The way of each TCP and UDP listener.
    pub(super) fn paths(&self) -> Vec<ListenerPath> {
        self.kernel_path.as_ref().map(KernelPath::paths).unwrap_or_default()
    }

    /// What stands in the kernel.
    pub(super) fn kernel(&self) -> Option<KernelReport> {
        self.kernel_path.as_ref()?.report()
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
        let of_kernel = self.kernel_path.as_ref().and_then(KernelPath::counted);
        let of_kernel = of_kernel.map(|it| Box::new(it) as Box<dyn Collector>);
        let announced = self.announcements.as_ref().map(|it| it.borrow().clone());
        let announced = announced.map(|it| Box::new(it) as Box<dyn Collector>);
        let of_policy = self.policy.as_ref().map(Guarding::counted);
        let of_agent = [of_kernel, announced, of_policy].into_iter().flatten();
        exposition([self.observer.counted()].into_iter().chain(of_agent))
    }
}
