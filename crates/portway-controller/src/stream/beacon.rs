//! How proxies find the controller that leads: it writes its own address into the one EndpointSlice of a Service without
//! selector. So a connection never reaches one that does not lead, and a new leader is found as soon as kube-proxy has
//! seen the slice.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::json;

use crate::options::ControllerOptions;
use crate::status::FIELD_MANAGER;

/// The name of the port in Service and slice.
const PORT_NAME: &str = "stream";

/// Points the Service at this pod.
///
/// # Errors
///
/// The API server did not take the slice.
pub(super) async fn announce(client: Client, options: &ControllerOptions) -> Result<(), Error> {
    let name = format!("{}-leader", options.service);
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/service-name": options.service,
                "endpointslice.kubernetes.io/managed-by": "portway.dev",
            },
        },
        "addressType": if options.pod_ip.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{
            "addresses": [options.pod_ip],
            "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "namespace": options.namespace, "name": options.pod},
        }],
        "ports": [{"name": PORT_NAME, "port": options.stream_bind.port(), "protocol": "TCP"}],
    });
    let api: Api<EndpointSlice> = Api::namespaced(client, &options.namespace);
    api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(slice)).await.map(drop)
}
