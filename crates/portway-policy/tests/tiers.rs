//! The tiers of ClusterNetworkPolicy, sentence by sentence: the tables and the model both.
//!
//! Words in quotation marks are those of `sigs.k8s.io/network-policy-api/apis/v1alpha2` (v0.2.0).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::net::IpAddr;
use std::sync::Arc;

use portway_config::NamespacedName;
use portway_config::cluster_policy::ClusterNetworkPolicy;
use portway_config::network_policy::{NetworkPolicy, PolicyFacts, PolicyNamespace, PolicyPod};
use portway_policy::decide::PeerLookup;
use portway_policy::model::{End, Rehearsed, verdict};
use portway_policy::{Compiler, Decision, Direction, IdentityId, PolicyName, Protocol, warnings};
use serde_json::{Value, json};

/// Pods `web` and `db` of namespace `shop`, and `guest` of namespace `lobby`; each namespace has its name as label `is`.
struct Cluster(PolicyFacts);

const PODS: [(&str, &str, &str); 3] =
    [("shop", "web", "10.0.0.1"), ("shop", "db", "10.0.0.2"), ("lobby", "guest", "10.0.0.3")];
const OUTSIDE: &str = "192.0.2.1";

impl Cluster {
    fn new() -> Self {
        let mut facts = PolicyFacts::default();
        for namespace in ["shop", "lobby"] {
            let name: Arc<str> = namespace.into();
            let labels = [("is".into(), name.clone())].into();
            facts.namespaces.insert(name.clone(), Arc::new(PolicyNamespace { name, labels }));
        }
        for (namespace, name, address) in PODS {
            let pod: PolicyPod = serde_json::from_value(json!({
                "name": {"namespace": namespace, "name": name}, "uid": name, "node": "n", "labels": {"app": name},
                "ports": [{"name": "http", "protocol": "TCP", "port": 80}], "addresses": [address],
            }))
            .unwrap();
            facts.pods.insert(pod.name.clone(), Arc::new(pod));
        }
        Self(facts)
    }

    fn with(mut self, name: &str, spec: Value) -> Self {
        let spec = serde_json::from_value(spec).unwrap();
        let policy = ClusterNetworkPolicy { name: name.into(), rehearse: None, spec };
        self.0.cluster_policies.insert(name.into(), Arc::new(policy));
        self
    }

    /// A NetworkPolicy of the namespace `shop`.
    fn with_plain(mut self, spec: Value) -> Self {
        let name = NamespacedName::new("shop", "plain");
        let policy =
            NetworkPolicy { name: name.clone(), rehearse: None, spec: serde_json::from_value(spec).unwrap() };
        self.0.policies.insert(name, Arc::new(policy));
        self
    }

    fn end(&self, name: &str) -> End<'_> {
        match PODS.iter().find(|(_, it, _)| *it == name) {
            Some((namespace, name, _)) => {
                let pod = &self.0.pods[&NamespacedName::new(*namespace, *name)];
                End { pod: Some(pod), address: pod.addresses[0] }
            }
            None => End { pod: None, address: name.parse().unwrap() },
        }
    }

    /// Whether a flow is allowed at both of its ends, as model and tables both say; and by which policy not.
    fn judge(&self, from: &str, to: &str, protocol: Protocol, port: u16) -> Result<(), Option<String>> {
        let tables = Compiler::new("n").compile(&self.0).pop().unwrap();
        let ends = (self.end(from), self.end(to));
        let mut result = Ok(());
        for direction in Direction::ALL {
            let (subject, peer) = match direction {
                Direction::Ingress => (ends.1, ends.0),
                Direction::Egress => (ends.0, ends.1),
            };
            let meant = verdict(&self.0, direction, ends, (protocol, port), Rehearsed::Ignored);
            let Some(pod) = subject.pod else { continue };
            let local = &tables.pods[&pod.name];
            let identity = tables.addresses.get(&peer.address).copied().unwrap_or(IdentityId::UNKNOWN);
            let lookup = PeerLookup { identity, address: peer.address };
            let rules = &tables.sets[&local.set].side(direction).enforced;
            let ruling = local.decide(rules, lookup, (protocol, port));
            assert_eq!(ruling.decision != Decision::Deny, meant, "{from} -> {to} {direction:?}");
            if !meant {
                let by = tables.policies.get(&ruling.policy);
                result = result.and(Err(by.map(|it| format!("{} {it}", it.kind()))));
            }
        }
        result
    }

    fn allows(&self, from: &str, to: &str) -> bool {
        self.judge(from, to, Protocol::Tcp, 80).is_ok()
    }

    fn warnings(&self) -> Vec<String> {
        let all = warnings(&self.0).into_iter();
        all.map(|it| it.to_string().replace("ClusterNetworkPolicy p: ", "")).collect()
    }
}

