//! From the tables of a node's policies to changes of the maps: which numbers things have there, and in which order they
//! change, so that at no moment anything passes that neither the old nor the new policies allow. Pure.

use std::collections::{BTreeMap, BTreeSet};

use portway_config::NamespacedName;
use portway_policy::{
    Decision, Direction, DirectionPolicy, IdentityId, PolicyIndex, PolicySetId, Ruling, Tables,
};

use super::layout::{self, Interface, OPEN, Pod};
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
    /// Flows are judged again.
    PutRevision {
        revision: u32,
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

/// Rules with the numbers that identities and policies have in the maps.
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
}

/// What is found in the maps of a process before this one.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "as the maps are called")]
pub struct Standing {
    pub pods: BTreeMap<u32, Pod>,
    pub locals: BTreeMap<Address, u32>,
    pub identities: BTreeMap<Address, u32>,
    pub destinations: BTreeMap<Prefix, u32>,
    pub interfaces: BTreeMap<u32, Interface>,
    pub last_rules: u32,
    pub last_policy: u32,
    pub revision: u32,
}

/// What stands in the maps, and which numbers things have there.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    standing: Standing,
    /// Numbers of identities that have any; those before [`IdentityId::FIRST_OF_PODS`] have their own.
    identities: BTreeMap<IdentityId, u32>,
    last_identity: u32,
    rules: BTreeMap<Side, u32>,
    /// What numbers of policies count from: those before were another process's.
    first_policy: u32,
}

/// One side of a pod's policies: what is enforced, or what is only rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    set: PolicySetId,
    direction: Direction,
    is_rehearsed: bool,
}

impl Ledger {
    /// Goes on from what stands in the maps.
    pub fn resume(standing: Standing) -> Self {
        let numbers = standing.identities.values().chain(standing.pods.values().map(|it| &it.identity));
        let last_identity = numbers.copied().max().unwrap_or(0).max(IdentityId::FIRST_OF_PODS.0 - 1);
        let first_policy = standing.last_policy;
        Self { standing, last_identity, first_policy, ..Self::default() }
    }

    /// The policy of a number that the programs have counted or told of. `None`: no policy, or one of a process before.
    pub fn policy(&self, number: u32) -> Option<PolicyIndex> {
        let index = number.checked_sub(self.first_policy)?;
        (index > 0).then_some(PolicyIndex(index))
    }

    /// The pods whose entries stand in the maps, by their interfaces.
    pub fn pods(&self) -> &BTreeMap<u32, Pod> {
        &self.standing.pods
    }

    /// Some rules could not be written: they are not there, and those who would have them keep what they had.
    pub fn refused_rules(&mut self, id: u32) {
        self.rules.retain(|_, it| *it != id);
    }

    /// The entry of a pod could not be written.
    pub fn refused_pod(&mut self, interface: u32) {
        self.standing.pods.remove(&interface);
    }

    /// The changes that lead to what is wanted.
    pub fn enforce(&mut self, wanted: &Wanted) -> Vec<Change> {
        let mut changes = Vec::new();
        self.adopt(&wanted.tables, &mut changes);
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
        self.remove_gone(wanted, &mut changes);
        let have_changed_hands = before.identities != self.standing.identities
            || before.locals != self.standing.locals
            || before.pods.len() != self.standing.pods.len()
            || before.pods.iter().any(|(interface, pod)| {
                self.standing.pods.get(interface).is_none_or(|it| it.identity != pod.identity)
            });
        if have_changed_hands {
            self.standing.revision = self.standing.revision.wrapping_add(1);
            changes.push(Change::PutRevision { revision: self.standing.revision });
        }
        self.remove_rules(wanted, &mut changes);
        changes
    }

    /// Gives identities the numbers that their addresses have already, as of a process before. An address that will have
    /// another is nobody's until then: the number may come to mean more than it did.
    fn adopt(&mut self, tables: &Tables, changes: &mut Vec<Change>) {
        if !self.identities.is_empty() || self.standing.identities.is_empty() {
            return;
        }
        let mut found: BTreeMap<IdentityId, BTreeSet<u32>> = BTreeMap::new();
        for (address, identity) in &tables.addresses {
            if let Some(number) = self.standing.identities.get(&Address::from(*address)) {
                found.entry(*identity).or_default().insert(*number);
            }
        }
        let mut taken = BTreeSet::new();
        for (identity, numbers) in found {
            if let [number] = Vec::from_iter(numbers)[..]
                && number >= IdentityId::FIRST_OF_PODS.0
                && taken.insert(number)
            {
                self.identities.insert(identity, number);
            }
        }
        let kept: BTreeMap<Address, u32> = tables
            .addresses
            .iter()
            .filter_map(|(address, identity)| {
                Some((Address::from(*address), *self.identities.get(identity)?))
            })
            .collect();
        self.standing.identities.retain(|address, number| {
            let stays = kept.get(address) == Some(number);
            if !stays {
                changes.push(Change::RemoveIdentity { address: *address });
            }
            stays
        });
    }

