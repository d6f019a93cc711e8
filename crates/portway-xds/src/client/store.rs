//! The resources that a proxy has.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portway_config::{Configuration, NamespacedName, Revision};
use portway_shared_map::SharedMap;

use super::disk::Saved;
use super::{RefusedByProxy, Source, Update};
use crate::message::{DeltaDiscoveryResponse, XdsResource};
use crate::refusal::NamedRefusal;
use crate::resource::{self, DecodeError, Resource, ResourceKey, ResourceType, Version};

/// The resources that a proxy has, and those that it refuses.
#[derive(Debug)]
pub(super) struct Store {
    gateway: NamespacedName,
    revision: Revision,
    /// Of the last update.
    serial: u64,
    held: SharedMap<ResourceKey, Held>,
    /// What is held, put together.
    configuration: Configuration,
    /// What the last group replaced, so that it can be put back.
    replaced: BTreeMap<ResourceKey, Held>,
    /// Resources of which the newest version is refused, by type and name: either it cannot be read, or the proxy has
    /// put back the one before. They stay until they are changed again.
    refused: BTreeMap<(String, String), String>,
}

/// A resource in a version.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) version: Version,
    pub(super) resource: Resource,
}

impl Store {
    pub(super) fn new(gateway: NamespacedName) -> Self {
        Self {
            configuration: Configuration::empty(gateway.clone()),
            gateway,
            revision: Revision::default(),
            serial: 0,
            held: SharedMap::new(),
            replaced: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    pub(super) fn gateway(&self) -> &NamespacedName {
        &self.gateway
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn update(&mut self, source: Source) -> Update {
        self.serial += 1;
        let refused = self.refusals(&[]).iter().filter_map(NamedRefusal::typed).collect();
        let configuration = Arc::new(self.configuration.clone());
        Update { serial: self.serial, revision: self.revision, configuration, refused, source }
    }

    /// All resources, to be saved.
    pub(super) fn saved(&self) -> Saved {
        Saved { gateway: self.gateway.clone(), revision: self.revision, resources: self.held.clone() }
    }

    /// Takes over what was saved.
    pub(super) fn restore(&mut self, saved: super::disk::Loaded) {
        self.revision = saved.revision;
        for resource in saved.resources {
            let url = resource.resource.as_ref().map(|it| it.type_url.clone()).unwrap_or_default();
            self.put(&url, resource);
        }
    }

    /// The versions of all resources of a type, by name.
    pub(super) fn versions(&self, kind: ResourceType) -> HashMap<String, String> {
        let of_kind = self.held.iter().filter(|(key, _)| key.resource_type() == kind);
        of_kind.map(|(key, held)| (key.name(), held.version.0.to_string())).collect()
    }

    /// Takes over what brings it to a revision.
    pub(super) fn apply(&mut self, revision: Revision, group: Vec<DeltaDiscoveryResponse>) {
        self.revision = revision;
        self.replaced.clear();
        for response in group {
            for name in &response.removed_resources {
                self.remove(&response.type_url, name);
            }
            for resource in response.resources {
                self.put(&response.type_url, resource);
            }
        }
    }

    /// Puts back the versions of the resources that the proxy refuses for ones that were good.
    pub(super) fn put_back(&mut self, refused: &[RefusedByProxy]) {
        for RefusedByProxy { refusal, keeps_last_good } in refused {
            if *keeps_last_good && let Some(before) = self.replaced.remove(&refusal.key) {
                self.hold(refusal.key.clone(), before);
                let NamedRefusal { type_url, name, message } = refusal.into();
                self.refused.insert((type_url, name), message);
            }
        }
    }

    /// What is refused here, and what the proxy refuses in addition.
    pub(super) fn refusals(&self, by_proxy: &[RefusedByProxy]) -> Vec<NamedRefusal> {
        let mut all = self.refused.clone();
        for RefusedByProxy { refusal, .. } in by_proxy {
            let NamedRefusal { type_url, name, message } = refusal.into();
            match all.entry((type_url, name)) {
                Entry::Occupied(mut entry) if !entry.get().contains(&message) => {
                    *entry.get_mut() = format!("{}; {message}", entry.get());
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(entry) => {
                    entry.insert(message);
                }
            }
        }
        let named = |((type_url, name), message)| NamedRefusal { type_url, name, message };
        all.into_iter().map(named).collect()
    }

    fn remove(&mut self, type_url: &str, name: &str) {
        self.refused.remove(&(type_url.to_owned(), name.to_owned()));
        let key = ResourceType::of_url(type_url).and_then(|kind| ResourceKey::of_name(kind, name).ok());
        if let Some(key) = key {
            self.let_go(&key);
        }
    }

    /// Returns what it replaces.
    fn hold(&mut self, key: ResourceKey, held: Held) -> Option<Held> {
        resource::put(&mut self.configuration, held.resource.clone());
        self.held.insert(key, held)
    }

    fn let_go(&mut self, key: &ResourceKey) {
        resource::remove(&mut self.configuration, key);
        self.held.remove(key);
    }

    fn put(&mut self, type_url: &str, resource: XdsResource) {
        let place = (type_url.to_owned(), resource.name.clone());
        self.refused.remove(&place);
        if let Err(message) = self.try_put(type_url, resource) {
            if ResourceType::of_url(type_url).is_none() {
                // Not even its name says anything to the one who gets the update.
                tracing::warn!("resource {} of type {type_url} is refused: {message}", place.1);
            }
            self.refused.insert(place, message);
        }
    }

    fn try_put(&mut self, type_url: &str, wire: XdsResource) -> Result<(), String> {
        let kind = ResourceType::of_url(type_url)
            .ok_or("this proxy is older than the controller and does not know resources of this type")?;
        let key = ResourceKey::of_name(kind, &wire.name).map_err(|error| error.to_string())?;
        let content = wire.resource.ok_or("it has no content")?;
        if content.type_url != type_url {
            return Err(format!("its content is of type {}", content.type_url));
        }
        let decoded = Resource::decode(kind, content.value);
        let decoded = decoded.and_then(|resource| match resource.key() {
            of_content if of_content == key => Ok(resource),
            other => Err(DecodeError::OtherKey(other)),
        });
        match decoded {
            Ok(resource) => {
                let held = Held { version: Version(wire.version.into()), resource };
                if let Some(before) = self.hold(key.clone(), held) {
                    self.replaced.insert(key, before);
                }
                Ok(())
            }
            Err(error) => {
                if error.concerns_protection(kind) {
                    self.let_go(&key);
                }
                Err(error.to_string())
            }
        }
    }
}
