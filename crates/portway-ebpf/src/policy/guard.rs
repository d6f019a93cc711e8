//! Keeps a node's pods guarded: programs at every interface, and in the maps what is to be enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use portway_config::NamespacedName;
use portway_policy::{Former, PolicyIndex, PolicyName, Tables};

use super::enforcer::{Enforcer, Refused};
use super::gateways::GatewayNumbers;
use super::layout::{self, Counter, Event, Gateway, GatewayName, Interface};
use super::ledger::{Ledger, Prefix, Wanted};
use super::limits::PolicyLimits;
use super::placing::{Placing, Unplaced};
use super::report::{Denial, Guarded, Outcome};
use crate::error::KernelError;
use crate::layout::Address;
use crate::limits::Limits;
use crate::links::{self, Link};
use crate::netlink::Routes;

/// What is known of the node beside its pods.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The node's own address, which the interface has that leads out of it.
    pub node: Option<IpAddr>,
    /// Networks of the Services' addresses, from which nothing comes from outside.
    pub services: Vec<Prefix>,
    /// Addresses of Gateways.
    pub gateways: Vec<IpAddr>,
    /// Networks that the node's pods get their addresses from.
    pub pods: Vec<Prefix>,
}

/// The programs with what they enforce.
#[derive(Debug)]
pub struct Guard {
    enforcer: Enforcer,
    ledger: Ledger,
    placing: Placing,
    limits: Limits,
    /// By which packets tell the Gateway that they came through.
    numbers: GatewayNumbers,
    surroundings: Surroundings,
    /// Absent: nothing has been told yet.
    tables: Option<Tables>,
    /// Names of policies, also of those that are gone but may still be counted or told of.
    policies: BTreeMap<PolicyIndex, PolicyName>,
    /// By index: name, and whether it is a pod's.
    attached: BTreeMap<u32, (String, bool)>,
    places: BTreeMap<NamespacedName, Result<u32, Unplaced>>,
    /// What could not be done the last time.
    problems: Vec<String>,
    /// Whether the programs are at the interfaces: not before there is something for them, since a pod without an entry gets nothing.
    is_in_force: bool,
}

