//! The tables, held to the model; and what happens from one state to the next.

mod cluster;

use std::collections::BTreeSet;

use portway_config::network_policy::{
    GatewayProxies, IngressRule, IpBlock, LabelRequirement, LabelSelector, Labels, NamedPort, NetworkPolicy,
    NetworkPolicySpec, PolicyNamespace, PolicyPeer, PolicyPort, PortReference,
};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::decide::PeerLookup;
use crate::model::{End, Rehearsed, verdict};
use crate::tables::{Decision, Direction, DirectionPolicy, Protocol};

/// Addresses of pods and others, of both families, close to the edges of the blocks below.
const ADDRESSES: [&str; 10] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.1.1",
    "10.1.0.1",
    "192.0.2.1",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8:1::1",
    "::1",
    "64:ff9b::a00:1",
];
const BLOCKS: [&str; 14] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.0.0/24",
    "10.0.0.1/32",
    "10.0.0.2/31",
    "::/0",
    "2001:db8::/32",
    "2001:db8::/64",
    "2001:db8::1/128",
    "::ffff:10.0.0.0/104",
    "::/64",
    "10.0.0.0",
    "10.0.0.0/40",
];
const PORTS: [u16; 7] = [0, 1, 79, 80, 81, 82, 65535];

fn text(choices: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> + Clone {
    select(choices).prop_map(Arc::from)
}

fn labels() -> impl Strategy<Value = Labels> {
    btree_map(text(&["a", "b"]), text(&["1", "2"]), 0..3)
}

fn selector() -> impl Strategy<Value = LabelSelector> {
    let operator = text(&["In", "In", "NotIn", "NotIn", "Exists", "DoesNotExist", "Is"]);
    let expression = (text(&["a", "b"]), operator, vec(text(&["1", "2"]), 0..3)).prop_map(
        |(key, operator, mut values)| {
            if matches!(&*operator, "Exists" | "DoesNotExist") {
                values.truncate(values.len() / 2);
            }
            LabelRequirement { key, operator, values }
        },
    );
    let labels = btree_map(text(&["a", "b"]), text(&["1", "2"]), 0..2);
    (labels, vec(expression, 0..2))
        .prop_map(|(match_labels, match_expressions)| LabelSelector { match_labels, match_expressions })
}

fn peer() -> impl Strategy<Value = PolicyPeer> {
    let block = (text(&BLOCKS), vec(text(&BLOCKS), 0..3)).prop_map(|(cidr, except)| IpBlock { cidr, except });
    let selectors = (of(selector()), of(selector()));
    prop_oneof![
        4 => selectors.prop_map(|(pod_selector, namespace_selector)| PolicyPeer {
            pod_selector,
            namespace_selector,
            ip_block: None
        }),
        4 => block.clone().prop_map(|it| PolicyPeer { ip_block: Some(it), ..PolicyPeer::default() }),
        1 => (block, selector()).prop_map(|(block, it)| PolicyPeer {
            ip_block: Some(block),
            pod_selector: Some(it),
            namespace_selector: None
        }),
    ]
}

fn port() -> impl Strategy<Value = PolicyPort> {
    let number = select(&[0, 1, 79, 80, 81, 65535, 65536, -1][..]).prop_map(PortReference::Number);
    let name = text(&["http", "dns"]).prop_map(PortReference::Name);
    let protocol = of(text(&["TCP", "UDP", "SCTP", "ICMP"]));
    (protocol, of(prop_oneof![2 => number, 1 => name]), of(select(&[79, 80, 82, 65535, 65536][..])))
        .prop_map(|(protocol, port, end_port)| PolicyPort { protocol, port, end_port })
}

fn rule() -> impl Strategy<Value = IngressRule> {
    (vec(peer(), 0..3), vec(port(), 0..3)).prop_map(|(from, ports)| IngressRule { from, ports })
}

fn policy() -> impl Strategy<Value = NetworkPolicy> {
    let types = subsequence(vec!["Ingress".into(), "Egress".into()], 0..=2);
    let spec = (selector(), types, vec(rule(), 0..3), vec(rule(), 0..3));
    (text(&["x", "y"]), text(&["p", "q", "r", "s"]), of(text(&["true", "false", "perhaps"])), spec).prop_map(
        |(namespace, name, rehearse, (pod_selector, policy_types, ingress, egress))| {
            let egress = egress
                .into_iter()
                .map(|it| portway_config::network_policy::EgressRule { to: it.from, ports: it.ports });
            let egress = egress.collect();
            let spec = NetworkPolicySpec { pod_selector, policy_types, ingress, egress };
            NetworkPolicy { name: NamespacedName { namespace, name }, rehearse, spec }
        },
    )
}

fn named_ports() -> impl Strategy<Value = Vec<NamedPort>> {
    let port = (text(&["http", "dns", "other"]), text(&["TCP", "UDP"]), select(&PORTS[1..]));
    vec(port.prop_map(|(name, protocol, port)| NamedPort { name, protocol, port }), 0..3)
}

/// Pods, each with addresses that no other has.
fn pods() -> impl Strategy<Value = Vec<PolicyPod>> {
    let pod = (
        text(&["x", "y", "z"]),
        labels(),
        named_ports(),
        text(&["here", "there"]),
        prop::bool::weighted(0.1),
    );
    vec(pod, 0..6).prop_map(|pods| {
        let addresses = ADDRESSES.iter().cycle().step_by(3);
        let pods = pods.into_iter().zip(addresses).enumerate();
        pods.map(|(index, ((namespace, labels, ports, node, host_network), address))| PolicyPod {
            name: NamespacedName { namespace, name: index.to_string().into() },
            uid: index.to_string().into(),
            created: 0,
            is_leaving: false,
            node,
            labels,
            ports,
            addresses: vec![address.parse().unwrap()],
            host_network,
        })
        .collect()
    })
}

fn facts() -> impl Strategy<Value = PolicyFacts> {
    let namespaces = btree_map(text(&["x", "y", "z"]), labels(), 0..4);
    let proxies = (text(&["x", "y"]), labels(), named_ports());
    let policies = (vec(policy(), 0..5), cluster::policies());
    (namespaces, pods(), policies, proxies).prop_map(|(namespaces, pods, (policies, of_cluster), proxies)| {
        let gateway = NamespacedName { namespace: proxies.0, name: "edge".into() };
        let proxies = GatewayProxies { gateway: gateway.clone(), labels: proxies.1, ports: proxies.2 };
        let namespaces = namespaces.into_iter();
        PolicyFacts {
            namespaces: namespaces
                .map(|(name, labels)| (name.clone(), Arc::new(PolicyNamespace { name, labels })))
                .collect(),
            pods: pods.into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect(),
            policies: policies.into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect(),
            cluster_policies: of_cluster.into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect(),
            proxies: [(gateway, Arc::new(proxies))].into_iter().collect(),
        }
    })
}

/// Every end that there is: each pod, and each address that is none's.
fn ends(facts: &PolicyFacts) -> Vec<End<'_>> {
    let mut free: BTreeSet<IpAddr> = ADDRESSES.iter().map(|it| it.parse().unwrap()).collect();
    let mut ends = Vec::new();
    for pod in facts.pods.values() {
        for address in &pod.addresses {
            free.remove(address);
            ends.push(End { pod: (!pod.host_network).then_some(&**pod), address: *address });
        }
    }
    ends.extend(free.into_iter().map(|address| End { pod: None, address }));
    ends
}

