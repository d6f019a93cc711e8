//! From the tables of a node's policies to changes of the maps: which numbers things have there, and in which order they
//! change, so that at no moment anything passes that neither the old nor the new policies allow. Pure.

use std::collections::{BTreeMap, BTreeSet};

use portway_config::NamespacedName;
use portway_policy::{
    Decision, Direction, DirectionPolicy, Former, IdentityId, PodPolicy, PolicyIndex, PolicySetId, Ruling,
    Tables,
};

use super::layout::{self, Gateway, Interface, OPEN, Pod};
use crate::layout::Address;

/// A change of one entry of a map, or of all that belong to some rules. They are made in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change {
    PutRules {
        id: u32,
        rules: Box<Rules>,
    },
    PutInterface {
        index: u32,
        interface: Interface,
    },
    PutDestination {
        prefix: Prefix,
        kind: u32,
    },
    PutPod {
        interface: u32,
        pod: Pod,
    },
    PutLocal {
        address: Address,
        interface: u32,
    },
    PutIdentity {
        address: Address,
        identity: u32,
    },
    PutGateway {
        number: u32,
        gateway: Box<Gateway>,
    },
    /// Flows are judged again.
    PutRevision {
        revision: u32,
        last_gateway: u32,
    },
    RemovePod {
        interface: u32,
    },
    RemoveLocal {
        address: Address,
    },
    RemoveIdentity {
        address: Address,
    },
    RemoveGateway {
        number: u32,
    },
    RemoveDestination {
        prefix: Prefix,
    },
    RemoveInterface {
        index: u32,
    },
    /// All other rules go. Nothing speaks of them any more.
    KeepRules {
        ids: BTreeSet<u32>,
    },
}

/// Rules as the maps have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Classes of identities, from 1 on.
    pub identities: BTreeMap<u32, u32>,
    /// Classes of prefixes; [`layout::NO_CLASS`]: none.
    pub networks: Vec<(Prefix, u32)>,
    /// Verdicts on ports: class, protocol, port and how many of its bits count.
    pub ports: Vec<(PortPrefix, layout::Verdict)>,
    /// Where none of them speaks.
    pub default: layout::Verdict,
}

/// A prefix of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The address.
    pub address: Address,
    /// How many of its 128 bits count.
    pub length: u32,
}

/// Ports of a class that have their first bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPrefix {
    /// The class, from 1 on.
    pub class: u32,
    /// Number of the protocol.
    pub protocol: u16,
    /// The port, with zeros after those bits.
    pub port: u16,
    /// How many of its bits count.
    pub length: u32,
}

/// What is to be enforced.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By whom.
    pub tables: Tables,
    /// The node's end of the veth pair of each pod, as far as it is known.
    pub pods: BTreeMap<NamespacedName, u32>,
    /// All other interfaces.
    pub interfaces: BTreeMap<u32, Interface>,
    /// Networks that are no peer's: `DESTINATION_*`.
    pub destinations: BTreeMap<Prefix, u32>,
    /// Gateways whose flows the kernel may forward, by the numbers of [`GatewayNumbers`](super::GatewayNumbers).
    pub gateways: BTreeMap<u32, Gateway>,
    /// The number that was given last.
    pub last_gateway: u32,
}

/// What is found in the maps of a process before this one.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "as the maps are called")]
pub struct Standing {
    pub pods: BTreeMap<u32, Pod>,
    pub locals: BTreeMap<Address, u32>,
    pub identities: BTreeMap<Address, u32>,
    pub gateways: BTreeMap<u32, Gateway>,
    pub last_gateway: u32,
    pub destinations: BTreeMap<Prefix, u32>,
    pub interfaces: BTreeMap<u32, Interface>,
    pub rules: BTreeSet<u32>,
    pub last_identity: u32,
    pub last_policy: u32,
    pub revision: u32,
}

impl Standing {
    /// What a compiler has to know so that no number comes to mean something else.
    pub fn former(&self) -> Former {
        let addresses = self.identities.iter();
        Former {
            addresses: addresses.map(|(address, it)| ((*address).into(), IdentityId(*it))).collect(),
            last_identity: IdentityId(self.last_identity),
            last_set: PolicySetId(self.rules.last().map_or(0, |it| it / SIDES)),
            last_policy: PolicyIndex(self.last_policy),
        }
    }
}

/// Numbers of rules that each set has: for both directions, what is enforced and what is only rehearsed.
const SIDES: u32 = 4;

/// What stands in the maps.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    standing: Standing,
}

impl Ledger {
    /// Goes on from what stands in the maps.
    pub fn resume(standing: Standing) -> Self {
        Self { standing }
    }

    /// What stands in the maps.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The pods whose entries stand in the maps, by their interfaces.
    pub fn pods(&self) -> &BTreeMap<u32, Pod> {
        &self.standing.pods
    }

