use std::net::IpAddr;
use std::sync::Arc;

use portway_policy::{LocalPod, PodPolicy, Ruled, Verdict};

use super::*;

const WEB: u32 = 7;

fn name(name: &str) -> NamespacedName {
    NamespacedName::new("shop", name)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn isolated() -> DirectionPolicy {
    let denied = Ruling { order: 1, decision: Decision::Deny, policy: PolicyIndex(3) };
    let default = Verdict { first: Ruling::PASS, then: denied };
    DirectionPolicy { default, ..DirectionPolicy::open() }
}

/// One pod, at one address, of this identity, with this set: isolated for what it gets.
fn wanted(pod: &str, uid: &str, identity: u32, set: u32, interface: u32) -> Wanted {
    let open = Ruled { enforced: DirectionPolicy::open(), rehearsed: None };
    let policy = PodPolicy { ingress: Ruled { enforced: isolated(), rehearsed: None }, egress: open };
    let local = LocalPod {
        uid: uid.into(),
        addresses: vec![address("10.0.0.2")],
        identity: IdentityId(identity),
        set: PolicySetId(set),
    };
    let tables = Tables {
        addresses: [(address("10.0.0.2"), IdentityId(identity)), (address("10.9.0.5"), IdentityId(50))]
            .into(),
        pods: [(name(pod), local)].into(),
        sets: [(PolicySetId(set), Arc::new(policy))].into(),
        ..Tables::default()
    };
    Wanted { tables, pods: [(name(pod), interface)].into(), ..Wanted::default() }
}

fn kinds(changes: &[Change]) -> Vec<String> {
    let kind = |it: &Change| format!("{it:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
    changes.iter().map(kind).collect()
}

#[test]
fn rules_stand_before_the_pod_that_has_them_and_go_after_it() {
    let mut ledger = Ledger::default();
    let first = ledger.enforce(&wanted("web", "a", 20, 1, WEB));
    assert_eq!(
        kinds(&first),
        ["PutRules", "PutPod", "PutLocal", "PutIdentity", "PutIdentity", "PutRevision"]
    );
    let then = ledger.enforce(&wanted("web", "a", 20, 2, WEB));
    assert_eq!(kinds(&then), ["PutRules", "PutPod", "KeepRules"], "nobody else is judged again");
    assert_eq!(ledger.enforce(&wanted("web", "a", 20, 2, WEB)), [], "nothing has changed");
}

#[test]
fn what_is_open_has_no_rules() {
    let mut wanted = wanted("web", "a", 20, 1, WEB);
    let open = Ruled { enforced: DirectionPolicy::open(), rehearsed: None };
    let policy = PodPolicy { ingress: open.clone(), egress: open };
    wanted.tables.sets = [(PolicySetId(1), Arc::new(policy))].into();
    let changes = Ledger::default().enforce(&wanted);
    let pod = changes.iter().find_map(|it| match it {
        Change::PutPod { pod, .. } => Some(*pod),
        _ => None,
    });
    assert_eq!(pod.map(|it| (it.ingress, it.egress)), Some((OPEN, OPEN)));
    assert!(!kinds(&changes).contains(&"PutRules".to_owned()));
}

#[test]
fn a_pod_that_is_gone_leaves_nothing_behind() {
    let mut ledger = Ledger::default();
    ledger.enforce(&wanted("web", "a", 20, 1, WEB));
    let changes = ledger.enforce(&Wanted::default());
    assert_eq!(
        kinds(&changes),
        ["RemoveLocal", "RemoveIdentity", "RemoveIdentity", "RemovePod", "PutRevision", "KeepRules"]
    );
    assert!(matches!(changes.last(), Some(Change::KeepRules { ids }) if ids.is_empty()));
}

#[test]
fn what_a_process_before_has_left_is_not_numbered_anew() {
    let mut ledger = Ledger::default();
    ledger.enforce(&wanted("web", "a", 20, 1, WEB));
    let mut standing = ledger.standing.clone();
    (standing.last_identity, standing.last_policy) = (50, 3);
    let former = standing.former();
    assert_eq!(former.addresses[&address("10.9.0.5")], IdentityId(50));
    assert_eq!((former.last_identity, former.last_set), (IdentityId(50), PolicySetId(1)));
    assert_eq!(former.last_policy, PolicyIndex(3));
    let mut next = Ledger::resume(standing);
    let changes = next.enforce(&wanted("web", "a", 20, 2, WEB));
    assert_eq!(kinds(&changes), ["PutRules", "PutPod", "KeepRules"]);
}

#[test]
fn a_pod_whose_set_is_missing_has_no_entry() {
    let mut wanted = wanted("web", "a", 20, 1, WEB);
    wanted.tables.sets.clear();
    let mut ledger = Ledger::default();
    ledger.enforce(&wanted);
    assert!(ledger.pods().is_empty());
}

#[test]
fn flows_are_judged_again_when_an_address_changes_hands() {
    let mut ledger = Ledger::default();
    ledger.enforce(&wanted("web", "a", 20, 1, WEB));
    let changes = ledger.enforce(&wanted("db", "b", 21, 1, WEB));
    assert!(kinds(&changes).contains(&"PutRevision".to_owned()), "{changes:?}");
}

#[test]
fn rules_that_were_refused_are_tried_again() {
    let mut ledger = Ledger::default();
    let wanted = wanted("web", "a", 20, 1, WEB);
    let changes = ledger.enforce(&wanted);
    let Some(Change::PutRules { id, .. }) = changes.first() else { panic!("{changes:?}") };
    ledger.refused_rules(*id);
    ledger.refused_pod(WEB);
    let again = ledger.enforce(&wanted);
    assert!(kinds(&again).starts_with(&["PutRules".to_owned(), "PutPod".to_owned()]), "{again:?}");
}

#[test]
fn flows_are_judged_again_when_the_proxies_of_a_gateway_are_others() {
    let mut ledger = Ledger::default();
    let mut wanted = wanted("web", "a", 20, 1, WEB);
    let mut gateway = |identity: Option<u32>| {
        let name = layout::GatewayName::of(&NamespacedName::new("edge", "g")).unwrap();
        wanted.gateways = identity.map(|identity| (3, Gateway { identity, name })).into_iter().collect();
        wanted.last_gateway = 3;
        kinds(&ledger.enforce(&wanted))
    };
    gateway(None);
    assert_eq!(gateway(Some(40)), ["PutGateway", "PutRevision"]);
    assert_eq!(gateway(Some(40)), [""; 0]);
    assert_eq!(gateway(Some(41)), ["PutGateway", "PutRevision"]);
    assert_eq!(gateway(None), ["RemoveGateway", "PutRevision"]);
}
