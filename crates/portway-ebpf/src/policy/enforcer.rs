//! The edge: loads the programs, attaches them, fills and reads the maps.

mod rules;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, PerCpuHashMap, RingBuf};
use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use aya::{Ebpf, EbpfLoader, Pod as Plain};
use zerocopy::FromBytes as _;

use super::drop_reason::PolicyDrop;
use super::layout::{
    self, Counter, CounterKey, Event, Flow, FlowKey, Gateway, Interface, Pod, Settings, Verdict,
};
use super::ledger::{Change, Prefix, Standing};
use super::limits::PolicyLimits;
use crate::error::KernelError;
use crate::kernel::{Ahead, load, missing, told};
use crate::layout::{Address, LayoutError};
use crate::limits::Limits;
use crate::object;
use crate::pin::{self, Pins};
use crate::walk::{self, Fill};

/// The program for what a pod sends.
pub const FROM_POD: &str = "policy_from_pod";
/// The program for what a pod gets.
pub const TO_POD: &str = "policy_to_pod";
/// The program for what leaves by any other interface.
pub const LEAVE: &str = "policy_leave";
/// The program for what comes in by any other interface.
pub const ENTER: &str = "policy_enter";

const PROGRAMS: [&str; 4] = [FROM_POD, TO_POD, LEAVE, ENTER];

const SETTINGS: &str = "policy_settings";
const PODS: &str = "policy_pods";
const INTERFACES: &str = "policy_ifaces";
const LOCALS: &str = "policy_locals";
const IDENTITIES: &str = "policy_idents";
const GATEWAYS: &str = "policy_gateways";
const DESTINATIONS: &str = "policy_dests";
const CLASSES: &str = "policy_classes";
const NETWORKS: &str = "policy_networks";
const PORTS: &str = "policy_ports";
const DEFAULTS: &str = "policy_defaults";
const FLOWS: &str = "policy_flows";
const NEW_FLOWS: &str = "policy_newflows";
const FRAGMENTS: &str = "policy_parts";
const COUNTERS: &str = "policy_counters";
const EVENTS: &str = "policy_events";
const DROPS: &str = "policy_drops";

/// The maps that outlive the process. What the others hold is of one packet.
const PINNED: [&str; 15] = [
    SETTINGS,
    PODS,
    INTERFACES,
    LOCALS,
    IDENTITIES,
    GATEWAYS,
    DESTINATIONS,
    CLASSES,
    NETWORKS,
    PORTS,
    DEFAULTS,
    FLOWS,
    NEW_FLOWS,
    COUNTERS,
    DROPS,
];

/// What could not be written, and so is not enforced as it should be.
#[derive(Debug)]
pub enum Refused {
    /// Some rules. Pods that would have them keep what they had, and get nothing if they had nothing.
    Rules {
        /// Their number.
        id: u32,
        /// Why.
        error: KernelError,
    },
    /// The entry of the pod behind this interface.
    Pod {
        /// Its index.
        interface: u32,
        /// Why; absent: its rules could not be written.
        error: Option<KernelError>,
    },
    /// Anything else.
    Entry(KernelError),
}

/// The loaded programs and their maps. They live as long as this does, unless they are pinned.
pub struct Enforcer {
    programs: Ebpf,
    events: Option<RingBuf<MapData>>,
    /// Where maps and links stay when this goes.
    pins: Option<Kept>,
}

impl fmt::Debug for Enforcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enforcer").field("pins", &self.pins).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Kept {
    pins: Pins,
    directory: PathBuf,
}

impl Enforcer {
    /// Loads the programs. They see no packet before they are attached to interfaces. `limits`: for timeouts.
    ///
    /// # Errors
    ///
    /// The kernel refuses: it is too old, or the process lacks the right.
    pub fn load(policy_limits: &PolicyLimits, limits: &Limits) -> Result<Self, KernelError> {
        Self::load_from(policy_limits, limits, None)
    }

    /// The same, with maps and links that outlive the process: under `directory`, which is in a file system for that
    /// (bpffs) and nobody else's. What is there goes on.
    ///
    /// # Errors
    ///
    /// The same; or nothing can be made there.
    pub fn load_pinned(
        policy_limits: &PolicyLimits,
        limits: &Limits,
        directory: &Path,
    ) -> Result<Self, KernelError> {
        let pins = Pins::open_for(directory, layout::fingerprint())?;
        Self::load_from(policy_limits, limits, Some(Kept { pins, directory: directory.to_owned() }))
    }