    fn identity(&mut self, identity: IdentityId) -> u32 {
        if identity < IdentityId::FIRST_OF_PODS {
            return identity.0;
        }
        let last = &mut self.last_identity;
        *self.identities.entry(identity).or_insert_with(|| {
            *last = (*last).max(IdentityId::FIRST_OF_PODS.0 - 1) + 1;
            *last
        })
    }

    fn write_rules(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        for (set, policy) in &wanted.tables.sets {
            for direction in Direction::ALL {
                let ruled = policy.side(direction);
                let sides = [(false, Some(&ruled.enforced)), (true, ruled.rehearsed.as_ref())];
                for (is_rehearsed, rules) in sides {
                    let side = Side { set: *set, direction, is_rehearsed };
                    let Some(rules) = rules.filter(|it| **it != DirectionPolicy::open()) else {
                        continue;
                    };
                    if self.rules.contains_key(&side) {
                        continue;
                    }
                    self.standing.last_rules += 1;
                    let id = self.standing.last_rules;
                    self.rules.insert(side, id);
                    changes.push(Change::PutRules { id, rules: Box::new(self.translate(rules)) });
                }
            }
        }
    }

    fn translate(&mut self, rules: &DirectionPolicy) -> Rules {
        let identities =
            rules.by_identity.iter().map(|(identity, class)| (self.identity(*identity), class.0 + 1));
        let identities = identities.collect();
        let networks = rules.mapped_networks().into_iter().map(|(prefix, class)| {
            let address = Address::from_octets(prefix.address);
            let class = class.map_or(layout::NO_CLASS, |it| it.0 + 1);
            (Prefix { address, length: prefix.length.into() }, class)
        });
        let networks = networks.collect();
        let mut ports = Vec::new();
        for (index, class) in (1..).zip(&rules.classes) {
            for rule in &class.ports {
                for prefix in portway_policy::port::prefixes(rule.first, rule.last) {
                    let key = PortPrefix {
                        class: index,
                        protocol: rule.protocol as u16,
                        port: prefix.port,
                        length: prefix.length.into(),
                    };
                    ports.push((key, self.verdict(rule.verdict)));
                }
            }
        }
        Rules { identities, networks, ports, default: self.verdict(rules.default) }
    }

    fn verdict(&self, verdict: portway_policy::Verdict) -> layout::Verdict {
        let ruling = |it: Ruling| layout::Ruling {
            order: it.order,
            decision: match it.decision {
                Decision::Pass => layout::PASS,
                Decision::Allow => layout::ALLOW,
                Decision::Deny => layout::DENY,
            },
            policy: if it.policy == PolicyIndex::NONE { 0 } else { self.first_policy + it.policy.0 },
        };
        layout::Verdict { first: ruling(verdict.first), then: ruling(verdict.then) }
    }

    fn rules_of(&self, set: PolicySetId, direction: Direction, is_rehearsed: bool) -> u32 {
        self.rules.get(&Side { set, direction, is_rehearsed }).copied().unwrap_or(OPEN)
    }

    fn write_pods(&mut self, wanted: &Wanted, changes: &mut Vec<Change>) {
        for (name, interface) in &wanted.pods {
            let Some(pod) = wanted.tables.pods.get(name) else {
                continue;
            };
            let mut entry = Pod {
                uid: uid_number(&pod.uid),
                identity: self.identity(pod.identity),
                ingress: self.rules_of(pod.set, Direction::Ingress, false),
                ingress_rehearsed: self.rules_of(pod.set, Direction::Ingress, true),
                egress: self.rules_of(pod.set, Direction::Egress, false),
                egress_rehearsed: self.rules_of(pod.set, Direction::Egress, true),
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
            let number = self.identity(*identity);
            put(&mut self.standing.identities, (*address).into(), number, changes, |address, identity| {
                Change::PutIdentity { address, identity }
            });
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
        let before = self.rules.len();
        self.rules.retain(|side, _| wanted.tables.sets.contains_key(&side.set));
        let ids: BTreeSet<u32> = self.rules.values().copied().collect();
        // Those of a process before this one are not in the list of ours.
        let has_others = self.standing.last_rules as usize != before;
        if before != self.rules.len() || has_others && !changes.is_empty() {
            changes.push(Change::KeepRules { ids });
        }
    }
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
