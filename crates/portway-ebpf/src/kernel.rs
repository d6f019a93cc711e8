//! The edge: loads the programs, attaches them, fills and reads the maps.

mod counted;
mod hand_over;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use aya::maps::{Array, HashMap, HashOfMaps, Map, MapData, MapError, PerCpuHashMap, PerCpuValues};
use aya::programs::tc::{SchedClassifierLinkId, TcAttachOptions};
use aya::programs::{LinkOrder, MultiProgram, ProgramError, ProgramFd, SchedClassifier, TcAttachType};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader, Pod};
use nix::time::{ClockId, clock_gettime};

pub use self::counted::Sweep;
pub use self::hand_over::HandOver;
use self::hand_over::{Former, Services};
use crate::balancer::Change;
use crate::error::KernelError;
use crate::layout::{self, LinkAddress, MAGLEV_SLOTS, ServiceCounters, ServiceKey, Settings};
use crate::layouts::Layout;
use crate::limits::Limits;
use crate::object;
use crate::pin::{self, PINNED_MAPS, Pins};

/// The program for packets that come in by an interface.
pub const INGRESS: &str = "portway_ingress";
/// The program for packets that leave by an interface.
pub const EGRESS: &str = "portway_egress";
/// The program that sends a frame which it is run on.
pub const SEND: &str = "portway_send";

type Table = Array<MapData, [u32; MAGLEV_SLOTS]>;

/// What the programs must know of their node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Source of packets to endpoints whose replies would not come back of themselves. Absent: such endpoints get
    /// nothing.
    pub ipv4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub ipv6: Option<Ipv6Addr>,
}

/// A program of others that comes before ours at the interfaces that it is at.
#[derive(Debug)]
pub struct Ahead(ProgramFd);

impl Ahead {
    /// None: it is not loaded, or there are no more file descriptors.
    pub(crate) fn of(program: &SchedClassifier) -> Option<Self> {
        program.fd().ok()?.try_clone().ok().map(Self)
    }
}

impl MultiProgram for Ahead {
    fn fd(&self) -> Result<BorrowedFd<'_>, ProgramError> {
        Ok(self.0.as_fd())
    }
}

/// The loaded programs and their maps. They live as long as this does, unless they are pinned.
#[derive(Debug)]
pub struct Kernel {
    programs: Ebpf,
    /// What comes before ours at what comes in.
    ahead: Vec<Ahead>,
    /// Where maps and links stay when this goes.
    pins: Option<Pins>,
    hand_over: HandOver,
    /// Whose flows are being carried over.
    former: Option<Former>,
    /// Those that do not stand in a map of this layout yet.
    inherited: Services,
}

impl Kernel {
    /// Loads the programs. They see no packet before [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// The kernel refuses: it is too old, or the process lacks the right.
    pub fn load(limits: &Limits, node: Node) -> Result<Self, KernelError> {
        Self::load_from(limits, node, None)
    }

    /// The same, with maps and links that outlive the process: under `directory`, which is in a file system for that
    /// (bpffs). What is there already goes on: flows stay, and the programs take the place of the former at once. What is
    /// there in a former layout is carried over, as [`hand_over`](Self::hand_over) tells.
    ///
    /// # Errors
    ///
    /// The same; or nothing can be made there.
    pub fn load_pinned(limits: &Limits, node: Node, directory: &Path) -> Result<Self, KernelError> {
        Self::load_pinned_after(limits, node, directory, &Layout::former())
    }

