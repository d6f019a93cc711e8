//! Random ClusterNetworkPolicies.

use portway_config::cluster_policy::{
    ClusterEgressRule, ClusterIngressRule, ClusterNetworkPolicy, ClusterNetworkPolicySpec, ClusterPeer,
    ClusterProtocol, ClusterSubject, DestinationPort, NamespacedPods, PortRange, ProtocolPorts,
};

use super::*;

/// Networks of which few cannot be read: each makes its rule fail closed.
const NETWORKS: [&str; 10] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.1/32",
    "10.0.0.2/31",
    "::/0",
    "2001:db8::/64",
    "2001:db8::1/128",
    "::ffff:10.0.0.0/104",
    "10.0.0.0",
];

fn namespaced_pods() -> impl Strategy<Value = NamespacedPods> {
    (readable(), readable())
        .prop_map(|(namespace_selector, pod_selector)| NamespacedPods { namespace_selector, pod_selector })
}

/// A selector that is seldom one that cannot be read.
fn readable() -> impl Strategy<Value = LabelSelector> {
    let labels = btree_map(text(&["a", "b"]), text(&["1", "2"]), 0..2);
    let plain = labels.prop_map(|match_labels| LabelSelector { match_labels, ..LabelSelector::default() });
    prop_oneof![4 => plain, 1 => selector()]
}

fn peer() -> impl Strategy<Value = ClusterPeer> {
    let none = ClusterPeer::default;
    let networks = vec(prop_oneof![9 => text(&NETWORKS[..8]), 1 => text(&NETWORKS)], 1..3);
    prop_oneof![
        8 => readable().prop_map(move |it| ClusterPeer { namespaces: Some(it), ..none() }),
        8 => namespaced_pods().prop_map(move |it| ClusterPeer { pods: Some(it), ..none() }),
        8 => networks.clone().prop_map(move |networks| ClusterPeer { networks, ..none() }),
        1 => Just(none()),
        1 => Just(ClusterPeer { domain_names: vec!["example.org".into()], ..none() }),
        1 => (networks, readable()).prop_map(move |(networks, it)| ClusterPeer {
            networks,
            namespaces: Some(it),
            ..none()
        }),
    ]
}

fn protocol() -> impl Strategy<Value = ClusterProtocol> {
    let numbers = &[1, 79, 80, 81, 82, 65535][..];
    let number = prop_oneof![12 => select(numbers), 1 => select(&[0, -1, 65536][..])];
    let ports = prop_oneof![
        8 => number.clone().prop_map(|it| DestinationPort { number: Some(it), range: None }),
        8 => (select(numbers), select(numbers)).prop_map(|(one, other)| {
            let range = PortRange { start: one.min(other), end: one.max(other) };
            DestinationPort { number: None, range: Some(range) }
        }),
        1 => (number.clone(), number).prop_map(|(start, end)| {
            DestinationPort { number: None, range: Some(PortRange { start, end }) }
        }),
        1 => Just(DestinationPort::default()),
    ];
    let ports = ports.prop_map(|it| ProtocolPorts { destination_port: Some(it) });
    let none = ClusterProtocol::default;
    prop_oneof![
        4 => ports.clone().prop_map(move |it| ClusterProtocol { tcp: Some(it), ..none() }),
        2 => ports.clone().prop_map(move |it| ClusterProtocol { udp: Some(it), ..none() }),
        1 => ports.prop_map(move |it| ClusterProtocol { sctp: Some(it), ..none() }),
        3 => text(&["http", "dns"])
            .prop_map(move |it| ClusterProtocol { destination_named_port: Some(it), ..none() }),
    ]
}

fn rule() -> impl Strategy<Value = ClusterIngressRule> {
    let action = prop_oneof![20 => text(&["Accept", "Accept", "Deny", "Deny", "Pass"]), 1 => text(&["Log"])];
    let peers = prop_oneof![20 => vec(peer(), 1..3), 1 => Just(Vec::new())];
    (action, peers, prop_oneof![Just(Vec::new()), vec(protocol(), 1..3)])
        .prop_map(|(action, from, protocols)| ClusterIngressRule { name: None, action, from, protocols })
}

fn subject() -> impl Strategy<Value = ClusterSubject> {
    prop_oneof![
        8 => readable().prop_map(|it| ClusterSubject { namespaces: Some(it), pods: None }),
        8 => namespaced_pods().prop_map(|it| ClusterSubject { namespaces: None, pods: Some(it) }),
        1 => (readable(), namespaced_pods())
            .prop_map(|(one, other)| ClusterSubject { namespaces: Some(one), pods: Some(other) }),
        1 => Just(ClusterSubject::default()),
    ]
}

/// None in half of the cases. Of a name, the last one counts.
pub(super) fn policies() -> impl Strategy<Value = Vec<ClusterNetworkPolicy>> {
    let tier = text(&["Admin", "Admin", "Admin", "Baseline", "Baseline", "Middle"]);
    let spec = (tier, 0..3, subject(), vec(rule(), 0..4), vec(rule(), 0..4));
    let policy = (text(&["p", "q", "r", "s"]), of(text(&["true", "false", "perhaps"])), spec).prop_map(
        |(name, rehearse, (tier, priority, subject, ingress, egress))| {
            let egress = egress.into_iter().map(|ClusterIngressRule { name, action, from, protocols }| {
                ClusterEgressRule { name, action, to: from, protocols }
            });
            let egress = egress.collect();
            let spec = ClusterNetworkPolicySpec { tier, priority, subject, ingress, egress };
            ClusterNetworkPolicy { name, rehearse, spec }
        },
    );
    prop_oneof![Just(Vec::new()), vec(policy, 1..5)]
}
