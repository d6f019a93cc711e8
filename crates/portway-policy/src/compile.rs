//! From what is known of a cluster to the tables of one node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use portway_config::NamespacedName;
use portway_config::network_policy::{PolicyFacts, PolicyPod};

use crate::direction::World;
use crate::identity::{Identity, Registry, Vocabulary};
use crate::policies::Policies;
use crate::tables::{IdentityId, LocalPod, PodPolicy, PolicyIndex, PolicyName, PolicySetId, Tables};

/// Makes the tables of one node, again and again. It remembers numbers, so that what stays the same keeps its number, and no
/// number comes to mean something else.
#[derive(Clone, Debug, Default)]
pub struct Compiler {
    node: Arc<str>,
    identities: Registry,
    policies: Numbers<PolicyName>,
    sets: Numbers<Arc<PodPolicy>>,
    /// What was compiled last.
    before: PolicyFacts,
    vocabulary: Vocabulary,
    former: Former,
}

/// What the maps hold that an agent before has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// Who has each address.
    pub addresses: BTreeMap<IpAddr, IdentityId>,
    /// The highest number of an identity, there or in a set.
    pub last_identity: IdentityId,
    /// The highest number of a set.
    pub last_set: PolicySetId,
    /// The highest number of a policy.
    pub last_policy: PolicyIndex,
}

/// Numbers of what there is now. None is used a second time.
#[derive(Clone, Debug)]
struct Numbers<T> {
    known: BTreeMap<T, u32>,
    last: u32,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), last: 0 }
    }
}

impl<T: Ord> Numbers<T> {
    /// Gives each of these its number, and forgets all others.
    fn renew(&mut self, all: impl IntoIterator<Item = T>) {
        let mut before = std::mem::take(&mut self.known);
        for it in all {
            if self.known.contains_key(&it) {
                continue;
            }
            let number = before.remove(&it).unwrap_or_else(|| {
                // A state of the cluster for each number would take years.
                self.last = self.last.saturating_add(1);
                self.last
            });
            self.known.insert(it, number);
        }
    }
}

impl Compiler {
    /// For the node of that name.
    pub fn new(node: impl Into<Arc<str>>) -> Self {
        Self { node: node.into(), ..Self::default() }
    }

    /// For a node whose maps are in use already. Identities keep their numbers there, as far as all who have a number are one; so
    /// the change from what was there is like any other.
    pub fn resume(node: impl Into<Arc<str>>, former: Former) -> Self {
        let mut compiler = Self::new(node);
        compiler.identities.start_after(former.last_identity);
        compiler.sets.last = former.last_set.0;
        compiler.policies.last = former.last_policy.0;
        Self { former, ..compiler }
    }

    /// The states to go through, one after the other, to reach this one: see [`crate::tables`] for how. There are two if policies ask
    /// for labels or names of ports that none has asked for before. Pods that were one must get numbers of their own then, before any rule
    /// tells them apart; so the first state is the one before, with finer identities.
    pub fn compile(&mut self, facts: &PolicyFacts) -> Vec<Tables> {
        let policies = Policies::read(facts);
        let vocabulary = Vocabulary::of(&policies);
        let mut states = Vec::new();
        if !self.before.is_empty() && !self.vocabulary.includes(&vocabulary) {
            let before = self.before.clone();
            states.push(self.state(&before, &Policies::read(&before), &self.vocabulary.union(&vocabulary)));
        }
        states.push(self.state(facts, &policies, &vocabulary));
        (self.before, self.vocabulary) = (facts.clone(), vocabulary);
        states
    }

