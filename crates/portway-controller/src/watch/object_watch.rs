//! The watch of one kind.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher as watch;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use portway_api::object::ObjectRef;

use super::events::Events;
use super::kind::Kind;
use super::prune::prune;
use super::store::Store;
use crate::limits::WATCH_TIMEOUT_SECONDS;
use crate::metrics::Metrics;

/// Follows all objects of a kind, for ever.
pub(super) async fn follow(
    client: Client,
    kind: &'static Kind,
    version: impl Into<String>,
    store: Arc<Store>,
    metrics: Metrics,
) {
    let version = version.into();
    let resource = kind.resource(&version);
    store.set_version(kind.kind, Some(version));
    let api = Api::<DynamicObject>::all_with(client, &resource);
    let mut config = watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS);
    config.field_selector = kind.field_selector.map(str::to_owned);
    let stream = pin!(watch(api, config));
    let mut events = Events::new(stream, kind.into(), metrics);
    let mut reader = Reader { kind, resource, store, known: BTreeSet::new(), listed: None };
    while let Some(event) = events.next().await {
        reader.take(event);
    }
}

/// Brings events into the store.
struct Reader {
    kind: &'static Kind,
    resource: ApiResource,
    store: Arc<Store>,
    /// Objects of this kind that are in the store.
    known: BTreeSet<ObjectRef>,
    /// What a list under way has brought.
    listed: Option<BTreeSet<ObjectRef>>,
}

impl Reader {
    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.listed = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let name = self.apply(object);
                if let Some(listed) = &mut self.listed {
                    listed.insert(name.clone());
                }
                self.known.insert(name);
            }
            Event::Delete(object) => {
                let name = self.name(&object);
                self.known.remove(&name);
                self.store.remove(&name);
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                for gone in self.known.difference(&listed) {
                    self.store.remove(gone);
                }
                self.known = listed;
                self.store.complete(self.kind.kind);
            }
        }
    }

    fn apply(&self, object: DynamicObject) -> ObjectRef {
        let name = self.name(&object);
        match decode(self.kind, &self.resource, object) {
            Ok(object) => self.store.apply(object),
            Err(error) => self.store.unreadable(name.clone(), error.to_string()),
        }
        name
    }

    fn name(&self, object: &DynamicObject) -> ObjectRef {
        ObjectRef {
            kind: self.kind.kind.to_owned(),
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
        }
    }
}

/// From what the API server sends to the typed object, without what nobody reads.
pub(crate) fn decode(
    kind: &Kind,
    resource: &ApiResource,
    mut object: DynamicObject,
) -> Result<portway_api::Object, serde_json::Error> {
    object.metadata.managed_fields = None;
    // Items of a list do not repeat what they are.
    object.types =
        Some(kube::core::TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
    let mut object = (kind.decode)(serde_json::to_value(object)?)?;
    prune(&mut object);
    Ok(object)
}

impl Drop for Reader {
    /// A kind that is no longer served has no objects.
    fn drop(&mut self) {
        self.store.set_version(self.kind.kind, None);
        for gone in &self.known {
            self.store.remove(gone);
        }
    }
}
