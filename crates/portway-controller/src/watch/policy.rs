//! Network policies and pods, for the node agents: watched only where there are any, since a cluster has many pods.
//!
//! They are not objects that are translated: a pod that comes or goes changes what agents are told and nothing else.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy as ApiPolicy;
use kube::runtime::watcher as watch_objects;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use portway_config::NamespacedName;
use portway_config::network_policy::{NamedPort, NetworkPolicy, PolicyPod, REHEARSE};
use portway_shared_map::SharedMap;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::cluster_policy::{self, ClusterPolicies};
use super::events::Events;
use crate::failure::Subject;
use crate::limits::WATCH_TIMEOUT_SECONDS;
use crate::metrics::Metrics;

/// Pods that are on a node and have not ended: the others have no address. The API server leaves them out.
const PODS: &str = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";

/// What is known of policies and pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyObjects {
    pods: Option<Pods>,
    policies: Option<Policies>,
    cluster_policies: Option<ClusterPolicies>,
}

/// All pods and policies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllObjects<'a> {
    pub(crate) pods: &'a Pods,
    pub(crate) policies: &'a Policies,
    pub(crate) cluster_policies: &'a ClusterPolicies,
}

pub(crate) type Pods = SharedMap<NamespacedName, Arc<PolicyPod>>;
pub(crate) type Policies = SharedMap<NamespacedName, Arc<NetworkPolicy>>;

impl PolicyObjects {
    /// All, once the first lists of each are complete: without all policies a pod would be open, and without all pods others would
    /// be shut out.
    pub(crate) fn all(&self) -> Option<AllObjects<'_>> {
        let Self { pods, policies, cluster_policies } = self;
        Some(AllObjects {
            pods: pods.as_ref()?,
            policies: policies.as_ref()?,
            cluster_policies: cluster_policies.as_ref()?,
        })
    }
}

#[cfg(test)]
impl PolicyObjects {
    /// As it is after lists in which nothing more is.
    pub(crate) fn listed(self) -> Self {
        Self {
            pods: Some(self.pods.unwrap_or_default()),
            policies: Some(self.policies.unwrap_or_default()),
            cluster_policies: Some(self.cluster_policies.unwrap_or_default()),
        }
    }
}

/// Follows all of them, for ever.
pub(crate) async fn follow(client: Client, known: watch::Sender<PolicyObjects>, metrics: Metrics) {
    let pods = Watch { client: &client, kind: ("Pod", "pods", ""), selector: Some(PODS), metrics: &metrics };
    let kind = ("NetworkPolicy", "networkpolicies", "networking.k8s.io");
    let policies = Watch { client: &client, kind, selector: None, metrics: &metrics };
    let of_cluster = |all| known.send_modify(|it| it.cluster_policies = Some(all));
    tokio::join!(
        pods.follow(pod, |all| known.send_modify(|it| it.pods = Some(all))),
        policies.follow(policy, |all| known.send_modify(|it| it.policies = Some(all))),
        cluster_policy::follow(client.clone(), of_cluster, metrics.clone()),
    );
}

/// The watch of one kind.
struct Watch<'a> {
    client: &'a Client,
    /// Kind, plural, group.
    kind: (&'static str, &'static str, &'static str),
    selector: Option<&'static str>,
    metrics: &'a Metrics,
}

impl Watch<'_> {
    async fn follow<K, V>(
        self,
        read: impl Fn(&K) -> Option<V>,
        tell: impl Fn(SharedMap<NamespacedName, Arc<V>>),
    ) where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
        V: PartialEq,
    {
        let (kind, plural, group) = self.kind;
        let mut config = watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS);
        config.field_selector = self.selector.map(str::to_owned);
        let stream = pin!(watch_objects(Api::<K>::all(self.client.clone()), config));
        let mut events = Events::new(stream, Subject::of_kind(kind, plural, group), self.metrics.clone());
        let mut reader = Reader::new(|it: &K| (name(it), read(it)));
        while let Some(event) = events.next().await {
            if let Some(all) = reader.take(event) {
                tell(all);
            }
        }
    }
}