    fn state(&mut self, facts: &PolicyFacts, policies: &Policies, vocabulary: &Vocabulary) -> Tables {
        self.policies.renew(policies.names());
        self.identities.begin();
        let owners = owners(facts);
        self.adopt(&owners, vocabulary);
        let pods = self.pods(facts, vocabulary);
        let gateways = self.gateways(facts, vocabulary);
        let addresses =
            owners.iter().filter_map(|(address, pod)| Some((*address, pods.get(&pod.name)?.0))).collect();
        let world = World {
            identities: self.identities.all().collect(),
            namespaces: facts.namespaces.iter().map(|(name, it)| (name, &it.labels)).collect(),
            ports: owners
                .iter()
                .filter_map(|(address, pod)| Some((*address, &*pods.get(&pod.name)?.1.ports)))
                .collect(),
        };
        let local = facts.pods.values().filter(|it| it.node == self.node && !it.host_network);
        let local: Vec<_> = local.collect();
        let number = |policy: PolicyName| self.policies.known.get(&policy).map(|it| PolicyIndex(*it));
        let mut of_identity = BTreeMap::<IdentityId, Arc<PodPolicy>>::new();
        for pod in &local {
            let Some((id, identity)) = pods.get(&pod.name) else { continue };
            of_identity.entry(*id).or_insert_with(|| Arc::new(policies.of_pod(&world, identity, number)));
        }
        self.sets.renew(of_identity.values().cloned());
        let set = |id: &IdentityId| Some(PolicySetId(*self.sets.known.get(of_identity.get(id)?)?));
        let local_pod = |pod: &&Arc<PolicyPod>| {
            let (identity, _) = pods.get(&pod.name)?;
            let set = set(identity)?;
            let addresses = pod.addresses.clone();
            Some((pod.name.clone(), LocalPod { uid: pod.uid.clone(), addresses, identity: *identity, set }))
        };
        Tables {
            addresses,
            pods: local.iter().filter_map(local_pod).collect(),
            sets: self.sets.known.iter().map(|(set, id)| (PolicySetId(*id), set.clone())).collect(),
            gateways,
            policies: self.policies.known.iter().map(|(name, it)| (PolicyIndex(*it), name.clone())).collect(),
        }
    }

    /// Takes over the numbers that addresses have in the maps, once. One that pods have who can be told apart now means none of them.
    fn adopt(&mut self, owners: &BTreeMap<IpAddr, &PolicyPod>, vocabulary: &Vocabulary) {
        let mut having = BTreeMap::<IdentityId, BTreeSet<Identity>>::new();
        for (address, id) in std::mem::take(&mut self.former.addresses) {
            if let Some(pod) = owners.get(&address).filter(|_| id >= IdentityId::FIRST_OF_PODS) {
                let identity = vocabulary.identity(&pod.name.namespace, &pod.labels, &pod.ports);
                having.entry(id).or_default().insert(identity);
            }
        }
        for (id, mut identities) in having {
            if identities.len() == 1
                && let Some(identity) = identities.pop_first()
            {
                self.identities.adopt(identity, id);
            }
        }
    }

    /// The identity of each pod that has a network of its own.
    fn pods(
        &mut self,
        facts: &PolicyFacts,
        vocabulary: &Vocabulary,
    ) -> BTreeMap<NamespacedName, (IdentityId, Identity)> {
        let pods = facts.pods.iter().filter(|(_, it)| !it.host_network);
        let identities = pods.map(|(name, pod)| {
            let identity = vocabulary.identity(&name.namespace, &pod.labels, &pod.ports);
            (name.clone(), (self.identities.id(identity.clone()), identity))
        });
        identities.collect()
    }

    fn gateways(
        &mut self,
        facts: &PolicyFacts,
        vocabulary: &Vocabulary,
    ) -> BTreeMap<NamespacedName, IdentityId> {
        let proxies = facts.proxies.iter();
        let identities = proxies.map(|(gateway, it)| {
            let identity = vocabulary.identity(&gateway.namespace, &it.labels, &it.ports);
            (gateway.clone(), self.identities.id(identity))
        });
        identities.collect()
    }
}

/// Who has each address. Of several that claim it the youngest does: it can only have got it after the others had given it back, of
/// which the API server may be told later.
fn owners(facts: &PolicyFacts) -> BTreeMap<IpAddr, &PolicyPod> {
    let mut owners = BTreeMap::<IpAddr, &PolicyPod>::new();
    let age = |pod: &PolicyPod| (!pod.is_leaving, pod.created, pod.uid.clone());
    for pod in facts.pods.values().filter(|it| !it.host_network) {
        for address in &pod.addresses {
            let owner = owners.entry(*address).or_insert(pod);
            if age(owner) < age(pod) {
                *owner = pod;
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests;
