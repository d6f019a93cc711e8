//! client ── node ── pods, of which policies of a cluster decide what they get and send.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portway_config::NamespacedName;
use portway_config::network_policy::{
    GatewayProxies, NetworkPolicy, PolicyFacts, PolicyNamespace, PolicyPod,
};
use portway_ebpf::Limits;
use portway_ebpf::policy::ledger::Prefix;
use portway_ebpf::policy::{Denial, GatewayNumbers, Guard, Outcome, PolicyDrop, PolicyLimits, Surroundings};
use portway_policy::{Compiler, PolicyName};
use serde_json::Value;
use tempfile::TempDir;

use crate::host::Host;
use crate::topology::NODE;
use crate::wiring::{pod, wire};

/// Of a Service, and of all of them.
pub(crate) const SERVICE: &str = "10.96.0.10";
const SERVICES: (&str, u32) = ("10.96.0.0", 96 + 16);
/// Longer than it takes where the way is free, shorter than until TCP tries again.
const AT_ONCE: Duration = Duration::from_millis(600);

pub(crate) struct Policed {
    pub(crate) client: Host,
    pub(crate) node: Host,
    pub(crate) pods: Vec<Host>,
    pub(crate) facts: PolicyFacts,
    pub(crate) numbers: GatewayNumbers,
    compiler: Compiler,
    guard: Option<Arc<Mutex<Guard>>>,
    bpffs: Option<TempDir>,
}

pub(crate) fn name(name: &str) -> NamespacedName {
    NamespacedName::new("shop", name)
}

impl Policed {
    /// Pod 0 is the web, pod 1 the database, by their label `app`; others are not told of. What is enforced is pinned with
    /// `is_pinned`.
    pub(crate) fn new(pods: usize, is_pinned: bool) -> Self {
        let (client, node) = (Host::new("client"), Host::new("node"));
        let hosts: Vec<_> = (0..pods).map(|number| Host::new(&format!("pod-{number}"))).collect();
        // What these tests find out by nothing coming must not be hidden by addresses that are not in use yet.
        for host in [&client, &node].into_iter().chain(&hosts) {
            host.set("ipv6/conf/default/accept_dad", "0");
        }
        wire(&client, &node, &hosts);
        let mut facts = PolicyFacts::default();
        let shop = PolicyNamespace { name: "shop".into(), labels: [("team".into(), "a".into())].into() };
        facts.namespaces.insert("shop".into(), Arc::new(shop));
        let bpffs = is_pinned.then(|| {
            let directory = tempfile::tempdir().unwrap();
            let mount = Command::new("mount").args(["-t", "bpf", "bpf"]).arg(directory.path()).status();
            assert!(mount.unwrap().success(), "a bpffs: this test needs root");
            directory
        });
        let compiler = Compiler::new("node");
        let numbers = GatewayNumbers::default();
        let mut it = Self { client, node, pods: hosts, facts, numbers, compiler, guard: None, bpffs };
        it.add_pod("web", 0);
        it.add_pod("db", 1);
        it.start();
        it.enforce();
        it
    }

    /// Loads the programs, or goes on from what is pinned.
    pub(crate) fn start(&mut self) {
        let pins: Option<PathBuf> = self.bpffs.as_ref().map(|it| it.path().join("policy"));
        let limits = PolicyLimits { flows: 4096, new_flows: 4096, addresses: 256, ..PolicyLimits::default() };
        let guard =
            self.node.run(move || Guard::start(&limits, &Limits::default(), pins.as_deref()).unwrap());
        self.compiler = Compiler::resume("node", guard.former());
        self.guard = Some(Arc::new(Mutex::new(guard.sharing(self.numbers.clone()))));
    }

    /// As if the agent were killed.
    pub(crate) fn kill(&mut self) {
        self.guard = None;
    }

    /// Tells of a pod: named as its label `app`, with the addresses of the pod of this number.
    pub(crate) fn add_pod(&mut self, app: &str, number: usize) {
        self.add_pod_at(app, pod(number).map(|it| it.ip()).to_vec());
    }