/// What is kept of the objects of one kind, by their names.
pub(super) struct Reader<N, V, F> {
    /// Name and what is kept, if anything.
    read: F,
    known: SharedMap<N, Arc<V>>,
    /// What a list under way has brought.
    listed: Option<BTreeSet<N>>,
    is_complete: bool,
}

impl<N: Ord + Clone, V: PartialEq, F> Reader<N, V, F> {
    pub(super) fn new<K>(read: F) -> Self
    where
        F: Fn(&K) -> (N, Option<V>),
    {
        Self { read, known: SharedMap::new(), listed: None, is_complete: false }
    }

    /// All that is known, if that is complete and something else than before.
    pub(super) fn take<K>(&mut self, event: Event<K>) -> Option<SharedMap<N, Arc<V>>>
    where
        F: Fn(&K) -> (N, Option<V>),
    {
        let is_changed = match event {
            Event::Init => {
                self.listed = Some(BTreeSet::new());
                false
            }
            Event::InitApply(object) | Event::Apply(object) => self.put(&object),
            Event::Delete(object) => self.known.remove(&(self.read)(&object).0).is_some(),
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let before = self.known.len();
                self.known.retain(|name, _| listed.contains(name));
                !std::mem::replace(&mut self.is_complete, true) || self.known.len() != before
            }
        };
        (self.is_complete && is_changed).then(|| self.known.clone())
    }

    fn put<K>(&mut self, object: &K) -> bool
    where
        F: Fn(&K) -> (N, Option<V>),
    {
        let (name, value) = (self.read)(object);
        let Some(value) = value else { return self.known.remove(&name).is_some() };
        if let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        // Most changes of a pod are of its status, and none of what policies look at.
        let is_changed = self.known.get(&name).is_none_or(|it| **it != value);
        if is_changed {
            self.known.insert(name, Arc::new(value));
        }
        is_changed
    }
}

