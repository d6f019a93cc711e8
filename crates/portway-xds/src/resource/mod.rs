//! The resources of the stream: types, keys, values.

mod encoding;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use portway_config::cluster_policy::ClusterNetworkPolicy;
use portway_config::configuration::Settings;
use portway_config::key::{CertificateKey, TrustKey};
use portway_config::network_policy::{
    GatewayProxies, NetworkPolicy, PolicyFacts, PolicyNamespace, PolicyPod,
};
use portway_config::tls::{Certificate, TrustBundle};
use portway_config::{
    Backend, BackendKey, Configuration, Endpoints, EndpointsKey, Exposure, Listener, ListenerKey,
    NamespacedName, Route, RouteKey,
};
use portway_shared_map::SharedMap;

pub use self::encoding::{DecodeError, Version};

/// The types of resources.
///
/// `Ord` is the order in which they are sent: what is referred to comes before what refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is named for the type in portway-config")]
pub enum ResourceType {
    Settings,
    TrustBundle,
    Certificate,
    Endpoints,
    Backend,
    Listener,
    Route,
    Exposure,
    PolicyNamespace,
    PolicyPod,
    GatewayProxies,
    NetworkPolicy,
    ClusterNetworkPolicy,
}

impl ResourceType {
    /// Every type.
    pub const ALL: [Self; 13] = [
        Self::Settings,
        Self::TrustBundle,
        Self::Certificate,
        Self::Endpoints,
        Self::Backend,
        Self::Listener,
        Self::Route,
        Self::Exposure,
        Self::PolicyNamespace,
        Self::PolicyPod,
        Self::GatewayProxies,
        Self::NetworkPolicy,
        Self::ClusterNetworkPolicy,
    ];

    /// The URL. It holds the version of the encoding: a change that older receivers would misread is a new type.
    pub fn url(self) -> &'static str {
        match self {
            Self::Settings => "type.googleapis.com/portway.config.v1.Settings",
            Self::TrustBundle => "type.googleapis.com/portway.config.v1.TrustBundle",
            Self::Certificate => "type.googleapis.com/portway.config.v1.Certificate",
            Self::Endpoints => "type.googleapis.com/portway.config.v1.Endpoints",
            Self::Backend => "type.googleapis.com/portway.config.v1.Backend",
            Self::Listener => "type.googleapis.com/portway.config.v1.Listener",
            Self::Route => "type.googleapis.com/portway.config.v1.Route",
            Self::Exposure => "type.googleapis.com/portway.config.v1.Exposure",
            Self::PolicyNamespace => "type.googleapis.com/portway.config.v1.PolicyNamespace",
            Self::PolicyPod => "type.googleapis.com/portway.config.v1.PolicyPod",
            Self::GatewayProxies => "type.googleapis.com/portway.config.v1.GatewayProxies",
            Self::NetworkPolicy => "type.googleapis.com/portway.config.v1.NetworkPolicy",
            Self::ClusterNetworkPolicy => "type.googleapis.com/portway.config.v1.ClusterNetworkPolicy",
        }
    }

    /// The type with this URL.
    pub fn of_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.url() == url)
    }
}

/// Key of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is named for the type in portway-config")]
pub enum ResourceKey {
    /// Of the Gateway.
    Settings(NamespacedName),
    TrustBundle(TrustKey),
    Certificate(CertificateKey),
    Endpoints(EndpointsKey),
    Backend(BackendKey),
    Listener(ListenerKey),
    Route(RouteKey),
    /// Of the listener.
    Exposure(ListenerKey),
    PolicyNamespace(Arc<str>),
    PolicyPod(NamespacedName),
    /// Of the Gateway.
    GatewayProxies(NamespacedName),
    NetworkPolicy(NamespacedName),
    ClusterNetworkPolicy(Arc<str>),
}

impl ResourceKey {
    /// Its type.
    pub fn resource_type(&self) -> ResourceType {
        match self {
            Self::Settings(_) => ResourceType::Settings,
            Self::TrustBundle(_) => ResourceType::TrustBundle,
            Self::Certificate(_) => ResourceType::Certificate,
            Self::Endpoints(_) => ResourceType::Endpoints,
            Self::Backend(_) => ResourceType::Backend,
            Self::Listener(_) => ResourceType::Listener,
            Self::Route(_) => ResourceType::Route,
            Self::Exposure(_) => ResourceType::Exposure,
            Self::PolicyNamespace(_) => ResourceType::PolicyNamespace,
            Self::PolicyPod(_) => ResourceType::PolicyPod,
            Self::GatewayProxies(_) => ResourceType::GatewayProxies,
            Self::NetworkPolicy(_) => ResourceType::NetworkPolicy,
            Self::ClusterNetworkPolicy(_) => ResourceType::ClusterNetworkPolicy,
        }
    }
}