fn shop() -> Value {
    json!({"namespaces": {"matchLabels": {"is": "shop"}}})
}

fn lobby() -> Value {
    json!({"namespaces": {"matchLabels": {"is": "lobby"}}})
}

fn everybody() -> Value {
    json!({"namespaces": {}})
}

/// A policy for the namespace `shop` with one rule for what comes.
fn ingress(tier: &str, priority: i32, action: &str, from: Value) -> Value {
    json!({
        "tier": tier, "priority": priority, "subject": shop(),
        "ingress": [{"action": action, "from": [from]}],
    })
}

/// What is said about a peer of an egress rule for the namespace `shop`.
fn egress(action: &str, to: Value) -> Value {
    json!({"tier": "Admin", "priority": 1, "subject": shop(), "egress": [{"action": action, "to": [to]}]})
}

fn denies_all() -> Value {
    json!({"podSelector": {}, "policyTypes": ["Ingress"]})
}

fn allows_all() -> Value {
    json!({"podSelector": {}, "ingress": [{}]})
}

/// "The Admin tier takes precedence over all other policies."
#[test]
fn admin_comes_before_network_policies() {
    let denied = Cluster::new().with_plain(allows_all()).with("p", ingress("Admin", 1, "Deny", lobby()));
    let by = denied.judge("guest", "web", Protocol::Tcp, 80);
    assert_eq!(by, Err(Some("ClusterNetworkPolicy p".to_owned())));
    assert!(denied.allows("db", "web"), "it speaks of the lobby alone");
    let accepted = Cluster::new().with_plain(denies_all()).with("p", ingress("Admin", 1, "Accept", lobby()));
    assert!(accepted.allows("guest", "web"));
    let by = accepted.judge("db", "web", Protocol::Tcp, 80);
    assert_eq!(by, Err(Some("NetworkPolicy shop/plain".to_owned())));
}

/// "v1.NetworkPolicy always makes a final decision for selected pods. Further evaluation only happens for Pods not selected by a
/// v1.NetworkPolicy."
#[test]
fn baseline_is_for_pods_that_no_network_policy_selects() {
    let baseline = ingress("Baseline", 1, "Deny", everybody());
    let of_web = json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{}]});
    let cluster = Cluster::new().with_plain(of_web).with("p", baseline);
    assert!(cluster.allows("guest", "web"), "the NetworkPolicy decides");
    assert!(!cluster.allows("guest", "db") && !cluster.allows("web", "db"));
    assert!(cluster.allows("web", "guest"), "that is no subject");
    // A NetworkPolicy for the other direction decides on nothing here.
    let of_egress = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]});
    let cluster = Cluster::new().with_plain(of_egress).with("p", ingress("Baseline", 1, "Deny", everybody()));
    assert!(!cluster.allows("guest", "db"));
    let accepting =
        Cluster::new().with_plain(denies_all()).with("p", ingress("Baseline", 1, "Accept", lobby()));
    assert!(!accepting.allows("guest", "web"), "Baseline is not asked");
}

