//! What of the policies does not do what it seems to.

use std::collections::BTreeSet;

use portway_config::NamespacedName;
use portway_config::network_policy::{PolicyFacts, PolicyPod};

use crate::cluster::ClusterPolicy;
use crate::rule::{Peer, Policy, Rule, is_named};
use crate::tables::{Direction, PolicyName};
use crate::warning::{Problem, Warning};

/// What is wrong with the policies by themselves and with the pods that there are now.
pub fn warnings(facts: &PolicyFacts) -> BTreeSet<Warning> {
    let mut found = BTreeSet::new();
    for written in facts.policies.values() {
        let mut problems = Vec::new();
        if let Some(policy) = Policy::parse(written, &mut problems) {
            let selected: Vec<_> = selected(facts, &policy).collect();
            problems.extend(of_subjects(&selected));
            let namespace = Some(&*policy.name.namespace);
            problems.extend(of_port_names(facts, namespace, policy.all_rules(), &selected));
        }
        let policy = PolicyName::Namespaced(written.name.clone());
        found.extend(problems.into_iter().map(|problem| Warning { policy: policy.clone(), problem }));
    }
    for written in facts.cluster_policies.values() {
        let mut problems = Vec::new();
        if let Some(policy) = ClusterPolicy::parse(written, &mut problems) {
            // It never is about pods in the networks of their nodes, so that some of those that it selects are no mistake.
            let selected: Vec<_> = subjects(facts, &policy).collect();
            let rules = Direction::ALL.into_iter().flat_map(|it| policy.rules(it));
            problems.extend(of_port_names(facts, None, rules, &selected));
        }
        let policy = PolicyName::Cluster(written.name.clone());
        found.extend(problems.into_iter().map(|problem| Warning { policy: policy.clone(), problem }));
    }
    found
}

fn selected<'a>(facts: &'a PolicyFacts, policy: &'a Policy) -> impl Iterator<Item = &'a PolicyPod> {
    let namespace = &policy.name.namespace;
    // The first that there could be: the others of the namespace follow it.
    let start = NamespacedName { namespace: namespace.clone(), name: "".into() };
    let pods = facts.pods.range_from(&start).take_while(move |(name, _)| name.namespace == *namespace);
    pods.map(|(_, it)| &**it).filter(|it| policy.pods.matches(&it.labels))
}

fn subjects<'a>(facts: &'a PolicyFacts, policy: &'a ClusterPolicy) -> impl Iterator<Item = &'a PolicyPod> {
    facts.pods.values().map(|it| &**it).filter(|pod| {
        let namespace = facts.namespaces.get(&pod.name.namespace);
        namespace.is_some_and(|it| policy.subject.matches(&it.labels, &pod.labels))
    })
}

/// Of pods that it selects and does not protect.
fn of_subjects(selected: &[&PolicyPod]) -> Vec<Problem> {
    let (in_node, own): (Vec<&PolicyPod>, Vec<_>) = selected.iter().partition(|it| it.host_network);
    let without: Vec<&PolicyPod> =
        own.into_iter().filter(|it| it.addresses.is_empty() && !it.is_leaving).collect();
    let mut problems = Vec::new();
    if let Some(it) = in_node.first() {
        problems.push(Problem::HostNetwork { pods: in_node.len(), example: it.name.clone() });
    }
    if let Some(it) = without.first() {
        problems.push(Problem::NoAddress { pods: without.len(), example: it.name.clone() });
    }
    problems
}

/// Of names that the pods do not have whose ports they are about: those that are selected for ingress, the peers for egress.
fn of_port_names<'a>(
    facts: &PolicyFacts,
    own_namespace: Option<&str>,
    rules: impl Iterator<Item = &'a Rule>,
    selected: &[&PolicyPod],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in rules {
        for (protocol, name) in rule.port_names() {
            let has = |pod: &PolicyPod| pod.ports.iter().any(|it| is_named(it, (protocol, name)));
            let destinations = match rule.place.direction {
                Direction::Ingress => selected.to_vec(),
                Direction::Egress => peers(facts, own_namespace, rule),
            };
            let lacking: Vec<_> =
                destinations.into_iter().filter(|it| !it.host_network && !has(it)).collect();
            if let Some(example) = lacking.first() {
                problems.push(Problem::PortName {
                    place: rule.place,
                    name: name.clone(),
                    pods: lacking.len(),
                    example: example.name.clone(),
                });
            }
        }
    }
    problems
}

