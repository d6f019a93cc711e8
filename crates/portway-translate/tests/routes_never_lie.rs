//! The status of a route never lies: what it says is served is in the configuration, and nothing else is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod arbitrary_routes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arbitrary_routes::{HOME, scene};
use jiff::Timestamp;
use portway_api::core::Condition;
use portway_api::object::ObjectRef;
use portway_api::reference::ParentReference;
use portway_api::route::{RouteParentStatus, RouteSpec, RouteStatus};
use portway_api::{Namespaced, ObjectKey, Resource, Snapshot};
use portway_config::filter::Filter;
use portway_config::route::{BackendTarget, WeightedBackend};
use portway_config::{Configuration, NamespacedName, Route, RouteKey, RouteKind, Rules};
use portway_route::Router;
use portway_translate::{Controllers, Options, Severity, Translation, translate};
use proptest::prelude::*;

fn translated(snapshot: &Snapshot, second: i64) -> Translation {
    let options = Options {
        controllers: Controllers::Any,
        now: Timestamp::from_second(second).unwrap(),
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    };
    translate(snapshot, &options)
}

fn status_of<'c>(conditions: &'c [Condition], kind: &str) -> Option<&'c str> {
    conditions.iter().find(|it| it.type_ == kind).map(|it| it.status.as_str())
}

fn is_accepted(parent: &RouteParentStatus) -> bool {
    status_of(&parent.conditions, "Accepted") == Some("True")
}

/// The references of every route to the Gateway, in order; the default one last.
fn expected_parents(snapshot: &Snapshot) -> BTreeMap<(RouteKind, ObjectKey), Vec<ParentReference>> {
    fn add<S: RouteSpec>(
        kind: RouteKind,
        routes: &Namespaced<Resource<S>>,
        into: &mut BTreeMap<(RouteKind, ObjectKey), Vec<ParentReference>>,
    ) {
        for (key, route) in routes {
            let all = route.spec.parent_refs().iter();
            let mut ours: Vec<_> = all.filter(|it| it.name == "edge").cloned().collect();
            let names_all = ours.iter().any(|it| it.section_name.is_none() && it.port.is_none());
            if route.spec.use_default_gateways().is_some() && !names_all {
                ours.push(ParentReference {
                    group: Some("gateway.networking.k8s.io".to_owned()),
                    kind: Some("Gateway".to_owned()),
                    namespace: Some(HOME.to_owned()),
                    name: "edge".to_owned(),
                    section_name: None,
                    port: None,
                });
            }
            if !ours.is_empty() {
                into.insert((kind, key.clone()), ours);
            }
        }
    }
    let mut expected = BTreeMap::new();
    add(RouteKind::Http, &snapshot.http_routes, &mut expected);
    add(RouteKind::Grpc, &snapshot.grpc_routes, &mut expected);
    add(RouteKind::Tls, &snapshot.tls_routes, &mut expected);
    add(RouteKind::Tcp, &snapshot.tcp_routes, &mut expected);
    add(RouteKind::Udp, &snapshot.udp_routes, &mut expected);
    expected
}

fn check_status(kind: RouteKind, key: &ObjectKey, status: &RouteStatus, parents: &[ParentReference]) {
    let told: Vec<_> = status.parents.iter().map(|it| &it.parent_ref).collect();
    assert_eq!(told, parents.iter().collect::<Vec<_>>(), "{kind:?} {key}");
    for parent in &status.parents {
        let conditions = &parent.conditions;
        assert!(conditions.iter().all(|it| it.observed_generation == Some(7)), "{conditions:?}");
        assert!(
            status_of(conditions, "Accepted").is_some() && status_of(conditions, "ResolvedRefs").is_some()
        );
        if let Some(partly) = conditions.iter().find(|it| it.type_ == "PartiallyInvalid") {
            assert!(is_accepted(parent) && partly.status == "True", "{conditions:?}");
            assert!(partly.message.starts_with("Dropped Rule"), "{conditions:?}");
        }
    }
}

/// What is configured is accepted, and what is accepted at a served listener is configured.
fn check_route(configuration: &Configuration, key: &RouteKey, status: &RouteStatus) {
    let accepted: Vec<_> = status.parents.iter().filter(|it| is_accepted(it)).collect();
    let Some(route) = configuration.routes.get(key) else {
        for parent in accepted {
            let message = &parent.conditions[0].message;
            assert!(message.contains("is not served"), "{key} is accepted and not configured: {message}");
        }
        return;
    };
    assert!(!accepted.is_empty(), "{key} is configured and not accepted");
    assert!(!route.attachments.is_empty() && route.attachments.iter().all(|it| !it.hostnames.is_empty()));
    for attachment in &route.attachments {
        assert!(configuration.listeners.contains_key(&attachment.listener), "{key}: {attachment:?}");
    }
    let is_clean = status.parents.iter().all(|it| {
        status_of(&it.conditions, "ResolvedRefs") == Some("True")
            && status_of(&it.conditions, "PartiallyInvalid").is_none()
    });
    assert!(!is_clean || !has_faults(&route.rules), "{key} has a fault that no condition tells of");
}