/// "Policies with lower priority values have higher precedence, and are checked before policies with higher priority values in
/// the same tier."
#[test]
fn the_lowest_priority_counts_in_its_tier() {
    for tier in ["Admin", "Baseline"] {
        let with = |deny, accept| {
            let deny = ingress(tier, deny, "Deny", lobby());
            Cluster::new().with("a", deny).with("b", ingress(tier, accept, "Accept", everybody()))
        };
        assert!(!with(1, 2).allows("guest", "web") && with(2, 1).allows("guest", "web"));
        // "there is no way for the user to reliably determine which one it will choose": we take the first by name.
        assert!(!with(1, 1).allows("guest", "web"));
    }
    let tiers = Cluster::new().with("a", ingress("Baseline", 0, "Deny", lobby()));
    assert!(tiers.with("b", ingress("Admin", 1000, "Accept", lobby())).allows("guest", "web"));
}

/// "The relative precedence of ingress rules within a single CNP object [...] will be determined by the order in which the
/// rule is written."
#[test]
fn the_first_rule_that_speaks_of_a_flow_counts() {
    let rules = |first: &str, second: &str| {
        let rule = |action: &str, from| json!({"action": action, "from": [from]});
        let ingress = [rule(first, lobby()), rule(second, everybody())];
        Cluster::new()
            .with("p", json!({"tier": "Admin", "priority": 1, "subject": shop(), "ingress": ingress}))
    };
    let (denies, accepts) = (rules("Deny", "Accept"), rules("Accept", "Deny"));
    assert!(!denies.allows("guest", "web") && denies.allows("db", "web"));
    assert!(accepts.allows("guest", "web") && !accepts.allows("db", "web"));
}

/// "Pass: Skips all further ClusterNetworkPolicy rules in the current tier for the selected traffic, and passes evaluation to
/// the next tier."
#[test]
fn passing_skips_the_rest_of_the_tier() {
    let passed = || {
        Cluster::new()
            .with("a", ingress("Admin", 1, "Pass", lobby()))
            .with("b", ingress("Admin", 2, "Deny", everybody()))
    };
    assert!(passed().allows("guest", "web") && !passed().allows("db", "web"));
    assert!(!passed().with_plain(denies_all()).allows("guest", "web"), "the next tier is NetworkPolicy");
    let baseline = passed().with("c", ingress("Baseline", 1, "Deny", lobby()));
    assert!(!baseline.allows("guest", "web"), "the one after it is Baseline");
    let all = Cluster::new()
        .with("a", ingress("Baseline", 1, "Pass", lobby()))
        .with("b", ingress("Baseline", 2, "Deny", everybody()));
    assert!(all.allows("guest", "web"), "after the last tier, all pods can communicate");
}

/// A class of identities and one of addresses may both have a say: the first rule counts, wherever it stands.
#[test]
fn networks_and_pods_are_ordered_together() {
    let rule = |action: &str, to: Value| json!({"action": action, "to": [to]});
    let with = |egress: [Value; 2]| {
        Cluster::new().with("p", json!({"tier": "Admin", "priority": 1, "subject": shop(), "egress": egress}))
    };
    let everything = json!({"networks": ["0.0.0.0/0", "::/0"]});
    let pods_first = with([rule("Pass", everybody()), rule("Deny", everything.clone())]);
    assert!(pods_first.allows("web", "guest") && !pods_first.allows("web", OUTSIDE));
    // "cluster-internal traffic will be checked against the rule as well"
    let network_first = with([rule("Deny", everything), rule("Accept", everybody())]);
    assert!(!network_first.allows("web", "guest") && !network_first.allows("web", OUTSIDE));
    // "will match both IPv4 and ICMP traffic"
    assert!(network_first.judge("web", OUTSIDE, Protocol::Other, 0).is_err());
}

