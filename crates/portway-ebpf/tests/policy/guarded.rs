//! A node with two pods and an interface that leads out, in a network namespace of its own. The programs are loaded but attached to
//! nothing.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use portway_config::NamespacedName;
use portway_ebpf::Limits;
use portway_ebpf::policy::layout::{self, Interface};
use portway_ebpf::policy::ledger::{Ledger, Prefix, Wanted};
use portway_ebpf::policy::{Enforcer, FROM_POD, LEAVE, PolicyDrop, PolicyLimits, TO_POD};
use portway_policy::{
    Class, ClassId, Decision, DirectionPolicy, IdentityId, LocalPod, PodPolicy, PolicyIndex, PolicySetId,
    PortRule, Protocol, Ruled, Ruling, Verdict as Rulings,
};

use crate::wire::Packet;

/// The pod that is judged, its neighbour on the node, a pod of another node, and somebody outside of the cluster.
pub(crate) const POD: [&str; 2] = ["10.0.0.2:80", "[fd00::2]:80"];
pub(crate) const NEIGHBOUR: [&str; 2] = ["10.0.1.2:40000", "[fd00:1::2]:40000"];
pub(crate) const REMOTE: [&str; 2] = ["10.9.0.5:40000", "[fd09::5]:40000"];
pub(crate) const OUTSIDE: [&str; 2] = ["198.51.100.7:40000", "[2001:db8:c::7]:40000"];
/// An address of the node itself, and one of a Service.
pub(crate) const NODE: [&str; 2] = ["198.51.100.254:10250", "[2001:db8:c::fe]:10250"];
pub(crate) const SERVICE: [&str; 2] = ["10.96.0.10:80", "[fd96::10]:80"];

pub(crate) const OF_NEIGHBOUR: IdentityId = IdentityId(31);
pub(crate) const OF_REMOTE: IdentityId = IdentityId(32);
pub(crate) const DENIES: PolicyIndex = PolicyIndex(1);

/// What a program says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
}

pub(crate) struct Guarded {
    pub(crate) enforcer: Enforcer,
    pub(crate) ledger: Ledger,
    pub(crate) wanted: Wanted,
    pub(crate) pod: u32,
    pub(crate) neighbour: u32,
    pub(crate) uplink: u32,
    /// There, and known to nobody.
    pub(crate) stranger: u32,
    last_set: u32,
}

pub(crate) fn name(name: &str) -> NamespacedName {
    NamespacedName::new("shop", name)
}

pub(crate) fn addresses(sockets: [&str; 2]) -> Vec<IpAddr> {
    sockets.iter().map(|it| it.parse::<SocketAddr>().unwrap().ip()).collect()
}

impl Guarded {
    /// Nobody selects the pods.
    pub(crate) fn new() -> Self {
        Self::with_limits(&small())
    }

