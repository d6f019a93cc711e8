//! The whole configuration of one Gateway.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use portway_shared_map::SharedMap;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, Endpoints};
use crate::exposure::Exposure;
use crate::key::{BackendKey, CertificateKey, EndpointsKey, ListenerKey, NamespacedName, RouteKey, TrustKey};
use crate::listener::Listener;
use crate::network_policy::PolicyFacts;
use crate::route::Route;
use crate::tls::{Certificate, TrustBundle};

/// Number of a configuration; it grows with each change that is swapped in, and stands in every
/// request's access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The whole configuration of one Gateway. Resources are shared, and so is whatever two states of it have in common:
/// cloning is cheap, and so is finding what is different.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Configuration {
    /// The Gateway.
    pub gateway: NamespacedName,
    /// Settings for the Gateway as a whole.
    pub settings: Settings,
    /// Listeners that are served, of the Gateway and of its ListenerSets. Those that are refused are not here.
    #[serde(serialize_with = "values")]
    pub listeners: SharedMap<ListenerKey, Arc<Listener>>,
    /// Routes that are attached to at least one of the listeners.
    #[serde(serialize_with = "values")]
    pub routes: SharedMap<RouteKey, Arc<Route>>,
    /// Backends that the routes name.
    #[serde(serialize_with = "values")]
    pub backends: SharedMap<BackendKey, Arc<Backend>>,
    /// Endpoints of the backends.
    #[serde(serialize_with = "values")]
    pub endpoints: SharedMap<EndpointsKey, Arc<Endpoints>>,
    /// Certificates that listeners and backends name.
    #[serde(serialize_with = "values")]
    pub certificates: SharedMap<CertificateKey, Arc<Certificate>>,
    /// Trust anchors that listeners and backends name.
    #[serde(serialize_with = "values")]
    pub trust_bundles: SharedMap<TrustKey, Arc<TrustBundle>>,
    /// Where listeners are found. Only node agents get any.
    #[serde(serialize_with = "values", skip_serializing_if = "SharedMap::is_empty")]
    pub exposures: SharedMap<ListenerKey, Arc<Exposure>>,
    /// What decides on network policy. Only node agents get any.
    #[serde(skip_serializing_if = "PolicyFacts::is_empty")]
    pub policy: PolicyFacts,
}

/// Settings for a Gateway as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Number of proxies in front whose `X-Forwarded-*` entries are believed. 0: the peer is the client.
    pub trusted_hops: u8,
}

impl Configuration {
    /// A Gateway with nothing to serve.
    pub fn empty(gateway: NamespacedName) -> Self {
        Self {
            gateway,
            settings: Settings::default(),
            listeners: SharedMap::new(),
            routes: SharedMap::new(),
            backends: SharedMap::new(),
            endpoints: SharedMap::new(),
            certificates: SharedMap::new(),
            trust_bundles: SharedMap::new(),
            exposures: SharedMap::new(),
            policy: PolicyFacts::default(),
        }
    }

    /// A hash of the content: equal configurations have equal hashes within one build of Portway.
    pub fn content_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// JSON has no structured keys; each resource carries its own key, so a list of them says all.
pub(crate) fn values<K, V: Serialize, S: serde::Serializer>(
    map: &SharedMap<K, Arc<V>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}
