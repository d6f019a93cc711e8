//! client ── node ── two pods; on the node runs `portway run`.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;
use tempfile::TempDir;

use crate::host::Host;
use crate::running::curl::curl;
use crate::running::eventually;
use crate::running::portway::{Portway, command};
use crate::wiring::{pod, wire};

/// The listeners of both families: 7000 is TCP, 7001 is UDP.
pub(crate) const TCP: [&str; 2] = ["198.51.100.254:7000", "[2001:db8:c::fe]:7000"];
pub(crate) const UDP: [&str; 2] = ["198.51.100.254:7001", "[2001:db8:c::fe]:7001"];
pub(crate) const CLIENT: [&str; 2] = ["198.51.100.7", "2001:db8:c::7"];
/// Whose replies come back through the node.
pub(crate) const ROUTED_BACK: [&str; 4] =
    ["--ebpf-routed-back", "10.0.0.0/8", "--ebpf-routed-back", "fd00::/8"];

const OBJECTS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: portway }
spec: { controllerName: portway.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: web }
spec:
  gatewayClassName: portway
  listeners:
  - { name: stream, port: 7000, protocol: TCP }
  - { name: packets, port: 7001, protocol: UDP }
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: stream, namespace: web }
spec:
  parentRefs: [{ name: edge, sectionName: stream }]
  rules: [{ backendRefs: [{ name: echo, port: 7000 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: UDPRoute
metadata: { name: packets, namespace: web }
spec:
  parentRefs: [{ name: edge, sectionName: packets }]
  rules: [{ backendRefs: [{ name: echo, port: 7001 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: web }
spec:
  ports:
  - { name: stream, port: 7000, protocol: TCP }
  - { name: packets, port: 7001, protocol: UDP }
---
";

const SLICE: &str = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: echo-NAME, namespace: web, labels: { kubernetes.io/service-name: echo } }
addressType: FAMILY
ports:
- { name: stream, port: 8080, protocol: TCP }
- { name: packets, port: 8080, protocol: UDP }
endpoints: [ENDPOINTS]
---
";

pub(crate) struct Network {
    pub(crate) client: Host,
    pub(crate) node: Host,
    pub(crate) pods: [Host; 2],
    manifests: TempDir,
}

impl Network {
    /// With manifests that name pod 0 as the one endpoint.
    pub(crate) fn new() -> Self {
        let (client, node) = (Host::new("client"), Host::new("node"));
        let pods = ["pod-0", "pod-1"].map(Host::new);
        wire(&client, &node, &pods);
        let it = Self { client, node, pods, manifests: tempfile::tempdir().unwrap() };
        it.lead_to(&pod(0));
        it
    }

    /// Writes manifests in which these are the endpoints.
    pub(crate) fn lead_to(&self, endpoints: &[SocketAddr]) {
        let mut objects = OBJECTS.to_owned();
        for (family, is_of) in
            [("IPv4", SocketAddr::is_ipv4 as fn(&SocketAddr) -> bool), ("IPv6", SocketAddr::is_ipv6)]
        {
            let mut listed = String::new();
            for address in endpoints.iter().filter(|it| is_of(it)) {
                write!(listed, "{{ addresses: [\"{}\"] }},", address.ip()).unwrap();
            }
            objects += &SLICE
                .replace("NAME", &family.to_lowercase())
                .replace("FAMILY", family)
                .replace("ENDPOINTS", &listed);
        }
        let new = self.manifests.path().join(".new");
        std::fs::write(&new, objects).unwrap();
        std::fs::rename(&new, self.manifests.path().join("objects.yaml")).unwrap();
    }

    /// Starts `portway run` on the node, by way of another command if there is one, and waits until it is ready.
    pub(crate) fn run(&self, by_way_of: &[&str], options: &[&str]) -> Portway {
        let directory = self.manifests();
        let mut arguments = vec!["run", &directory, "--bind", "198.51.100.254", "--bind", "2001:db8:c::fe"];
        arguments.extend(["--admin", "127.0.0.1:9900", "--workers", "1"]);
        arguments.extend(options);
        let mut portway = command(arguments);
        if let [program, rest @ ..] = by_way_of {
            let mut wrapped = std::process::Command::new(program);
            wrapped.args(rest).arg(portway.get_program()).args(portway.get_args());
            wrapped.current_dir(portway.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
            portway = wrapped;
        }
        let portway = self.node.run(move || Portway::spawn(IpAddr::V4(Ipv4Addr::LOCALHOST), portway));
        eventually("a Portway that is ready", || self.get("/readyz").contains("ready\n").then_some(()));
        portway
    }

    /// Where the manifests are.
    pub(crate) fn manifests(&self) -> String {
        self.manifests.path().to_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:9900{path}");
        self.node.run(move || curl(["--max-time", "5", url.as_str()]).body)
    }

    /// Path and reason of each listener at each address, without repetition.
    pub(crate) fn paths(&self) -> Vec<(String, String)> {
        let status: Value = serde_json::from_str(&self.get("/status")).unwrap();
        let text = |it: &Value, field| it[field].as_str().unwrap().to_owned();
        let paths = status["paths"].as_array().cloned().unwrap_or_default();
        let mut all: Vec<_> = paths.iter().map(|it| (text(it, "path"), text(it, "reason"))).collect();
        all.sort();
        all.dedup();
        all
    }

    pub(crate) fn await_path(&self, path: &str, reason: &str) {
        let wanted = [(path.to_owned(), reason.to_owned())];
        eventually(&format!("{path}: {reason}"), || (self.paths() == wanted).then_some(()));
    }

    /// The value of a sample of a metric; 0 where there is none.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let metrics = self.get("/metrics");
        let line = metrics.lines().find_map(|it| it.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0, |it| it.parse().unwrap())
    }

    /// How many programs are at an interface of the node.
    pub(crate) fn programs_at(&self, interface: &'static str) -> usize {
        self.node.run(move || {
            use aya::programs::{SchedClassifier, TcAttachType};
            [TcAttachType::Ingress, TcAttachType::Egress]
                .map(|it| SchedClassifier::query_tcx(interface, it).unwrap().1.len())
                .iter()
                .sum()
        })
    }
}
