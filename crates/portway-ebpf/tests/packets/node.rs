//! A node in a network namespace of its own, with the programs loaded but attached to nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aya::programs::{TestRun as _, TestRunOptions};
use nix::sched::{CloneFlags, unshare};
use portway_ebpf::balancer::Balancer;
use portway_ebpf::kernel::{EGRESS, INGRESS};
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_ebpf::{DropReason, Kernel, KernelError, Limits, Node};

/// The listener's addresses.
pub(crate) const LISTENER: [&str; 2] = ["192.0.2.1:80", "[2001:db8::1]:80"];
/// Clients come in by one interface, and endpoints are behind another.
pub(crate) const CLIENT: [&str; 2] = ["198.51.100.7:40000", "[2001:db8:c::7]:40000"];
pub(crate) const ENDPOINT: [&str; 2] = ["10.0.0.1:8080", "[fd00::1]:8080"];
pub(crate) const OTHER_ENDPOINT: [&str; 2] = ["10.0.0.2:8080", "[fd00::2]:8080"];
/// The node's own address towards the endpoints.
pub(crate) const NODE: [&str; 2] = ["10.0.0.254", "fd00::fe"];

/// What a program says of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
    Redirect,
}

pub(crate) struct TestNode {
    pub(crate) kernel: Kernel,
    pub(crate) balancer: Balancer,
    /// Index of the interface that clients are at.
    pub(crate) clients: u32,
}

impl TestNode {
    pub(crate) fn new() -> Self {
        Self::with_limits(&small())
    }

    pub(crate) fn with_limits(limits: &Limits) -> Self {
        Self::by(|node| Kernel::load(limits, node))
    }

    /// With maps and programs that are kept there.
    pub(crate) fn pinned(pins: &Path) -> Self {
        Self::by(|node| Kernel::load_pinned(&small(), node, pins))
    }

    fn by(load: impl FnOnce(Node) -> Result<Kernel, KernelError>) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of its own: this test needs root");
        for command in [
            "link set lo up",
            "link add clients type veth peer name of-clients",
            "link add pods type veth peer name of-pods",
            "addr add 198.51.100.254/24 dev clients",
            "addr add 2001:db8:c::fe/64 dev clients nodad",
            "addr add 10.0.0.254/24 dev pods",
            "addr add fd00::fe/64 dev pods nodad",
            "link set clients up",
            "link set of-clients up",
            "link set pods up",
            "link set of-pods up",
        ] {
            ip(command);
        }
        for knob in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(format!("/proc/sys/net/{knob}"), "1").unwrap();
        }
        let node = Node { ipv4: NODE[0].parse().ok(), ipv6: NODE[1].parse().ok() };
        let kernel = load(node).unwrap_or_else(|error| panic!("{error}; {:?}", error.help()));
        let clients = nix::net::if_::if_nametoindex("clients").unwrap();
        Self { kernel, balancer: Balancer::new(Duration::from_secs(30)), clients }
    }

    /// Serves both transports and both families by these endpoints.
    pub(crate) fn serve(&mut self, endpoints: &[[&str; 2]], reach: Reach, now: u64) {
        let backends = endpoints.iter().map(|it| (1, it.to_vec())).collect::<Vec<_>>();
        self.serve_weighted(&backends, reach, now);
    }

    pub(crate) fn serve_weighted(&mut self, backends: &[(u32, Vec<&str>)], reach: Reach, now: u64) {
        let backend = |(weight, endpoints): &(u32, Vec<&str>)| Backend {
            weight: *weight,
            endpoints: endpoints
                .iter()
                .map(|it| Endpoint { address: it.parse().unwrap(), reach, source: None })
                .collect(),
        };
        let service = Service {
            backends: backends.iter().map(backend).collect(),
            source_affinity: false,
            beside_proxy: false,
            gateway: 0,
        };
        self.serve_as(&service, now);
    }

    pub(crate) fn serve_as(&mut self, service: &Service, now: u64) {
        let addresses = listeners().into_iter().map(|it| (it, service.clone()));
        let changes = self.balancer.serve(&addresses.collect::<Services>(), Duration::from_secs(now));
        self.kernel.apply(&changes).unwrap();
    }

    /// Runs the program for packets that come in.
    pub(crate) fn ingress(&mut self, frame: &[u8]) -> (Verdict, Vec<u8>) {
        self.run(INGRESS, frame, 0)
    }

    /// Runs the program for packets that leave.
    pub(crate) fn egress(&mut self, frame: &[u8]) -> (Verdict, Vec<u8>) {
        self.run(EGRESS, frame, 0)
    }

    pub(crate) fn run(&mut self, program: &str, frame: &[u8], gso_size: u32) -> (Verdict, Vec<u8>) {
        // `struct __sk_buff`: ingress_ifindex and gso_size.
        let mut context = [0_u8; 184];
        context[36..40].copy_from_slice(&self.clients.to_ne_bytes());
        context[176..180].copy_from_slice(&gso_size.to_ne_bytes());
        let mut out = vec![0; frame.len() + 128];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        };
        let result = self.kernel.program(program).unwrap().test_run(options).unwrap();
        let verdict = match result.return_value {
            u32::MAX => Verdict::Pass,
            2 => Verdict::Drop,
            7 => Verdict::Redirect,
            other => panic!("the verdict {other}"),
        };
        out.truncate(usize::try_from(result.data_size_out).unwrap());
        (verdict, out)
    }

    /// Reasons for which packets were dropped so far.
    pub(crate) fn drops(&mut self) -> Vec<(DropReason, u64)> {
        self.kernel.drops().unwrap().into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

pub(crate) fn listeners() -> Vec<ServiceAddress> {
    let of = |transport| {
        LISTENER.map(|it| ServiceAddress { transport, address: it.parse::<SocketAddr>().unwrap() })
    };
    [of(Transport::Tcp), of(Transport::Udp)].concat()
}

/// Room for what the tests need, so that many of them fit side by side.
pub(crate) fn small() -> Limits {
    Limits {
        services: 16,
        endpoints: 256,
        flows: 32_768,
        new_flows: 32_768,
        fragments: 256,
        ..Limits::default()
    }
}

pub(crate) fn ip(command: &str) {
    let output = Command::new("ip").args(command.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
}
