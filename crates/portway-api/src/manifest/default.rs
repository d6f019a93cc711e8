//! What an API server fills in when it takes an object, so that an object means the same without one.
//!
//! The defaults of the Gateway API's own fields stand with the types.

use std::sync::Arc;

use k8s_openapi::ByteString;

use crate::{
    Object,
    core::{EndpointSlice, IntOrString, Namespace, Secret, Service},
    resource::DEFAULT_NAMESPACE,
};

/// The label that every namespace has, with its name for a value.
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The protocol of a port that names none.
const DEFAULT_PROTOCOL: &str = "TCP";

/// Fills in what the object leaves out.
pub(super) fn fill_in(object: &mut Object) {
    let is_cluster_scoped = object.is_cluster_scoped();
    let namespace = &mut object.metadata_mut().namespace;
    if is_cluster_scoped {
        *namespace = None;
    } else {
        namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
    }
    match object {
        Object::Namespace(it) => label_with_name(Arc::make_mut(it)),
        Object::Secret(it) => take_string_data(Arc::make_mut(it)),
        Object::Service(it) => complete_ports(Arc::make_mut(it)),
        Object::EndpointSlice(it) => complete_slice_ports(Arc::make_mut(it)),
        _ => {}
    }
}

fn label_with_name(namespace: &mut Namespace) {
    if let Some(name) = &namespace.metadata.name {
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert(NAMESPACE_NAME_LABEL.to_owned(), name.clone());
    }
}

/// `stringData` is for writing only: it becomes part of `data`, where it wins.
fn take_string_data(secret: &mut Secret) {
    if let Some(texts) = secret.string_data.take() {
        let data = secret.data.get_or_insert_default();
        data.extend(texts.into_iter().map(|(name, text)| (name, ByteString(text.into_bytes()))));
    }
}

fn complete_ports(service: &mut Service) {
    let Some(spec) = &mut service.spec else { return };
    for port in spec.ports.iter_mut().flatten() {
        port.protocol.get_or_insert_with(|| DEFAULT_PROTOCOL.to_owned());
        port.target_port.get_or_insert(IntOrString::Int(port.port));
    }
}

fn complete_slice_ports(slice: &mut EndpointSlice) {
    for port in slice.ports.iter_mut().flatten() {
        port.protocol.get_or_insert_with(|| DEFAULT_PROTOCOL.to_owned());
        port.name.get_or_insert_default();
    }
}
