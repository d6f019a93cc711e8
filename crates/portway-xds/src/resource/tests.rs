use std::net::SocketAddr;
use std::time::Duration;

use portway_config::backend::{BackendTls, BackendTlsSettings, BackendTrust, EndpointState, SubjectAltName};
use portway_config::cluster_policy::{
    ClusterEgressRule, ClusterIngressRule, ClusterNetworkPolicySpec, ClusterPeer, ClusterProtocol,
    ClusterSubject, DestinationPort, NamespacedPods, PortRange, ProtocolPorts,
};
use portway_config::key::BackendProtocol;
use portway_config::listener::{ClientValidation, ClientValidationMode, TlsTermination};
use portway_config::network_policy::{
    EgressRule, IngressRule, IpBlock, LabelRequirement, LabelSelector, Labels, NamedPort, NetworkPolicySpec,
    PolicyPeer, PolicyPort, PortReference,
};
use portway_config::request_match::{NamedMatch, PathMatch, RequestMatch, ValueMatch};
use portway_config::route::{BackendTarget, Fault, FaultReason, Retry, WeightedBackend};
use portway_config::tls::{PrivateKey, PrivateKeyEncoding};
use portway_config::{
    Attachment, Endpoint, EndpointAddress, HostnamePattern, HttpRule, ListenerParent, ListenerProtocol,
    RouteKind, Rules, Transport,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = Arc<str>> + Clone {
    // Quotes, separators, escapes and what is not ASCII.
    "[a-z/:\"\\\\{}é\u{0}]{0,6}".prop_map(Arc::from)
}

fn name() -> impl Strategy<Value = NamespacedName> {
    (text(), text()).prop_map(|(namespace, name)| NamespacedName { namespace, name })
}

fn trust_key() -> impl Strategy<Value = TrustKey> {
    prop_oneof![name().prop_map(TrustKey::ConfigMap), text().prop_map(TrustKey::ClusterTrustBundle)]
}

fn endpoints_key() -> impl Strategy<Value = EndpointsKey> {
    let transport = prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)];
    (name(), any::<u16>(), transport).prop_map(|(service, port, transport)| EndpointsKey {
        service,
        port,
        transport,
    })
}

fn backend_key() -> impl Strategy<Value = BackendKey> {
    use BackendProtocol::{Http1, Http2, Tcp, Udp};
    let protocol = prop_oneof![Just(Http1), Just(Http2), Just(Tcp), Just(Udp)];
    (endpoints_key(), protocol).prop_map(|(endpoints, protocol)| BackendKey { endpoints, protocol })
}

fn listener_key() -> impl Strategy<Value = ListenerKey> {
    let parent =
        prop_oneof![name().prop_map(ListenerParent::Gateway), name().prop_map(ListenerParent::ListenerSet)];
    (parent, text()).prop_map(|(parent, name)| ListenerKey { parent, name })
}

fn route_key() -> impl Strategy<Value = RouteKey> {
    use RouteKind::{Grpc, Http, Tcp, Tls, Udp};
    let kind = prop_oneof![Just(Http), Just(Grpc), Just(Tls), Just(Tcp), Just(Udp)];
    (kind, name()).prop_map(|(kind, name)| RouteKey { kind, name })
}

fn key() -> impl Strategy<Value = ResourceKey> {
    prop_oneof![
        name().prop_map(ResourceKey::Settings),
        trust_key().prop_map(ResourceKey::TrustBundle),
        name().prop_map(|it| ResourceKey::Certificate(CertificateKey(it))),
        endpoints_key().prop_map(ResourceKey::Endpoints),
        backend_key().prop_map(ResourceKey::Backend),
        listener_key().prop_map(ResourceKey::Listener),
        route_key().prop_map(ResourceKey::Route),
        listener_key().prop_map(ResourceKey::Exposure),
        text().prop_map(ResourceKey::PolicyNamespace),
        name().prop_map(ResourceKey::PolicyPod),
        name().prop_map(ResourceKey::GatewayProxies),
        name().prop_map(ResourceKey::NetworkPolicy),
        text().prop_map(ResourceKey::ClusterNetworkPolicy),
    ]
}

