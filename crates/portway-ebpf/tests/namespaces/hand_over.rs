//! From the maps of a former layout to those of this one, while connections are open.
//!
//! The former layout is made up: an entry of a flow is shorter by a field in its middle. Programs with that layout are not at hand, so
//! those of this version play their part, under links that are moved to where theirs would be; its maps are filled by the test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aya::maps::{HashMap, Map, MapData};
use portway_ebpf::balancer::Balancer;
use portway_ebpf::layout::{Flow, SERVICE_BESIDE_PROXY, Tuple};
use portway_ebpf::layouts::Layout;
use portway_ebpf::pin::{self, Kept};
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_ebpf::{HandOver, Kernel, Node};
use zerocopy::IntoBytes as _;

use crate::bpffs::Bpffs;
use crate::host::Host;
use crate::peers::{Connection, serve_tcp};
use crate::topology::{LISTENER, NODE, small};
use crate::wiring::{pod, wire};

/// The field that a flow does not have in the former layout.
const MISSING: (&str, std::ops::Range<usize>) = ("told_other", 48..56);
const FORMER_FLOW: usize = 88;

type FormerFlows = HashMap<MapData, Tuple, [u8; FORMER_FLOW]>;

/// This layout without that field.
fn made_up() -> Layout {
    let mut text = String::new();
    let mut structure = String::new();
    for line in Layout::current().describe().lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["flow", size] => {
                assert_eq!(size, "96", "the test knows where the field is");
                structure = "flow".to_owned();
                text += &format!("flow {FORMER_FLOW}\n");
            }
            [name, _] => {
                structure = name.to_owned();
                text += &format!("{line}\n");
            }
            [name, offset, size] if structure == "flow" && name != MISSING.0 => {
                let offset: usize = offset.parse().unwrap();
                let offset = if offset < MISSING.1.start { offset } else { offset - MISSING.1.len() };
                text += &format!("  {name} {offset} {size}\n");
            }
            [_, _, _] if structure == "flow" => {}
            _ => text += &format!("{line}\n"),
        }
    }
    Layout::parse(0, &text).unwrap()
}

/// client ── node ── two pods, of which the first is served at the node by pinned programs.
struct Site {
    client: Host,
    node: Host,
    _pods: Vec<Host>,
    bpffs: Bpffs,
}

struct Serving {
    kernel: Arc<Mutex<Kernel>>,
    balancer: Balancer,
}

impl Site {
    fn new() -> Self {
        let (client, node) = (Host::new("client"), Host::new("node"));
        let pods: Vec<_> = (0..2).map(|number| Host::new(&format!("pod-{number}"))).collect();
        wire(&client, &node, &pods);
        for (number, host) in pods.iter().enumerate() {
            serve_tcp(host, pod(number)[0]);
        }
        Self { client, node, _pods: pods, bpffs: Bpffs::new() }
    }

    fn pins(&self) -> PathBuf {
        self.bpffs.pins()
    }

    fn load(&self, known: Vec<Layout>) -> Serving {
        let pins = self.pins();
        let mut kernel = self.node.run(move || {
            let about = Node { ipv4: NODE[0].parse().ok(), ipv6: None };
            Kernel::load_pinned_after(&small(), about, &pins, &known).unwrap()
        });
        let (services, endpoints) = kernel.standing().unwrap();
        let balancer = Balancer::resume(Duration::from_secs(30), &services, &endpoints);
        Serving { kernel: Arc::new(Mutex::new(kernel)), balancer }
    }

    fn programs_at(&self, interface: &'static str) -> usize {
        self.node.run(move || {
            use aya::programs::{SchedClassifier, TcAttachType};
            [TcAttachType::Ingress, TcAttachType::Egress]
                .map(|it| SchedClassifier::query_tcx(interface, it).unwrap().1.len())
                .iter()
                .sum()
        })
    }
}

impl Serving {
    fn attach(&self, site: &Site) {
        let kernel = Arc::clone(&self.kernel);
        site.node.run(move || {
            let mut kernel = kernel.lock().unwrap();
            ["clients", "pod0", "pod1"].into_iter().for_each(|it| kernel.attach(it).unwrap());
        });
    }