    fn load_from(
        policy_limits: &PolicyLimits,
        limits: &Limits,
        pins: Option<Kept>,
    ) -> Result<Self, KernelError> {
        layout::verify(&object::btf(object::POLICY_OBJECT).map_err(LayoutError::from)?)?;
        let mut loader = EbpfLoader::new();
        for (map, entries) in [
            (PODS, policy_limits.pods),
            (INTERFACES, policy_limits.interfaces),
            (LOCALS, policy_limits.pods.saturating_mul(2)),
            (IDENTITIES, policy_limits.addresses),
            (GATEWAYS, policy_limits.gateways),
            (DESTINATIONS, policy_limits.destinations),
            (CLASSES, policy_limits.identities),
            (NETWORKS, policy_limits.networks),
            (PORTS, policy_limits.ports),
            (DEFAULTS, policy_limits.rules),
            (FLOWS, policy_limits.flows),
            (NEW_FLOWS, policy_limits.new_flows),
            (FRAGMENTS, policy_limits.fragments),
            (COUNTERS, policy_limits.counters),
        ] {
            loader.map_max_entries(map, entries);
        }
        for map in pins.iter().flat_map(|_| PINNED) {
            let path = pins.as_ref().map(|it| it.pins.map(map)).unwrap_or_default();
            loader.map_pin_path(map, path);
        }
        let mut programs = loader.load(object::POLICY_OBJECT)?;
        let events = programs.take_map(EVENTS).map(RingBuf::try_from).transpose().map_err(told(EVENTS))?;
        let mut enforcer = Self { programs, events, pins };
        let Settings { revision, last_gateway, .. } = enforcer.settings()?;
        enforcer.tell(limits, revision, last_gateway)?;
        for name in PROGRAMS {
            let refused = |error| KernelError::Program { program: name, error: Box::new(error) };
            load(enforcer.program(name).map_err(refused)?).map_err(refused)?;
        }
        Ok(enforcer)
    }

    fn settings(&mut self) -> Result<Settings, KernelError> {
        let map: Array<_, Settings> = self.map(SETTINGS)?;
        map.get(&0, 0).map_err(told(SETTINGS))
    }

    fn tell(&mut self, limits: &Limits, revision: u32, last_gateway: u32) -> Result<(), KernelError> {
        let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let settings = Settings {
            revision,
            last_gateway,
            tcp_established_timeout: nanoseconds(limits.tcp_established_timeout),
            tcp_transitory_timeout: nanoseconds(limits.tcp_transitory_timeout),
            tcp_closed_timeout: nanoseconds(limits.tcp_closed_timeout),
            udp_timeout: nanoseconds(limits.udp_timeout),
            udp_replied_timeout: nanoseconds(limits.udp_replied_timeout),
        };
        let mut map: Array<_, Settings> = self.map(SETTINGS)?;
        map.set(0, settings, 0).map_err(told(SETTINGS))
    }

    /// Guards a pod by its interface, one of the current network namespace. Without an entry, it gets nothing but what comes
    /// from the node itself.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the kernel refuses.
    pub fn attach_pod(&mut self, interface: &str) -> Result<(), KernelError> {
        self.attach(interface, FROM_POD, TcAttachType::Ingress)?;
        self.attach(interface, TO_POD, TcAttachType::Egress)
    }

