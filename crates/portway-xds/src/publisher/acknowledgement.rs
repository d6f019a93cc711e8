//! What the proxies have made of what was published.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use portway_config::{NamespacedName, Revision};

use crate::refusal::Refusal;
use crate::resource::ResourceKey;

/// What the connected proxies have made of what was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgements {
    /// By Gateway: those that are published or have proxies.
    pub gateways: BTreeMap<NamespacedName, Arc<GatewayAcknowledgements>>,
}

/// Of one Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayAcknowledgements {
    /// What is published; None until something is.
    pub revision: Option<Revision>,
    /// The proxies that are connected, by the names of their pods.
    pub proxies: BTreeMap<Arc<str>, ProxyAcknowledgement>,
}

/// Of one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAcknowledgement {
    /// Since when it is connected.
    pub connected: Timestamp,
    /// What it was sent last, and when.
    pub sent: Option<(Revision, Timestamp)>,
    /// What it has answered to last, and when: all of it serves, but for what is refused.
    pub acknowledged: Option<(Revision, Timestamp)>,
    /// What it refuses.
    pub refused: BTreeMap<ResourceKey, RefusedResource>,
}

/// Why a proxy refuses a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedResource {
    /// The proxy's words.
    pub message: String,
    /// Since when it says so.
    pub since: Timestamp,
}

impl GatewayAcknowledgements {
    /// Whether every one of `proxies` (names of pods) is connected and has answered to `revision` or a later one.
    pub fn have_reached<'a>(&self, revision: Revision, proxies: impl IntoIterator<Item = &'a str>) -> bool {
        proxies.into_iter().all(|pod| self.proxies.get(pod).is_some_and(|proxy| proxy.has_reached(revision)))
    }

    /// The proxies that refuse a resource, with the reasons.
    pub fn refusals<'a>(
        &'a self,
        key: &'a ResourceKey,
    ) -> impl Iterator<Item = (&'a str, &'a RefusedResource)> {
        self.proxies.iter().filter_map(|(pod, proxy)| Some((&**pod, proxy.refused.get(key)?)))
    }
}

impl ProxyAcknowledgement {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { connected: now, sent: None, acknowledged: None, refused: BTreeMap::new() }
    }

    /// Whether it has answered to `revision` or a later one.
    pub fn has_reached(&self, revision: Revision) -> bool {
        self.acknowledged.is_some_and(|(acknowledged, _)| acknowledged >= revision)
    }

    /// Replaces what is refused; returns whether anything is different.
    pub(super) fn refuse(&mut self, refusals: Vec<Refusal>, now: Timestamp) -> bool {
        let mut refused = BTreeMap::new();
        for Refusal { key, message } in refusals {
            let before = self.refused.get(&key).filter(|before| before.message == message);
            let since = before.map_or(now, |before| before.since);
            refused.insert(key, RefusedResource { message, since });
        }
        let is_new = refused != self.refused;
        self.refused = refused;
        is_new
    }
}