    pub(crate) fn with_limits(limits: &PolicyLimits) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of its own: this test needs root");
        for interface in ["pod", "neighbour", "uplink", "stranger"] {
            ip(&format!("link add {interface} type veth peer name of-{interface}"));
            ip(&format!("link set {interface} up"));
        }
        let index = |name| if_nametoindex(name).unwrap();
        let enforcer = Enforcer::load(limits, &Limits::default())
            .unwrap_or_else(|error| panic!("{error}; {:?}", error.help()));
        let (pod, neighbour, uplink) = (index("pod"), index("neighbour"), index("uplink"));
        let mut it = Self {
            enforcer,
            ledger: Ledger::default(),
            wanted: wanted(pod, neighbour, uplink),
            pod,
            neighbour,
            uplink,
            stranger: index("stranger"),
            last_set: 0,
        };
        it.confine_neighbour(DirectionPolicy::open());
        it.enforce(DirectionPolicy::open(), DirectionPolicy::open());
        it
    }

    /// Gives the pod these rules for what it gets and what it sends.
    pub(crate) fn enforce(&mut self, ingress: DirectionPolicy, egress: DirectionPolicy) {
        let ruled = |enforced| Ruled { enforced, rehearsed: None };
        self.rule(PodPolicy { ingress: ruled(ingress), egress: ruled(egress) });
    }

    pub(crate) fn rule(&mut self, policy: PodPolicy) {
        let set = self.set(policy);
        self.wanted.tables.pods.get_mut(&name("pod")).unwrap().set = set;
        self.apply();
    }

    /// Gives the neighbour rules for what it sends.
    pub(crate) fn confine_neighbour(&mut self, egress: DirectionPolicy) {
        let ruled = |enforced| Ruled { enforced, rehearsed: None };
        let set = self.set(PodPolicy { ingress: ruled(DirectionPolicy::open()), egress: ruled(egress) });
        self.wanted.tables.pods.get_mut(&name("neighbour")).unwrap().set = set;
        self.apply();
    }

    fn set(&mut self, policy: PodPolicy) -> PolicySetId {
        self.last_set += 1;
        self.wanted.tables.sets.insert(PolicySetId(self.last_set), Arc::new(policy));
        PolicySetId(self.last_set)
    }

    pub(crate) fn apply(&mut self) {
        let tables = &mut self.wanted.tables;
        let used: Vec<_> = tables.pods.values().map(|it| it.set).collect();
        tables.sets.retain(|id, _| used.contains(id));
        let changes = self.ledger.enforce(&self.wanted);
        let refused = self.enforcer.apply(&changes, &Limits::default());
        assert!(refused.is_empty(), "{refused:?}");
    }

    /// A packet from outside, at the pod's interface.
    pub(crate) fn gets(&mut self, frame: &[u8]) -> Verdict {
        self.run(TO_POD, frame, self.pod, self.uplink)
    }

    /// A packet that the pod sends.
    pub(crate) fn sends(&mut self, frame: &[u8]) -> Verdict {
        self.run(FROM_POD, frame, self.pod, self.pod)
    }

    /// A packet of the pod that leaves the node, and that nobody has judged.
    pub(crate) fn lets_leave(&mut self, frame: &[u8]) -> Verdict {
        self.run(LEAVE, frame, self.uplink, self.pod)
    }

    /// `from`: the interface that the packet came in by.
    pub(crate) fn run(&mut self, program: &str, frame: &[u8], interface: u32, from: u32) -> Verdict {
        run(self.enforcer.program(program).unwrap(), frame, (interface, from), 0)
    }

    /// Reasons for which packets were dropped so far.
    pub(crate) fn drops(&mut self) -> Vec<(PolicyDrop, u64)> {
        self.enforcer.drops().unwrap().into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Flows and packets that a policy has denied in a direction, or would have.
    pub(crate) fn counted(&mut self, policy: PolicyIndex, direction: u16, outcome: u16) -> (u64, u64) {
        let counters = self.enforcer.counters().unwrap();
        let counter = counters.get(&(policy.0, direction, outcome)).copied().unwrap_or_default();
        (counter.flows, counter.packets)
    }
}

/// Runs a program at an interface on a packet with this mark, which came in by the second interface.
pub(crate) fn run(
    program: &SchedClassifier,
    frame: &[u8],
    (interface, from): (u32, u32),
    mark: u32,
) -> Verdict {
    // `struct __sk_buff`: mark, ingress_ifindex and ifindex.
    let mut context = [0_u8; 184];
    for (field, value) in [(2, mark), (9, from), (10, interface)] {
        context[field * 4..][..4].copy_from_slice(&value.to_ne_bytes());
    }
    let mut out = vec![0; frame.len() + 128];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut out),
        ctx_in: Some(&context),
        ..TestRunOptions::default()
    };
    let result = program.test_run(options).unwrap();
    out.truncate(usize::try_from(result.data_size_out).unwrap());
    assert_eq!(out, frame, "a packet is never changed");
    match result.return_value {
        u32::MAX => Verdict::Pass,
        2 => Verdict::Drop,
        other => panic!("the verdict {other}"),
    }
}

