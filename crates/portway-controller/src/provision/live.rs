//! What is provisioned already, as the API server has it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use kube::core::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_objects};
use kube::{Api, Client};
use portway_api::ObjectKey;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::kind::Kind;
use super::naming::{MANAGED_BY, PORTWAY};
use crate::watch::Pauses;

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
    pub fn start(client: &Client) -> (Self, LiveWatches) {
        let awaited = Kind::ALL.into_iter().collect();
        let state = Arc::new(Mutex::new(State { awaited, ..State::default() }));
        let live = Self { state, changes: watch::Sender::new(0) };
        let watches = Kind::ALL.map(|kind| tokio::spawn(follow(client.clone(), kind, live.clone())));
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

    /// Takes in what the API server answered to a write of ours, before the watch brings it.
    pub(super) fn learn(&self, kind: Kind, object: DynamicObject) {
        let key = ObjectKey::of(&object.metadata);
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
async fn follow(client: Client, kind: Kind, live: Live) {
    let resource = kind.resource();
    let api = Api::<DynamicObject>::all_with(client, &resource);
    let selector = format!("{MANAGED_BY}={PORTWAY}");
    let config = watcher::Config::default().labels(&selector).timeout(WATCH_TIMEOUT);
    let mut events = pin!(watch_objects(api, config).backoff(Pauses::new()));
    let mut listed = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed = Some(BTreeSet::new()),
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                let key = ObjectKey::of(&object.metadata);
                if let Some(listed) = &mut listed {
                    listed.insert(key);
                }
                live.learn(kind, object);
            }
            Ok(Event::Delete(object)) => live.forget(kind, &ObjectKey::of(&object.metadata)),
            Ok(Event::InitDone) => {
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
            Err(error) => log(kind, &error),
        }
    }
}

fn log(kind: Kind, error: &watcher::Error) {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if status.code == 403 =>
        {
            tracing::error!(
                "what is provisioned cannot be watched: the controller's ServiceAccount lacks the permission `list, watch` \
                 on {} in API group `{}`",
                kind.plural(),
                kind.group()
            );
        }
        watcher::Error::WatchError(status) if status.code == 410 => {
            tracing::debug!("watch of {} is too far behind; listing again", kind.as_str());
        }
        error => tracing::warn!("watch of {} has ended and is begun again: {error}", kind.as_str()),
    }
}
