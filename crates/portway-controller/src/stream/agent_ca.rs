//! Who signs the stream's certificates, where node agents find it.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::provision::CA_FILE;

/// The ConfigMap that the agents' pods mount.
const CONFIG_MAP: &str = "portway-agent-ca";
/// Pause before the API server is asked again.
const RETRY: Duration = Duration::from_secs(5);

/// Writes the ConfigMap, however long it takes.
pub(crate) async fn tell_agents(client: Client, namespace: String, certificate: String) {
    let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
    let content = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": namespace},
        "data": {CA_FILE: certificate},
    });
    let parameters = PatchParams::apply("portway-controller").force();
    while let Err(error) = api.patch(CONFIG_MAP, &parameters, &Patch::Apply(&content)).await {
        tracing::warn!(
            "node agents cannot start: the ConfigMap {namespace}/{CONFIG_MAP} is refused: {error}"
        );
        tokio::time::sleep(RETRY).await;
    }
}
