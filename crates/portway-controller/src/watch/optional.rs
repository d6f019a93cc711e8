//! The watch of a kind of Kubernetes' own that not every cluster has (GEP-5075, "API Availability").
//!
//! Whether it is there is asked of discovery, at the start and from time to time: to list what is not there would fail for
//! ever, and the controller would wait for it before it serves anything.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::Client;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::kind::Kind;
use super::object_watch;
use super::pause::Pauses;
use super::store::Store;
use crate::limits::DISCOVERY_AGAIN;
use crate::metrics::Metrics;

/// Follows all objects of a kind while the API server has it, for ever.
pub(super) async fn follow(
    client: Client,
    kind: &'static Kind,
    version: &'static str,
    store: Arc<Store>,
    metrics: Metrics,
) {
    let mut watch: Option<Watch> = None;
    let mut pauses = Pauses::new();
    let mut was_there = None;
    loop {
        let is_there = match is_served(&client, kind, version).await {
            Ok(is_there) => is_there,
            Err(error) => {
                tracing::debug!("whether there is {} cannot be told yet: {error}", kind.kind);
                // `Pauses` has no end.
                sleep(pauses.next().unwrap_or(DISCOVERY_AGAIN)).await;
                continue;
            }
        };
        if !is_there {
            if was_there != Some(false) {
                tracing::info!("the API server has no {} in {}/{version}", kind.kind, kind.group);
            }
            watch = None;
            // There is nothing to wait for.
            store.complete(kind.kind);
        } else if watch.is_none() {
            let objects =
                object_watch::follow(client.clone(), kind, version, Arc::clone(&store), metrics.clone());
            watch = Some(Watch(tokio::spawn(objects)));
        }
        was_there = Some(is_there);
        sleep(DISCOVERY_AGAIN).await;
    }
}

/// A watch that ends with its follower.
struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks discovery, where a version that is not served at all is not found.
async fn is_served(client: &Client, kind: &Kind, version: &str) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(&format!("{}/{version}", kind.group)).await {
        Ok(list) => Ok(has(&list, kind)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

fn has(list: &APIResourceList, kind: &Kind) -> bool {
    list.resources.iter().any(|it| it.name == kind.plural && it.kind == kind.kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_without_the_kind_has_it_not() {
        let kind = Kind::named("ClusterTrustBundle").unwrap();
        let resource = |name: &str, kind: &str| json!({"name": name, "kind": kind, "namespaced": false, "singularName": "", "verbs": ["list", "watch"]});
        let list = |resources: Vec<serde_json::Value>| -> APIResourceList {
            serde_json::from_value(json!({"groupVersion": "certificates.k8s.io/v1", "resources": resources}))
                .unwrap()
        };
        let requests = resource("certificatesigningrequests", "CertificateSigningRequest");
        assert!(!has(&list(vec![requests.clone()]), kind));
        assert!(has(&list(vec![requests, resource("clustertrustbundles", "ClusterTrustBundle")]), kind));
    }
}