    /// Some rules could not be written: they are not there.
    pub fn refused_rules(&mut self, id: u32) {
        self.standing.rules.remove(&id);
    }

    /// The entry of a pod could not be written.
    pub fn refused_pod(&mut self, interface: u32) {
        self.standing.pods.remove(&interface);
    }

    /// The changes that lead to what is wanted.
    pub fn enforce(&mut self, wanted: &Wanted) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, interface) in &wanted.interfaces {
            put(&mut self.standing.interfaces, *index, *interface, &mut changes, |index, interface| {
                Change::PutInterface { index, interface }
            });
        }
        for (prefix, kind) in &wanted.destinations {
            put(&mut self.standing.destinations, *prefix, *kind, &mut changes, |prefix, kind| {
                Change::PutDestination { prefix, kind }
            });
        }
        self.write_rules(wanted, &mut changes);
        let before = self.standing.clone();
        self.write_pods(wanted, &mut changes);
        self.write_identities(wanted, &mut changes);
        for (number, gateway) in &wanted.gateways {
            put(&mut self.standing.gateways, *number, *gateway, &mut changes, |number, gateway| {
                Change::PutGateway { number, gateway: Box::new(gateway) }
            });
        }
        self.remove_gone(wanted, &mut changes);
        let have_changed_hands = before.identities != self.standing.identities
            || before.locals != self.standing.locals
            || before.gateways != self.standing.gateways
            || before.pods.len() != self.standing.pods.len()
            || before.pods.iter().any(|(interface, pod)| {
                self.standing.pods.get(interface).is_none_or(|it| it.identity != pod.identity)
            });
        if have_changed_hands {
            self.standing.revision = self.standing.revision.wrapping_add(1);
            let (revision, last_gateway) = (self.standing.revision, wanted.last_gateway);
            changes.push(Change::PutRevision { revision, last_gateway });
        }
        self.remove_rules(wanted, &mut changes);
        changes
    }

    fn write_rules(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        for (set, policy) in &wanted.tables.sets {
            for (id, rules) in sides(*set, policy) {
                if self.standing.rules.insert(id) {
                    changes.push(Change::PutRules { id, rules: Box::new(translate(rules)) });
                }
            }
        }
    }

    fn write_pods(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        for (name, interface) in &wanted.pods {
            let Some(pod) = wanted.tables.pods.get(name) else {
                continue;
            };
            let Some(policy) = wanted.tables.sets.get(&pod.set) else {
                continue;
            };
            let rules: BTreeSet<u32> = sides(pod.set, policy).map(|(id, _)| id).collect();
            let side = |direction, is_rehearsed| {
                let id = number(pod.set, direction, is_rehearsed);
                if rules.contains(&id) { id } else { OPEN }
            };
            let mut entry = Pod {
                uid: uid_number(&pod.uid),
                identity: pod.identity.0,
                ingress: side(Direction::Ingress, false),
                ingress_rehearsed: side(Direction::Ingress, true),
                egress: side(Direction::Egress, false),
                egress_rehearsed: side(Direction::Egress, true),
                ..Pod::default()
            };
            pod.addresses.iter().for_each(|it| entry.set_address(*it));
            put(&mut self.standing.pods, *interface, entry, changes, |interface, pod| Change::PutPod {
                interface,
                pod,
            });
            for address in &pod.addresses {
                put(
                    &mut self.standing.locals,
                    (*address).into(),
                    *interface,
                    changes,
                    |address, interface| Change::PutLocal { address, interface },
                );
            }
        }
    }

    fn write_identities(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        for (address, identity) in &wanted.tables.addresses {
            put(
                &mut self.standing.identities,
                (*address).into(),
                identity.0,
                changes,
                |address, identity| Change::PutIdentity { address, identity },
            );
        }
    }

    /// Takes away what nobody has any more. Whoever has an address before there is anything known of it has no rights by it.
    fn remove_gone(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        let known = |name: &NamespacedName| wanted.tables.pods.get(name);
        let interfaces: BTreeSet<u32> =
            wanted.pods.iter().filter(|(name, _)| known(name).is_some()).map(|(_, it)| *it).collect();
        let locals: BTreeMap<Address, u32> = wanted
            .pods
            .iter()
            .filter_map(|(name, interface)| Some((known(name)?, *interface)))
            .flat_map(|(pod, interface)| pod.addresses.iter().map(move |it| ((*it).into(), interface)))
            .collect();
        let addresses: BTreeSet<Address> =
            wanted.tables.addresses.keys().map(|it| Address::from(*it)).collect();
        let standing = &mut self.standing;
        remove(
            &mut standing.locals,
            |it| locals.contains_key(it),
            changes,
            |address| Change::RemoveLocal { address },
        );
        remove(
            &mut standing.identities,
            |it| addresses.contains(it),
            changes,
            |address| Change::RemoveIdentity { address },
        );
        remove(
            &mut standing.gateways,
            |it| wanted.gateways.contains_key(it),
            changes,
            |number| Change::RemoveGateway { number },
        );
        remove(
            &mut standing.pods,
            |it| interfaces.contains(it),
            changes,
            |interface| Change::RemovePod { interface },
        );
        remove(
            &mut standing.destinations,
            |it| wanted.destinations.contains_key(it),
            changes,
            |prefix| Change::RemoveDestination { prefix },
        );
        remove(
            &mut standing.interfaces,
            |it| wanted.interfaces.contains_key(it),
            changes,
            |index| Change::RemoveInterface { index },
        );
    }

    fn remove_rules(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        let wanted = wanted.tables.sets.iter();
        let wanted: BTreeSet<u32> = wanted
            .flat_map(|(set, policy)| sides(*set, policy).map(|(id, _)| id).collect::<Vec<_>>())
            .collect();
        if !self.standing.rules.is_subset(&wanted) {
            // Those that a pod has whose new ones could not be written stay.
            let kept = self
                .standing
                .pods
                .values()
                .flat_map(|it| [it.ingress, it.ingress_rehearsed, it.egress, it.egress_rehearsed]);
            let ids: BTreeSet<u32> = wanted.into_iter().chain(kept.filter(|it| *it != OPEN)).collect();
            self.standing.rules.retain(|it| ids.contains(it));
            changes.push(Change::KeepRules { ids });
        }
    }
}

