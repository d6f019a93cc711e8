//! Writing statuses by server-side apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use kube::api::{Api, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Client, Error};
use portway_api::object::ObjectRef;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::pace::Pace;
use super::plan::StatusPatch;
use crate::failure::{self, REFUSALS};
use crate::limits::{REFUSALS_AT_ONCE, REFUSED_PAUSE, STATUS_WRITES, UNAVAILABLE_PAUSE};
use crate::metrics::Metrics;
use crate::watch::{Kind, Store, decode};

/// Who we are to the API server: the owner of the fields that we write.
pub const FIELD_MANAGER: &str = "portway.dev/gateway-controller";

/// Writes statuses.
pub struct StatusWriter {
    client: Client,
    store: Arc<Store>,
    /// What the API server would not take.
    refused: BTreeMap<ObjectRef, Refusal>,
    /// What was written last, with the version that the object has by that. Where the API server keeps something else
    /// than was written (a default, a webhook), to write it again would change nothing, for ever.
    settled: BTreeMap<ObjectRef, (StatusPatch, Option<String>)>,
    pace: Pace,
    metrics: Metrics,
}

/// What the API server would not take, of one object.
struct Refusal {
    patch: StatusPatch,
    /// When it is tried again.
    until: Instant,
    pause: Duration,
    /// What it said.
    message: String,
    /// How often in a row it said so.
    times: u32,
}

impl Refusal {
    /// Whether a write is this one again. Its times do not count: until a condition is taken, it is of now each time.
    fn is_of(&self, patch: &StatusPatch) -> bool {
        self.patch.resource_version == patch.resource_version
            && without_times(self.patch.status.clone()) == without_times(patch.status.clone())
    }

    /// How long a write is left alone. What failed for lack of an answer, in the API server itself, or since it has just begun
    /// and does not know permissions yet, may go well soon; but many writes that fail for long must become few.
    fn pause(error: &Error, before: Option<Duration>) -> Duration {
        let next = before.map_or(UNAVAILABLE_PAUSE, |it| it * 2);
        let is_for_good = is_for_good(error) && !lacks_permission(error);
        if is_for_good { REFUSED_PAUSE } else { next.min(REFUSED_PAUSE) }
    }

    /// Whether the log is to tell of it now. A policy may refuse very many, and each of them again and again: each reason is
    /// told once.
    fn is_to_be_told(&self, error: &Error) -> bool {
        self.times == if lacks_permission(error) { REFUSALS } else { 1 }
    }
}

/// Whether the API server means what it says, so that to try again soon is of no use.
fn is_for_good(error: &Error) -> bool {
    matches!(error, Error::Api(it) if matches!(it.code, 400..=499) && !matches!(it.code, 408 | 429))
}

/// Whether a permission is missing, or the API server does not know permissions yet.
fn lacks_permission(error: &Error) -> bool {
    matches!(error, Error::Api(status) if failure::lacks_permission(status))
}

enum Outcome {
    /// The object has this version now.
    Written(Option<String>),
    /// Somebody else was faster, or the object is gone: the watch will tell.
    Overtaken,
    Refused(Error),
}

/// What became of a write, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusOutcome {
    Written,
    Overtaken,
    Refused,
    Unavailable,
}

impl StatusOutcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Overtaken => "overtaken",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Outcome {
    fn kind(&self) -> StatusOutcome {
        match self {
            Self::Written(_) => StatusOutcome::Written,
            Self::Overtaken => StatusOutcome::Overtaken,
            Self::Refused(error) if is_for_good(error) => StatusOutcome::Refused,
            Self::Refused(_) => StatusOutcome::Unavailable,
        }
    }
}

impl StatusWriter {
    /// A writer that has written nothing.
    pub fn new(client: Client, store: Arc<Store>, metrics: Metrics) -> Self {
        let (refused, settled) = (BTreeMap::new(), BTreeMap::new());
        Self { client, store, refused, settled, pace: Pace::default(), metrics }
    }