fn name(object: &impl ResourceExt) -> NamespacedName {
    NamespacedName::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// What policies look at of a pod.
fn pod(object: &Pod) -> Option<PolicyPod> {
    let spec = object.spec.as_ref()?;
    let status = object.status.as_ref();
    let ips = status.and_then(|it| it.pod_ips.as_ref()).into_iter().flatten().map(|it| it.ip.as_str());
    let single = status.and_then(|it| it.pod_ip.as_deref());
    let mut addresses: Vec<IpAddr> = ips.chain(single).filter_map(|it| it.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    // Init containers that go on beside the others (sidecars) serve ports too.
    let sidecars =
        spec.init_containers.iter().flatten().filter(|it| it.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(named_ports).collect();
    Some(PolicyPod {
        name: name(object),
        uid: object.uid().unwrap_or_default().into(),
        created: object.creation_timestamp().map_or(0, |it| it.0.as_second()),
        is_leaving: object.metadata.deletion_timestamp.is_some(),
        node: spec.node_name.as_deref().unwrap_or_default().into(),
        labels: texts(object.labels()),
        ports,
        addresses,
        host_network: spec.host_network.unwrap_or_default(),
    })
}

fn named_ports(container: &Container) -> Vec<NamedPort> {
    let ports = container.ports.iter().flatten().filter_map(|it| {
        Some(NamedPort {
            name: it.name.as_deref()?.into(),
            protocol: it.protocol.as_deref().unwrap_or("TCP").into(),
            port: it.container_port.try_into().ok()?,
        })
    });
    ports.collect()
}

/// Labels or annotations, shared.
pub(crate) fn texts<'a>(
    all: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> std::collections::BTreeMap<Arc<str>, Arc<str>> {
    all.into_iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

fn policy(object: &ApiPolicy) -> Option<NetworkPolicy> {
    let spec = serde_json::to_value(object.spec.clone().unwrap_or_default()).and_then(serde_json::from_value);
    let name = name(object);
    match spec {
        Ok(spec) => {
            let rehearse = object.annotations().get(REHEARSE).map(|it| it.as_str().into());
            Some(NetworkPolicy { name, rehearse, spec })
        }
        Err(error) => {
            tracing::error!("NetworkPolicy {name} cannot be read and protects nothing: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn api_pod(name: &str, phase: &str, ips: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "namespace": "apps", "name": name, "uid": "u", "labels": {"app": "web"},
                "creationTimestamp": "1970-01-01T00:01:00Z",
            },
            "spec": {
                "nodeName": "n",
                "containers": [{"name": "web", "ports": [
                    {"name": "http", "containerPort": 8080}, {"containerPort": 9090},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                ]}],
                "initContainers": [
                    {"name": "once", "ports": [{"name": "once", "containerPort": 1}]},
                    {"name": "mesh", "restartPolicy": "Always", "ports": [{"name": "mesh", "containerPort": 2}]},
                ],
            },
            "status": {"phase": phase, "podIP": "10.0.0.1", "podIPs": ips},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_policies_look_at_is_kept_of_a_pod() {
        let read =
            pod(&api_pod("web", "Running", json!([{"ip": "10.0.0.1"}, {"ip": "2001:db8::1"}]))).unwrap();
        assert_eq!((&*read.uid, &*read.node, read.created, read.host_network), ("u", "n", 60, false));
        let addresses: Vec<_> = read.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "2001:db8::1"]);
        let ports: Vec<_> = read.ports.iter().map(|it| (&*it.name, &*it.protocol, it.port)).collect();
        assert_eq!(ports, [("http", "TCP", 8080), ("dns", "UDP", 53), ("mesh", "TCP", 2)]);
    }

    #[test]
    fn a_policy_is_taken_as_it_is_written() {
        let object = json!({
            "metadata": {"namespace": "apps", "name": "p", "annotations": {"portway.dev/rehearse": "true"}},
            "spec": {
                "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
                "policyTypes": ["Egress"],
                "egress": [{"to": [
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                    {"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}},
                ], "ports": [{"port": "http"}, {"protocol": "UDP", "port": 1, "endPort": 9}]}],
            },
        });
        let read = policy(&serde_json::from_value(object.clone()).unwrap()).unwrap();
        assert_eq!(read.rehearse.as_deref(), Some("true"));
        let rule = &read.spec.egress[0];
        assert_eq!(
            (&*rule.to[0].ip_block.as_ref().unwrap().except[0], rule.ports[1].end_port),
            ("10.1.0.0/16", Some(9))
        );
        assert_eq!(rule.to[1].namespace_selector, Some(Default::default()), "empty is not missing");
        assert_eq!(rule.to[1].ip_block, None);
        assert_eq!(&*read.spec.policy_types[0], "Egress");
    }

    #[test]
    fn nothing_is_told_before_all_is_known_or_when_nothing_has_changed() {
        let mut reader = Reader::new(|it: &Pod| (name(it), pod(it)));
        let web = |phase| api_pod("web", phase, json!([]));
        assert!(reader.take(Event::Init).is_none());
        assert!(reader.take(Event::InitApply(web("Pending"))).is_none());
        assert_eq!(reader.take(Event::<Pod>::InitDone).unwrap().len(), 1);
        assert!(reader.take(Event::Apply(web("Running"))).is_none(), "its phase is nothing to policies");
        assert_eq!(reader.take(Event::Apply(api_pod("api", "Running", json!([])))).unwrap().len(), 2);
        // A list anew, without the one that has gone meanwhile.
        assert!(reader.take(Event::<Pod>::Init).is_none());
        assert!(reader.take(Event::InitApply(web("Running"))).is_none());
        assert_eq!(reader.take(Event::<Pod>::InitDone).unwrap().len(), 1);
        assert_eq!(reader.take(Event::Delete(web("Running"))).unwrap().len(), 0);
    }
}
