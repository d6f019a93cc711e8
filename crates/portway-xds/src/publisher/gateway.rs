//! The resources of one Gateway, and which revision changed each.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use portway_config::{Configuration, Endpoints, Revision};

use crate::resource::{Change, Resource, ResourceKey, Version, changes};

/// The resources of one Gateway.
#[derive(Debug)]
pub(super) struct PublishedGateway {
    /// What is published, as a whole: the next one is compared with it.
    configuration: Arc<Configuration>,
    revision: Revision,
    resources: BTreeMap<ResourceKey, Published>,
    /// Resources that are gone, with the revision that removed them.
    removed: BTreeMap<ResourceKey, Revision>,
    /// What each revision changed or removed, as far as no later one did again. So the work for a change
    /// does not grow with the number of resources.
    log: BTreeMap<Revision, BTreeSet<ResourceKey>>,
}

#[derive(Debug)]
struct Published {
    resource: Resource,
    version: Version,
    /// When it was changed last.
    revision: Revision,
}

/// What a proxy must be told to be at a revision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changes {
    pub(crate) revision: Revision,
    /// In the order of their keys.
    pub(crate) changed: Vec<(Version, Resource)>,
    /// Types and names.
    pub(crate) removed: Vec<(&'static str, String)>,
}

impl PublishedGateway {
    pub(super) fn new(configuration: &Arc<Configuration>, revision: Revision) -> Self {
        let name = &configuration.gateway;
        let mut gateway = Self {
            configuration: Arc::new(Configuration::empty(name.clone())),
            revision,
            resources: BTreeMap::new(),
            removed: BTreeMap::new(),
            log: BTreeMap::new(),
        };
        gateway.put(Resource::Settings(name.clone(), configuration.settings.clone()), revision);
        gateway.replace(configuration, revision);
        gateway
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// Takes over a configuration; returns whether anything is different.
    pub(super) fn publish(&mut self, configuration: &Arc<Configuration>) -> bool {
        if Arc::ptr_eq(&self.configuration, configuration) {
            return false;
        }
        self.replace(configuration, self.next())
    }

    /// Takes over the endpoints of a Service port, if this Gateway uses it; returns whether anything is different.
    pub(super) fn publish_endpoints(&mut self, endpoints: &Arc<Endpoints>) -> bool {
        let resource = Resource::Endpoints(Arc::clone(endpoints));
        let next = self.next();
        let is_new = self.resources.contains_key(&resource.key()) && self.put(resource, next);
        if is_new {
            let configuration = Arc::make_mut(&mut self.configuration);
            configuration.endpoints.insert(endpoints.key.clone(), Arc::clone(endpoints));
            self.revision = next;
        }
        is_new
    }

    /// Changes what is published; returns whether anything is different.
    pub(super) fn amend(&mut self, change: impl FnOnce(&mut Configuration)) -> bool {
        let mut configuration = Configuration::clone(&self.configuration);
        change(&mut configuration);
        self.replace(&Arc::new(configuration), self.next())
    }

    /// Gives what is published a later number.
    pub(super) fn raise(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
    }

    /// What has changed after `revision`.
    pub(super) fn since(&self, revision: Revision) -> Changes {
        let mut changes = Changes { revision: self.revision, changed: Vec::new(), removed: Vec::new() };
        let mut keys: Vec<_> = self
            .log
            .range((Bound::Excluded(revision), Bound::Unbounded))
            .flat_map(|(_, keys)| keys)
            .collect();
        keys.sort();
        for key in keys {
            match self.resources.get(key) {
                Some(it) => changes.changed.push((it.version.clone(), it.resource.clone())),
                None => changes.removed.push((key.resource_type().url(), key.name())),
            }
        }
        changes
    }

    /// What differs from the versions that a proxy has, by type and name.
    pub(super) fn beyond(&self, mut has: HashMap<(&'static str, String), String>) -> Changes {
        let mut changes = Changes { revision: self.revision, changed: Vec::new(), removed: Vec::new() };
        for (key, it) in &self.resources {
            let version = has.remove(&(key.resource_type().url(), key.name()));
            if version.is_none_or(|version| *version != *it.version.0) {
                changes.changed.push((it.version.clone(), it.resource.clone()));
            }
        }
        changes.removed = has.into_keys().collect();
        changes.removed.sort();
        changes
    }

    /// Forgets what was removed up to `revision`, which every proxy has been told.
    pub(super) fn forget_removed(&mut self, revision: Revision) {
        let log = &mut self.log;
        self.removed.retain(|key, removed| {
            let is_needed = *removed > revision;
            if !is_needed {
                unlog(log, *removed, key);
            }
            is_needed
        });
    }

    /// Resources that are gone and still remembered.
    #[cfg(test)]
    pub(super) fn removed_count(&self) -> usize {
        self.removed.len()
    }

    fn next(&self) -> Revision {
        Revision(self.revision.0.saturating_add(1))
    }

    fn replace(&mut self, configuration: &Arc<Configuration>, revision: Revision) -> bool {
        let before = std::mem::replace(&mut self.configuration, Arc::clone(configuration));
        let mut is_new = false;
        for change in changes(&before, configuration) {
            is_new |= match change {
                Change::Put(resource) => self.put(resource, revision),
                Change::Remove(key) => self.remove(key, revision),
            };
        }
        if is_new {
            self.revision = revision;
        }
        is_new
    }

    /// Returns whether it was there.
    fn remove(&mut self, key: ResourceKey, revision: Revision) -> bool {
        let Some(before) = self.resources.remove(&key) else { return false };
        unlog(&mut self.log, before.revision, &key);
        self.log.entry(revision).or_default().insert(key.clone());
        self.removed.insert(key, revision);
        true
    }

    /// Returns whether it is different from what is there.
    fn put(&mut self, resource: Resource, revision: Revision) -> bool {
        let key = resource.key();
        match self.resources.entry(key.clone()) {
            Entry::Occupied(mut entry) => {
                let before = entry.get_mut();
                if before.resource == resource {
                    // Of two that are equal the newer is kept, so that pointers are equal the next time.
                    before.resource = resource;
                    return false;
                }
                unlog(&mut self.log, before.revision, &key);
                *before = Published { version: resource.version(), resource, revision };
            }
            Entry::Vacant(entry) => {
                entry.insert(Published { version: resource.version(), resource, revision });
            }
        }
        if let Some(removed) = self.removed.remove(&key) {
            unlog(&mut self.log, removed, &key);
        }
        self.log.entry(revision).or_default().insert(key);
        true
    }
}

fn unlog(log: &mut BTreeMap<Revision, BTreeSet<ResourceKey>>, revision: Revision, key: &ResourceKey) {
    if let Entry::Occupied(mut entry) = log.entry(revision) {
        entry.get_mut().remove(key);
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}
