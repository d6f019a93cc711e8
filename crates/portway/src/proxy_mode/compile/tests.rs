use std::net::Ipv4Addr;

use portway_config::key::{CertificateKey, TrustKey};
use portway_config::listener::{ClientValidation, ClientValidationMode, TlsTermination};
use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::tls::{Certificate, PrivateKey, PrivateKeyEncoding};
use portway_config::{
    Attachment, HostnamePattern, HttpRule, Listener, ListenerKey, ListenerParent, ListenerProtocol,
    NamespacedName, Route, RouteKind, Rules,
};

use super::*;

fn name(name: &str) -> NamespacedName {
    NamespacedName::new("apps", name)
}

fn listener(port: u16, protocol: ListenerProtocol) -> Listener {
    let key = ListenerKey { parent: ListenerParent::Gateway(name("web")), name: port.to_string().into() };
    Listener { key, port, hostname: HostnamePattern::Any, protocol, filters: vec![] }
}

fn gateway(listeners: impl IntoIterator<Item = Listener>) -> Configuration {
    let mut configuration = Configuration::empty(name("web"));
    for listener in listeners {
        configuration.listeners.insert(listener.key.clone(), Arc::new(listener));
    }
    configuration
}

/// A Gateway with one route, whose path is an expression.
fn routed(expression: &str) -> Arc<Configuration> {
    let listener = listener(80, ListenerProtocol::Http);
    let path = PathMatch::Regex(expression.into());
    let rule = HttpRule {
        index: 0,
        name: None,
        matches: vec![RequestMatch { path, method: None, headers: vec![], query_params: vec![] }],
        filters: vec![],
        backends: vec![],
        fault: None,
        request_timeout: None,
        backend_timeout: None,
        retry: None,
        session_persistence: None,
    };
    let route = Route {
        key: route_key(),
        created: None,
        hostnames: vec![],
        attachments: vec![Attachment {
            listener: listener.key.clone(),
            hostnames: vec![HostnamePattern::Any],
        }],
        rules: Rules::Http(vec![rule]),
    };
    let mut configuration = gateway([listener]);
    configuration.routes.insert(route_key(), Arc::new(route));
    Arc::new(configuration)
}

fn route_key() -> RouteKey {
    RouteKey { kind: RouteKind::Http, name: name("route") }
}

fn compiled(configuration: Arc<Configuration>, previous: Option<&Compiled>) -> Compiled {
    let addresses = Addresses { bind: vec![Ipv4Addr::LOCALHOST.into()], admin_port: 9900 };
    compile(configuration, &addresses, previous)
}

fn refused(compiled: &Compiled) -> Vec<(String, bool)> {
    let told = |it: &RefusedByProxy| (it.refusal.key.to_string(), it.keeps_last_good);
    compiled.refused.iter().map(told).collect()
}

#[test]
fn a_route_goes_back_to_a_good_version_and_to_no_other() {
    let route = |keeps_last_good| [("HTTPRoute apps/route".to_owned(), keeps_last_good)];
    let (good, bad, worse) = (routed("/a"), routed("("), routed("["));
    // There is none to go back to.
    let first = compiled(Arc::clone(&bad), None);
    assert_eq!(refused(&first), route(false));
    assert_eq!(first.snapshot.configuration, bad);
    let second = compiled(Arc::clone(&worse), Some(&first));
    assert_eq!(refused(&second), route(false));
    assert_eq!(second.snapshot.configuration, worse);

    let third = compiled(Arc::clone(&good), Some(&second));
    assert_eq!(refused(&third), []);
    let fourth = compiled(bad, Some(&third));
    assert_eq!(refused(&fourth), route(true));
    assert_eq!(fourth.snapshot.configuration, good);
    let fifth = compiled(worse, Some(&fourth));
    assert_eq!(refused(&fifth), route(true));
    assert_eq!(fifth.snapshot.configuration, good);
}

#[test]
fn what_protects_is_refused_and_closed() {
    let secret = CertificateKey(name("certificate"));
    let ca = TrustKey::ConfigMap(name("ca"));
    let validation = ClientValidation { trust: vec![ca], mode: ClientValidationMode::AllowValidOnly };
    let termination =
        TlsTermination { certificates: vec![secret.clone()], client_validation: Some(validation) };
    let mut configuration = gateway([listener(443, ListenerProtocol::Https(termination))]);
    let certificate = Certificate {
        key: secret.clone(),
        chain: vec![vec![0].into()],
        private_key: PrivateKey::new(vec![0], PrivateKeyEncoding::Pkcs8),
        dns_names: vec![],
    };
    configuration.certificates.insert(secret, Arc::new(certificate));
    let compiled = compiled(Arc::new(configuration), None);
    // The trust bundle itself is not there, so that the listener is named in its place.
    let names: Vec<_> = refused(&compiled).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["Secret apps/certificate", "listener apps/web/443", "listener apps/web/443"],
        "{:?}",
        compiled.refused
    );
    // It is open all the same: whoever connects is refused in the handshake, and others of the port are served.
    assert_eq!(compiled.snapshot.bindings.len(), 1);
}

#[test]
fn the_admin_port_is_reserved_for_tcp_alone() {
    let configuration = gateway([
        listener(9900, ListenerProtocol::Http),
        listener(80, ListenerProtocol::Http),
        Listener { port: 9900, ..listener(53, ListenerProtocol::Udp) },
    ]);
    let compiled = compiled(Arc::new(configuration), None);
    assert_eq!(refused(&compiled), [("listener apps/web/9900".to_owned(), false)]);
    let ports: Vec<_> =
        compiled.snapshot.bindings.iter().map(|it| (it.transport, it.listener_port)).collect();
    assert_eq!(ports, [(Transport::Tcp, 80), (Transport::Udp, 9900)]);
}
