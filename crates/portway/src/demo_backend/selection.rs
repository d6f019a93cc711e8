//! Which Services select which Deployments.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::core::{Deployment, Service, ServicePort};
use portway_api::{ObjectKey, Snapshot};

use super::replicas;

/// That a Service selects the pods of a Deployment.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) service: Arc<Service>,
    /// The ports that a demo backend can stand for.
    pub(super) ports: Vec<ServicePort>,
    pub(super) deployment: ObjectKey,
    /// That the Deployment asks for.
    pub(super) replicas: usize,
}

/// All pairs of a Service and a Deployment that it selects.
pub(super) fn selections(snapshot: &Snapshot) -> Vec<Selection> {
    let mut found = Vec::new();
    for (key, service) in &snapshot.services {
        let (Some(selector), ports) = (selector(service), tcp_ports(service)) else { continue };
        if ports.is_empty() {
            continue;
        }
        let of_namespace = snapshot.deployments.iter().filter(|(it, _)| it.namespace == key.namespace);
        for (deployment_key, deployment) in of_namespace {
            if selects(selector, deployment) {
                found.push(Selection {
                    service: Arc::clone(service),
                    ports: ports.clone(),
                    deployment: deployment_key.clone(),
                    replicas: replicas(deployment),
                });
            }
        }
    }
    found
}

/// The selector of a Service whose endpoints Kubernetes would find: an empty one finds none, and an ExternalName
/// has none.
fn selector(service: &Service) -> Option<&BTreeMap<String, String>> {
    let spec = service.spec.as_ref().filter(|spec| spec.type_.as_deref() != Some("ExternalName"))?;
    spec.selector.as_ref().filter(|selector| !selector.is_empty())
}

/// A demo backend answers HTTP, which nobody sends over UDP or SCTP here.
fn tcp_ports(service: &Service) -> Vec<ServicePort> {
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP").cloned().collect()
}

fn selects(selector: &BTreeMap<String, String>, deployment: &Deployment) -> bool {
    let template = deployment.spec.template.metadata.as_ref();
    let Some(labels) = template.and_then(|metadata| metadata.labels.as_ref()) else { return false };
    selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}
