//! Bringing the cluster to what there should be, by server-side apply.
//!
//! What is written carries a hash of what was applied, and what is there is compared with it: nothing is written where
//! nothing of ours differs, be the controller new or old. Fields that others set stay theirs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use kube::{Api, Client, Error};
use portway_api::{Gateway, ObjectKey};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::compare::project;
use super::desired::{Desired, DesiredObject};
use super::error::ProvisionError;
use super::kind::Kind;
use super::live::{Live, owners};
use super::naming;
use crate::metrics::Metrics;

/// Who we are to the API server: the owner of the fields that we write.
const FIELD_MANAGER: &str = "portway.dev/gateway-controller";
/// Who sets the number of proxies that autoscaling begins with. The field must not be the controller's own: by
/// letting go of it the number would fall to one.
const SCALE_MANAGER: &str = "portway.dev/gateway-controller-scale";
/// The annotation with the hash of what was applied.
const APPLIED: &str = "portway.dev/applied";
/// How long a write that was refused is left alone, unless there is something else to write.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

type Name = (Kind, ObjectKey);

/// Brings the cluster to what there should be.
pub struct Applier {
    client: Client,
    live: Live,
    memory: Mutex<Memory>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Memory {
    /// What was applied, and what the API server made of it: it may write a value otherwise than we do.
    settled: BTreeMap<Name, (Value, Value)>,
    /// What it would not take, and when.
    refused: BTreeMap<Name, (Value, ProvisionError, Instant)>,
}

/// What was done for a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Objects that were written or deleted.
    pub written: usize,
    /// What could not be done.
    pub errors: Vec<ProvisionError>,
}

/// What became of one object.
enum Outcome {
    Unchanged,
    Written,
    /// One of that name is being deleted; the watch will tell when it is gone.
    Leaving,
}

impl Applier {
    /// An applier that has written nothing.
    pub fn new(client: Client, live: Live, metrics: Metrics) -> Self {
        Self { client, live, memory: Mutex::default(), metrics }
    }

    /// Writes what differs, and deletes what is there for the Gateway and no longer wanted.
    pub async fn apply(&self, gateway: &Gateway, desired: &Desired) -> Applied {
        let mut applied = Applied::default();
        let uid = gateway.metadata.uid.as_deref().unwrap_or_default();
        for object in &desired.objects {
            match self.apply_object(uid, desired, object).await {
                Ok(Outcome::Written) => applied.written += 1,
                Ok(Outcome::Unchanged | Outcome::Leaving) => {}
                Err(error) => applied.errors.push(error),
            }
        }
        if let Some(ingress) = &desired.ingress {
            match self.write_ingress(&desired.key, ingress).await {
                Ok(is_written) => applied.written += usize::from(is_written),
                Err(error) => applied.errors.push(error),
            }
        }
        let is_wanted = |kind: Kind, key: &ObjectKey| {
            let named = desired.objects.iter().map(|it| it.kind).chain(desired.retained.iter().copied());
            *key == desired.key && named.into_iter().any(|it| it == kind)
        };
        self.delete_owned(uid, is_wanted, &mut applied).await;
        applied
    }

    /// Deletes everything that is there for a Gateway, which is another controller's by now.
    pub async fn remove(&self, gateway: &Gateway) -> Applied {
        let mut applied = Applied::default();
        let uid = gateway.metadata.uid.as_deref().unwrap_or_default();
        self.delete_owned(uid, |_, _| false, &mut applied).await;
        applied
    }

    async fn delete_owned(
        &self,
        uid: &str,
        is_wanted: impl Fn(Kind, &ObjectKey) -> bool,
        applied: &mut Applied,
    ) {
        if uid.is_empty() {
            return;
        }
        for (kind, key) in self.live.owned_by(uid) {
            if is_wanted(kind, &key) {
                continue;
            }
            match self.delete(kind, &key).await {
                Ok(()) => applied.written += 1,
                Err(error) => applied.errors.push(error),
            }
        }
    }