fn has_faults(rules: &Rules) -> bool {
    let is_fault = |it: &WeightedBackend| matches!(it.target, BackendTarget::Invalid(_));
    match rules {
        Rules::Http(rules) => rules.iter().any(|it| it.fault.is_some() || it.backends.iter().any(is_fault)),
        Rules::L4(rules) => rules.iter().any(|it| it.backends.iter().any(is_fault)),
    }
}

/// Every backend that a route names is there with its endpoints, and no other is.
fn check_backends(configuration: &Configuration) {
    let named: BTreeSet<_> = configuration.routes.values().flat_map(|it| targets(it)).collect();
    let present: BTreeSet<_> = configuration.backends.keys().collect();
    assert_eq!(named, present);
    let endpoints: BTreeSet<_> = named.iter().map(|it| &it.endpoints).collect();
    assert_eq!(endpoints, configuration.endpoints.keys().collect());
}

fn targets(route: &Route) -> Vec<&portway_config::BackendKey> {
    let mut targets: Vec<&BackendTarget> = Vec::new();
    match &route.rules {
        Rules::Http(rules) => {
            for rule in rules {
                targets.extend(rule.backends.iter().map(|it| &it.target));
                for filter in &rule.filters {
                    match filter {
                        Filter::Mirror(mirror) => targets.push(&mirror.target),
                        Filter::ExternalAuth(auth) => targets.push(&auth.target),
                        _ => {}
                    }
                }
            }
        }
        Rules::L4(rules) => targets.extend(rules.iter().flat_map(|it| &it.backends).map(|it| &it.target)),
    }
    let backends = targets.into_iter().filter_map(|it| match it {
        BackendTarget::Backend(key) => Some(key),
        BackendTarget::Invalid(_) => None,
    });
    backends.collect()
}

/// The number of routes of a listener is that of its attachments, where it is served.
fn check_counts(configuration: &Configuration, translation: &Translation) {
    let key = ObjectKey::new(HOME, "edge");
    for listener in &translation.statuses.gateways[&key].listeners {
        let attachments = configuration.routes.values().flat_map(|it| &it.attachments);
        let attached = attachments.filter(|it| *it.listener.name == *listener.name).count();
        if configuration.listeners.keys().any(|it| *it.name == *listener.name) {
            assert_eq!(usize::try_from(listener.attached_routes).unwrap(), attached, "{}", listener.name);
        }
    }
}

/// Whatever is refused is told to whoever runs `portway check`.
fn check_findings(translation: &Translation) {
    let told: BTreeSet<_> = translation
        .findings
        .iter()
        .filter(|it| it.severity <= Severity::Error)
        .map(|it| &it.object)
        .collect();
    for ((kind, key), status) in &translation.statuses.routes {
        let object = ObjectRef::namespaced(kind.as_str(), key);
        let is_bad = |it: &RouteParentStatus| it.conditions.iter().any(|it| it.status == "False");
        let all_bad = status.parents.iter().all(is_bad);
        assert!(!all_bad || told.contains(&object), "{object} is refused without a finding");
    }
}

/// The same objects with their status on them are the same to a later translation.
fn check_again(snapshot: &Snapshot, first: &Translation) {
    let mut later = snapshot.clone();
    for ((kind, key), status) in &first.statuses.routes {
        match kind {
            RouteKind::Http => set_status(&mut later.http_routes, key, status),
            RouteKind::Grpc => set_status(&mut later.grpc_routes, key, status),
            RouteKind::Tls => set_status(&mut later.tls_routes, key, status),
            RouteKind::Tcp => set_status(&mut later.tcp_routes, key, status),
            RouteKind::Udp => set_status(&mut later.udp_routes, key, status),
        }
    }
    for (key, status) in &first.statuses.backend_tls_policies {
        let policy = later.backend_tls_policies.get_mut(key).unwrap();
        Arc::make_mut(policy).status = Some(status.clone());
    }
    let second = translated(&later, 2_000);
    assert_eq!(first.statuses.routes, second.statuses.routes);
    assert_eq!(first.statuses.backend_tls_policies, second.statuses.backend_tls_policies);
    assert_eq!(first.configurations, second.configurations);
}

fn set_status<S: RouteSpec>(routes: &mut Namespaced<Resource<S>>, key: &ObjectKey, status: &RouteStatus) {
    Arc::make_mut(routes.get_mut(key).unwrap()).status = Some(status.clone());
}

fn check(snapshot: &Snapshot) {
    let translation = translated(snapshot, 1_000);
    let expected = expected_parents(snapshot);
    assert_eq!(translation.statuses.routes.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let configuration = &translation.configurations[&ObjectKey::new(HOME, "edge")];
    for ((kind, key), status) in &translation.statuses.routes {
        check_status(*kind, key, status, &expected[&(*kind, key.clone())]);
        let name = NamespacedName::new(&*key.namespace, &*key.name);
        check_route(configuration, &RouteKey { kind: *kind, name }, status);
    }
    check_backends(configuration);
    check_counts(configuration, &translation);
    check_findings(&translation);
    check_again(snapshot, &translation);
    let (_, refused) = Router::compile(configuration);
    assert!(refused.is_empty(), "the matcher cannot serve {refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_status_of_a_route_says_what_is_served(snapshot in scene()) {
        check(&snapshot);
    }
}