    fn serve(&mut self, endpoint: SocketAddr, reach: Reach, beside_proxy: bool) {
        let endpoints = vec![Endpoint { address: endpoint, reach, source: None }];
        let backends = vec![Backend { weight: 1, endpoints }];
        let at = ServiceAddress { transport: Transport::Tcp, address: LISTENER[0].parse().unwrap() };
        let wanted =
            Services::from([(at, Service { backends, source_affinity: false, beside_proxy, gateway: 0 })]);
        let changes = self.balancer.serve(&wanted, Duration::ZERO);
        self.kernel.lock().unwrap().apply(&changes).unwrap();
    }

    fn flows(&self) -> Vec<(Tuple, Flow)> {
        self.kernel.lock().unwrap().flows().unwrap()
    }
}

/// Moves what this layout has pinned to where the former one would have it, but for its flows, which are written anew.
fn age(pins: &Path, flows: &[(Tuple, Flow)]) -> PathBuf {
    let (own, former) = (pins.join(Layout::current().folder()), pins.join(made_up().folder()));
    fs::rename(&own, &former).unwrap();
    for map in ["flows", "new_flows"] {
        let path = former.join("maps").join(map);
        fs::remove_file(&path).unwrap();
        FormerFlows::create(1024, 0).unwrap().pin(&path).unwrap();
    }
    write(&former, flows);
    former
}

fn write(former: &Path, flows: &[(Tuple, Flow)]) {
    let data = MapData::from_pin(former.join("maps/flows")).unwrap();
    let mut map = FormerFlows::try_from(Map::from_map_data(data).unwrap()).unwrap();
    for (tuple, flow) in flows {
        let mut bytes = flow.as_bytes().to_vec();
        bytes.drain(MISSING.1);
        map.insert(tuple, <[u8; FORMER_FLOW]>::try_from(bytes).unwrap(), 0).unwrap();
    }
}

#[test]
fn established_connections_outlive_a_change_of_layout() {
    for (reach, seen_as) in [(Reach::Forwarded, None), (Reach::Masqueraded, Some(NODE[0]))] {
        let site = Site::new();
        let mut before = site.load(vec![]);
        before.attach(&site);
        before.serve(pod(0)[0], reach, false);
        let mut first = Connection::open(&site.client, LISTENER[0]);
        first.exchange(1 << 16);
        let folder = age(&site.pins(), &before.flows());

        let mut after = site.load(vec![made_up()]);
        let told = after.kernel.lock().unwrap().hand_over().clone();
        assert_eq!(told, HandOver::From { version: 0, entries: 2 });
        first.exchange(1 << 16);
        let mut second = Connection::open(&site.client, LISTENER[0]);
        after.attach(&site);
        assert_eq!(site.programs_at("clients"), 4, "the new come before the former");
        // What has begun in between is the former programs' still.
        for connection in [&mut first, &mut second] {
            connection.exchange(1 << 16);
        }
        // Another endpoint: those that are established must stay with theirs.
        after.serve(pod(1)[0], reach, true);
        let mut third = Connection::open(&site.client, LISTENER[0]);
        assert_eq!(third.told.server, pod(1)[0]);
        second.exchange(1 << 16);
        write(&folder, &before.flows());
        assert!(after.kernel.lock().unwrap().is_handing_over());
        assert_eq!(after.kernel.lock().unwrap().end_hand_over().unwrap(), 2, "of the second connection");
        assert!(pin::remove(&site.pins(), true).unwrap());
        assert_eq!(site.programs_at("clients"), 2);
        after.serve(pod(1)[0], reach, false);
        for connection in [&mut first, &mut second, &mut third] {
            connection.exchange(1 << 16);
        }
        assert_eq!((first.told.server, second.told.server), (pod(0)[0], pod(0)[0]));
        if let Some(node) = seen_as {
            assert_eq!(first.told.client.ip().to_string(), node);
        }
        let flows = after.flows();
        assert_eq!(flows.len(), 6, "{flows:?}");
        assert!(flows.iter().all(|(_, it)| it.packets > 0), "carried over, and counted on: {flows:?}");
    }
}