impl Guard {
    /// Loads the programs. What stands under `pins` goes on; without, all ends with the process.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn start(
        policy_limits: &PolicyLimits,
        limits: &Limits,
        pins: Option<&Path>,
    ) -> Result<Self, KernelError> {
        let mut enforcer = match pins {
            Some(pins) => Enforcer::load_pinned(policy_limits, limits, pins)?,
            None => Enforcer::load(policy_limits, limits)?,
        };
        let standing = enforcer.standing()?;
        let it = Self {
            enforcer,
            numbers: GatewayNumbers::default(),
            placing: Placing::resume(&standing.pods),
            is_in_force: !standing.interfaces.is_empty(),
            ledger: Ledger::resume(standing),
            limits: limits.clone(),
            surroundings: Surroundings::default(),
            tables: None,
            policies: BTreeMap::new(),
            attached: BTreeMap::new(),
            places: BTreeMap::new(),
            problems: Vec::new(),
        };
        Ok(it.sharing(GatewayNumbers::default()))
    }

    /// With numbers of Gateways that others use as well: those who balance. The ones that stand in the maps are in use.
    #[must_use]
    pub fn sharing(mut self, numbers: GatewayNumbers) -> Self {
        let standing = self.ledger.standing();
        let named = |(number, it): (&u32, &Gateway)| Some((*number, Option::from(it.name)?));
        numbers.resume(standing.gateways.iter().filter_map(named), standing.last_gateway);
        self.numbers = numbers;
        self
    }

    /// What the compiler of the tables has to go on from.
    pub fn former(&self) -> Former {
        self.ledger.standing().former()
    }

    /// The programs that are to come before all others at what comes in.
    pub fn first_programs(&mut self) -> Vec<crate::kernel::Ahead> {
        self.enforcer.first_programs()
    }

    /// What the node is like beside its pods. It has to be known before the interfaces are looked at for the first time.
    pub fn surround(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// Enforces these states, one after the other.
    ///
    /// # Errors
    ///
    /// The system does not tell of its interfaces. What was enforced before goes on.
    pub fn enforce(&mut self, states: Vec<Tables>, surroundings: Surroundings) -> io::Result<()> {
        self.surroundings = surroundings;
        for tables in states {
            self.policies.extend(tables.policies.iter().map(|(index, name)| (*index, name.clone())));
            self.tables = Some(tables);
            self.look()?;
        }
        Ok(())
    }

    /// Looks at the node's interfaces again, and brings programs and maps to what is to be enforced. What could not be done is tried
    /// again the next time.
    ///
    /// # Errors
    ///
    /// The system does not tell of its interfaces. What was enforced before goes on.
    pub fn look(&mut self) -> io::Result<()> {
        let links = links::all()?;
        let own = own_addresses()?;
        self.problems.clear();
        // A new pod must not be without its program for longer than needs be.
        if self.is_in_force {
            self.attach(&links, &own);
        }
        let Some(tables) = self.tables.clone() else {
            return Ok(());
        };
        let wanted = self.wanted(tables, &links, &own)?;
        let changes = self.ledger.enforce(&wanted);
        for refused in self.enforcer.apply(&changes, &self.limits) {
            self.note(refused);
        }
        if !self.is_in_force {
            self.is_in_force = true;
            self.attach(&links, &own);
        }
        if let Err(error) = self.enforcer.replace_other_versions() {
            self.problems.push(error.to_string());
        }
        Ok(())
    }

    fn wanted(&mut self, tables: Tables, links: &[Link], own: &[(String, IpAddr)]) -> io::Result<Wanted> {
        let guarded: BTreeSet<u32> =
            links.iter().filter(|it| self.is_pods(it, own)).map(|it| it.index).collect();
        let routes = Routes::open()?;
        let mut ways = BTreeMap::new();
        for address in tables.pods.values().flat_map(|it| &it.addresses) {
            let way =
                routes.towards(*address)?.filter(|it| it.is_neighbour && guarded.contains(&it.interface));
            ways.extend(way.map(|it| (*address, it.interface)));
        }
        let present = links.iter().map(|it| it.index).collect();
        let places = self.placing.place(&tables.pods, &ways, &present);
        let places: BTreeMap<_, _> = places.into_iter().map(|(name, it)| (name.clone(), it)).collect();
        let pods = places.iter().filter_map(|(name, it)| Some((name.clone(), (*it).ok()?))).collect();
        self.places = places;
        let others = links.iter().filter(|it| !guarded.contains(&it.index));
        let interfaces = others.map(|link| (link.index, interface(link, links, &guarded))).collect();
        let (gateways, destinations) = (self.gateways(&tables), self.destinations(own));
        let last_gateway = self.numbers.last();
        Ok(Wanted { tables, pods, interfaces, destinations, gateways, last_gateway })
    }

    fn gateways(&self, tables: &Tables) -> BTreeMap<u32, Gateway> {
        self.numbers.keep(tables.gateways.keys());
        let numbered = tables.gateways.iter().filter_map(|(gateway, identity)| {
            let name = GatewayName::of(gateway)?;
            Some((self.numbers.of(gateway), Gateway { identity: identity.0, name }))
        });
        // Zero: there is no number left, and no flow is known to be its.
        numbered.filter(|(number, _)| *number != 0).collect()
    }

    /// The other end of a veth pair is a pod's, unless it is the interface that leads out of the node.
    fn is_pods(&self, link: &Link, own: &[(String, IpAddr)]) -> bool {
        let leads_out =
            own.iter().any(|(name, address)| *name == link.name && Some(*address) == self.surroundings.node);
        link.kind == "veth" && link.leads_elsewhere && !leads_out
    }

    fn destinations(&self, own: &[(String, IpAddr)]) -> BTreeMap<Prefix, u32> {
        let host = |address: IpAddr| Prefix { address: address.into(), length: 128 };
        let Surroundings { services, gateways, pods, .. } = &self.surroundings;
        let mut found = BTreeMap::new();
        found.extend(pods.iter().map(|it| (*it, layout::DESTINATION_PODS)));
        let service = layout::DESTINATION_SERVICE | layout::DESTINATION_TRANSLATED_HERE;
        found.extend(services.iter().map(|it| (*it, service)));
        found.extend(gateways.iter().map(|it| (host(*it), layout::DESTINATION_SERVICE)));
        found.extend(own.iter().map(|(_, it)| (host(*it), layout::DESTINATION_NODE)));
        // On a link of its own a pod has only the node; where there are others, what it sends is judged when it gets to them.
        let of_the_link = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let of_the_link = Prefix { address: Address::from_octets(of_the_link), length: 10 };
        found.insert(of_the_link, layout::DESTINATION_NODE);
        found
    }

    fn attach(&mut self, links: &[Link], own: &[(String, IpAddr)]) {
        let gone: Vec<u32> =
            self.attached.keys().filter(|it| links.iter().all(|link| link.index != **it)).copied().collect();
        for index in gone {
            self.attached.remove(&index);
            self.enforcer.forget(index);
        }
        for link in links {
            let is_pods = self.is_pods(link, own);
            if self.attached.contains_key(&link.index) || !is_pods && !link.is_up {
                continue;
            }
            let attached = if is_pods {
                self.enforcer.attach_pod(&link.name)
            } else {
                self.enforcer.attach_other(&link.name)
            };
            match attached {
                Ok(()) => {
                    self.attached.insert(link.index, (link.name.clone(), is_pods));
                }
                // One that has gone or was renamed meanwhile is looked at again, which that very change brings about.
                Err(_) if if_nametoindex(link.name.as_str()).ok() != Some(link.index) => {}
                Err(error) => self
                    .problems
                    .push(format!("what passes the interface {} is not judged there: {error}", link.name)),
            }
        }
    }

    fn note(&mut self, refused: Refused) {
        self.problems.push(match refused {
            Refused::Rules { id, error } => {
                self.ledger.refused_rules(id);
                format!("rules cannot be written: {error}; {}", error.help().unwrap_or_default())
            }
            Refused::Pod { interface, error } => {
                self.ledger.refused_pod(interface);
                let name = self.pod_at(interface).map(ToString::to_string).unwrap_or_default();
                let why = error.map_or_else(|| "its rules cannot be written".to_owned(), |it| it.to_string());
                format!(
                    "the pod {name} keeps the policies that it had, and gets nothing if it had none: {why}"
                )
            }
            Refused::Entry(error) => error.to_string(),
        });
    }

    fn pod_at(&self, interface: u32) -> Option<&NamespacedName> {
        self.places.iter().find(|(_, it)| **it == Ok(interface)).map(|(name, _)| name)
    }

    /// What could not be done the last time.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Each pod of the node, with how it is guarded.
    pub fn pods(&self) -> Vec<Guarded> {
        let guarded = |(name, place): (&NamespacedName, &Result<u32, Unplaced>)| {
            let entry = place.ok().and_then(|it| self.ledger.pods().get(&it));
            let is = |rules: fn(&layout::Pod) -> u32| entry.is_some_and(|it| rules(it) != layout::OPEN);
            let attached = place.ok().and_then(|it| self.attached.get(&it));
            Guarded {
                pod: name.clone(),
                interface: attached.map(|(name, _)| name.clone()),
                is_isolated: [is(|it| it.ingress), is(|it| it.egress)],
                is_rehearsed: [is(|it| it.ingress_rehearsed), is(|it| it.egress_rehearsed)],
                problem: match place {
                    Err(why) => Some(why.to_string()),
                    Ok(_) if attached.is_none() => Some("the programs are not at its interface".to_owned()),
                    Ok(_) if entry.is_none() => Some("its entry cannot be written".to_owned()),
                    Ok(_) => None,
                },
            }
        };
        self.places.iter().map(guarded).collect()
    }

    /// Interfaces that the programs are at, which are no pod's or whose pod is not known.
    pub fn other_interfaces(&self) -> Vec<&str> {
        let known: BTreeSet<u32> = self.places.values().filter_map(|it| (*it).ok()).collect();
        let others = self.attached.iter().filter(|(index, _)| !known.contains(index));
        others.map(|(_, (name, _))| name.as_str()).collect()
    }

    /// What was denied, or would have been, since the last time.
    pub fn denials(&mut self) -> Vec<Denial> {
        let events = self.enforcer.events();
        events.iter().map(|it| self.denial(it)).collect()
    }

    fn denial(&self, event: &Event) -> Denial {
        let end = |address: Address, port| SocketAddr::new(address.into(), u16::from(port));
        Denial {
            policy: self.policies.get(&PolicyIndex(event.policy)).cloned(),
            pod: self.pod_at(event.interface).cloned(),
            is_ingress: event.direction == layout::INGRESS,
            gateway: self.numbers.named(event.gateway),
            outcome: Outcome::of(event.outcome),
            protocol: event.tuple.protocol,
            source: end(event.tuple.source, event.tuple.source_port),
            destination: end(event.tuple.destination, event.tuple.destination_port),
        }
    }

    /// Flows and packets that were denied, or would have been: for each policy, whether it was for what a pod gets, and outcome.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    #[allow(clippy::type_complexity, reason = "a table")]
    pub fn counted(&mut self) -> Result<Vec<(Option<PolicyName>, bool, Outcome, Counter)>, KernelError> {
        let counters = self.enforcer.counters()?;
        let named = |((policy, direction, outcome), counter): ((u32, u16, u16), Counter)| {
            let policy = self.policies.get(&PolicyIndex(policy)).cloned();
            (policy, direction == layout::INGRESS, Outcome::of(outcome), counter)
        };
        Ok(counters.into_iter().map(named).collect())
    }

    /// The edge itself, for what else is counted there.
    pub fn enforcer(&mut self) -> &mut Enforcer {
        &mut self.enforcer
    }
}

fn interface(link: &Link, links: &[Link], guarded: &BTreeSet<u32>) -> Interface {
    let has_pods = links.iter().any(|it| it.bridge == Some(link.index) && guarded.contains(&it.index));
    Interface {
        kind: if has_pods { layout::BRIDGE } else { layout::OUTSIDE },
        link_header: if link.is_ethernet { 14 } else { 0 },
    }
}

/// The addresses of the node, with the interfaces that have them.
fn own_addresses() -> io::Result<Vec<(String, IpAddr)>> {
    let found = getifaddrs()?.filter_map(|it| {
        let address = it.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        let v6 = || address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip()));
        Some((it.interface_name, v4.or_else(v6)?))
    });
    Ok(found.collect())
}