    pub(crate) fn add_pod_at(&mut self, app: &str, addresses: Vec<IpAddr>) {
        let pod = PolicyPod {
            name: name(app),
            uid: format!("uid-of-{app}").into(),
            created: 0,
            is_leaving: false,
            node: "node".into(),
            labels: [("app".into(), app.into())].into(),
            ports: Vec::new(),
            addresses,
            host_network: false,
        };
        self.facts.pods.insert(name(app), Arc::new(pod));
    }

    /// Tells of a Gateway of the namespace `edge`, whose proxies have this label.
    pub(crate) fn add_gateway(&mut self, gateway: &str, tier: &str) {
        let edge = PolicyNamespace { name: "edge".into(), labels: [("team".into(), "net".into())].into() };
        self.facts.namespaces.insert("edge".into(), Arc::new(edge));
        let gateway = NamespacedName::new("edge", gateway);
        let labels = [("gateway".into(), gateway.name.clone()), ("tier".into(), tier.into())].into();
        let proxies = GatewayProxies { gateway: gateway.clone(), labels, ports: Vec::new() };
        self.facts.proxies.insert(gateway, Arc::new(proxies));
    }

    /// Makes or changes a policy. `spec`: as in a manifest.
    pub(crate) fn put(&mut self, policy: &str, spec: Value) {
        self.put_rehearsed(policy, spec, false);
    }

    pub(crate) fn put_rehearsed(&mut self, policy: &str, spec: Value, is_rehearsed: bool) {
        let spec = serde_json::from_value(spec).unwrap();
        let rehearse = is_rehearsed.then(|| "true".into());
        let value = NetworkPolicy { name: name(policy), rehearse, spec };
        self.facts.policies.insert(name(policy), Arc::new(value));
        self.enforce();
    }

    /// Brings what is told to the kernel.
    pub(crate) fn enforce(&mut self) {
        let states = self.compiler.compile(&self.facts);
        let guard = self.guard();
        let problems = self.node.run(move || {
            let mut guard = guard.lock().unwrap();
            guard.enforce(states, surroundings()).unwrap();
            guard.problems().to_vec()
        });
        assert!(problems.is_empty(), "{problems:?}");
    }

    /// As when interfaces have changed.
    pub(crate) fn look(&self) {
        let guard = self.guard();
        self.node.run(move || guard.lock().unwrap().look().unwrap());
    }

    pub(crate) fn guard(&self) -> Arc<Mutex<Guard>> {
        Arc::clone(self.guard.as_ref().unwrap())
    }

    /// Why a pod is not served, if that is so.
    pub(crate) fn problem(&self, app: &str) -> Option<String> {
        let pods = self.guard().lock().unwrap().pods();
        pods.into_iter().find(|it| it.pod == name(app)).unwrap().problem
    }

    pub(crate) fn denials(&self) -> Vec<Denial> {
        self.guard().lock().unwrap().denials()
    }

    pub(crate) fn drops(&self) -> Vec<(PolicyDrop, u64)> {
        let drops = self.guard().lock().unwrap().enforcer().drops().unwrap();
        drops.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Flows that a policy has denied in a direction, or would have.
    pub(crate) fn counted(&self, policy: &str, is_ingress: bool, outcome: Outcome) -> u64 {
        let counted = self.guard().lock().unwrap().counted().unwrap();
        let of = counted.into_iter().filter(|(of, direction, what, _)| {
            *of == Some(PolicyName::Namespaced(name(policy))) && *direction == is_ingress && *what == outcome
        });
        of.map(|(.., counter)| counter.flows).sum()
    }
}

impl Drop for Policed {
    fn drop(&mut self) {
        self.guard = None;
        if let Some(bpffs) = &self.bpffs {
            let _ = Command::new("umount").arg(bpffs.path()).status();
        }
    }
}

fn surroundings() -> Surroundings {
    let prefix =
        |address: &str, length| Prefix { address: address.parse::<IpAddr>().unwrap().into(), length };
    Surroundings {
        node: NODE[0].parse().ok(),
        services: vec![prefix(SERVICES.0, SERVICES.1)],
        gateways: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        pods: vec![prefix("10.0.0.0", 96 + 16), prefix("fd00::", 32)],
    }
}

/// Whether a connection to the server there comes about at once.
pub(crate) fn reaches(host: &Host, address: SocketAddr) -> bool {
    host.run(move || TcpStream::connect_timeout(&address, AT_ONCE).is_ok())
}