fn wanted(pod: u32, neighbour: u32, uplink: u32) -> Wanted {
    let mut wanted = Wanted::default();
    for (text, sockets, identity, index) in
        [("pod", POD, IdentityId(30), pod), ("neighbour", NEIGHBOUR, OF_NEIGHBOUR, neighbour)]
    {
        let local =
            LocalPod { uid: text.into(), addresses: addresses(sockets), identity, set: PolicySetId(0) };
        wanted.tables.addresses.extend(local.addresses.iter().map(|it| (*it, identity)));
        wanted.tables.pods.insert(name(text), local);
        wanted.pods.insert(name(text), index);
    }
    wanted.tables.addresses.extend(addresses(REMOTE).into_iter().map(|it| (it, OF_REMOTE)));
    wanted.interfaces.insert(uplink, Interface { kind: layout::OUTSIDE, link_header: 14 });
    let host = |address: IpAddr| Prefix { address: address.into(), length: 128 };
    wanted.destinations.extend(addresses(NODE).into_iter().map(|it| (host(it), layout::DESTINATION_NODE)));
    let service = layout::DESTINATION_SERVICE | layout::DESTINATION_TRANSLATED_HERE;
    wanted.destinations.extend(addresses(SERVICE).into_iter().map(|it| (host(it), service)));
    for (network, length) in [("10.0.0.0", 96 + 16), ("fd00::", 32)] {
        let address = network.parse::<IpAddr>().unwrap().into();
        wanted.destinations.insert(Prefix { address, length }, layout::DESTINATION_PODS);
    }
    wanted
}

/// Denies what no rule speaks of.
pub(crate) fn isolated() -> DirectionPolicy {
    let denied = Ruling { order: 1, decision: Decision::Deny, policy: DENIES };
    DirectionPolicy { default: Rulings { first: Ruling::PASS, then: denied }, ..DirectionPolicy::open() }
}

/// A class whose peers may use these ports, and nothing else.
fn allows(ports: &[(Protocol, u16, u16)]) -> Class {
    let allowed = Ruling { order: 0, decision: Decision::Allow, policy: DENIES };
    let verdict = Rulings { first: Ruling::PASS, then: allowed };
    let rule = |&(protocol, first, last): &_| PortRule { protocol, first, last, verdict };
    Class { ports: ports.iter().map(rule).collect() }
}

/// All that there is: a rule without ports.
pub(crate) const ANY: &[(Protocol, u16, u16)] = &[
    (Protocol::Other, 0, 65535),
    (Protocol::Tcp, 0, 65535),
    (Protocol::Udp, 0, 65535),
    (Protocol::Sctp, 0, 65535),
];

/// Isolated, but for peers of that identity.
pub(crate) fn but_identity(identity: IdentityId, ports: &[(Protocol, u16, u16)]) -> DirectionPolicy {
    DirectionPolicy {
        by_identity: [(identity, ClassId(0))].into(),
        classes: vec![allows(ports)],
        ..isolated()
    }
}

/// Isolated, but for these networks; those in the second list are excepted.
pub(crate) fn but_networks(
    networks: &[&str],
    except: &[&str],
    ports: &[(Protocol, u16, u16)],
) -> DirectionPolicy {
    let of = |list: &[&str], class| list.iter().map(|it| (it.parse().unwrap(), class)).collect::<Vec<_>>();
    DirectionPolicy {
        by_network: [of(networks, ClassId(0)), of(except, ClassId(1))].concat(),
        classes: vec![allows(ports), Class::default()],
        ..isolated()
    }
}

/// The first packets of flows from `source` to `destination`, of TCP and of UDP.
pub(crate) fn first_packets(source: &str, destination: &str) -> [Packet; 2] {
    [Packet::tcp(source, destination, crate::wire::SYN), Packet::udp(source, destination)]
}

/// Room for what the tests need, so that many of them fit side by side.
pub(crate) fn small() -> PolicyLimits {
    PolicyLimits {
        pods: 16,
        interfaces: 16,
        addresses: 64,
        destinations: 64,
        gateways: 16,
        rules: 64,
        identities: 256,
        networks: 256,
        ports: 1024,
        flows: 4096,
        new_flows: 4096,
        fragments: 256,
        counters: 64,
    }
}

pub(crate) fn ip(command: &str) {
    let output = Command::new("ip").args(command.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
}