fn der() -> impl Strategy<Value = Arc<[u8]>> {
    vec(any::<u8>(), 0..20).prop_map(Arc::from)
}

fn hostname() -> impl Strategy<Value = HostnamePattern> {
    "(\\*|(\\*\\.)?[a-z]{1,3}(\\.[a-z]{1,3}){0,2})".prop_map(|it| HostnamePattern::parse(&it))
}

fn certificate() -> impl Strategy<Value = Certificate> {
    use PrivateKeyEncoding::{Pkcs1, Pkcs8, Sec1};
    let encoding = prop_oneof![Just(Pkcs1), Just(Pkcs8), Just(Sec1)];
    (name(), vec(der(), 0..3), der(), encoding, vec(text(), 0..3)).prop_map(
        |(name, chain, private_key, encoding, dns_names)| Certificate {
            key: CertificateKey(name),
            chain,
            private_key: PrivateKey::new(private_key, encoding),
            dns_names,
        },
    )
}

fn endpoints() -> impl Strategy<Value = Endpoints> {
    let address = prop_oneof![any::<SocketAddr>().prop_map(|it| match it {
        // The text of an address has neither flow nor, for most, scope.
        SocketAddr::V6(it) => SocketAddr::from((*it.ip(), it.port())),
        it @ SocketAddr::V4(_) => it,
    }),];
    let address = prop_oneof![
        address.prop_map(EndpointAddress::Socket),
        (text(), any::<u16>()).prop_map(|(host, port)| EndpointAddress::Dns { host, port }),
    ];
    let state = prop_oneof![Just(EndpointState::Ready), Just(EndpointState::Terminating)];
    let node = option::of(text());
    let endpoint =
        (address, state, node).prop_map(|(address, state, node)| Endpoint { address, state, node });
    (endpoints_key(), vec(endpoint, 0..4)).prop_map(|(key, endpoints)| Endpoints { key, endpoints })
}

fn backend() -> impl Strategy<Value = Backend> {
    let trust =
        prop_oneof![Just(BackendTrust::System), vec(trust_key(), 0..2).prop_map(BackendTrust::Bundles),];
    let san = prop_oneof![text().prop_map(SubjectAltName::Dns), text().prop_map(SubjectAltName::Uri)];
    let settings = (text(), trust, vec(san, 0..2), option::of(name())).prop_map(
        |(server_name, trust, subject_alt_names, client)| BackendTlsSettings {
            server_name,
            trust,
            subject_alt_names,
            client_certificate: client.map(CertificateKey),
        },
    );
    let tls = prop_oneof![
        Just(BackendTls::Plain),
        settings.prop_map(BackendTls::Tls),
        fault().prop_map(BackendTls::Refused),
    ];
    (backend_key(), tls).prop_map(|(key, tls)| Backend { key, tls })
}

fn fault() -> impl Strategy<Value = Fault> {
    (0..FaultReason::ALL.len(), text())
        .prop_map(|(index, message)| Fault { reason: FaultReason::ALL[index], message })
}

fn listener() -> impl Strategy<Value = Listener> {
    let validation = vec(trust_key(), 0..2)
        .prop_map(|trust| ClientValidation { trust, mode: ClientValidationMode::AllowInsecureFallback });
    let termination = (vec(name(), 0..2), option::of(validation)).prop_map(|(certificates, validation)| {
        let certificates = certificates.into_iter().map(CertificateKey).collect();
        TlsTermination { certificates, client_validation: validation }
    });
    let protocol = prop_oneof![
        Just(ListenerProtocol::Http),
        termination.prop_map(ListenerProtocol::Https),
        Just(ListenerProtocol::TlsPassthrough),
        Just(ListenerProtocol::Udp),
    ];
    (listener_key(), any::<u16>(), hostname(), protocol).prop_map(|(key, port, hostname, protocol)| {
        Listener { key, port, hostname, protocol, filters: vec![] }
    })
}

