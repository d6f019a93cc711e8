//! What of an object is kept in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::Object;
use portway_api::core::ObjectMeta;

/// `kubectl apply` keeps a copy of the whole object here.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The entries of Secrets and ConfigMaps that references of the Gateway API can lead to.
const ENTRIES: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

/// Drops what nobody here reads.
pub(super) fn prune(object: &mut Object) {
    prune_metadata(object.metadata_mut());
    match object {
        Object::Secret(secret) => {
            let secret = Arc::make_mut(secret);
            keep_entries(&mut secret.data);
            secret.string_data = None;
        }
        Object::ConfigMap(map) => {
            let map = Arc::make_mut(map);
            keep_entries(&mut map.data);
            map.binary_data = None;
        }
        _ => {}
    }
}

fn prune_metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

fn keep_entries<T>(data: &mut Option<BTreeMap<String, T>>) {
    if let Some(data) = data {
        data.retain(|name, _| ENTRIES.contains(&name.as_str()));
    }
}