/// The pods that selectors of a rule name. A rule for everybody names none: that some of all pods lack a name is no mistake.
fn peers<'a>(facts: &'a PolicyFacts, own_namespace: Option<&str>, rule: &Rule) -> Vec<&'a PolicyPod> {
    let is_peer = |pod: &PolicyPod| {
        rule.peers.iter().flatten().any(|peer| match peer {
            Peer::Block(_) => false,
            Peer::Pods { namespaces, pods } => {
                let is_in_namespace = match namespaces {
                    None => Some(&*pod.name.namespace) == own_namespace,
                    Some(selector) => {
                        let namespace = facts.namespaces.get(&pod.name.namespace);
                        namespace.is_some_and(|it| selector.matches(&it.labels))
                    }
                };
                is_in_namespace && pods.as_ref().is_none_or(|it| it.matches(&pod.labels))
            }
        })
    };
    facts.pods.values().map(|it| &**it).filter(|it| is_peer(it)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portway_config::network_policy::{NetworkPolicy, NetworkPolicySpec, PolicyNamespace};
    use serde_json::{Value, json};

    use super::*;

    /// What is said of a policy with this spec, in a namespace with a few pods.
    fn said(spec: Value) -> Vec<String> {
        let pod =
            |(name, labels, ports, host_network, addresses): (&str, Value, Value, bool, Value)| -> PolicyPod {
                serde_json::from_value(json!({
                    "name": {"namespace": "apps", "name": name}, "uid": name, "node": "n", "labels": labels,
                    "ports": ports, "host_network": host_network, "addresses": addresses,
                }))
                .unwrap()
            };
        let http = json!([{"name": "http", "protocol": "TCP", "port": 8080}]);
        let pods = [
            ("api-1", json!({"app": "api"}), http, false, json!(["10.0.0.1", "2001:db8::1"])),
            ("api-2", json!({"app": "api"}), json!([]), false, json!(["10.0.0.2"])),
            ("node-1", json!({"app": "agent"}), json!([]), true, json!(["192.0.2.1"])),
            ("new-1", json!({"app": "new"}), json!([]), false, json!([])),
        ];
        let name = NamespacedName::new("apps", "p");
        let spec: NetworkPolicySpec = serde_json::from_value(spec).unwrap();
        let policy = NetworkPolicy { name: name.clone(), rehearse: Some("yes".into()), spec };
        let namespace = PolicyNamespace { name: "apps".into(), labels: [].into() };
        let facts = PolicyFacts {
            namespaces: [("apps".into(), Arc::new(namespace))].into_iter().collect(),
            pods: pods.map(pod).into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect(),
            policies: [(name, Arc::new(policy))].into_iter().collect(),
            ..PolicyFacts::default()
        };
        let lines = warnings(&facts).into_iter().map(|it| it.to_string());
        let lines = lines.filter_map(|it| Some(it.strip_prefix("NetworkPolicy apps/p: ")?.to_owned()));
        lines.filter(|it| !it.contains("portway.dev/rehearse is `yes`")).collect()
    }

    #[test]
    fn parts_that_mean_nothing_are_named_with_what_follows() {
        let lines = said(json!({
            "podSelector": {"matchLabels": {"app": "api"}},
            "policyTypes": ["Ingress", "Everything"],
            "ingress": [{
                "from": [
                    {},
                    {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10"]}},
                    {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}},
                ],
                "ports": [{"protocol": "ICMP"}, {"port": 80, "endPort": 79}, {"port": "http"}],
            }],
        }));
        let expected = [
            "spec.policyTypes has `Everything`, which is neither Ingress nor Egress and protects nothing",
            "spec.ingress[0].from[1] matches no pod and lets nobody through: `Like` of label `a` is not one of In, \
             NotIn, Exists and DoesNotExist",
            "spec.ingress[0].from[0] names neither pods nor a block and lets nobody through",
            "spec.ingress[0].from[3] has an ipBlock beside a selector, which the API forbids; it lets nobody through",
            "spec.ingress[0].from[2].ipBlock lets nobody through: `10` is not a CIDR such as 192.0.2.0/24",
            "spec.ingress[0].ports[0] opens no port: `ICMP` is not one of TCP, UDP and SCTP",
            "spec.ingress[0].ports[1] opens no port: a port is from 1 to 65535, and endPort needs a number in port \
             that is not larger",
            "spec.ingress[0] is about no port by the name `http` at pods that lack it: 1, such as apps/api-2",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn pods_that_are_not_protected_are_named() {
        let contradicting = json!({"podSelector": {
            "matchLabels": {"app": "api"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}],
        }});
        let why = "what it asks of label `app` contradicts itself";
        assert_eq!(
            said(contradicting),
            [format!("spec.podSelector selects no pod, so the policy protects none: {why}")]
        );
        let of_node = json!({"podSelector": {"matchLabels": {"app": "agent"}}});
        let line = "it does not protect pods in the network of their node: 1, such as apps/node-1";
        assert_eq!(said(of_node), [line]);
        let new = json!({"podSelector": {"matchLabels": {"app": "new"}}});
        let line = "pods that it selects have no address, nobody reaches them, nor they anybody: 1, such as apps/new-1";
        assert_eq!(said(new), [line]);
        // All of a namespace is no mistake; nor are rules for everybody by a name that some have.
        let egress = json!({"egress": [{"ports": [{"port": "http"}]}], "podSelector": {"matchLabels": {"app": "api"}}});
        assert_eq!(said(egress), <[&str; 0]>::default());
    }
}