/// For people.
impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(gateway) => write!(f, "settings of Gateway {gateway}"),
            Self::TrustBundle(TrustKey::ConfigMap(name)) => write!(f, "ConfigMap {name}"),
            Self::TrustBundle(TrustKey::ClusterTrustBundle(name)) => write!(f, "ClusterTrustBundle {name}"),
            Self::Certificate(key) => write!(f, "Secret {}", key.0),
            Self::Endpoints(key) => write!(f, "endpoints of {key}"),
            Self::Backend(key) => write!(f, "backend {key}"),
            Self::Listener(key) => write!(f, "listener {key}"),
            Self::Route(key) => key.fmt(f),
            Self::Exposure(key) => write!(f, "where listener {key} is found"),
            Self::PolicyNamespace(name) => write!(f, "Namespace {name}"),
            Self::PolicyPod(name) => write!(f, "Pod {name}"),
            Self::GatewayProxies(gateway) => write!(f, "proxies of Gateway {gateway}"),
            Self::NetworkPolicy(name) => write!(f, "NetworkPolicy {name}"),
            Self::ClusterNetworkPolicy(name) => write!(f, "ClusterNetworkPolicy {name}"),
        }
    }
}

/// A resource.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is named for the type in portway-config")]
pub enum Resource {
    /// Of a Gateway.
    Settings(NamespacedName, Settings),
    TrustBundle(Arc<TrustBundle>),
    Certificate(Arc<Certificate>),
    Endpoints(Arc<Endpoints>),
    Backend(Arc<Backend>),
    Listener(Arc<Listener>),
    Route(Arc<Route>),
    Exposure(Arc<Exposure>),
    PolicyNamespace(Arc<PolicyNamespace>),
    PolicyPod(Arc<PolicyPod>),
    GatewayProxies(Arc<GatewayProxies>),
    NetworkPolicy(Arc<NetworkPolicy>),
    ClusterNetworkPolicy(Arc<ClusterNetworkPolicy>),
}

impl Resource {
    /// Its key.
    pub fn key(&self) -> ResourceKey {
        match self {
            Self::Settings(gateway, _) => ResourceKey::Settings(gateway.clone()),
            Self::TrustBundle(it) => ResourceKey::TrustBundle(it.key.clone()),
            Self::Certificate(it) => ResourceKey::Certificate(it.key.clone()),
            Self::Endpoints(it) => ResourceKey::Endpoints(it.key.clone()),
            Self::Backend(it) => ResourceKey::Backend(it.key.clone()),
            Self::Listener(it) => ResourceKey::Listener(it.key.clone()),
            Self::Route(it) => ResourceKey::Route(it.key.clone()),
            Self::Exposure(it) => ResourceKey::Exposure(it.listener.clone()),
            Self::PolicyNamespace(it) => ResourceKey::PolicyNamespace(it.name.clone()),
            Self::PolicyPod(it) => ResourceKey::PolicyPod(it.name.clone()),
            Self::GatewayProxies(it) => ResourceKey::GatewayProxies(it.gateway.clone()),
            Self::NetworkPolicy(it) => ResourceKey::NetworkPolicy(it.name.clone()),
            Self::ClusterNetworkPolicy(it) => ResourceKey::ClusterNetworkPolicy(it.name.clone()),
        }
    }
}