/// "If unspecified, protocol-specific attributes will not be used to match traffic."
#[test]
fn protocols_narrow_a_rule() {
    let with = |protocol: Value| {
        Cluster::new().with(
            "p",
            json!({"tier": "Admin", "priority": 1, "subject": shop(), "ingress": [
                {"action": "Deny", "from": [everybody()], "protocols": [protocol]},
            ]}),
        )
    };
    let denied = |cluster: &Cluster| {
        let all = [(Protocol::Tcp, 79), (Protocol::Tcp, 80), (Protocol::Udp, 80), (Protocol::Other, 0)];
        all.map(|(protocol, port)| cluster.judge("guest", "web", protocol, port).is_err())
    };
    assert_eq!(
        denied(&with(json!({"tcp": {"destinationPort": {"number": 80}}}))),
        [false, true, false, false]
    );
    let range = json!({"tcp": {"destinationPort": {"range": {"start": 1, "end": 80}}}});
    assert_eq!(denied(&with(range)), [true, true, false, false]);
    assert_eq!(
        denied(&with(json!({"udp": {"destinationPort": {"number": 80}}}))),
        [false, false, true, false]
    );
    // "selects a destination port on a pod based on the ContainerPort name"
    assert_eq!(denied(&with(json!({"destinationNamedPort": "http"}))), [false, true, false, false]);
    let all = Cluster::new().with("p", ingress("Admin", 1, "Deny", everybody()));
    assert_eq!(denied(&all), [true; 4]);
}

/// "Pods is used to select pods via namespace AND pod selectors."
#[test]
fn subjects_and_peers_are_pods_of_namespaces() {
    let pods = |namespace: &str, app: &str| {
        json!({"pods": {
            "namespaceSelector": {"matchLabels": {"is": namespace}}, "podSelector": {"matchLabels": {"app": app}},
        }})
    };
    let with = |subject, from| {
        Cluster::new().with(
            "p",
            json!({"tier": "Admin", "priority": 1, "subject": subject, "ingress": [
                {"action": "Deny", "from": [from]},
            ]}),
        )
    };
    let cluster = with(pods("shop", "web"), pods("lobby", "guest"));
    assert!(!cluster.allows("guest", "web") && cluster.allows("guest", "db") && cluster.allows("db", "web"));
    assert!(with(pods("lobby", "web"), everybody()).allows("guest", "web"), "no such pod");
    // Of a namespace that is not told of yet nobody knows what is forbidden to its pods.
    let mut early = with(pods("lobby", "guest"), pods("shop", "web"));
    early.0.namespaces.remove("shop");
    assert!(!early.allows("guest", "web") && !early.allows("web", "guest"));
}

