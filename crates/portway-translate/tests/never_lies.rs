//! Status never lies: what it says is served is in the configuration, and nothing else is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod arbitrary_gateways;

use std::collections::BTreeSet;

use arbitrary_gateways::{Scene, scene};
use jiff::Timestamp;
use portway_api::core::Condition;
use portway_api::listener::ListenerStatus;
use portway_api::object::ObjectRef;
use portway_api::{ObjectKey, Snapshot};
use portway_config::{Configuration, Listener, ListenerKey, ListenerParent, NamespacedName};
use portway_translate::{Controllers, Options, Severity, Translation, translate};
use proptest::prelude::*;

fn options(now: i64) -> Options {
    Options {
        controllers: Controllers::Any,
        now: Timestamp::from_second(now).unwrap(),
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    }
}

/// Well within the validity of the certificates.
const NOW: i64 = 1_767_225_600;

fn is_true(conditions: &[Condition], kind: &str) -> bool {
    conditions.iter().any(|it| it.type_ == kind && it.status == "True")
}

fn name(key: &ObjectKey) -> NamespacedName {
    NamespacedName::new(&*key.namespace, &*key.name)
}

/// Each listener that a status tells of, with the Gateway's configuration where it has one.
fn told<'a>(
    snapshot: &Snapshot,
    translation: &'a Translation,
) -> Vec<(ListenerKey, &'a ListenerStatus, Option<&'a Configuration>)> {
    let mut all = Vec::new();
    for (key, status) in &translation.statuses.gateways {
        for listener in &status.listeners {
            let parent = ListenerParent::Gateway(name(key));
            let key = ListenerKey { parent, name: listener.name.as_str().into() };
            all.push((key, listener, translation.configurations.values().next()));
        }
    }
    for (key, status) in &translation.statuses.listener_sets {
        assert!(snapshot.listener_sets.contains_key(key));
        for listener in &status.listeners {
            let parent = ListenerParent::ListenerSet(name(key));
            let key = ListenerKey { parent, name: listener.name.as_str().into() };
            all.push((key, listener, translation.configurations.values().next()));
        }
    }
    all
}

/// Whether one connection or request could belong to both.
fn indistinct(a: &Listener, b: &Listener) -> bool {
    use portway_config::ListenerProtocol::{Http, Tcp, Udp};

    let is_udp = |it: &Listener| matches!(it.protocol, Udp);
    if a.port != b.port || is_udp(a) != is_udp(b) {
        return false;
    }
    match (&a.protocol, &b.protocol) {
        (Http, Http) => a.hostname == b.hostname,
        (Tcp | Udp, _) | (_, Tcp | Udp) | (Http, _) | (_, Http) => true,
        _ => a.hostname == b.hostname,
    }
}

fn check_configuration(configuration: &Configuration) {
    let listeners: Vec<_> = configuration.listeners.values().collect();
    for (index, a) in listeners.iter().enumerate() {
        for b in &listeners[index + 1..] {
            assert!(!indistinct(a, b), "both are served:\n{a:?}\n{b:?}");
        }
        if let Some(tls) = a.protocol.termination() {
            assert!(!tls.certificates.is_empty(), "no certificate to show: {a:?}");
            for key in &tls.certificates {
                assert!(configuration.certificates.contains_key(key), "{key:?} is missing");
            }
            for key in tls.client_validation.iter().flat_map(|it| &it.trust) {
                assert!(configuration.trust_bundles.contains_key(key), "{key:?} is missing");
            }
        }
    }
}

fn check(scene: &Scene) {
    let snapshot = scene.snapshot();
    let translation = translate(&snapshot, &options(NOW));
    for (key, status) in &translation.statuses.gateways {
        let accepted = is_true(&status.conditions, "Accepted");
        assert_eq!(accepted, translation.configurations.contains_key(key), "Gateway {key}");
    }
    for (key, status, configuration) in told(&snapshot, &translation) {
        let served = configuration.is_some_and(|it| it.listeners.contains_key(&key));
        assert_eq!(is_true(&status.conditions, "Programmed"), served, "{key}: {status:#?}");
        assert!(!served || is_true(&status.conditions, "Accepted"), "{key}: {status:#?}");
        assert!(!served || !is_true(&status.conditions, "Conflicted"), "{key}: {status:#?}");
    }
    translation.configurations.values().for_each(check_configuration);
    check_served_are_told(&snapshot, &translation);
    check_findings(&translation);
    check_transitions(scene, &translation);
}

/// Nothing is served that no status tells of.
fn check_served_are_told(snapshot: &Snapshot, translation: &Translation) {
    let told: BTreeSet<_> = told(snapshot, translation).into_iter().map(|(key, ..)| key).collect();
    for configuration in translation.configurations.values() {
        for key in configuration.listeners.keys() {
            assert!(told.contains(key), "{key} is served in secret");
        }
    }
}

/// Whatever is refused is told to whoever runs `portway check`, at the object that is at fault.
fn check_findings(translation: &Translation) {
    let at_fault: BTreeSet<_> = translation
        .findings
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .map(|it| &it.object)
        .collect();
    for (key, status) in &translation.statuses.gateways {
        let object = ObjectRef::namespaced("Gateway", key);
        let conditions = status.listeners.iter().flat_map(|it| &it.conditions);
        let refused =
            conditions.chain(&status.conditions).any(|it| it.type_ == "Accepted" && it.status == "False");
        assert!(!refused || at_fault.contains(&object), "{object} is refused without a finding");
    }
    for (key, status) in &translation.statuses.listener_sets {
        let set = ObjectRef::namespaced("ListenerSet", key);
        let refused =
            status.conditions.iter().any(|it| it.status == "False" && it.reason != "ParentNotAccepted");
        assert!(!refused || !at_fault.is_empty(), "{set} is refused without a finding");
    }
}

/// A later translation of the same objects, with the first one's status on them, changes nothing.
fn check_transitions(scene: &Scene, first: &Translation) {
    let again = translate(&scene.snapshot_with(&first.statuses), &options(NOW + 1_000));
    assert_eq!(again.statuses, first.statuses);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_status_says_is_served_is_in_the_configuration_and_nothing_else(scene in scene()) {
        check(&scene);
    }
}