    async fn apply_object(
        &self,
        uid: &str,
        desired: &Desired,
        object: &DesiredObject,
    ) -> Result<Outcome, ProvisionError> {
        let name: Name = (object.kind, desired.key.clone());
        let body = marked(&object.body);
        let live = match self.live.get(name.0, &name.1) {
            Some(live) => Some(live),
            None => self.find(&name).await?,
        };
        if let Some(live) = &live {
            match standing(live, uid) {
                Standing::Ours => {}
                Standing::Leaving => return Ok(Outcome::Leaving),
                Standing::Foreign => return Err(ProvisionError::NotOurs { kind: name.0, key: name.1 }),
            }
            if self.is_settled(&name, &body, live) {
                return Ok(Outcome::Unchanged);
            }
        }
        if let Some(error) = self.refusal(&name, &body) {
            return Err(error);
        }
        if let Some(live) = live.as_ref().filter(|live| must_be_replaced(name.0, &body, live)) {
            tracing::info!(
                "Service {} is made anew: its load balancer class or its ClusterIP changes",
                name.1
            );
            self.delete(name.0, &name.1).await?;
            if live["metadata"]["finalizers"].as_array().is_some_and(|it| !it.is_empty()) {
                return Ok(Outcome::Leaving);
            }
        }
        self.write(&name, &body, live.as_deref(), fewest(desired))
            .await
            .inspect_err(|error| self.remember(&name, &body, error))?;
        Ok(Outcome::Written)
    }

    /// Writes an object; `fewest` is the number of proxies that autoscaling allows, where that is on.
    async fn write(
        &self,
        name: &Name,
        body: &Value,
        live: Option<&Value>,
        fewest: Option<i64>,
    ) -> Result<(), ProvisionError> {
        let fewest = fewest.filter(|_| name.0 == Kind::Deployment);
        if let (Some(fewest), Some(live)) = (fewest, live) {
            let replicas = live["spec"]["replicas"].as_i64().unwrap_or(1);
            self.scale(name, replicas.max(fewest)).await?;
        }
        let written = self.patch(name, FIELD_MANAGER, body).await?;
        let replicas = written.data["spec"]["replicas"].as_i64().unwrap_or(1);
        if let Some(seen) = super::live::pruned(written.clone()) {
            let mut memory = self.memory();
            memory.refused.remove(name);
            memory.settled.insert(name.clone(), (body.clone(), project(body, &seen)));
        }
        self.live.learn(name.0, written);
        tracing::debug!("{} {} applied", name.0.as_str(), name.1);
        match fewest {
            Some(fewest) if live.is_none() && replicas < fewest => self.scale(name, fewest).await,
            _ => Ok(()),
        }
    }