/// By pointer where that says yes, else by value.
impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        fn same<T: Eq>(a: &Arc<T>, b: &Arc<T>) -> bool {
            Arc::ptr_eq(a, b) || a == b
        }
        match (self, other) {
            (Self::Settings(a, x), Self::Settings(b, y)) => a == b && x == y,
            (Self::TrustBundle(a), Self::TrustBundle(b)) => same(a, b),
            (Self::Certificate(a), Self::Certificate(b)) => same(a, b),
            (Self::Endpoints(a), Self::Endpoints(b)) => same(a, b),
            (Self::Backend(a), Self::Backend(b)) => same(a, b),
            (Self::Listener(a), Self::Listener(b)) => same(a, b),
            (Self::Route(a), Self::Route(b)) => same(a, b),
            (Self::Exposure(a), Self::Exposure(b)) => same(a, b),
            (Self::PolicyNamespace(a), Self::PolicyNamespace(b)) => same(a, b),
            (Self::PolicyPod(a), Self::PolicyPod(b)) => same(a, b),
            (Self::GatewayProxies(a), Self::GatewayProxies(b)) => same(a, b),
            (Self::NetworkPolicy(a), Self::NetworkPolicy(b)) => same(a, b),
            (Self::ClusterNetworkPolicy(a), Self::ClusterNetworkPolicy(b)) => same(a, b),
            _ => false,
        }
    }
}

/// The resources of a configuration, in the order in which they are sent.
pub fn resources_of(configuration: &Configuration) -> impl Iterator<Item = Resource> + '_ {
    let Configuration {
        gateway,
        settings,
        listeners,
        routes,
        backends,
        endpoints,
        certificates,
        trust_bundles,
        exposures,
        policy,
    } = configuration;
    let PolicyFacts { namespaces, pods, policies, cluster_policies, proxies } = policy;
    std::iter::once(Resource::Settings(gateway.clone(), settings.clone()))
        .chain(trust_bundles.values().cloned().map(Resource::TrustBundle))
        .chain(certificates.values().cloned().map(Resource::Certificate))
        .chain(endpoints.values().cloned().map(Resource::Endpoints))
        .chain(backends.values().cloned().map(Resource::Backend))
        .chain(listeners.values().cloned().map(Resource::Listener))
        .chain(routes.values().cloned().map(Resource::Route))
        .chain(exposures.values().cloned().map(Resource::Exposure))
        .chain(namespaces.values().cloned().map(Resource::PolicyNamespace))
        .chain(pods.values().cloned().map(Resource::PolicyPod))
        .chain(proxies.values().cloned().map(Resource::GatewayProxies))
        .chain(policies.values().cloned().map(Resource::NetworkPolicy))
        .chain(cluster_policies.values().cloned().map(Resource::ClusterNetworkPolicy))
}

/// That a resource is there, is another one, or is gone.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It is this one now.
    Put(Resource),
    /// It is gone.
    Remove(ResourceKey),
}

/// What is different between two configurations of a Gateway: resources that are equal and yet not the same ones are
/// among it. What they share is not looked at.
pub(crate) fn changes(before: &Configuration, after: &Configuration) -> Vec<Change> {
    type Map<K, V> = SharedMap<K, Arc<V>>;
    fn add<K: Ord + Clone, V>(
        (before, after): (&Map<K, V>, &Map<K, V>),
        resource: impl Fn(Arc<V>) -> Resource,
        key: impl Fn(K) -> ResourceKey,
        changes: &mut Vec<Change>,
    ) {
        changes.extend(before.replaced(after).map(|it| match it.after {
            Some(value) => Change::Put(resource(Arc::clone(value))),
            None => Change::Remove(key(it.key.clone())),
        }));
    }
    let mut all = Vec::new();
    if before.settings != after.settings {
        all.push(Change::Put(Resource::Settings(after.gateway.clone(), after.settings.clone())));
    }
    let maps = (&before.trust_bundles, &after.trust_bundles);
    add(maps, Resource::TrustBundle, ResourceKey::TrustBundle, &mut all);
    let maps = (&before.certificates, &after.certificates);
    add(maps, Resource::Certificate, ResourceKey::Certificate, &mut all);
    add((&before.endpoints, &after.endpoints), Resource::Endpoints, ResourceKey::Endpoints, &mut all);
    add((&before.backends, &after.backends), Resource::Backend, ResourceKey::Backend, &mut all);
    add((&before.listeners, &after.listeners), Resource::Listener, ResourceKey::Listener, &mut all);
    add((&before.routes, &after.routes), Resource::Route, ResourceKey::Route, &mut all);
    add((&before.exposures, &after.exposures), Resource::Exposure, ResourceKey::Exposure, &mut all);
    let (before, after) = (&before.policy, &after.policy);
    let maps = (&before.namespaces, &after.namespaces);
    add(maps, Resource::PolicyNamespace, ResourceKey::PolicyNamespace, &mut all);
    add((&before.pods, &after.pods), Resource::PolicyPod, ResourceKey::PolicyPod, &mut all);
    let maps = (&before.proxies, &after.proxies);
    add(maps, Resource::GatewayProxies, ResourceKey::GatewayProxies, &mut all);
    let maps = (&before.policies, &after.policies);
    add(maps, Resource::NetworkPolicy, ResourceKey::NetworkPolicy, &mut all);
    let maps = (&before.cluster_policies, &after.cluster_policies);
    add(maps, Resource::ClusterNetworkPolicy, ResourceKey::ClusterNetworkPolicy, &mut all);
    all
}