    /// Watches any other interface that packets of pods may come or leave by.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn attach_other(&mut self, interface: &str) -> Result<(), KernelError> {
        self.attach(interface, ENTER, TcAttachType::Ingress)?;
        self.attach(interface, LEAVE, TcAttachType::Egress)
    }

    /// What a pod sends is judged before anybody has changed it, and what it gets when all others have.
    fn attach(
        &mut self,
        interface: &str,
        name: &'static str,
        place: TcAttachType,
    ) -> Result<(), KernelError> {
        let refused = |error| KernelError::Attach {
            program: name,
            interface: interface.to_owned(),
            error: Box::new(error),
        };
        let order = match place {
            TcAttachType::Ingress => LinkOrder::first(),
            _ => LinkOrder::last(),
        };
        let path = self.pins.as_ref().map(|it| it.pins.link(interface, name)).transpose()?;
        let program = self.program(name).map_err(refused)?;
        let Some(path) = path else {
            program
                .attach_with_options(interface, place, TcAttachOptions::TcxOrder(order))
                .map_err(refused)?;
            return Ok(());
        };
        if !pin::take_over(program, &path) {
            let options = TcAttachOptions::TcxOrder(order);
            let id = program.attach_with_options(interface, place, options).map_err(refused)?;
            pin::keep(program.take_link(id).map_err(refused)?, &path)?;
        }
        Ok(())
    }

    /// The programs that are to come before all others at what comes in.
    pub fn first_programs(&mut self) -> Vec<Ahead> {
        let all = [FROM_POD, ENTER].into_iter();
        all.filter_map(|name| Ahead::of(self.program(name).ok()?)).collect()
    }

    /// The interface is gone, and its links with it.
    pub fn forget(&self, interface: u32) {
        for (kept, name) in self.pins.iter().flat_map(|it| PROGRAMS.map(|name| (it, name))) {
            // The interface has had two of the four.
            let _ = std::fs::remove_file(kept.pins.link_of(interface, name));
        }
    }

    /// Takes away what another version has kept, whose maps could not be taken over. Until now its programs have enforced what
    /// it knew last.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    pub fn replace_other_versions(&self) -> Result<(), KernelError> {
        match &self.pins {
            Some(Kept { directory, .. }) => {
                pin::remove_but(directory, Some(layout::fingerprint())).map(|_| ())
            }
            None => Ok(()),
        }
    }

    /// What stands in the maps, as of a process before this one.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn standing(&mut self) -> Result<Standing, KernelError> {
        let destinations: LpmTrie<_, PrefixBits, u32> = self.map(DESTINATIONS)?;
        let destinations = destinations.iter().filter_map(Result::ok);
        let prefix = |key: &Key<PrefixBits>| Prefix {
            address: Address::from_octets(key.data()),
            length: key.prefix_len(),
        };
        let destinations = destinations.map(|(key, kind)| (prefix(&key), kind)).collect();
        let (identities, pods) = (self.entries(IDENTITIES)?, self.entries::<u32, Pod>(PODS)?);
        let (gateways, settings) = (self.entries::<u32, Gateway>(GATEWAYS)?, self.settings()?);
        let known = identities.values().copied().chain(pods.values().map(|it| it.identity));
        let known = known.chain(gateways.values().map(|it| it.identity)).max();
        Ok(Standing {
            last_identity: self.last_identity_of_rules()?.max(known.unwrap_or(0)),
            last_policy: self.last_policy()?,
            pods,
            locals: self.entries(LOCALS)?,
            identities,
            destinations,
            interfaces: self.entries(INTERFACES)?,
            rules: self.entries::<u32, Verdict>(DEFAULTS)?.into_keys().collect(),
            revision: settings.revision,
            last_gateway: settings.last_gateway,
            gateways,
        })
    }

    /// Makes changes, in their order. Rules that cannot be written are not given to any pod.
    pub fn apply(&mut self, changes: &[Change], limits: &Limits) -> Vec<Refused> {
        let mut refused = Vec::new();
        let mut broken = BTreeSet::new();
        for change in changes {
            match change {
                Change::PutRules { id, rules } => {
                    if let Err(error) = self.put_rules(*id, rules) {
                        broken.insert(*id);
                        refused.push(Refused::Rules { id: *id, error });
                    }
                }
                Change::PutPod { interface, pod } => {
                    let rules = [pod.ingress, pod.ingress_rehearsed, pod.egress, pod.egress_rehearsed];
                    if rules.iter().any(|it| broken.contains(it)) {
                        refused.push(Refused::Pod { interface: *interface, error: None });
                    } else if let Err(error) = self.put(PODS, interface, pod) {
                        refused.push(Refused::Pod { interface: *interface, error: Some(error) });
                    }
                }
                change => refused.extend(self.apply_entry(change, limits).err().map(Refused::Entry)),
            }
        }
        refused
    }

    fn apply_entry(&mut self, change: &Change, limits: &Limits) -> Result<(), KernelError> {
        match change {
            // Done by `apply`.
            Change::PutRules { .. } | Change::PutPod { .. } => Ok(()),
            Change::PutInterface { index, interface } => self.put(INTERFACES, index, interface),
            Change::PutDestination { prefix, kind } => {
                let mut map: LpmTrie<_, PrefixBits, u32> = self.map(DESTINATIONS)?;
                map.insert(&destination(prefix), kind, 0).map_err(told(DESTINATIONS))
            }
            Change::PutLocal { address, interface } => self.put(LOCALS, address, interface),
            Change::PutIdentity { address, identity } => self.put(IDENTITIES, address, identity),
            Change::PutGateway { number, gateway } => self.put(GATEWAYS, number, &**gateway),
            Change::PutRevision { revision, last_gateway } => self.tell(limits, *revision, *last_gateway),
            Change::RemovePod { interface } => self.remove::<u32, Pod>(PODS, interface),
            Change::RemoveLocal { address } => self.remove::<Address, u32>(LOCALS, address),
            Change::RemoveIdentity { address } => self.remove::<Address, u32>(IDENTITIES, address),
            Change::RemoveGateway { number } => self.remove::<u32, Gateway>(GATEWAYS, number),
            Change::RemoveDestination { prefix } => {
                let mut map: LpmTrie<_, PrefixBits, u32> = self.map(DESTINATIONS)?;
                map.remove(&destination(prefix)).or_else(missing).map_err(told(DESTINATIONS))
            }
            Change::RemoveInterface { index } => self.remove::<u32, Interface>(INTERFACES, index),
            Change::KeepRules { ids } => self.keep_rules(ids),
        }
    }

    /// What policies have denied, or would have.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn counters(&mut self) -> Result<BTreeMap<(u32, u16, u16), Counter>, KernelError> {
        let map: PerCpuHashMap<_, CounterKey, Counter> = self.map(COUNTERS)?;
        let mut found = BTreeMap::new();
        for (key, values) in map.iter().filter_map(Result::ok) {
            let sum = values.iter().fold(Counter::default(), |sum, it| sum.plus(it));
            found.insert((key.policy, key.direction, key.outcome), sum);
        }
        Ok(found)
    }

    /// How many packets were dropped, for each reason.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn drops(&mut self) -> Result<Vec<(PolicyDrop, u64)>, KernelError> {
        let map: PerCpuArray<_, u64> = self.map(DROPS)?;
        let count = |reason: &PolicyDrop| {
            let values = map.get(&reason.index(), 0).map_err(told(DROPS))?;
            Ok((*reason, values.iter().sum()))
        };
        PolicyDrop::ALL.iter().map(count).collect()
    }

    /// What the programs have told of since the last time: flows that began to be denied, or would have.
    pub fn events(&mut self) -> Vec<Event> {
        let mut found = Vec::new();
        while let Some(item) = self.events.as_mut().and_then(RingBuf::next) {
            found.extend(Event::read_from_bytes(&item).ok());
        }
        found
    }

    /// Becomes readable with the next event.
    pub fn events_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(|it| it.as_fd())
    }

    /// Entries of flows: those that go both ways, and the others.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn flows(&mut self) -> Result<[Vec<(FlowKey, Flow)>; 2], KernelError> {
        let mut both = [Vec::new(), Vec::new()];
        for (name, found) in [FLOWS, NEW_FLOWS].into_iter().zip(&mut both) {
            let map: HashMap<_, FlowKey, Flow> = self.map(name)?;
            found.extend(map.iter().filter_map(Result::ok));
        }
        Ok(both)
    }

    /// How full each map is, by name, whose number of entries is not fixed.
    pub fn fill(&self) -> BTreeMap<String, Fill> {
        let fill = |(name, map)| Some((str::to_owned(name), walk::fill(map)?));
        self.programs.maps().filter_map(fill).collect()
    }

    /// A program, for running it on packets of one's own.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn program(&mut self, name: &str) -> Result<&mut SchedClassifier, ProgramError> {
        self.programs.program_mut(name).ok_or(ProgramError::NotLoaded)?.try_into()
    }

    fn entries<K: Plain + Ord, V: Plain>(
        &mut self,
        name: &'static str,
    ) -> Result<BTreeMap<K, V>, KernelError> {
        let map: HashMap<_, K, V> = self.map(name)?;
        // One that goes meanwhile is not there.
        Ok(map.iter().filter_map(Result::ok).collect())
    }

    fn keys<K: Plain, V: Plain>(&mut self, name: &'static str) -> Result<Vec<K>, KernelError> {
        let map: HashMap<_, K, V> = self.map(name)?;
        Ok(map.keys().filter_map(Result::ok).collect())
    }

    fn put<K: Plain, V: Plain>(&mut self, name: &'static str, key: &K, value: &V) -> Result<(), KernelError> {
        let mut map: HashMap<_, K, V> = self.map(name)?;
        map.insert(key, value, 0).map_err(told(name))
    }

    fn remove<K: Plain, V: Plain>(&mut self, name: &'static str, key: &K) -> Result<(), KernelError> {
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

/// What follows the number of bits in a key for the longest prefix.
type PrefixBits = [u8; 16];

fn destination(prefix: &Prefix) -> Key<PrefixBits> {
    Key::new(prefix.length, prefix.address.octets())
}
