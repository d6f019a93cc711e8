//! The document that `/status` answers with. `docs/command-line.md` describes it; its form is stable.

use jiff::Timestamp;
use portway_api::ObjectKey;
use portway_api::core::Condition;
use portway_api::listener::ListenerStatus;
use portway_api::object::ObjectRef;
use portway_api::reference::ParentReference;
use portway_translate::Statuses;
use serde::{Deserialize, Serialize};

use crate::agent_mode::{AnnouncedAddress, PolicyReport};
use crate::issue::Issue;
use crate::kernel_path::{KernelReport, ListenerPath};
use crate::live::RefusedFile;
use crate::standalone::Published;

/// What a running Portway says of every object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusDocument {
    /// Of Portway.
    pub(crate) version: String,
    /// Number of the configuration that is served; 0 before there is one.
    pub(crate) revision: u64,
    /// Since when it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    pub(crate) objects: Vec<ObjectStatus>,
    /// The way of each TCP and UDP listener, where the kernel may serve some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<ListenerPath>,
    /// What stands in the kernel, once it serves something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kernel: Option<KernelReport>,
    /// Addresses of Gateways, and the nodes that announce them; node agents tell of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) announced: Vec<AnnouncedAddress>,
    /// What network policies do on the node; node agents tell of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PolicyReport>,
    pub(crate) refused_files: Vec<RefusedFile>,
    /// Those of refused files are not among them.
    pub(crate) problems: Vec<Issue>,
}

/// The status of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ObjectStatus {
    pub(crate) object: ObjectRef,
    /// Of a Gateway, the addresses that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<PartStatus>,
}

/// The status of a part of an object, or of the object towards another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartStatus {
    pub(crate) role: Role,
    /// The listener's name, or the other object.
    pub(crate) name: String,
    /// Of a listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attached_routes: Option<i32>,
    pub(crate) conditions: Vec<Condition>,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// A listener of the object.
    Listener,
    /// What the route wants to attach to.
    Parent,
    /// The Gateway for which the policy is in effect.
    Ancestor,
}

impl StatusDocument {
    /// Of what is served, if anything is.
    pub(crate) fn of(
        published: Option<&Published>,
        paths: Vec<ListenerPath>,
        kernel: Option<KernelReport>,
        announced: Vec<AnnouncedAddress>,
        policy: Option<PolicyReport>,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: published.map_or(0, |it| it.revision.0),
            since: published.map(|it| it.since),
            objects: published.map(|it| objects(&it.statuses)).unwrap_or_default(),
            paths,
            kernel,
            announced,
            policy,
            refused_files: published.map(|it| it.refused.clone()).unwrap_or_default(),
            problems: published.map(|it| it.issues.clone()).unwrap_or_default(),
        }
    }

    /// Whether every object is as its author wants it.
    pub(crate) fn is_well(&self) -> bool {
        let of_part = |part: &PartStatus| part.conditions.iter().all(is_good);
        let of_object = |it: &ObjectStatus| it.conditions.iter().all(is_good) && it.parts.iter().all(of_part);
        self.refused_files.is_empty() && self.objects.iter().all(of_object)
    }
}

/// Types of conditions that are bad when they are true.
const ABNORMAL_WHEN_TRUE: &[&str] =
    &["Conflicted", "OverlappingTLSConfig", "PartiallyInvalid", "InsecureFrontendValidationMode"];

/// Whether a condition says that all is well.
pub(super) fn is_good(condition: &Condition) -> bool {
    let wanted = if ABNORMAL_WHEN_TRUE.contains(&condition.type_.as_str()) { "False" } else { "True" };
    condition.status == wanted
}

fn objects(statuses: &Statuses) -> Vec<ObjectStatus> {
    let classes = statuses.gateway_classes.iter().map(|(name, it)| {
        ObjectStatus::new(ObjectRef::cluster("GatewayClass", name), &it.conditions, Vec::new())
    });
    let gateways = statuses.gateways.iter().map(|(key, it)| ObjectStatus {
        addresses: it.addresses.iter().map(|address| address.value.clone()).collect(),
        ..ObjectStatus::new(ObjectRef::namespaced("Gateway", key), &it.conditions, listeners(&it.listeners))
    });
    let sets = statuses.listener_sets.iter().map(|(key, it)| {
        ObjectStatus::new(ObjectRef::namespaced("ListenerSet", key), &it.conditions, listeners(&it.listeners))
    });
    let routes = statuses.routes.iter().map(|((kind, key), it)| {
        let parents = it.parents.iter();
        let parts = parents.map(|it| PartStatus::other(Role::Parent, &it.parent_ref, key, &it.conditions));
        ObjectStatus::new(ObjectRef::namespaced(kind.as_str(), key), &[], parts.collect())
    });
    let policies = statuses.backend_tls_policies.iter().map(|(key, it)| {
        let ancestors = it.ancestors.iter();
        let parts =
            ancestors.map(|it| PartStatus::other(Role::Ancestor, &it.ancestor_ref, key, &it.conditions));
        ObjectStatus::new(ObjectRef::namespaced("BackendTLSPolicy", key), &[], parts.collect())
    });
    classes.chain(gateways).chain(sets).chain(routes).chain(policies).collect()
}

fn listeners(statuses: &[ListenerStatus]) -> Vec<PartStatus> {
    let part = |it: &ListenerStatus| PartStatus {
        role: Role::Listener,
        name: it.name.clone(),
        attached_routes: Some(it.attached_routes),
        conditions: it.conditions.clone(),
    };
    statuses.iter().map(part).collect()
}

impl ObjectStatus {
    fn new(object: ObjectRef, conditions: &[Condition], parts: Vec<PartStatus>) -> Self {
        Self { object, addresses: Vec::new(), conditions: conditions.to_vec(), parts }
    }
}

impl PartStatus {
    /// Towards another object, which `owner` refers to.
    fn other(role: Role, reference: &ParentReference, owner: &ObjectKey, conditions: &[Condition]) -> Self {
        let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
        let mut name = format!("{} {namespace}/{}", reference.kind(), reference.name);
        if let Some(section) = &reference.section_name {
            name.push_str(&format!(" listener {section}"));
        }
        if let Some(port) = reference.port {
            name.push_str(&format!(" port {port}"));
        }
        Self { role, name, attached_routes: None, conditions: conditions.to_vec() }
    }
}
