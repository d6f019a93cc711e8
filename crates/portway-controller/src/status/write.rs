//! Writing statuses by server-side apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use kube::api::{Api, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Client, Error};
use portway_api::object::ObjectRef;
use serde_json::json;
use tokio::time::Instant;

use super::plan::StatusPatch;
use crate::limits::{REFUSED_PAUSE, STATUS_WRITES};
use crate::watch::{Kind, Store, decode};

/// Who we are to the API server: the owner of the fields that we write.
pub const FIELD_MANAGER: &str = "portway.dev/gateway-controller";

/// Writes statuses.
pub struct StatusWriter {
    client: Client,
    store: Arc<Store>,
    /// What the API server would not take, and when.
    refused: BTreeMap<ObjectRef, (StatusPatch, Instant)>,
    /// What was written last, with the version that the object has by that. Where the API server keeps something else
    /// than was written (a default, a webhook), to write it again would change nothing, for ever.
    settled: BTreeMap<ObjectRef, (StatusPatch, Option<String>)>,
    /// Writes so far.
    written: u64,
}

enum Outcome {
    /// The object has this version now.
    Written(Option<String>),
    /// Somebody else was faster, or the object is gone: the watch will tell.
    Overtaken,
    Refused(Error),
}

impl StatusWriter {
    /// A writer that has written nothing.
    pub fn new(client: Client, store: Arc<Store>) -> Self {
        Self { client, store, refused: BTreeMap::new(), settled: BTreeMap::new(), written: 0 }
    }

    /// Writes so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Carries the writes out. Returns when to try again what was refused.
    pub async fn write(&mut self, patches: Vec<StatusPatch>) -> Option<Instant> {
        let now = Instant::now();
        self.refused.retain(|_, (patch, since)| *since + REFUSED_PAUSE > now && patches.contains(patch));
        let wanted: BTreeSet<_> = patches.iter().map(|it| it.object.clone()).collect();
        self.settled.retain(|object, _| wanted.contains(object));
        let due =
            patches.into_iter().filter(|it| !self.refused.contains_key(&it.object) && !self.is_settled(it));
        let due: Vec<_> = due.collect();
        let (client, store) = (&self.client, &self.store);
        let outcomes: Vec<_> = stream::iter(due)
            .map(|patch| async move {
                let outcome = apply(client, store, &patch).await;
                (patch, outcome)
            })
            .buffer_unordered(STATUS_WRITES)
            .collect()
            .await;
        for (patch, outcome) in outcomes {
            match outcome {
                Outcome::Written(version) => {
                    self.written += 1;
                    self.settled.insert(patch.object.clone(), (patch, version));
                }
                Outcome::Overtaken => {}
                Outcome::Refused(error) => {
                    log_refusal(&patch.object, &error);
                    self.refused.insert(patch.object.clone(), (patch, now));
                }
            }
        }
        self.refused.values().map(|(_, since)| *since + REFUSED_PAUSE).min()
    }

    fn is_settled(&self, patch: &StatusPatch) -> bool {
        self.settled
            .get(&patch.object)
            .is_some_and(|(last, version)| last.status == patch.status && *version == patch.resource_version)
    }
}

async fn apply(client: &Client, store: &Store, patch: &StatusPatch) -> Outcome {
    let StatusPatch { object, resource_version, is_conditional, status } = patch;
    let Some(kind) = Kind::named(&object.kind) else { return Outcome::Overtaken };
    // A kind whose CRD is gone has no objects any more.
    let Some(version) = store.version(kind.kind) else { return Outcome::Overtaken };
    let resource = kind.resource(&version);
    let api: Api<DynamicObject> = match &object.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut body = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": object.name},
        "status": status,
    });
    if let Some(version) = resource_version.as_ref().filter(|_| *is_conditional) {
        body["metadata"]["resourceVersion"] = version.as_str().into();
    }
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&object.name, &parameters, &Patch::Apply(body)).await {
        Ok(written) => {
            tracing::debug!("status of {object} written");
            let version = written.metadata.resource_version.clone();
            if let Ok(written) = decode(kind, &resource, written) {
                store.learn(written);
            }
            Outcome::Written(version)
        }
        Err(Error::Api(status)) if matches!(status.code, 404 | 409) => Outcome::Overtaken,
        Err(error) => Outcome::Refused(error),
    }
}

fn log_refusal(object: &ObjectRef, error: &Error) {
    match error {
        Error::Api(status) if status.code == 403 => tracing::error!(
            "the status of {object} cannot be written: the controller's ServiceAccount lacks the permission `patch` on \
             the subresource `status` of its kind: {}",
            status.message
        ),
        Error::Api(status) => {
            tracing::error!("the API server refuses the status of {object}: {}", status.message);
        }
        error => tracing::warn!("the status of {object} is not written yet: {error}"),
    }
}