/// Puts resources together to the configuration of a Gateway. Settings of another Gateway are left out.
pub fn configuration_of(
    gateway: NamespacedName,
    resources: impl IntoIterator<Item = Resource>,
) -> Configuration {
    let mut configuration = Configuration::empty(gateway);
    resources.into_iter().for_each(|resource| put(&mut configuration, resource));
    configuration
}

/// Puts a resource into a configuration, in the place of the one with its key. Settings of another Gateway are left out.
pub(crate) fn put(configuration: &mut Configuration, resource: Resource) {
    fn put<K: Ord + Clone, V>(map: &mut SharedMap<K, Arc<V>>, key: K, value: Arc<V>) {
        map.insert(key, value);
    }
    match resource {
        Resource::Settings(gateway, settings) if gateway == configuration.gateway => {
            configuration.settings = settings;
        }
        Resource::Settings(..) => {}
        Resource::TrustBundle(it) => put(&mut configuration.trust_bundles, it.key.clone(), it),
        Resource::Certificate(it) => put(&mut configuration.certificates, it.key.clone(), it),
        Resource::Endpoints(it) => put(&mut configuration.endpoints, it.key.clone(), it),
        Resource::Backend(it) => put(&mut configuration.backends, it.key.clone(), it),
        Resource::Listener(it) => put(&mut configuration.listeners, it.key.clone(), it),
        Resource::Route(it) => put(&mut configuration.routes, it.key.clone(), it),
        Resource::Exposure(it) => put(&mut configuration.exposures, it.listener.clone(), it),
        Resource::PolicyNamespace(it) => put(&mut configuration.policy.namespaces, it.name.clone(), it),
        Resource::PolicyPod(it) => put(&mut configuration.policy.pods, it.name.clone(), it),
        Resource::GatewayProxies(it) => put(&mut configuration.policy.proxies, it.gateway.clone(), it),
        Resource::NetworkPolicy(it) => put(&mut configuration.policy.policies, it.name.clone(), it),
        Resource::ClusterNetworkPolicy(it) => {
            put(&mut configuration.policy.cluster_policies, it.name.clone(), it);
        }
    }
}

/// Takes the resource with this key out of a configuration.
pub(crate) fn remove(configuration: &mut Configuration, key: &ResourceKey) {
    match key {
        ResourceKey::Settings(gateway) if *gateway == configuration.gateway => {
            configuration.settings = Settings::default();
        }
        ResourceKey::Settings(_) => {}
        ResourceKey::TrustBundle(key) => drop(configuration.trust_bundles.remove(key)),
        ResourceKey::Certificate(key) => drop(configuration.certificates.remove(key)),
        ResourceKey::Endpoints(key) => drop(configuration.endpoints.remove(key)),
        ResourceKey::Backend(key) => drop(configuration.backends.remove(key)),
        ResourceKey::Listener(key) => drop(configuration.listeners.remove(key)),
        ResourceKey::Route(key) => drop(configuration.routes.remove(key)),
        ResourceKey::Exposure(key) => drop(configuration.exposures.remove(key)),
        ResourceKey::PolicyNamespace(key) => drop(configuration.policy.namespaces.remove(key)),
        ResourceKey::PolicyPod(key) => drop(configuration.policy.pods.remove(key)),
        ResourceKey::GatewayProxies(key) => drop(configuration.policy.proxies.remove(key)),
        ResourceKey::NetworkPolicy(key) => drop(configuration.policy.policies.remove(key)),
        ResourceKey::ClusterNetworkPolicy(key) => drop(configuration.policy.cluster_policies.remove(key)),
    }
}
