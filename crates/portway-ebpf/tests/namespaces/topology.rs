//! client ── node ── pods.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portway_ebpf::balancer::Balancer;
use portway_ebpf::layout::ServiceCounters;
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_ebpf::{DropReason, Kernel, Limits, Node};

use crate::host::Host;
use crate::wiring::wire;

pub(crate) const LISTENER: [&str; 2] = ["192.0.2.1:80", "[2001:db8::1]:80"];
/// Of pod 0, where its servers are; the other pods' addresses differ in one digit.
pub(crate) const CLIENT: [&str; 2] = ["198.51.100.7", "2001:db8:c::7"];
pub(crate) const NODE: [&str; 2] = ["198.51.100.254", "2001:db8:c::fe"];

pub(crate) struct Topology {
    pub(crate) client: Host,
    pub(crate) node: Host,
    pub(crate) pods: Vec<Host>,
    kernel: Arc<Mutex<Kernel>>,
    balancer: Balancer,
}

impl Topology {
    /// With the programs at every interface of the node that leads to a client or a pod.
    pub(crate) fn new(pods: usize) -> Self {
        let (client, node) = (Host::new("client"), Host::new("node"));
        let pods: Vec<_> = (0..pods).map(|number| Host::new(&format!("pod-{number}"))).collect();
        wire(&client, &node, &pods);
        let limits = small();
        let about_node = Node { ipv4: NODE[0].parse().ok(), ipv6: NODE[1].parse().ok() };
        let interfaces: Vec<_> = (0..pods.len()).map(|it| format!("pod{it}")).collect();
        let kernel = node.run(move || {
            let mut kernel = Kernel::load(&limits, about_node).unwrap();
            kernel.attach("clients").unwrap();
            interfaces.iter().for_each(|it| kernel.attach(it).unwrap());
            kernel
        });
        let balancer = Balancer::new(Duration::from_secs(30));
        Self { client, node, pods, kernel: Arc::new(Mutex::new(kernel)), balancer }
    }

    /// Serves both transports and families by these endpoints, at a time in seconds.
    pub(crate) fn serve(&mut self, endpoints: &[SocketAddr], reach: Reach, now: u64) {
        let endpoints = endpoints.iter().map(|it| Endpoint { address: *it, reach, source: None }).collect();
        let service = Service {
            backends: vec![Backend { weight: 1, endpoints }],
            source_affinity: false,
            beside_proxy: false,
            gateway: 0,
        };
        let wanted: Services = listeners().into_iter().map(|it| (it, service.clone())).collect();
        let changes = self.balancer.serve(&wanted, Duration::from_secs(now));
        self.kernel.lock().unwrap().apply(&changes).unwrap();
    }

    pub(crate) fn counters(&self, transport: Transport, family: usize) -> ServiceCounters {
        let address = ServiceAddress { transport, address: LISTENER[family].parse().unwrap() };
        let id = self.balancer.id(&address).unwrap();
        self.kernel.lock().unwrap().counters(id).unwrap()
    }

    pub(crate) fn drops(&self) -> Vec<(DropReason, u64)> {
        let drops = self.kernel.lock().unwrap().drops().unwrap();
        drops.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

/// Room for what the tests need, so that many of them fit side by side.
pub(crate) fn small() -> Limits {
    Limits { services: 16, endpoints: 256, flows: 4096, new_flows: 4096, fragments: 256, ..Limits::default() }
}

fn listeners() -> Vec<ServiceAddress> {
    let of = |transport| LISTENER.map(|it| ServiceAddress { transport, address: it.parse().unwrap() });
    [of(Transport::Tcp), of(Transport::Udp)].concat()
}
