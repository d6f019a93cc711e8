//! The stream of one proxy, as the publisher sees it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use portway_config::{NamespacedName, Revision};
use tokio::sync::{oneshot, watch};

use super::gateway::Changes;
use super::{Gateway, GatewayAcknowledgements, ProxyAcknowledgement, Publisher, Stream};
use crate::refusal::Refusal;

/// The stream of one proxy. It counts as connected until this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    publisher: Publisher,
    gateway: NamespacedName,
    pod: Arc<str>,
    id: u64,
    /// What is published; changes when there is something to be sent.
    pub(crate) revision: watch::Receiver<Option<Revision>>,
    /// Resolves when the pod has begun another stream.
    pub(crate) superseded: oneshot::Receiver<Infallible>,
}

impl Publisher {
    /// Begins a stream. An earlier one of the same pod ends: the proxy has given it up.
    pub(crate) fn connect(&self, gateway: &NamespacedName, pod: Arc<str>) -> Connection {
        let mut gateways = self.lock();
        let state = gateways.entry(gateway.clone()).or_insert_with(|| Gateway::new(self.0.first));
        state.streams.retain(|_, stream| stream.pod != pod);
        let id = state.next_stream;
        state.next_stream += 1;
        let (end, superseded) = oneshot::channel();
        state.streams.insert(id, Stream { pod: Arc::clone(&pod), sent: None, _end: end });
        let revision = state.revision.subscribe();
        let now = (self.0.clock)();
        self.0.acknowledgements.send_modify(|told| {
            let of_gateway = Arc::make_mut(told).gateways.entry(gateway.clone()).or_default();
            let of_gateway: &mut GatewayAcknowledgements = Arc::make_mut(of_gateway);
            of_gateway.revision = state.revision();
            of_gateway.proxies.insert(Arc::clone(&pod), ProxyAcknowledgement::new(now));
        });
        drop(gateways);
        Connection { publisher: self.clone(), gateway: gateway.clone(), pod, id, revision, superseded }
    }
}

impl Connection {
    /// What the proxy must be told, given the versions that it has by type and name; None until the Gateway is
    /// published. From now on it counts as told.
    pub(crate) fn beyond(&mut self, has: HashMap<(&'static str, String), String>) -> Option<Changes> {
        self.take(|gateway| Some(gateway.published.as_ref()?.beyond(has)))
    }

    /// What the proxy must be told after `revision`. From now on it counts as told.
    pub(crate) fn since(&mut self, revision: Revision) -> Option<Changes> {
        self.take(|gateway| Some(gateway.published.as_ref()?.since(revision)))
    }

    fn take(&mut self, changes: impl FnOnce(&Gateway) -> Option<Changes>) -> Option<Changes> {
        self.revision.mark_unchanged();
        let mut gateways = self.publisher.lock();
        let gateway = gateways.get_mut(&self.gateway)?;
        let changes = changes(gateway)?;
        gateway.streams.get_mut(&self.id)?.sent = Some(changes.revision);
        gateway.forget_removed();
        drop(gateways);
        let now = (self.publisher.0.clock)();
        self.tell(|proxy| {
            proxy.sent = Some((changes.revision, now));
            // That something is under way is no news; what comes of it is.
            false
        });
        Some(changes)
    }

    /// Goes on from the revision that the proxy is at, if that is ahead by no more than `lead`: a revision never
    /// goes back. A proxy whose number is out of all reason could leave no room for later ones.
    pub(crate) fn go_on_from(&self, revision: Revision, lead: u64) {
        let mut gateways = self.publisher.lock();
        let Some(gateway) = gateways.get_mut(&self.gateway) else { return };
        let current = gateway.revision().unwrap_or(gateway.first);
        if revision < current || revision == current && gateway.published.is_some() {
            return;
        }
        if revision.0.saturating_sub(current.0) > lead {
            tracing::warn!(
                "proxy {} of Gateway {} is at revision {revision}, which is too far beyond {current} to go on from",
                self.pod,
                self.gateway
            );
            return;
        }
        let next = Revision(revision.0.saturating_add(1));
        match &mut gateway.published {
            Some(published) => published.raise(next),
            None => gateway.first = next,
        }
        gateway.announce();
        self.publisher.tell(&gateways);
    }

    /// Notes what the proxy has answered: to `acknowledged`, if to anything, and all that it refuses.
    pub(crate) fn answered(&self, acknowledged: Option<Revision>, refused: Vec<Refusal>) {
        let now = (self.publisher.0.clock)();
        self.tell(|proxy| {
            let mut is_new = proxy.refuse(refused, now);
            if let Some(revision) = acknowledged {
                is_new |= proxy.acknowledged.is_none_or(|(before, _)| before != revision);
                proxy.acknowledged = Some((revision, now));
            }
            is_new
        });
    }

    fn tell(&self, change: impl FnOnce(&mut ProxyAcknowledgement) -> bool) {
        let gateways = self.publisher.lock();
        let is_ours = |gateway: &Gateway| gateway.streams.contains_key(&self.id);
        if !gateways.get(&self.gateway).is_some_and(is_ours) {
            return;
        }
        self.publisher.0.acknowledgements.send_if_modified(|told| {
            let of_gateway = Arc::make_mut(told).gateways.get_mut(&self.gateway);
            let proxy = of_gateway.and_then(|it| Arc::make_mut(it).proxies.get_mut(&self.pod));
            proxy.is_some_and(change)
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut gateways = self.publisher.lock();
        let Some(gateway) = gateways.get_mut(&self.gateway) else { return };
        if gateway.streams.remove(&self.id).is_none() {
            // The pod has another stream.
            return;
        }
        gateway.forget_removed();
        let is_needed = gateway.is_needed();
        if !is_needed {
            gateways.remove(&self.gateway);
        }
        self.publisher.0.acknowledgements.send_modify(|told| {
            let told = Arc::make_mut(told);
            if !is_needed {
                told.gateways.remove(&self.gateway);
            } else if let Some(of_gateway) = told.gateways.get_mut(&self.gateway) {
                Arc::make_mut(of_gateway).proxies.remove(&self.pod);
            }
        });
    }
}