/// The number of the rules of one side.
fn number(set: PolicySetId, direction: Direction, is_rehearsed: bool) -> u32 {
    let direction = if direction == Direction::Ingress { 0 } else { 2 };
    // Sets are numbered from 1 on, so that this is never OPEN.
    set.0 * SIDES + direction + u32::from(is_rehearsed)
}

/// The sides of a set that have rules, with their numbers.
fn sides(set: PolicySetId, policy: &PodPolicy) -> impl Iterator<Item = (u32, &DirectionPolicy)> {
    let all = Direction::ALL.into_iter().flat_map(move |direction| {
        let ruled = policy.side(direction);
        let enforced = (number(set, direction, false), &ruled.enforced);
        let rehearsed = ruled.rehearsed.as_ref().map(|it| (number(set, direction, true), it));
        std::iter::once(enforced).chain(rehearsed)
    });
    all.filter(|(_, rules)| **rules != DirectionPolicy::open())
}

fn translate(rules: &DirectionPolicy) -> Rules {
    let identities = rules.by_identity.iter().map(|(identity, class)| (identity.0, class.0 + 1)).collect();
    let networks = rules.mapped_networks().into_iter().map(|(prefix, class)| {
        let address = Address::from_octets(prefix.address);
        let class = class.map_or(layout::NO_CLASS, |it| it.0 + 1);
        (Prefix { address, length: prefix.length.into() }, class)
    });
    let networks = networks.collect();
    let mut ports = Vec::new();
    for (class, rule) in
        (1..).zip(&rules.classes).flat_map(|(index, class)| class.ports.iter().map(move |it| (index, it)))
    {
        let prefixes = portway_policy::port::prefixes(rule.first, rule.last).into_iter();
        ports.extend(prefixes.map(|prefix| {
            let (protocol, length) = (rule.protocol as u16, prefix.length.into());
            (PortPrefix { class, protocol, port: prefix.port, length }, verdict(rule.verdict))
        }));
    }
    Rules { identities, networks, ports, default: verdict(rules.default) }
}

fn verdict(verdict: portway_policy::Verdict) -> layout::Verdict {
    let ruling = |it: Ruling| layout::Ruling {
        order: it.order,
        decision: match it.decision {
            Decision::Pass => layout::PASS,
            Decision::Allow => layout::ALLOW,
            Decision::Deny => layout::DENY,
        },
        policy: it.policy.0,
    };
    layout::Verdict { first: ruling(verdict.first), then: ruling(verdict.then) }
}

/// Notes an entry, and that it has to be written if it is new or another.
fn put<K: Copy + Ord, V: Copy + PartialEq>(
    standing: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    changes: &mut Vec<Change>,
    change: impl Fn(K, V) -> Change,
) {
    if standing.insert(key, value) != Some(value) {
        changes.push(change(key, value));
    }
}

fn remove<K: Copy + Ord, V>(
    standing: &mut BTreeMap<K, V>,
    stays: impl Fn(&K) -> bool,
    changes: &mut Vec<Change>,
    change: impl Fn(K) -> Change,
) {
    standing.retain(|key, _| {
        let stays = stays(key);
        if !stays {
            changes.push(change(*key));
        }
        stays
    });
}

/// A number that differs between pods (FNV-1a: the same in every build).
pub fn uid_number(uid: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    uid.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests;
