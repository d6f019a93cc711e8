//! Configurations to send.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::backend::EndpointState;
use portway_config::key::CertificateKey;
use portway_config::tls::{Certificate, PrivateKey, PrivateKeyEncoding};
use portway_config::{
    Configuration, Endpoint, EndpointAddress, Endpoints, EndpointsKey, HostnamePattern, Listener,
    ListenerKey, ListenerParent, ListenerProtocol, NamespacedName, Route, RouteKey, RouteKind, Rules,
    Transport,
};

pub(crate) fn gateway() -> NamespacedName {
    NamespacedName::new("apps", "web")
}

/// All Gateways, of which there is one.
pub(crate) fn only(configuration: Configuration) -> BTreeMap<NamespacedName, Arc<Configuration>> {
    BTreeMap::from([(configuration.gateway.clone(), Arc::new(configuration))])
}

pub(crate) fn listener_key() -> ListenerKey {
    ListenerKey { parent: ListenerParent::Gateway(gateway()), name: "http".into() }
}

pub(crate) fn endpoints_key() -> EndpointsKey {
    let service = NamespacedName::new("apps", "backend");
    EndpointsKey { service, port: 80, transport: Transport::Tcp }
}

pub(crate) fn endpoints(addresses: &[&str]) -> Endpoints {
    let endpoint = |address: &&str| Endpoint {
        address: EndpointAddress::Socket(address.parse::<SocketAddr>().unwrap()),
        state: EndpointState::Ready,
        node: None,
    };
    Endpoints { key: endpoints_key(), endpoints: addresses.iter().map(endpoint).collect() }
}

/// One listener, `routes` routes, endpoints, and a certificate.
pub(crate) fn configuration(routes: usize) -> Configuration {
    let mut configuration = Configuration::empty(gateway());
    let listener = Listener {
        key: listener_key(),
        port: 80,
        hostname: HostnamePattern::Any,
        protocol: ListenerProtocol::Http,
        filters: vec![],
    };
    configuration.listeners.insert(listener_key(), Arc::new(listener));
    for number in 0..routes {
        let route = route(&format!("route-{number}"), None);
        configuration.routes.insert(route.key.clone(), Arc::new(route));
    }
    put_endpoints(&mut configuration, &["10.0.0.1:8080"]);
    let key = CertificateKey(NamespacedName::new("apps", "certificate"));
    let certificate = Certificate {
        key: key.clone(),
        chain: vec![vec![1, 2, 3].into()],
        private_key: PrivateKey::new(vec![4, 5, 6], PrivateKeyEncoding::Pkcs8),
        dns_names: vec!["example.com".into()],
    };
    configuration.certificates.insert(key, Arc::new(certificate));
    configuration
}

pub(crate) fn put_endpoints(configuration: &mut Configuration, addresses: &[&str]) {
    configuration.endpoints.insert(endpoints_key(), Arc::new(endpoints(addresses)));
}

pub(crate) fn route_key(name: &str) -> RouteKey {
    RouteKey { kind: RouteKind::Http, name: NamespacedName::new("apps", name) }
}

pub(crate) fn route(name: &str, created: Option<i64>) -> Route {
    Route {
        key: route_key(name),
        created,
        hostnames: vec![],
        attachments: vec![],
        rules: Rules::Http(vec![]),
    }
}