fn allows(pod: &LocalPod, policy: &DirectionPolicy, peer: PeerLookup, what: (Protocol, u16)) -> bool {
    pod.decide(policy, peer, what).decision != Decision::Deny
}

/// Holds one pod's tables to the model, for every peer, protocol and port.
fn hold(facts: &PolicyFacts, tables: &Tables, subject: End<'_>, pod: &LocalPod) -> Result<(), TestCaseError> {
    let set = &tables.sets[&pod.set];
    for peer in ends(facts) {
        let identity = tables.addresses.get(&peer.address).copied().unwrap_or(IdentityId::UNKNOWN);
        let lookup = PeerLookup { identity, address: peer.address };
        for (direction, protocol) in
            Direction::ALL.into_iter().flat_map(|it| Protocol::ALL.map(|protocol| (it, protocol)))
        {
            let ends = if direction == Direction::Ingress { (peer, subject) } else { (subject, peer) };
            let ports: &[u16] = if protocol == Protocol::Other { &[0] } else { &PORTS };
            for port in ports {
                let what = (protocol, *port);
                let side = set.side(direction);
                let said = allows(pod, &side.enforced, lookup, what);
                let meant = verdict(facts, direction, ends, what, Rehearsed::Ignored);
                prop_assert_eq!(said, meant, "{:?} {:?} {:?}", direction, ends, what);
                let rehearsed = side.rehearsed.as_ref().unwrap_or(&side.enforced);
                let said = allows(pod, rehearsed, lookup, what);
                let meant = verdict(facts, direction, ends, what, Rehearsed::Enforced);
                prop_assert_eq!(said, meant, "rehearsed, {:?} {:?} {:?}", direction, ends, what);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_say_what_the_model_says(states in vec(facts(), 1..3)) {
        let mut compilers = ["here", "there"].map(Compiler::new);
        for facts in &states {
            for compiler in &mut compilers {
                let tables = compiler.compile(facts).pop().unwrap();
                let is_local = |it: &&Arc<PolicyPod>| it.node == compiler.node && !it.host_network;
                let local: Vec<_> = facts.pods.values().filter(is_local).collect();
                prop_assert_eq!(tables.pods.len(), local.len());
                for pod in local {
                    let subject = End { pod: Some(pod), address: pod.addresses[0] };
                    hold(facts, &tables, subject, &tables.pods[&pod.name])?;
                }
            }
        }
    }

    /// A map of the kernel has one longest match, and both families.
    #[test]
    fn mapped_networks_say_the_same(facts in facts()) {
        let tables = Compiler::new("here").compile(&facts).pop().unwrap();
        for set in tables.sets.values() {
            for policy in [&set.ingress.enforced, &set.egress.enforced] {
                let mapped = policy.mapped_networks();
                let prefixes: BTreeSet<_> = mapped.iter().map(|(prefix, _)| prefix).collect();
                prop_assert_eq!(prefixes.len(), mapped.len(), "no key twice");
                for address in ADDRESSES {
                    let address: IpAddr = address.parse().unwrap();
                    let bits = match address {
                        IpAddr::V4(it) => it.to_ipv6_mapped(),
                        IpAddr::V6(it) => it,
                    };
                    let covers = |prefix: &crate::tables::MappedPrefix| {
                        let free = 128 - u32::from(prefix.length);
                        let differing = bits.to_bits() ^ u128::from_be_bytes(prefix.address);
                        differing.checked_shr(free).unwrap_or(0) == 0
                    };
                    let longest = mapped.iter().filter(|(it, _)| covers(it)).max_by_key(|(it, _)| it.length);
                    let class = longest.and_then(|(_, class)| *class);
                    let plain = policy.by_network.iter().filter(|(it, _)| it.contains(&address));
                    let plain = plain.max_by_key(|(it, _)| it.prefix_len()).map(|(_, class)| *class);
                    prop_assert_eq!(class, plain);
                }
            }
        }
    }

    /// While a change is written, the new sets meet the identities of the state before: they judge them as the pods were.
    #[test]
    fn new_sets_know_who_was_there_before(before in facts(), after in facts()) {
        let mut compiler = Compiler::new("here");
        let mut states: Vec<_> = compiler.compile(&before).into_iter().map(|it| (it, &before)).collect();
        let mut then = compiler.compile(&after);
        let last = then.pop().unwrap();
        states.extend(then.into_iter().map(|it| (it, &before)));
        states.push((last, &after));
        for pair in states.windows(2) {
            let [(old, before), (new, after)] = pair else { continue };
            for (name, local) in &new.pods {
                let pod = &after.pods[name];
                let to = End { pod: Some(pod), address: pod.addresses[0] };
                let policy = &new.sets[&local.set].ingress.enforced;
                for from in ends(before).into_iter().filter(|it| it.pod.is_some()) {
                    let lookup = PeerLookup { identity: old.addresses[&from.address], address: from.address };
                    for port in PORTS {
                        let what = (Protocol::Tcp, port);
                        let said = allows(local, policy, lookup, what);
                        let meant = verdict(after, Direction::Ingress, (from, to), what, Rehearsed::Ignored);
                        prop_assert_eq!(said, meant, "{:?} {:?} {}", from, to, port);
                    }
                }
            }
        }
    }
}

/// A namespace with two policies, and pods `(name, app, created, address)` on this node.
fn cluster(pods: &[(&str, &str, i64, &str)]) -> PolicyFacts {
    let pod = |&(name, app, created, address): &(&str, &str, i64, &str)| PolicyPod {
        name: NamespacedName::new("x", name),
        uid: name.into(),
        created,
        is_leaving: false,
        node: "here".into(),
        labels: [("app".into(), app.into()), ("hash".into(), name.into())].into(),
        ports: Vec::new(),
        addresses: vec![address.parse().unwrap()],
        host_network: false,
    };
    let policy = |name: &str, from: &str| {
        let selector =
            LabelSelector { match_labels: [("app".into(), from.into())].into(), ..LabelSelector::default() };
        let from = vec![PolicyPeer { pod_selector: Some(selector), ..PolicyPeer::default() }];
        let ingress = vec![IngressRule { from, ports: Vec::new() }];
        let spec = NetworkPolicySpec { ingress, ..NetworkPolicySpec::default() };
        NetworkPolicy { name: NamespacedName::new("x", name), rehearse: None, spec }
    };
    let policies = [policy("p", "a"), policy("q", "b")];
    PolicyFacts {
        pods: pods.iter().map(pod).map(|it| (it.name.clone(), Arc::new(it))).collect(),
        policies: policies.map(|it| (it.name.clone(), Arc::new(it))).into_iter().collect(),
        ..PolicyFacts::default()
    }
}

fn compiled(compiler: &mut Compiler, pods: &[(&str, &str, i64, &str)]) -> Tables {
    compiler.compile(&cluster(pods)).pop().unwrap()
}

fn who(tables: &Tables, address: &str) -> IdentityId {
    tables.addresses[&address.parse::<IpAddr>().unwrap()]
}

#[test]
fn pods_that_nobody_tells_apart_share_all_and_a_change_of_one_changes_nothing_else() {
    let mut compiler = Compiler::new("here");
    let before = compiled(&mut compiler, &[("1", "a", 0, "10.0.0.1"), ("2", "b", 0, "10.0.0.2")]);
    let after = compiled(
        &mut compiler,
        &[("1", "a", 0, "10.0.0.1"), ("2", "b", 0, "10.0.0.2"), ("3", "a", 0, "10.0.0.3")],
    );
    assert_eq!(who(&after, "10.0.0.3"), who(&after, "10.0.0.1"));
    assert_ne!(who(&after, "10.0.0.2"), who(&after, "10.0.0.1"));
    assert_eq!((before.sets, before.policies), (after.sets, after.policies));
}

#[test]
fn an_address_is_the_youngest_pods() {
    let mut compiler = Compiler::new("here");
    let tables = compiled(
        &mut compiler,
        &[("1", "a", 1, "10.0.0.1"), ("2", "b", 2, "10.0.0.1"), ("3", "a", 0, "10.0.0.2")],
    );
    assert_eq!(who(&tables, "10.0.0.1"), tables.pods[&NamespacedName::new("x", "2")].identity);
    let tables = compiled(&mut compiler, &[("1", "a", 1, "10.0.0.1"), ("3", "a", 0, "10.0.0.2")]);
    assert_eq!(who(&tables, "10.0.0.1"), who(&tables, "10.0.0.2"), "nothing is left of the pod that is gone");
}

#[test]
fn numbers_are_kept_over_a_restart_and_none_is_used_a_second_time() {
    let pods = [("1", "a", 0, "10.0.0.1"), ("2", "b", 0, "10.0.0.2"), ("3", "c", 0, "10.0.0.3")];
    let mut compiler = Compiler::new("here");
    compiled(&mut compiler, &[("0", "z", 0, "10.0.0.9")]);
    let before = compiled(&mut compiler, &pods);
    let former = Former {
        addresses: before.addresses.clone(),
        last_identity: *before.addresses.values().max().unwrap(),
        last_set: *before.sets.keys().max().unwrap(),
        last_policy: *before.policies.keys().max().unwrap(),
    };
    let after = compiled(&mut Compiler::resume("here", former.clone()), &pods);
    assert_eq!(after.addresses, before.addresses);
    assert!(after.sets.keys().all(|it| *it > former.last_set));
    // Meanwhile the address has come to another pod, and what had one identity has two.
    let mixed = [("1", "b", 0, "10.0.0.1"), ("2", "b", 0, "10.0.0.2"), ("4", "d", 0, "10.0.0.3")];
    let mut former = former;
    former.addresses.insert("10.0.0.3".parse().unwrap(), who(&before, "10.0.0.2"));
    let after = compiled(&mut Compiler::resume("here", former.clone()), &mixed);
    assert_eq!(who(&after, "10.0.0.1"), who(&after, "10.0.0.2"));
    assert!(who(&after, "10.0.0.3") > former.last_identity);
}

#[test]
fn pods_get_numbers_of_their_own_before_any_rule_tells_them_apart() {
    let after = cluster(&[("1", "a", 0, "10.0.0.1"), ("2", "b", 0, "10.0.0.2")]);
    let mut before = after.clone();
    before.policies.clear();
    let mut compiler = Compiler::new("here");
    let first = compiler.compile(&before).pop().unwrap();
    assert_eq!(who(&first, "10.0.0.1"), who(&first, "10.0.0.2"));
    let states = compiler.compile(&after);
    let [between, last] = &states[..] else { panic!("{} states", states.len()) };
    assert_ne!(who(between, "10.0.0.1"), who(between, "10.0.0.2"));
    assert!(between.policies.is_empty() && between.sets == first.sets, "the rules are those of before");
    assert_eq!(between.addresses, last.addresses);
    assert_eq!(compiler.compile(&before).len(), 1, "fewer questions need no state between");
}
