//! ClusterNetworkPolicies, for the node agents: watched while their CRD serves the version that Portway reads.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher as watch_objects;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use portway_config::cluster_policy::ClusterNetworkPolicy;
use portway_config::network_policy::REHEARSE;
use portway_shared_map::SharedMap;

use super::events::Events;
use super::policy::Reader;
use crate::failure::Subject;
use crate::limits::WATCH_TIMEOUT_SECONDS;
use crate::metrics::Metrics;

const GROUP: &str = "policy.networking.k8s.io";
const VERSION: &str = "v1alpha2";
const KIND: &str = "ClusterNetworkPolicy";
const PLURAL: &str = "clusternetworkpolicies";
/// What came before v1alpha2, of two kinds. Whoever still has them must learn that nothing comes of them.
const FORMER_VERSION: &str = "v1alpha1";

pub(crate) type ClusterPolicies = SharedMap<Arc<str>, Arc<ClusterNetworkPolicy>>;

/// Follows them, for ever: there are none where there is no CRD.
pub(crate) async fn follow(client: Client, tell: impl Fn(ClusterPolicies) + Sync, metrics: Metrics) {
    warn_of_former(&client).await;
    let only = format!("metadata.name={PLURAL}.{GROUP}");
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS).fields(&only);
    let crds = pin!(watch_objects(Api::<CustomResourceDefinition>::all(client.clone()), config));
    let subject = Subject::of_kind("CRDs", "customresourcedefinitions", "apiextensions.k8s.io");
    let mut crds = Events::new(crds, subject, metrics.clone());
    let mut crd = Crd::default();
    let mut objects: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
    loop {
        tokio::select! {
            event = crds.next() => {
                let Some(event) = event else { return };
                match crd.take(event) {
                    Some(true) if objects.is_none() => {
                        tracing::debug!("watching {KIND} {VERSION}");
                        objects = Some(Box::pin(follow_objects(client.clone(), &tell, metrics.clone())));
                    }
                    Some(false) => {
                        objects = None;
                        tell(SharedMap::new());
                    }
                    Some(true) | None => {}
                }
            }
            // kube's watches have no end.
            () = while_there(&mut objects) => objects = None,
        }
    }
}

async fn while_there(objects: &mut Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>>) {
    match objects {
        Some(objects) => objects.await,
        None => pending().await,
    }
}

async fn follow_objects(client: Client, tell: &(impl Fn(ClusterPolicies) + Sync), metrics: Metrics) {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, KIND);
    let resource = ApiResource::from_gvk_with_plural(&kind, PLURAL);
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS);
    let stream = pin!(watch_objects(Api::<DynamicObject>::all_with(client, &resource), config));
    let mut events = Events::new(stream, Subject::of_kind(KIND, PLURAL, GROUP), metrics);
    let mut reader = Reader::new(|it: &DynamicObject| (it.name_any().into(), read(it)));
    while let Some(event) = events.next().await {
        if let Some(all) = reader.take(event) {
            tell(all);
        }
    }
}

/// Whether the CRD is there.
#[derive(Debug, Default)]
struct Crd {
    is_served: bool,
}

impl Crd {
    /// Whether it serves our version, once that is known or whenever it may have changed.
    fn take(&mut self, event: Event<CustomResourceDefinition>) -> Option<bool> {
        match event {
            Event::Init => {
                self.is_served = false;
                None
            }
            Event::InitApply(crd) => {
                self.is_served = serves(&crd);
                None
            }
            Event::InitDone => Some(self.is_served),
            Event::Apply(crd) => Some(serves(&crd)),
            Event::Delete(_) => Some(false),
        }
    }
}

fn serves(crd: &CustomResourceDefinition) -> bool {
    let serves = crd.spec.versions.iter().any(|it| it.served && it.name == VERSION);
    if !serves {
        let name = crd.name_any();
        tracing::warn!("CRD {name} does not serve {VERSION}: no {KIND} is enforced");
    }
    serves
}

