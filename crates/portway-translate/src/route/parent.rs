//! Which of our Gateways and ListenerSets a `parentRef` names, and which of their listeners.

use std::collections::BTreeMap;

use portway_api::object::ObjectRef;
use portway_api::reference::ParentReference;
use portway_api::resource::GATEWAY_GROUP;
use portway_api::route::DefaultScope;
use portway_api::{ObjectKey, Snapshot};

use crate::listener::{GatewayView, ListenerView, Owner};

/// Kind of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ParentKind {
    Gateway,
    ListenerSet,
}

/// Gateways and ListenerSets that are ours, for looking up by reference.
#[derive(Debug)]
pub(crate) struct Parents<'a> {
    by_key: BTreeMap<(ParentKind, ObjectKey), Parent<'a>>,
    /// Gateways that take routes which want a default Gateway (GEP-3793).
    defaults: Vec<ObjectKey>,
}

/// A Gateway or ListenerSet that is ours.
#[derive(Clone, Debug)]
pub(crate) struct Parent<'a> {
    /// Kind and name.
    pub(crate) object: ObjectRef,
    /// The Gateway.
    pub(crate) gateway: ObjectKey,
    /// Name of the controller that is responsible for it.
    pub(crate) controller: &'a str,
    /// Whether the Gateway is served at all.
    pub(crate) accepted: bool,
    /// Indices of its listeners in the Gateway's view.
    pub(crate) listeners: Vec<usize>,
}

impl<'a> Parents<'a> {
    /// Of all Gateways that are ours. A ListenerSet that its Gateway does not allow has no listeners.
    pub(crate) fn new(snapshot: &'a Snapshot, gateways: &BTreeMap<ObjectKey, GatewayView<'a>>) -> Self {
        let mut by_key = BTreeMap::new();
        let mut defaults = Vec::new();
        for (key, view) in gateways {
            let object = ObjectRef::of(view.gateway);
            by_key.insert((ParentKind::Gateway, key.clone()), parent(object, key, view));
            if view.gateway.spec.default_scope == Some(DefaultScope::All) {
                defaults.push(key.clone());
            }
        }
        for (key, set) in &snapshot.listener_sets {
            let parent_ref = &set.spec.parent_ref;
            let namespace = parent_ref.namespace.as_deref().unwrap_or(set.namespace());
            let gateway = ObjectKey::new(namespace, parent_ref.name.as_str());
            let is_gateway = parent_ref.group() == GATEWAY_GROUP && parent_ref.kind() == "Gateway";
            if let Some(view) = gateways.get(&gateway).filter(|_| is_gateway) {
                let object = ObjectRef::of(&**set);
                by_key.insert((ParentKind::ListenerSet, key.clone()), parent(object, &gateway, view));
            }
        }
        for (gateway, view) in gateways {
            for (index, listener) in view.listeners.iter().enumerate() {
                let owner = match listener.owner {
                    Owner::Gateway(_) => (ParentKind::Gateway, gateway.clone()),
                    Owner::ListenerSet(set) => (ParentKind::ListenerSet, set.key()),
                };
                if let Some(parent) = by_key.get_mut(&owner) {
                    parent.listeners.push(index);
                }
            }
        }
        Self { by_key, defaults }
    }

    /// The parent that a reference from a route in `namespace` names, if it is ours.
    pub(crate) fn get(&self, reference: &ParentReference, namespace: &str) -> Option<&Parent<'a>> {
        let kind = kind(reference)?;
        let namespace = reference.namespace.as_deref().unwrap_or(namespace);
        self.by_key.get(&(kind, ObjectKey::new(namespace, reference.name.as_str())))
    }

    /// References to the default Gateways that a route in `namespace` with these references names not yet.
    pub(crate) fn defaults(&self, named: &[ParentReference], namespace: &str) -> Vec<ParentReference> {
        let is_named = |key: &&ObjectKey| {
            named.iter().any(|it| {
                kind(it) == Some(ParentKind::Gateway)
                    && it.name == key.name
                    && it.namespace.as_deref().unwrap_or(namespace) == key.namespace
                    && it.section_name.is_none()
                    && it.port.is_none()
            })
        };
        let missing = self.defaults.iter().filter(|key| !is_named(key));
        missing.map(reference_to_gateway).collect()
    }
}

fn parent<'a>(object: ObjectRef, gateway: &ObjectKey, view: &GatewayView<'a>) -> Parent<'a> {
    Parent {
        object,
        gateway: gateway.clone(),
        controller: &view.class.spec.controller_name,
        accepted: view.accepted,
        listeners: Vec::new(),
    }
}

/// None for kinds that are not ours to serve, such as a Service (mesh).
fn kind(reference: &ParentReference) -> Option<ParentKind> {
    match (reference.group(), reference.kind()) {
        (GATEWAY_GROUP, "Gateway") => Some(ParentKind::Gateway),
        (GATEWAY_GROUP, "ListenerSet") => Some(ParentKind::ListenerSet),
        _ => None,
    }
}

/// A Gateway, as a status names it.
pub(crate) fn reference_to_gateway(key: &ObjectKey) -> ParentReference {
    ParentReference {
        group: Some(GATEWAY_GROUP.to_owned()),
        kind: Some("Gateway".to_owned()),
        namespace: Some(key.namespace.clone()),
        name: key.name.clone(),
        section_name: None,
        port: None,
    }
}

/// Whether `reference` means this listener of its parent.
pub(crate) fn selects(reference: &ParentReference, listener: &ListenerView<'_>) -> bool {
    let section = reference.section_name.as_deref().filter(|name| !name.is_empty());
    section.is_none_or(|name| name == &**listener.name())
        && reference.port.is_none_or(|port| port == listener.spec.port)
}