    /// Carries the writes out, but for those of objects that are held back for now: of these nothing is forgotten.
    /// Returns when to come again with what was refused, or was written not long ago.
    pub async fn write(
        &mut self,
        patches: Vec<StatusPatch>,
        is_held: impl Fn(&ObjectRef) -> bool,
    ) -> Option<Instant> {
        let now = Instant::now();
        let wanted: BTreeSet<_> = patches.iter().map(|it| it.object.clone()).collect();
        self.refused.retain(|object, _| wanted.contains(object));
        self.settled.retain(|object, _| wanted.contains(object));
        let patches = patches.into_iter().filter(|it| !is_held(&it.object));
        let (due, postponed) = self.due(patches, now);
        let (client, store) = (&self.client, &self.store);
        let outcomes: Vec<_> = stream::iter(due)
            .map(|patch| async move {
                let outcome = apply(client, store, &patch).await;
                (patch, outcome)
            })
            .buffer_unordered(STATUS_WRITES)
            .collect()
            .await;
        self.note(outcomes, now);
        // What is held back and due is looked at when it is let go.
        let refused = self.refused.values().map(|it| it.until).filter(|it| *it > now);
        refused.chain(postponed).min()
    }

    /// The writes that may be carried out now, and when the first of the others may be.
    fn due(
        &mut self,
        patches: impl Iterator<Item = StatusPatch>,
        now: Instant,
    ) -> (Vec<StatusPatch>, Option<Instant>) {
        self.pace.begin(now);
        let (mut due, mut postponed) = (Vec::new(), None::<Instant>);
        for patch in patches {
            if self.is_refused(&patch, now) || self.is_settled(&patch) {
                continue;
            }
            match self.pace.take(&patch.object, now) {
                Ok(()) => due.push(patch),
                Err(at) => postponed = Some(postponed.map_or(at, |it| it.min(at))),
            }
        }
        (due, postponed)
    }

    fn note(&mut self, outcomes: Vec<(StatusPatch, Outcome)>, now: Instant) {
        let mut told = 0;
        for (patch, outcome) in outcomes {
            let object = patch.object.clone();
            self.metrics.status_written(&object.kind, outcome.kind());
            match outcome {
                Outcome::Written(version) => {
                    self.refused.remove(&object);
                    self.settled.insert(object, (patch, version));
                }
                Outcome::Overtaken => {}
                Outcome::Refused(error) => {
                    let message = error.to_string();
                    let before = self.refused.get(&object);
                    let times = before.filter(|it| it.message == message).map_or(0, |it| it.times);
                    let pause = before.filter(|it| it.is_of(&patch)).map(|it| it.pause);
                    let pause = Refusal::pause(&error, pause);
                    let times = times.saturating_add(1);
                    let refusal = Refusal { patch, until: now + pause, pause, message, times };
                    if refusal.is_to_be_told(&error) {
                        told += 1;
                        if told <= REFUSALS_AT_ONCE {
                            log_refusal(&object, &error);
                        }
                    }
                    self.refused.insert(object, refusal);
                }
            }
        }
        if let Some(more) = told.checked_sub(REFUSALS_AT_ONCE).filter(|more| *more > 0) {
            tracing::error!(
                "{more} more statuses are refused; they are tried again, in {REFUSED_PAUSE:?} at the latest"
            );
        }
    }

    fn is_refused(&self, patch: &StatusPatch, now: Instant) -> bool {
        let before = self.refused.get(&patch.object);
        before.is_some_and(|it| it.is_of(patch) && now < it.until)
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

/// A status without the times of its conditions.
fn without_times(mut status: Value) -> Value {
    match &mut status {
        Value::Object(fields) => {
            fields.remove("lastTransitionTime");
            fields.values_mut().for_each(|it| *it = without_times(it.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| *it = without_times(it.take())),
        _ => {}
    }
    status
}

fn log_refusal(object: &ObjectRef, error: &Error) {
    match error {
        Error::Api(status) if failure::lacks_permission(status) => tracing::error!(
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

#[cfg(test)]
mod tests;