fn route() -> impl Strategy<Value = Route> {
    let attachment = (listener_key(), vec(hostname(), 1..3))
        .prop_map(|(listener, hostnames)| Attachment { listener, hostnames });
    let target = prop_oneof![
        backend_key().prop_map(BackendTarget::Backend),
        fault().prop_map(BackendTarget::Invalid),
    ];
    let backend = (any::<u32>(), target).prop_map(|(weight, target)| WeightedBackend {
        index: 0,
        weight,
        target,
        filters: vec![],
    });
    let path = prop_oneof![
        text().prop_map(PathMatch::Exact),
        text().prop_map(PathMatch::Regex),
        option::of(text().prop_map(ValueMatch::Exact))
            .prop_map(|service| PathMatch::Grpc { service, method: None }),
    ];
    let named =
        (text(), text().prop_map(ValueMatch::Regex)).prop_map(|(name, value)| NamedMatch { name, value });
    let matched = (path, option::of(text()), vec(named, 0..2))
        .prop_map(|(path, method, headers)| RequestMatch { path, method, headers, query_params: vec![] });
    let duration =
        (0..100_u64, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let rule = (vec(matched, 1..3), vec(backend, 0..3), option::of(duration), option::of(fault())).prop_map(
        |(matches, backends, timeout, fault)| HttpRule {
            index: 0,
            name: None,
            matches,
            filters: vec![],
            backends,
            fault,
            request_timeout: timeout,
            backend_timeout: None,
            retry: timeout.map(|backoff| Retry { codes: vec![503], attempts: 2, backoff: Some(backoff) }),
            session_persistence: None,
        },
    );
    let rules = vec(rule, 0..3).prop_map(Rules::Http);
    (route_key(), option::of(any::<i64>()), vec(hostname(), 0..2), vec(attachment, 0..3), rules).prop_map(
        |(key, created, hostnames, attachments, rules)| Route { key, created, hostnames, attachments, rules },
    )
}

fn exposure() -> impl Strategy<Value = Exposure> {
    (listener_key(), name(), vec(any::<std::net::IpAddr>(), 0..3), option::of(endpoints_key())).prop_map(
        |(listener, gateway, addresses, proxies)| Exposure { listener, gateway, addresses, proxies },
    )
}

fn labels() -> impl Strategy<Value = Labels> + Clone {
    btree_map(text(), text(), 0..3)
}

fn named_ports() -> impl Strategy<Value = Vec<NamedPort>> {
    let port = (text(), text(), any::<u16>());
    vec(port.prop_map(|(name, protocol, port)| NamedPort { name, protocol, port }), 0..3)
}

fn policy_pod() -> impl Strategy<Value = PolicyPod> {
    let addresses = vec(any::<std::net::IpAddr>(), 0..3);
    let state = (any::<i64>(), any::<bool>(), any::<bool>());
    (name(), (text(), text()), labels(), named_ports(), addresses, state).prop_map(
        |(name, (uid, node), labels, ports, addresses, (created, is_leaving, host_network))| PolicyPod {
            name,
            uid,
            created,
            is_leaving,
            node,
            labels,
            ports,
            addresses,
            host_network,
        },
    )
}

fn selector() -> impl Strategy<Value = LabelSelector> + Clone {
    (labels(), vec((text(), text(), vec(text(), 0..2)), 0..2)).prop_map(|(match_labels, all)| {
        let requirement = |(key, operator, values)| LabelRequirement { key, operator, values };
        LabelSelector { match_labels, match_expressions: all.into_iter().map(requirement).collect() }
    })
}

fn cluster_network_policy() -> impl Strategy<Value = ClusterNetworkPolicy> {
    let pods = (selector(), selector())
        .prop_map(|(namespace_selector, pod_selector)| NamespacedPods { namespace_selector, pod_selector });
    let subject = (option::of(selector()), option::of(pods.clone()))
        .prop_map(|(namespaces, pods)| ClusterSubject { namespaces, pods });
    let texts = || vec(text(), 0..2);
    let peer = (option::of(selector()), option::of(pods), option::of(selector()), texts(), texts()).prop_map(
        |(namespaces, pods, nodes, networks, domain_names)| ClusterPeer {
            namespaces,
            pods,
            nodes,
            networks,
            domain_names,
        },
    );
    let range = (any::<i32>(), any::<i32>()).prop_map(|(start, end)| PortRange { start, end });
    let port = (option::of(any::<i32>()), option::of(range))
        .prop_map(|(number, range)| DestinationPort { number, range });
    let ports = option::of(option::of(port).prop_map(|destination_port| ProtocolPorts { destination_port }));
    let protocol = (ports.clone(), ports.clone(), ports, option::of(text())).prop_map(
        |(tcp, udp, sctp, destination_named_port)| ClusterProtocol { tcp, udp, sctp, destination_named_port },
    );
    let rule = (option::of(text()), text(), vec(peer, 0..2), vec(protocol, 0..2));
    let ingress = rule.clone().prop_map(|(name, action, from, protocols)| ClusterIngressRule {
        name,
        action,
        from,
        protocols,
    });
    let egress =
        rule.prop_map(|(name, action, to, protocols)| ClusterEgressRule { name, action, to, protocols });
    let spec = (text(), any::<i32>(), subject, vec(ingress, 0..2), vec(egress, 0..2)).prop_map(
        |(tier, priority, subject, ingress, egress)| ClusterNetworkPolicySpec {
            tier,
            priority,
            subject,
            ingress,
            egress,
        },
    );
    (text(), option::of(text()), spec).prop_map(|(name, rehearse, spec)| ClusterNetworkPolicy {
        name,
        rehearse,
        spec,
    })
}

fn network_policy() -> impl Strategy<Value = NetworkPolicy> {
    let selector = selector();
    let block = (text(), vec(text(), 0..2)).prop_map(|(cidr, except)| IpBlock { cidr, except });
    let peer = (option::of(selector.clone()), option::of(selector.clone()), option::of(block)).prop_map(
        |(pod_selector, namespace_selector, ip_block)| PolicyPeer {
            pod_selector,
            namespace_selector,
            ip_block,
        },
    );
    let reference =
        prop_oneof![any::<i32>().prop_map(PortReference::Number), text().prop_map(PortReference::Name)];
    let port = (option::of(text()), option::of(reference), option::of(any::<i32>()))
        .prop_map(|(protocol, port, end_port)| PolicyPort { protocol, port, end_port });
    let ingress = (vec(peer.clone(), 0..2), vec(port.clone(), 0..2))
        .prop_map(|(from, ports)| IngressRule { from, ports });
    let egress = (vec(peer, 0..2), vec(port, 0..2)).prop_map(|(to, ports)| EgressRule { to, ports });
    let spec = (selector, vec(text(), 0..2), vec(ingress, 0..2), vec(egress, 0..2)).prop_map(
        |(pod_selector, policy_types, ingress, egress)| NetworkPolicySpec {
            pod_selector,
            policy_types,
            ingress,
            egress,
        },
    );
    (name(), option::of(text()), spec).prop_map(|(name, rehearse, spec)| NetworkPolicy {
        name,
        rehearse,
        spec,
    })
}

fn resource_of_policy() -> impl Strategy<Value = Resource> {
    prop_oneof![
        (text(), labels())
            .prop_map(|(name, labels)| Resource::PolicyNamespace(Arc::new(PolicyNamespace { name, labels }))),
        policy_pod().prop_map(|it| Resource::PolicyPod(Arc::new(it))),
        network_policy().prop_map(|it| Resource::NetworkPolicy(Arc::new(it))),
        cluster_network_policy().prop_map(|it| Resource::ClusterNetworkPolicy(Arc::new(it))),
        (name(), labels(), named_ports()).prop_map(|(gateway, labels, ports)| {
            Resource::GatewayProxies(Arc::new(GatewayProxies { gateway, labels, ports }))
        }),
    ]
}

fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        (name(), any::<u8>())
            .prop_map(|(gateway, trusted_hops)| Resource::Settings(gateway, Settings { trusted_hops })),
        (trust_key(), vec(der(), 0..3))
            .prop_map(|(key, anchors)| Resource::TrustBundle(Arc::new(TrustBundle { key, anchors }))),
        certificate().prop_map(|it| Resource::Certificate(Arc::new(it))),
        endpoints().prop_map(|it| Resource::Endpoints(Arc::new(it))),
        backend().prop_map(|it| Resource::Backend(Arc::new(it))),
        listener().prop_map(|it| Resource::Listener(Arc::new(it))),
        route().prop_map(|it| Resource::Route(Arc::new(it))),
        exposure().prop_map(|it| Resource::Exposure(Arc::new(it))),
        resource_of_policy(),
    ]
}

