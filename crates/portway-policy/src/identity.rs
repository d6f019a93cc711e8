//! Who has an address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_config::network_policy::{Labels, NamedPort};

use crate::limits::DEPARTED_IDENTITIES;
use crate::policies::Policies;
use crate::tables::IdentityId;

/// What policies can tell pods by. Nothing else goes into an identity: a label that no policy asks for, such as the hash of a
/// ReplicaSet, would multiply them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vocabulary {
    labels: BTreeSet<Arc<str>>,
    ports: BTreeSet<Arc<str>>,
}

/// What makes an identity. The labels of its namespace are found by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) namespace: Arc<str>,
    pub(crate) labels: Labels,
    /// Sorted.
    pub(crate) ports: Vec<NamedPort>,
}

impl Vocabulary {
    pub(crate) fn of(policies: &Policies) -> Self {
        let mut vocabulary =
            Self { labels: policies.subject_keys().cloned().collect(), ports: BTreeSet::new() };
        for rule in policies.rules() {
            vocabulary.labels.extend(rule.pod_selectors().flat_map(|it| it.keys().cloned()));
            vocabulary.ports.extend(rule.port_names().map(|(_, name)| name.clone()));
        }
        vocabulary
    }

    /// Whether it has all that another one has.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        self.labels.is_superset(&other.labels) && self.ports.is_superset(&other.ports)
    }

    /// What either has.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self { labels: &self.labels | &other.labels, ports: &self.ports | &other.ports }
    }

    pub(crate) fn identity(&self, namespace: &Arc<str>, labels: &Labels, ports: &[NamedPort]) -> Identity {
        let labels = labels.iter().filter(|(key, _)| self.labels.contains(*key));
        let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        let ports: BTreeSet<_> = ports.iter().filter(|it| self.ports.contains(&it.name)).collect();
        Identity { namespace: namespace.clone(), labels, ports: ports.into_iter().cloned().collect() }
    }
}

/// The numbers of identities. None is used a second time.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    known: BTreeMap<Identity, Known>,
    next: u32,
    generation: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: IdentityId,
    /// When somebody last had it.
    seen: u64,
}

impl Default for Registry {
    fn default() -> Self {
        Self { known: BTreeMap::new(), next: IdentityId::FIRST_OF_PODS.0, generation: 0 }
    }
}

impl Registry {
    /// Begins a state. Identities that were gone before the last one began are forgotten, once there are many of them. Until
    /// then they stay, and get their number back if they come again: the rules about them need not change then.
    pub(crate) fn begin(&mut self) {
        let departed = self.known.values().filter(|it| it.seen < self.generation).count();
        if departed > DEPARTED_IDENTITIES {
            self.known.retain(|_, it| it.seen >= self.generation);
        }
        self.generation += 1;
    }

    /// Numbers from here on are free.
    pub(crate) fn start_after(&mut self, last: IdentityId) {
        self.next = self.next.max(last.0.saturating_add(1));
    }

    /// Gives an identity the number that its addresses have already.
    pub(crate) fn adopt(&mut self, identity: Identity, id: IdentityId) {
        self.known.entry(identity).or_insert(Known { id, seen: self.generation });
    }

    /// The number of an identity that somebody has.
    pub(crate) fn id(&mut self, identity: Identity) -> IdentityId {
        let (next, seen) = (&mut self.next, self.generation);
        let known = self.known.entry(identity).or_insert_with(|| {
            // After four thousand million of them whoever is new is nobody, and let in nowhere.
            let id = next.checked_add(1).map_or(IdentityId::UNKNOWN, |_| IdentityId(*next));
            *next = next.saturating_add(1);
            Known { id, seen }
        });
        known.seen = seen;
        known.id
    }

    /// All that are known, those that have left among them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (IdentityId, &Identity)> {
        self.known.iter().map(|(identity, known)| (known.id, identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> Identity {
        Identity { namespace: name.into(), labels: Labels::new(), ports: Vec::new() }
    }

    #[test]
    fn a_number_is_never_used_a_second_time() {
        let mut registry = Registry::default();
        registry.begin();
        let first = registry.id(identity("first"));
        let others: Vec<_> =
            (0..=DEPARTED_IDENTITIES).map(|it| registry.id(identity(&it.to_string()))).collect();
        registry.begin();
        assert_eq!(registry.id(identity("first")), first);
        assert_eq!(registry.all().count(), others.len() + 1, "of the state before");
        registry.begin();
        assert_eq!(registry.id(identity("first")), first);
        assert_eq!(registry.all().count(), 1, "the others were gone before");
        let again = registry.id(identity("0"));
        assert!(!others.contains(&again) && again != first);
    }
}