    async fn scale(&self, name: &Name, replicas: i64) -> Result<(), ProvisionError> {
        let resource = name.0.resource();
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name.1.name},
            "spec": {"replicas": replicas},
        });
        self.patch(name, SCALE_MANAGER, &body).await.map(drop)
    }

    async fn patch(&self, name: &Name, manager: &str, body: &Value) -> Result<DynamicObject, ProvisionError> {
        let parameters = PatchParams::apply(manager).force();
        let written = self.api(name).patch(&name.1.name, &parameters, &Patch::Apply(body)).await;
        let written = written.map_err(|error| ProvisionError::new(name.0, &name.1, "patch", "", error));
        self.count(name.0, "written", written.as_ref().err());
        written
    }

    /// Looks for an object that does not carry our label: it may be somebody else's, or have lost it.
    async fn find(&self, name: &Name) -> Result<Option<Arc<Value>>, ProvisionError> {
        let found = self.api(name).get_opt(&name.1.name).await;
        let found = found.map_err(|error| ProvisionError::new(name.0, &name.1, "get", "", error))?;
        Ok(found.and_then(super::live::pruned).map(Arc::new))
    }

    async fn delete(&self, kind: Kind, key: &ObjectKey) -> Result<(), ProvisionError> {
        let name = (kind, key.clone());
        let uid = self.live.get(kind, key).and_then(|it| it["metadata"]["uid"].as_str().map(str::to_owned));
        let parameters = DeleteParams {
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::background()
        };
        match self.api(&name).delete(&key.name, &parameters).await {
            Ok(_) => {}
            // Somebody was faster.
            Err(Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => {
                let error = ProvisionError::new(kind, key, "delete", "", error);
                self.count(kind, "deleted", Some(&error));
                return Err(error);
            }
        }
        self.count(kind, "deleted", None);
        tracing::info!("{} {key} deleted: it is no longer wanted", kind.as_str());
        self.live.forget(kind, key);
        self.memory().settled.remove(&name);
        Ok(())
    }

    /// Writes the addresses of a pool into the status of the Service, where kube-proxy finds them.
    async fn write_ingress(&self, key: &ObjectKey, addresses: &[IpAddr]) -> Result<bool, ProvisionError> {
        let Some(service) = self.live.get(Kind::Service, key) else { return Ok(false) };
        let entries: Vec<_> = addresses.iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"})).collect();
        let present = service["status"]["loadBalancer"]["ingress"].as_array();
        if present.map(Vec::as_slice).unwrap_or_default() == entries {
            return Ok(false);
        }
        let body = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": key.name},
            "status": {"loadBalancer": {"ingress": entries}},
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let name = (Kind::Service, key.clone());
        let written = self.api(&name).patch_status(&key.name, &parameters, &Patch::Apply(body)).await;
        let written =
            written.map_err(|error| ProvisionError::new(Kind::Service, key, "patch", "/status", error));
        self.count(Kind::Service, "written", written.as_ref().err());
        self.live.learn(Kind::Service, written?);
        Ok(true)
    }

    fn is_settled(&self, name: &Name, body: &Value, live: &Value) -> bool {
        let seen = project(body, live);
        match self.memory().settled.get(name) {
            Some((applied, settled)) if applied == body => *settled == seen,
            _ => seen == *body,
        }
    }

    /// What the API server said to the same not long ago.
    fn refusal(&self, name: &Name, body: &Value) -> Option<ProvisionError> {
        let memory = self.memory();
        let (refused, error, since) = memory.refused.get(name)?;
        (refused == body && since.elapsed() < REFUSED_PAUSE).then(|| error.clone())
    }

    fn remember(&self, name: &Name, body: &Value, error: &ProvisionError) {
        if !error.is_transient() {
            let entry = (body.clone(), error.clone(), Instant::now());
            self.memory().refused.insert(name.clone(), entry);
        }
    }

    fn count(&self, kind: Kind, done: &'static str, error: Option<&ProvisionError>) {
        let outcome = match error {
            None => done,
            Some(error) if error.is_transient() => "unavailable",
            Some(_) => "refused",
        };
        self.metrics.provisioned(kind.as_str(), outcome);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // It saves writes; that an entry may be missing harms nothing.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn api(&self, name: &Name) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &name.1.namespace, &name.0.resource())
    }
}

enum Standing {
    Ours,
    /// It is being deleted, or belongs to an earlier Gateway of the same name and will be.
    Leaving,
    Foreign,
}

fn standing(live: &Value, gateway_uid: &str) -> Standing {
    if !live["metadata"]["deletionTimestamp"].is_null() {
        Standing::Leaving
    } else if owners(live).any(|it| it["uid"] == gateway_uid) {
        Standing::Ours
    } else if owners(live).any(|it| it["kind"] == "Gateway")
        && live["metadata"]["labels"][naming::MANAGED_BY] == naming::PORTWAY
    {
        Standing::Leaving
    } else {
        Standing::Foreign
    }
}

/// Whether the API server would refuse the change of a Service: some of its fields are for ever.
fn must_be_replaced(kind: Kind, body: &Value, live: &Value) -> bool {
    let (wanted, present) = (&body["spec"], &live["spec"]);
    let is_balanced = wanted["type"] == "LoadBalancer" && present["type"] == "LoadBalancer";
    let is_class_changed = is_balanced && wanted["loadBalancerClass"] != present["loadBalancerClass"];
    let is_ip_changed = wanted["clusterIP"].is_string() && wanted["clusterIP"] != present["clusterIP"];
    kind == Kind::Service && (is_class_changed || is_ip_changed)
}

/// The number of proxies that autoscaling allows, where that is on.
fn fewest(desired: &Desired) -> Option<i64> {
    let scaler = desired.objects.iter().find(|it| it.kind == Kind::HorizontalPodAutoscaler)?;
    scaler.body["spec"]["minReplicas"].as_i64()
}

/// The object with a hash of itself: what is no longer wanted can be told by that alone.
fn marked(body: &Value) -> Value {
    let mut marked = body.clone();
    marked["metadata"]["annotations"][APPLIED] = naming::hash(&[&body.to_string()]).into();
    marked
}

#[cfg(test)]
mod tests;