proptest! {
    #[test]
    fn a_name_is_that_of_one_key(key in key(), other in key()) {
        let name = key.name();
        prop_assert_eq!(ResourceKey::of_name(key.resource_type(), &name).unwrap(), key.clone());
        if key.resource_type() == other.resource_type() {
            prop_assert_eq!(name == other.name(), key == other);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(resource in resource(), other in resource()) {
        let decoded = Resource::decode(resource.key().resource_type(), resource.encode()).unwrap();
        prop_assert_eq!(&decoded, &resource);
        prop_assert_eq!(decoded.version(), resource.version());
        if resource.key() == other.key() {
            prop_assert_eq!(resource.version() == other.version(), resource == other);
        }
    }

    #[test]
    fn nothing_that_is_received_brings_the_receiver_down(bytes in vec(any::<u8>(), 0..64), kind in 0..ResourceType::ALL.len()) {
        let kind = ResourceType::ALL[kind];
        let _ = Resource::decode(kind, bytes.clone().into());
        let payload = crate::message::Payload { json: bytes.clone().into() };
        let _ = Resource::decode(kind, prost::Message::encode_to_vec(&payload).into());
        let _ = ResourceKey::of_name(kind, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn names_have_the_form_that_is_documented() {
    let gateway = NamespacedName::new("apps", "web");
    let key = ListenerKey { parent: ListenerParent::ListenerSet(gateway.clone()), name: "a/b".into() };
    assert_eq!(
        ResourceKey::Listener(key).name(),
        r#"{"parent":{"ListenerSet":{"namespace":"apps","name":"web"}},"name":"a/b"}"#
    );
    assert_eq!(ResourceKey::Settings(gateway).name(), r#"{"namespace":"apps","name":"web"}"#);
}

#[test]
fn the_version_is_the_same_in_every_build() {
    let settings = Resource::Settings(NamespacedName::new("apps", "web"), Settings { trusted_hops: 1 });
    assert_eq!(settings.version().0.len(), 32);
    assert_eq!(&*settings.version().0, "99b6abe3efa2e06cdec9c9e1945c3018");
}

#[test]
fn the_way_to_a_mistake_is_told() {
    let decode = |json: &str| {
        let payload = crate::message::Payload { json: json.as_bytes().to_vec().into() };
        let content = prost::Message::encode_to_vec(&payload).into();
        Resource::decode(ResourceType::Settings, content).unwrap_err().to_string()
    };
    let gateway = r#""gateway":{"namespace":"a","name":"b"}"#;
    let message = decode(&format!(r#"{{{gateway},"settings":{{"trusted_hops":256}}}}"#));
    assert!(message.starts_with("settings.trusted_hops: invalid value: integer `256`"), "{message}");
    let message = decode(&format!(r#"{{{gateway},"settings":{{"trusted_hops":1,"more":{{"x":1}}}}}}"#));
    assert!(message.starts_with("settings.more: unknown field"), "{message}");
}

/// Whoever logs or shows a certificate shows no key; the form with the key is asked for by name.
#[test]
fn for_people_a_private_key_is_redacted() {
    let certificate = Certificate {
        key: CertificateKey(NamespacedName::new("apps", "web")),
        chain: vec![],
        private_key: PrivateKey::new(*b"secret", PrivateKeyEncoding::Sec1),
        dns_names: vec![],
    };
    let shown = format!("{certificate:?}{}", serde_json::to_string(&certificate).unwrap());
    assert!(!shown.contains("c2VjcmV0") && !shown.contains("115"), "{shown}");
    let encoded = Resource::Certificate(Arc::new(certificate)).encode();
    assert!(String::from_utf8_lossy(&encoded).contains("c2VjcmV0"));
}