    /// The same, where these are the former layouts that are known.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn load_pinned_after(
        limits: &Limits,
        node: Node,
        directory: &Path,
        known: &[Layout],
    ) -> Result<Self, KernelError> {
        let pins = Pins::open(directory)?;
        let has_served = pins.has_links();
        let mut kernel = Self::load_from(limits, node, Some(pins))?;
        if !has_served {
            kernel.begin_hand_over(directory, known);
        }
        Ok(kernel)
    }

    fn load_from(limits: &Limits, node: Node, pins: Option<Pins>) -> Result<Self, KernelError> {
        layout::verify(&object::btf(object::OBJECT).map_err(layout::LayoutError::from)?)?;
        let mut loader = EbpfLoader::new();
        let sizes = [
            ("services", limits.services),
            ("tables", limits.services),
            ("counters", limits.services),
            ("endpoints", limits.endpoints),
            ("flows", limits.flows),
            ("new_flows", limits.new_flows),
            ("fragments", limits.fragments),
            ("announced", limits.announced),
            ("neighbour_nodes", limits.neighbour_nodes),
        ];
        for (map, entries) in sizes {
            loader.map_max_entries(map, entries);
        }
        for map in pins.iter().flat_map(|_| PINNED_MAPS) {
            let path = pins.as_ref().map(|it| it.map(map)).unwrap_or_default();
            loader.map_pin_path(map, path);
        }
        let mut kernel = Self {
            programs: loader.load(object::OBJECT)?,
            ahead: Vec::new(),
            pins,
            hand_over: HandOver::Nothing,
            former: None,
            inherited: Vec::new(),
        };
        kernel.tell(limits, node)?;
        for name in [INGRESS, EGRESS, SEND] {
            let program =
                kernel.program(name).map_err(|error| KernelError::Program { program: name, error })?;
            load(program).map_err(|error| KernelError::Program { program: name, error: Box::new(error) })?;
        }
        let Self { programs, pins, .. } = &mut kernel;
        if let (Some(pins), Some(program)) = (pins, programs.program_mut(SEND)) {
            // For the announcer, who has nothing else of the kernel's to itself.
            pin::keep_program(program, &pins.program(SEND))?;
        }
        Ok(kernel)
    }

    /// Tells the programs of limits and node.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn tell(&mut self, limits: &Limits, node: Node) -> Result<(), KernelError> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let settings = Settings {
            node_ipv4: node.ipv4.map(|it| std::net::IpAddr::V4(it).into()).unwrap_or_default(),
            node_ipv6: node.ipv6.map(|it| std::net::IpAddr::V6(it).into()).unwrap_or_default(),
            tcp_established_timeout: nanoseconds(limits.tcp_established_timeout),
            tcp_transitory_timeout: nanoseconds(limits.tcp_transitory_timeout),
            tcp_closed_timeout: nanoseconds(limits.tcp_closed_timeout),
            udp_timeout: nanoseconds(limits.udp_timeout),
            udp_replied_timeout: nanoseconds(limits.udp_replied_timeout),
            announcer_silence: nanoseconds(limits.announcer_silence),
            masquerade_first_port: limits.masquerade_first_port.into(),
            masquerade_ports: u32::from(u16::MAX - limits.masquerade_first_port) + 1,
        };
        const MAP: &str = "node_settings";
        let mut map: Array<_, Settings> = self.map(MAP)?;
        map.set(0, settings, 0).map_err(told(MAP))
    }

    /// From now on, comes behind these programs at the interfaces that they are at: network policy judges what a pod sends before it
    /// is changed.
    pub fn come_after(&mut self, ahead: Vec<Ahead>) {
        self.ahead = ahead;
    }

    /// Tells the programs the Ethernet addresses of the other nodes: what comes from one is not left to a third.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn tell_neighbours(&mut self, nodes: &BTreeSet<[u8; 6]>) -> Result<(), KernelError> {
        const MAP: &str = "neighbour_nodes";
        let mut map: HashMap<_, LinkAddress, u32> = self.map(MAP)?;
        let known: Vec<_> = map.keys().filter_map(Result::ok).collect();
        for octets in nodes {
            map.insert(LinkAddress { octets: *octets, reserved: [0; 2] }, 0, 0).map_err(told(MAP))?;
        }
        for gone in known.iter().filter(|it| !nodes.contains(&it.octets)) {
            map.remove(gone).or_else(missing).map_err(told(MAP))?;
        }
        Ok(())
    }

    /// Attaches both programs to an interface of the current network namespace, before others that are there already:
    /// what is not Portway's is passed on to those.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the kernel refuses.
    pub fn attach(&mut self, interface: &str) -> Result<(), KernelError> {
        for (name, place) in [(INGRESS, TcAttachType::Ingress), (EGRESS, TcAttachType::Egress)] {
            let told = |error| KernelError::Attach {
                program: name,
                interface: interface.to_owned(),
                error: Box::new(error),
            };
            let Self { programs, pins, ahead, .. } = self;
            let program: &mut SchedClassifier = programs
                .program_mut(name)
                .ok_or(ProgramError::NotLoaded)
                .and_then(TryInto::try_into)
                .map_err(told)?;
            let Some(pins) = pins else {
                attach_in_order(program, interface, place, ahead).map_err(told)?;
                continue;
            };
            let path = pins.link(interface, name)?;
            if !pin::take_over(program, &path) {
                let id = attach_in_order(program, interface, place, ahead).map_err(told)?;
                let link = program.take_link(id).map_err(told)?;
                pin::keep(link, &path)?;
            }
        }
        Ok(())
    }

    /// The listeners and the endpoints that stand in the maps, as of a process before this one. Those of a former layout are among
    /// them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    #[allow(clippy::type_complexity, reason = "two lists of entries")]
    pub fn standing(
        &mut self,
    ) -> Result<(Vec<(ServiceKey, layout::Service)>, Vec<(u32, layout::Endpoint)>), KernelError> {
        let services: HashMap<_, ServiceKey, layout::Service> = self.map("services")?;
        let mut services = services.iter().collect::<Result<Services, _>>().map_err(told("services"))?;
        services.extend(self.inherited.iter().copied());
        let endpoints: HashMap<_, u32, layout::Endpoint> = self.map("endpoints")?;
        let endpoints = endpoints.iter().collect::<Result<_, _>>().map_err(told("endpoints"))?;
        Ok((services, endpoints))
    }

    /// Makes changes, in their order.
    ///
    /// # Errors
    ///
    /// The first that the kernel refuses; those before it are made.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), KernelError> {
        changes.iter().try_for_each(|change| self.apply_one(change))
    }

    fn apply_one(&mut self, change: &Change) -> Result<(), KernelError> {
        match change {
            Change::PutEndpoint { id, endpoint } => self.put("endpoints", id, endpoint),
            Change::RemoveEndpoint { id } => self.remove::<u32, layout::Endpoint>("endpoints", id),
            Change::PutService { key, service } => self.put("services", key, service),
            Change::RemoveService { key } => self.remove::<ServiceKey, layout::Service>("services", key),
            Change::PutTable { service, table } => self.put_table(*service, table),
            Change::RemoveTable { service } => {
                const MAP: &str = "tables";
                let mut tables: HashOfMaps<_, u32, Table> = self.map(MAP)?;
                tables.remove(service).or_else(missing).map_err(told(MAP))
            }
            Change::PutCounters { service } => {
                const MAP: &str = "counters";
                let mut counters: PerCpuHashMap<_, u32, ServiceCounters> = self.map(MAP)?;
                let zero = vec![ServiceCounters::default(); processors(MAP)?];
                let zero = PerCpuValues::try_from(zero).map_err(|error| told(MAP)(error.into()))?;
                counters.insert(service, zero, 0).map_err(told(MAP))
            }
            Change::RemoveCounters { service } => {
                const MAP: &str = "counters";
                let mut counters: PerCpuHashMap<_, u32, ServiceCounters> = self.map(MAP)?;
                counters.remove(service).or_else(missing).map_err(told(MAP))
            }
        }
    }

    fn put_table(&mut self, service: u32, slots: &[u32]) -> Result<(), KernelError> {
        const MAP: &str = "tables";
        let told = told(MAP);
        // On the heap from the beginning: it is 256 KiB.
        let mut content: Box<[u32; MAGLEV_SLOTS]> =
            vec![layout::ENDPOINT_REFUSE; MAGLEV_SLOTS].into_boxed_slice().try_into().unwrap_or_else(|_| {
                // A slice of that length is an array of that length.
                unreachable!()
            });
        content.iter_mut().zip(slots).for_each(|(slot, endpoint)| *slot = *endpoint);
        let mut table = Table::create(1, 0).map_err(&told)?;
        table.set(0, content, 0).map_err(&told)?;
        let mut tables: HashOfMaps<_, u32, Table> = self.map(MAP)?;
        tables.insert(service, &table, 0).map_err(&told)
    }

    /// A program, for running it on packets of one's own.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn program(&mut self, name: &str) -> Result<&mut SchedClassifier, Box<ProgramError>> {
        let program = self.programs.program_mut(name).ok_or(ProgramError::NotLoaded).map_err(Box::new)?;
        program.try_into().map_err(Box::new)
    }

    fn put<K: Pod, V: Pod>(&mut self, name: &'static str, key: &K, value: &V) -> Result<(), KernelError> {
        let mut map: HashMap<_, K, V> = self.map(name)?;
        map.insert(key, value, 0).map_err(told(name))
    }

    fn remove<K: Pod, V: Pod>(&mut self, name: &'static str, key: &K) -> Result<(), KernelError> {
        let mut map: HashMap<_, K, V> = self.map(name)?;
        map.remove(key).or_else(missing).map_err(told(name))
    }

    fn map<'a, M>(&'a mut self, name: &'static str) -> Result<M, KernelError>
    where
        M: TryFrom<&'a mut Map, Error = MapError>,
    {
        let map = self.programs.map_mut(name).ok_or_else(|| MapError::InvalidName { name: name.to_owned() });
        map.and_then(M::try_from).map_err(told(name))
    }
}