/// Says what is not enforced, where the kinds of the API's former version are there.
async fn warn_of_former(client: &Client) {
    let former = client.list_api_group_resources(&format!("{GROUP}/{FORMER_VERSION}")).await;
    // Without it there is nothing to say; and if this cannot be asked now, more than this is wrong, and is told.
    let Ok(former) = former else { return };
    let has_slash = |name: &str| name.contains('/');
    for kind in former.resources.iter().filter(|it| !has_slash(&it.name)).map(|it| &it.kind) {
        tracing::warn!(
            "{kind} of {GROUP}/{FORMER_VERSION} is not enforced; write ClusterNetworkPolicies of {VERSION} instead"
        );
    }
}

fn read(object: &DynamicObject) -> Option<ClusterNetworkPolicy> {
    let name: Arc<str> = object.name_any().into();
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    match serde_json::from_value(spec) {
        Ok(spec) => {
            let rehearse = object.annotations().get(REHEARSE).map(|it| it.as_str().into());
            Some(ClusterNetworkPolicy { name, rehearse, spec })
        }
        Err(error) => {
            tracing::error!("{KIND} {name} cannot be read and does nothing: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crd(version: &str, is_served: bool) -> CustomResourceDefinition {
        serde_json::from_value(json!({
            "metadata": {"name": "clusternetworkpolicies.policy.networking.k8s.io"},
            "spec": {
                "group": GROUP, "scope": "Cluster", "names": {"kind": KIND, "plural": PLURAL},
                "versions": [{"name": version, "served": is_served, "storage": true}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn they_are_followed_while_the_crd_serves_them() {
        let mut it = Crd::default();
        assert_eq!(it.take(Event::Init), None);
        assert_eq!(it.take(Event::InitDone), Some(false), "there is no CRD, and nothing to wait for");
        assert_eq!(it.take(Event::Apply(crd("v1alpha2", true))), Some(true));
        assert_eq!(it.take(Event::Apply(crd("v1alpha2", false))), Some(false));
        assert_eq!(it.take(Event::Init), None);
        assert_eq!(it.take(Event::InitApply(crd("v1alpha2", true))), None, "not before the end of the list");
        assert_eq!(it.take(Event::InitDone), Some(true));
        assert_eq!(it.take(Event::Apply(crd("v1", true))), Some(false));
        assert_eq!(it.take(Event::Delete(crd("v1alpha2", true))), Some(false));
    }

    #[test]
    fn a_policy_is_taken_as_it_is_written() {
        let object: DynamicObject = serde_json::from_value(json!({
            "metadata": {"name": "tenants", "annotations": {"portway.dev/rehearse": "true"}},
            "spec": {
                "tier": "Admin", "priority": 7, "subject": {"namespaces": {}},
                "egress": [{"name": "out", "action": "Deny", "to": [
                    {"networks": ["10.0.0.0/8"]},
                    {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}}},
                    {"something": "new"},
                ], "protocols": [
                    {"tcp": {"destinationPort": {"range": {"start": 1, "end": 9}}}},
                    {"destinationNamedPort": "http"},
                ]}],
            },
        }))
        .unwrap();
        let policy = read(&object).unwrap();
        assert_eq!((&*policy.name, policy.rehearse.as_deref()), ("tenants", Some("true")));
        assert_eq!((&*policy.spec.tier, policy.spec.priority), ("Admin", 7));
        assert_eq!(policy.spec.subject.namespaces, Some(Default::default()), "empty is not missing");
        let rule = &policy.spec.egress[0];
        assert_eq!((&*rule.action, &*rule.to[0].networks[0]), ("Deny", "10.0.0.0/8"));
        assert_eq!(rule.to[2], Default::default(), "a peer of a newer version is one without a field");
        let range = rule.protocols[0].tcp.as_ref().unwrap().destination_port.as_ref().unwrap().range.as_ref();
        assert_eq!(range.map(|it| (it.start, it.end)), Some((1, 9)));
        assert_eq!(rule.protocols[1].destination_named_port.as_deref(), Some("http"));
    }
}
