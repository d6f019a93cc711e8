//! What is provisioned already, as the API server has it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::core::{DynamicObject, TypeMeta};
use kube::runtime::watcher as watch_objects;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use portway_api::ObjectKey;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::kind::Kind;
use super::naming::{MANAGED_BY, PORTWAY};
use crate::failure::Subject;
use crate::metrics::Metrics;
use crate::watch::Events;

/// How long a silent connection to the API server is believed in, in seconds.
const WATCH_TIMEOUT: u32 = 120;

/// The objects that carry Portway's label, shared by all who read them.
#[derive(Clone, Debug)]
pub struct Live {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<(Kind, ObjectKey), Arc<Value>>,
    /// Kinds whose first list is not complete.
    awaited: BTreeSet<Kind>,
}

/// The watches. Dropping them ends all.
#[derive(Debug)]
pub struct LiveWatches(Vec<JoinHandle<()>>);

impl Drop for LiveWatches {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Live {
    /// Starts to watch.
    pub fn start(client: &Client, metrics: &Metrics) -> (Self, LiveWatches) {
        let awaited = Kind::ALL.into_iter().collect();
        let state = Arc::new(Mutex::new(State { awaited, ..State::default() }));
        let live = Self { state, changes: watch::Sender::new(0) };
        let watches =
            Kind::ALL.map(|kind| tokio::spawn(follow(client.clone(), kind, live.clone(), metrics.clone())));
        (live, LiveWatches(watches.into()))
    }

    /// A receiver that wakes with each change of what Portway may have to act upon.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether all first lists are complete. Before that nothing can be told to be missing.
    pub fn is_complete(&self) -> bool {
        self.state().awaited.is_empty()
    }

    /// An object.
    pub fn get(&self, kind: Kind, key: &ObjectKey) -> Option<Arc<Value>> {
        self.state().objects.get(&(kind, key.clone())).cloned()
    }

    /// The objects that the object with this `uid` owns.
    pub(super) fn owned_by(&self, uid: &str) -> Vec<(Kind, ObjectKey)> {
        let state = self.state();
        let owned = state.objects.iter().filter(|(_, object)| owners(object).any(|it| it["uid"] == uid));
        owned.map(|(key, _)| key.clone()).collect()
    }

    /// Takes in what the API server has, by a watch or as the answer to a write of ours.
    pub(super) fn learn(&self, kind: Kind, mut object: DynamicObject) {
        let key = ObjectKey::of(&object.metadata);
        // Items of a list do not repeat what they are, and would differ from all that is wanted.
        let resource = kind.resource();
        object.types = Some(TypeMeta { api_version: resource.api_version, kind: resource.kind });
        if let Some(object) = pruned(object) {
            self.insert(kind, key, object);
        }
    }

    pub(super) fn forget(&self, kind: Kind, key: &ObjectKey) {
        if self.state().objects.remove(&(kind, key.clone())).is_some() {
            self.wake();
        }
    }

    fn insert(&self, kind: Kind, key: ObjectKey, object: Value) {
        let mut state = self.state();
        let present = state.objects.get(&(kind, key.clone()));
        if present.is_some_and(|it| is_older(&object, it)) {
            return;
        }
        // The status of a Deployment changes often, and nobody here reads it.
        let is_same = present.is_some_and(|it| is_same(&object, it));
        state.objects.insert((kind, key), Arc::new(object));
        drop(state);
        if !is_same {
            self.wake();
        }
    }

    fn complete(&self, kind: Kind) {
        if self.state().awaited.remove(&kind) {
            self.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole objects in place; they go on being true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// The owners that an object names.
pub(super) fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

/// An object without what changes by itself and decides nothing.
pub(super) fn pruned(mut object: DynamicObject) -> Option<Value> {
    object.metadata.managed_fields = None;
    let mut object = serde_json::to_value(object).ok()?;
    if object["kind"] != "Service"
        && let Some(fields) = object.as_object_mut()
    {
        fields.shift_remove("status");
    }
    Some(object)
}

/// Whether two states of an object differ in nothing but their version.
fn is_same(a: &Value, b: &Value) -> bool {
    let rest = |it: &Value| {
        let mut it = it.clone();
        it["metadata"]["resourceVersion"].take();
        it
    };
    rest(a) == rest(b)
}

/// Whether `new` is an earlier state of the same object.
fn is_older(new: &Value, old: &Value) -> bool {
    let number = |it: &Value| it["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok();
    new["metadata"]["uid"] == old["metadata"]["uid"]
        && matches!((number(new), number(old)), (Some(new), Some(old)) if new < old)
}

/// Follows all objects of a kind, for ever.
async fn follow(client: Client, kind: Kind, live: Live, metrics: Metrics) {
    let resource = kind.resource();
    let api = Api::<DynamicObject>::all_with(client, &resource);
    let selector = format!("{MANAGED_BY}={PORTWAY}");
    let config = watcher::Config::default().labels(&selector).timeout(WATCH_TIMEOUT);
    let subject = Subject::of_kind(kind.as_str(), kind.plural(), kind.group());
    let stream = pin!(watch_objects(api, config));
    let mut events = Events::new(stream, subject, metrics);
    let mut listed = None;
    while let Some(event) = events.next().await {
        match event {
            Event::Init => listed = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let key = ObjectKey::of(&object.metadata);
                if let Some(listed) = &mut listed {
                    listed.insert(key);
                }
                live.learn(kind, object);
            }
            Event::Delete(object) => live.forget(kind, &ObjectKey::of(&object.metadata)),
            Event::InitDone => {
                let listed = listed.take().unwrap_or_default();
                let gone: Vec<_> = live
                    .state()
                    .objects
                    .keys()
                    .filter(|(it, key)| *it == kind && !listed.contains(key))
                    .cloned()
                    .collect();
                gone.iter().for_each(|(kind, key)| live.forget(*kind, key));
                live.complete(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_a_list_is_what_the_answer_to_a_write_is() {
        let item: DynamicObject = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "infra", "name": "edge-portway"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
        }))
        .unwrap();
        let live = Live { state: Arc::default(), changes: watch::Sender::new(0) };
        live.learn(Kind::Service, item);
        let seen = live.get(Kind::Service, &ObjectKey::new("infra", "edge-portway")).unwrap();
        assert_eq!((&seen["apiVersion"], &seen["kind"]), (&"v1".into(), &"Service".into()));
        assert_eq!(seen["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.1");
    }
}
