//! What a change costs does not depend on what else there is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use portway_config::backend::{BackendTls, Endpoint, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::route::{BackendTarget, WeightedBackend};
use portway_config::{
    Attachment, Backend, BackendKey, Configuration, EndpointAddress, Endpoints, EndpointsKey,
    HostnamePattern, HttpRule, Listener, ListenerKey, ListenerParent, ListenerProtocol, NamespacedName,
    Route, RouteKey, RouteKind, Rules, Transport,
};
use portway_proxy::snapshot::GatewaySnapshot;

const CHANGES: u8 = 200;

fn listener() -> ListenerKey {
    let parent = ListenerParent::Gateway(NamespacedName::new("infra", "edge"));
    ListenerKey { parent, name: "http".into() }
}

fn endpoints_key(index: usize) -> EndpointsKey {
    let service = NamespacedName::new("shop", format!("store-{index}"));
    EndpointsKey { service, port: 80, transport: Transport::Tcp }
}

fn backend_key(index: usize) -> BackendKey {
    BackendKey { endpoints: endpoints_key(index), protocol: BackendProtocol::Http1 }
}

/// Each has a hostname and a backend of its own.
fn put_route(configuration: &mut Configuration, index: usize, path: &str) {
    let hostname = HostnamePattern::Exact(format!("store-{index}.example.com").into());
    let target = BackendTarget::Backend(backend_key(index));
    let rule = HttpRule {
        index: 0,
        name: None,
        matches: vec![RequestMatch {
            path: PathMatch::Prefix(path.into()),
            method: None,
            headers: Vec::new(),
            query_params: Vec::new(),
        }],
        filters: Vec::new(),
        backends: vec![WeightedBackend { index: 0, weight: 1, target, filters: Vec::new() }],
        fault: None,
        request_timeout: None,
        backend_timeout: None,
        retry: None,
        session_persistence: None,
    };
    let key = RouteKey { kind: RouteKind::Http, name: NamespacedName::new("shop", format!("store-{index}")) };
    let route = Route {
        key: key.clone(),
        created: None,
        hostnames: vec![hostname.clone()],
        attachments: vec![Attachment { listener: listener(), hostnames: vec![hostname] }],
        rules: Rules::Http(vec![rule]),
    };
    configuration.routes.insert(key, Arc::new(route));
}

fn put_endpoints(configuration: &mut Configuration, index: usize, address: [u8; 4]) {
    let key = endpoints_key(index);
    let address = EndpointAddress::Socket((address, 8080).into());
    let endpoints = vec![Endpoint { address, state: EndpointState::Ready, node: None }];
    configuration.endpoints.insert(key.clone(), Arc::new(Endpoints { key, endpoints }));
}

fn configuration(routes: usize) -> Configuration {
    let mut configuration = Configuration::empty(NamespacedName::new("infra", "edge"));
    let http = Listener {
        key: listener(),
        port: 80,
        hostname: HostnamePattern::Any,
        protocol: ListenerProtocol::Http,
        filters: Vec::new(),
    };
    configuration.listeners.insert(listener(), Arc::new(http));
    for index in 0..routes {
        put_route(&mut configuration, index, "/");
        put_endpoints(&mut configuration, index, [10, 0, 0, 1]);
        let backend = Backend { key: backend_key(index), tls: BackendTls::Plain };
        configuration.backends.insert(backend.key.clone(), Arc::new(backend));
    }
    configuration
}

/// What this thread has computed so far: tests run on busy machines, where the clock on the wall says little. It is as
/// exact as the scheduler's tick.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// What one of many changes costs, from the configuration to the snapshot.
fn changed_in(routes: usize, change: impl Fn(&mut Configuration, u8)) -> Duration {
    let mut configuration = configuration(routes);
    let mut snapshot = GatewaySnapshot::build(Arc::new(configuration.clone()), Vec::new(), None).0;
    let start = cpu_time();
    for turn in 0..CHANGES {
        change(&mut configuration, turn);
        // The one before is dropped in the time that is measured, as it is when it is swapped.
        snapshot = GatewaySnapshot::build(Arc::new(configuration.clone()), Vec::new(), Some(&snapshot)).0;
    }
    let elapsed = cpu_time() - start;
    assert_eq!(snapshot.router.rules().len(), routes);
    elapsed / u32::from(CHANGES)
}

#[test]
fn a_change_costs_the_same_however_many_routes_there_are() {
    let a_route = |it: &mut Configuration, turn: u8| put_route(it, 7, &format!("/{turn}"));
    let an_endpoint = |it: &mut Configuration, turn: u8| put_endpoints(it, 7, [10, 0, 1, turn]);
    for (what, few, many) in [
        ("route", changed_in(50, a_route), changed_in(5_000, a_route)),
        ("endpoint", changed_in(50, an_endpoint), changed_in(5_000, an_endpoint)),
    ] {
        println!("one {what}: beside 50 routes {few:?}, beside 5,000 {many:?}");
        // Were it linear, it would be 100.
        assert!(
            many < few * 10 + Duration::from_micros(200),
            "{what}: {few:?} beside 50 routes, {many:?} beside 5,000"
        );
    }
}

/// A rule that names a backend which is not there, or no longer, goes along when that comes or goes.
#[test]
fn a_rule_follows_its_backend() {
    let mut whole = configuration(3);
    let build = |configuration: &Configuration, previous: Option<&GatewaySnapshot>| {
        GatewaySnapshot::build(Arc::new(configuration.clone()), Vec::new(), previous).0
    };
    let first = build(&whole, None);
    let described = |snapshot: &GatewaySnapshot| {
        let rules = snapshot.rules.iter().map(|(number, rule)| {
            let route = &snapshot.router.rules().get(number as usize).unwrap().route.key;
            (route.clone(), format!("{rule:?}").contains("BackendNotFound"))
        });
        rules.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert!(described(&first).values().all(|is_missing| !is_missing));
    whole.backends.remove(&backend_key(1));
    let without = build(&whole, Some(&first));
    assert_eq!(described(&without), described(&build(&whole, None)));
    assert_eq!(described(&without).values().filter(|is_missing| **is_missing).count(), 1);
    // Another takes the place that is free, which no rule may take for the one that is gone.
    let other = Backend { key: backend_key(9), tls: BackendTls::Plain };
    whole.backends.insert(other.key.clone(), Arc::new(other));
    let with_other = build(&whole, Some(&without));
    assert_eq!(described(&with_other), described(&without));
    let back = Backend { key: backend_key(1), tls: BackendTls::Plain };
    whole.backends.insert(back.key.clone(), Arc::new(back));
    assert_eq!(described(&build(&whole, Some(&with_other))), described(&first));
}
