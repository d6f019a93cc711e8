//! The cases of cyclonus, a conformance suite for NetworkPolicy (Go module `github.com/mattfenwick/cyclonus`), with its own tables of
//! what each policy does as the oracle: for the model, and for the compiled tables.
//!
//! `tools/install-cyclonus-cases` prints them at the version that `tools/cyclonus/go.mod` pins; without them this test fails.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::net::IpAddr;
use std::sync::Arc;

use portway_config::NamespacedName;
use portway_config::network_policy::{
    Labels, NamedPort, NetworkPolicy, NetworkPolicySpec, PolicyFacts, PolicyNamespace, PolicyPod,
};
use portway_policy::decide::PeerLookup;
use portway_policy::model::{End, Rehearsed, verdict};
use portway_policy::{Compiler, Decision, Direction, IdentityId, Protocol, Tables};
use serde::Deserialize;

/// What cyclonus says and the specification does not.
///
/// Only one thing: that policies apply to what a pod sends to itself. "exception: a pod cannot block access to itself"
/// (kubernetes.io/docs/concepts/services-networking/network-policies); cyclonus itself can leave these flows out
/// (`--ignore-loopback`).
fn is_wrong(flow: &Flow) -> bool {
    flow.from == flow.to
}

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    namespaces: BTreeMap<Arc<str>, Labels>,
    pods: Vec<Pod>,
    policies: Vec<Policy>,
    flows: Vec<Flow>,
}

#[derive(Deserialize)]
struct Pod {
    namespace: Arc<str>,
    name: Arc<str>,
    labels: Labels,
    address: IpAddr,
    ports: Vec<NamedPort>,
}

#[derive(Deserialize)]
struct Policy {
    metadata: Metadata,
    spec: NetworkPolicySpec,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: Arc<str>,
    name: Arc<str>,
}

/// What cyclonus says of a flow.
#[derive(Debug, Deserialize)]
struct Flow {
    from: String,
    to: String,
    protocol: String,
    port: u16,
    ingress: bool,
    egress: bool,
    combined: bool,
}

/// Every pod is on this node.
const NODE: &str = "node";

#[test]
fn model_and_tables_agree_with_cyclonus() {
    let cases = read();
    assert_eq!(cases.len(), 230);
    let (mut judged, mut left_out) = (0, 0);
    let mut different = BTreeSet::new();
    for (index, case) in cases.iter().enumerate() {
        // One compiler follows the steps, as a node does.
        let mut compiler = Compiler::new(NODE);
        for (step, it) in case.steps.iter().enumerate() {
            let facts = facts(it);
            let tables = compiler.compile(&facts).pop().expect("there is a last state");
            for flow in &it.flows {
                if is_wrong(flow) {
                    left_out += 1;
                    continue;
                }
                judged += 1;
                let said = [flow.ingress, flow.egress, flow.combined];
                for (who, found) in
                    [("model", by_model(&facts, flow)), ("tables", by_tables(&facts, &tables, flow))]
                {
                    let [ingress, egress] = found;
                    if [ingress, egress, ingress && egress] != said {
                        different.insert(format!(
                            "case {index} ({}), step {step}, {who}: {found:?}, {flow:?}",
                            case.name
                        ));
                    }
                }
            }
        }
    }
    let some: Vec<_> = different.iter().take(20).collect();
    assert!(different.is_empty(), "{} of {judged} differ, such as {some:#?}", different.len());
    // Nine pods of which each sends to nine, in most steps.
    assert!(judged > 100_000 && left_out < judged / 7, "{judged} judged, {left_out} left out");
}

fn read() -> Vec<Case> {
    let path = std::env::var_os("PORTWAY_CYCLONUS_CASES")
        .expect("PORTWAY_CYCLONUS_CASES does not say where the cases are; `. tools/env.sh` does");
    let file = File::open(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `tools/install-cyclonus-cases` writes it", path.display())
    });
    serde_json::from_reader(BufReader::new(file)).expect("cases as tools/cyclonus prints them")
}

fn facts(step: &Step) -> PolicyFacts {
    let namespaces = step.namespaces.iter().map(|(name, labels)| {
        (name.clone(), Arc::new(PolicyNamespace { name: name.clone(), labels: labels.clone() }))
    });
    let pods = step.pods.iter().map(|it| {
        let name = NamespacedName { namespace: it.namespace.clone(), name: it.name.clone() };
        let pod = PolicyPod {
            uid: name.to_string().into(),
            name: name.clone(),
            created: 0,
            is_leaving: false,
            node: NODE.into(),
            labels: it.labels.clone(),
            ports: it.ports.clone(),
            addresses: vec![it.address],
            host_network: false,
        };
        (name, Arc::new(pod))
    });
    let policies = step.policies.iter().map(|it| {
        let Metadata { namespace, name } = &it.metadata;
        let name = NamespacedName { namespace: namespace.clone(), name: name.clone() };
        (name.clone(), Arc::new(NetworkPolicy { name, rehearse: None, spec: it.spec.clone() }))
    });
    PolicyFacts {
        namespaces: namespaces.collect(),
        pods: pods.collect(),
        policies: policies.collect(),
        ..PolicyFacts::default()
    }
}

fn pod<'a>(facts: &'a PolicyFacts, name: &str) -> &'a PolicyPod {
    let (namespace, name) = name.split_once('/').expect("NAMESPACE/NAME");
    &facts.pods[&NamespacedName::new(namespace, name)]
}

fn protocol(flow: &Flow) -> Protocol {
    match &*flow.protocol {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        other => panic!("{other} is no protocol"),
    }
}

fn by_model(facts: &PolicyFacts, flow: &Flow) -> [bool; 2] {
    let end = |name| {
        let pod = pod(facts, name);
        End { pod: Some(pod), address: pod.addresses[0] }
    };
    let (ends, what) = ((end(&flow.from), end(&flow.to)), (protocol(flow), flow.port));
    Direction::ALL.map(|direction| verdict(facts, direction, ends, what, Rehearsed::Ignored))
}

fn by_tables(facts: &PolicyFacts, tables: &Tables, flow: &Flow) -> [bool; 2] {
    Direction::ALL.map(|direction| {
        let (subject, peer) = match direction {
            Direction::Ingress => (&flow.to, &flow.from),
            Direction::Egress => (&flow.from, &flow.to),
        };
        let local = &tables.pods[&pod(facts, subject).name];
        let address = pod(facts, peer).addresses[0];
        let identity = tables.addresses.get(&address).copied().unwrap_or(IdentityId::UNKNOWN);
        let policy = &tables.sets[&local.set].side(direction).enforced;
        let ruling = local.decide(policy, PeerLookup { identity, address }, (protocol(flow), flow.port));
        ruling.decision != Decision::Deny
    })
}