/// "For "Accept" rules, "fail closed" means: "treat the rule as matching no traffic". For "Deny" and "Pass" rules, "fail closed"
/// means: "treat the rule as a 'Deny all' rule"."
#[test]
fn what_cannot_be_read_fails_closed_with_a_warning() {
    let unreadable = [
        (json!({}), "spec.egress[0].to[0] is none of the peers that Portway knows"),
        (json!({"somethingNew": {}}), "spec.egress[0].to[0] is none of the peers that Portway knows"),
        (json!({"nodes": {}}), "spec.egress[0].to[0].nodes is not supported"),
        (json!({"domainNames": ["example.org"]}), "spec.egress[0].to[0].domainNames is not supported"),
        (
            json!({"networks": ["10.0.0.0"]}),
            "spec.egress[0].to[0].networks cannot be read: `10.0.0.0` is not a CIDR such as 192.0.2.0/24",
        ),
        (
            json!({"namespaces": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
            "spec.egress[0].to[0] cannot be read: `Like` of label `a` is not one of In, NotIn, Exists and DoesNotExist",
        ),
        (json!({"namespaces": {}, "networks": ["::/0"]}), "spec.egress[0].to[0] has more than one field"),
    ];
    for (peer, told) in unreadable {
        let with = |action| Cluster::new().with("p", egress(action, peer.clone()));
        for action in ["Deny", "Pass"] {
            let cluster = with(action);
            assert!(!cluster.allows("web", "guest") && !cluster.allows("web", OUTSIDE), "{action} {peer}");
            assert_eq!(cluster.warnings(), [format!("{told}, so the rule denies everything")]);
        }
        let accepting = with("Accept").with("q", ingress("Admin", 2, "Deny", everybody()));
        assert!(!accepting.allows("web", "db"), "{peer}");
        assert_eq!(with("Accept").warnings(), [format!("{told}, so the rule accepts nothing")]);
    }
}

#[test]
fn other_mistakes_are_told_with_what_follows() {
    let told = |spec: Value| Cluster::new().with("p", spec).warnings();
    let rule = |protocols: Value| {
        json!({"tier": "Admin", "priority": 1, "subject": shop(), "egress": [
            {"action": "Deny", "to": [everybody()], "protocols": protocols},
        ]})
    };
    let none = "spec.egress[0].protocols[0] is none of the protocols that Portway knows, or several";
    assert_eq!(told(rule(json!([{}]))), [format!("{none}, so the rule denies everything")]);
    let port =
        "spec.egress[0].protocols[0] has no port: one is from 1 to 65535, and a range ends after its start";
    let range = json!([{"sctp": {"destinationPort": {"range": {"start": 9, "end": 1}}}}]);
    assert_eq!(told(rule(range)), [format!("{port}, so the rule denies everything")]);
    let named = told(rule(json!([{"destinationNamedPort": "dns"}])));
    assert_eq!(
        named,
        ["spec.egress[0] is about no port by the name `dns` at pods that lack it: 3, such as lobby/guest"]
    );
    let mut spec = ingress("Middle", 1, "Deny", everybody());
    assert_eq!(
        told(spec.clone()),
        ["spec.tier is `Middle`, neither Admin nor Baseline; the policy does nothing"]
    );
    spec["tier"] = "Admin".into();
    spec["subject"] = json!({});
    assert_eq!(
        told(spec.clone()),
        ["spec.subject has not just one of namespaces and pods, so the policy applies to no pod"]
    );
    spec["subject"] = json!({"namespaces": {"matchExpressions": [{"key": "a", "operator": "In"}]}});
    let fault = "`In` of label `a` has no values";
    assert_eq!(told(spec), [format!("spec.subject selects no pod, so the policy applies to none: {fault}")]);
    let action = Cluster::new().with("p", ingress("Admin", 1, "Log", lobby()));
    assert_eq!(
        action.warnings(),
        ["spec.ingress[0].action is `Log`, none of Accept, Deny and Pass; the rule denies"]
    );
    assert!(!action.allows("guest", "web") && action.allows("db", "web"));
    let nobody = json!({"namespaces": {"matchLabels": {"is": "lobby"}, "matchExpressions": [
        {"key": "is", "operator": "DoesNotExist"},
    ]}});
    let contradiction = Cluster::new().with("p", ingress("Admin", 1, "Deny", nobody));
    assert_eq!(
        contradiction.warnings(),
        ["spec.ingress[0].from[0] is nobody: what it asks of label `is` contradicts itself"]
    );
    assert!(contradiction.allows("guest", "web"));
}

/// What is rehearsed denies nothing, and what would be denied is known.
#[test]
fn a_rehearsed_policy_denies_nothing() {
    let mut cluster = Cluster::new().with("p", ingress("Admin", 1, "Deny", lobby()));
    let mut policy = (*cluster.0.cluster_policies[&Arc::<str>::from("p")]).clone();
    policy.rehearse = Some("true".into());
    cluster.0.cluster_policies.insert("p".into(), Arc::new(policy));
    assert!(cluster.allows("guest", "web"));
    let tables = Compiler::new("n").compile(&cluster.0).pop().unwrap();
    let local = &tables.pods[&NamespacedName::new("shop", "web")];
    let address: IpAddr = "10.0.0.3".parse().unwrap();
    let lookup = PeerLookup { identity: tables.addresses[&address], address };
    let rehearsed = tables.sets[&local.set].ingress.rehearsed.as_ref().unwrap();
    let ruling = local.decide(rehearsed, lookup, (Protocol::Tcp, 80));
    assert_eq!(
        (ruling.decision, &tables.policies[&ruling.policy]),
        (Decision::Deny, &PolicyName::Cluster("p".into()))
    );
}
