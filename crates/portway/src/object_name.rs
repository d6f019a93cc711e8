//! From the keys of a configuration back to the objects that they come from.

use portway_api::ObjectKey;
use portway_api::object::ObjectRef;
use portway_config::key::TrustKey;
use portway_config::{ListenerParent, NamespacedName, RouteKey};

/// A Gateway.
pub(crate) fn gateway(name: &NamespacedName) -> ObjectRef {
    ObjectRef::namespaced("Gateway", &key(name))
}

/// A route.
pub(crate) fn route(route: &RouteKey) -> ObjectRef {
    ObjectRef::namespaced(route.kind.as_str(), &key(&route.name))
}

/// The Gateway or ListenerSet that a listener belongs to.
pub(crate) fn listener_parent(parent: &ListenerParent) -> ObjectRef {
    match parent {
        ListenerParent::Gateway(name) => gateway(name),
        ListenerParent::ListenerSet(name) => ObjectRef::namespaced("ListenerSet", &key(name)),
    }
}

/// What trust anchors are read from.
pub(crate) fn trust(trust: &TrustKey) -> ObjectRef {
    match trust {
        TrustKey::ConfigMap(name) => ObjectRef::namespaced("ConfigMap", &key(name)),
        TrustKey::ClusterTrustBundle(name) => ObjectRef::cluster("ClusterTrustBundle", &**name),
    }
}

/// Namespace and name in the form that objects are found by.
pub(crate) fn key(name: &NamespacedName) -> ObjectKey {
    ObjectKey::new(&*name.namespace, &*name.name)
}