/// Has the kernel check a program. It gives up where the process has anything else to do meanwhile, and wants to be asked again.
pub(crate) fn load(program: &mut SchedClassifier) -> Result<(), ProgramError> {
    const ATTEMPTS: usize = 10;
    let again = |error: &ProgramError| match error {
        ProgramError::LoadError { io_error, .. } => io_error.kind() == std::io::ErrorKind::WouldBlock,
        _ => false,
    };
    let mut loaded = program.load();
    for _ in 1..ATTEMPTS {
        if !loaded.as_ref().is_err_and(again) {
            break;
        }
        loaded = program.load();
    }
    loaded
}

/// Before all others, but for those of `ahead` that are there, at what comes in.
fn attach_in_order(
    program: &mut SchedClassifier,
    interface: &str,
    place: TcAttachType,
    ahead: &[Ahead],
) -> Result<SchedClassifierLinkId, ProgramError> {
    let at_ingress = ahead.iter().filter(|_| matches!(place, TcAttachType::Ingress));
    for order in at_ingress.filter_map(|it| LinkOrder::after_program(it).ok()) {
        // Refused where that one is not.
        let attached = program.attach_with_options(interface, place, TcAttachOptions::TcxOrder(order));
        if let Ok(id) = attached {
            return Ok(id);
        }
    }
    program.attach_with_options(interface, place, TcAttachOptions::TcxOrder(LinkOrder::first()))
}

/// The clock of the programs' time stamps. One that cannot be read is at its beginning, where nothing is over.
pub(crate) fn monotonic_clock() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

pub(crate) fn told(map: &'static str) -> impl Fn(MapError) -> KernelError {
    move |error| KernelError::Map { map, error }
}

/// What is not there need not be removed.
pub(crate) fn missing(error: MapError) -> Result<(), MapError> {
    match error {
        MapError::KeyNotFound => Ok(()),
        MapError::SyscallError(ref it) if it.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        error => Err(error),
    }
}

fn processors(map: &'static str) -> Result<usize, KernelError> {
    nr_cpus().map_err(|(_, error)| told(map)(MapError::IoError(error)))
}