#[test]
fn ids_and_counters_go_on() {
    let site = Site::new();
    let mut before = site.load(vec![]);
    before.attach(&site);
    before.serve(pod(0)[0], Reach::Forwarded, true);
    let mut connection = Connection::open(&site.client, LISTENER[0]);
    connection.exchange(1000);
    let at = ServiceAddress { transport: Transport::Tcp, address: LISTENER[0].parse().unwrap() };
    let id = before.balancer.id(&at).unwrap();
    let counted = before.kernel.lock().unwrap().counters(id).unwrap();
    age(&site.pins(), &before.flows());
    let mut after = site.load(vec![made_up()]);
    assert_eq!(after.balancer.id(&at), Some(id));
    let (services, endpoints) = after.kernel.lock().unwrap().standing().unwrap();
    assert_eq!((services.len(), endpoints.len()), (1, 1));
    assert_eq!(services[0].1.flags, SERVICE_BESIDE_PROXY);
    let carried = after.kernel.lock().unwrap().counters(id).unwrap();
    assert_eq!(carried.flows, 1);
    // An acknowledgement may have come in between.
    assert!(carried.packets_from_client >= counted.packets_from_client && counted.packets_from_client > 2);
    after.serve(pod(1)[0], Reach::Forwarded, true);
    let endpoints = after.kernel.lock().unwrap().standing().unwrap().1;
    assert!(endpoints.iter().any(|(_, it)| it.port == pod(0)[0].port().into()), "it drains: {endpoints:?}");
    assert_eq!(endpoints.len(), 2, "no number has come a second time: {endpoints:?}");
}

#[test]
fn a_layout_that_is_not_known_is_told_of() {
    let site = Site::new();
    assert_eq!(pin::kept(&site.pins()), Kept::Nothing);
    let mut before = site.load(vec![]);
    assert_eq!(before.kernel.lock().unwrap().hand_over(), &HandOver::Nothing);
    before.attach(&site);
    before.serve(pod(0)[0], Reach::Forwarded, false);
    assert_eq!(pin::kept(&site.pins()), Kept::Own);
    let mut connection = Connection::open(&site.client, LISTENER[0]);
    age(&site.pins(), &before.flows());
    assert_eq!(pin::kept(&site.pins()), Kept::Unknown);
    let mut after = site.load(vec![]);
    let told = after.kernel.lock().unwrap().hand_over().clone();
    let HandOver::Cut { why } = told else { panic!("{told:?}") };
    assert!(why.contains(&made_up().folder()), "{why}");
    // Its table is the same.
    after.attach(&site);
    after.serve(pod(0)[0], Reach::Forwarded, false);
    assert_eq!(after.kernel.lock().unwrap().end_hand_over().unwrap(), 0);
    assert!(pin::remove(&site.pins(), true).unwrap());
    connection.exchange(1 << 16);
}

#[test]
fn maps_that_are_not_what_their_version_says_are_not_carried_over() {
    let site = Site::new();
    let mut before = site.load(vec![]);
    before.attach(&site);
    before.serve(pod(0)[0], Reach::Forwarded, false);
    let former = age(&site.pins(), &[]);
    fs::remove_file(former.join("maps/flows")).unwrap();
    let told = site.load(vec![made_up()]).kernel.lock().unwrap().hand_over().clone();
    let HandOver::Cut { why } = told else { panic!("{told:?}") };
    assert!(why.contains("`flows`"), "{why}");
    HashMap::<_, u32, u32>::create(1, 0).unwrap().pin(former.join("maps/flows")).unwrap();
    let told = site.load(vec![made_up()]).kernel.lock().unwrap().hand_over().clone();
    let HandOver::Cut { why } = told else { panic!("{told:?}") };
    assert!(why.contains("is not what that version describes"), "{why}");
}
