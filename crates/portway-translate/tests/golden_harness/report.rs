//! What a golden test shows of a translation: all of it, as briefly as can be read.

use std::fmt::Display;

use portway_api::core::Condition;
use portway_api::listener::{ListenerStatus, RouteGroupKind};
use portway_api::object::ObjectRef;
use portway_config::Configuration;
use portway_translate::{Finding, Statuses, Translation};
use serde::Serialize;

/// Configurations, statuses and findings.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    configurations: Vec<&'a Configuration>,
    statuses: Vec<Status>,
    findings: Vec<String>,
}

/// The status of one object.
#[derive(Serialize)]
struct Status {
    object: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attached_listener_sets: Option<i32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listeners: Vec<Part>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parents: Vec<Part>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    supported_features: Vec<String>,
}

/// The part of a status that speaks of one listener, parent or ancestor.
#[derive(Serialize)]
struct Part {
    of: String,
    conditions: Vec<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(translation: &'a Translation) -> Self {
        Self {
            configurations: translation.configurations.values().collect(),
            statuses: statuses(&translation.statuses),
            findings: translation.findings.iter().map(finding).collect(),
        }
    }
}

fn status(object: impl Display, conditions: &[Condition]) -> Status {
    Status {
        object: object.to_string(),
        conditions: lines(conditions),
        addresses: Vec::new(),
        attached_listener_sets: None,
        listeners: Vec::new(),
        parents: Vec::new(),
        supported_features: Vec::new(),
    }
}

fn statuses(statuses: &Statuses) -> Vec<Status> {
    let classes = statuses.gateway_classes.iter().map(|(name, it)| Status {
        // Each class has the same features; a test of its own holds them.
        supported_features: vec![format!("{} features", it.supported_features.len())],
        ..status(ObjectRef::cluster("GatewayClass", name), &it.conditions)
    });
    let gateways = statuses.gateways.iter().map(|(key, it)| Status {
        addresses: it
            .addresses
            .iter()
            .map(|it| {
                let routability = it.routability.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
                format!("{} {}{routability}", it.kind.as_deref().unwrap_or_default(), it.value)
            })
            .collect(),
        attached_listener_sets: it.attached_listener_sets,
        listeners: it.listeners.iter().map(listener).collect(),
        ..status(ObjectRef::namespaced("Gateway", key), &it.conditions)
    });
    let sets = statuses.listener_sets.iter().map(|(key, it)| Status {
        listeners: it.listeners.iter().map(listener).collect(),
        ..status(ObjectRef::namespaced("ListenerSet", key), &it.conditions)
    });
    let routes = statuses.routes.iter().map(|((kind, key), it)| Status {
        parents: it
            .parents
            .iter()
            .map(|it| Part {
                of: format!("{} by {}", json(&it.parent_ref), it.controller_name),
                conditions: lines(&it.conditions),
            })
            .collect(),
        ..status(ObjectRef::namespaced(kind.as_str(), key), &[])
    });
    let policies = statuses.backend_tls_policies.iter().map(|(key, it)| Status {
        parents: it
            .ancestors
            .iter()
            .map(|it| Part {
                of: format!("{} by {}", json(&it.ancestor_ref), it.controller_name),
                conditions: lines(&it.conditions),
            })
            .collect(),
        ..status(ObjectRef::namespaced("BackendTLSPolicy", key), &[])
    });
    classes.chain(gateways).chain(sets).chain(routes).chain(policies).collect()
}

fn listener(it: &ListenerStatus) -> Part {
    let kinds: Vec<_> = it.supported_kinds.iter().map(kind).collect();
    Part {
        of: format!("{}: [{}], {} routes", it.name, kinds.join(", "), it.attached_routes),
        conditions: lines(&it.conditions),
    }
}

fn kind(it: &RouteGroupKind) -> &str {
    assert_eq!(it.group(), portway_api::resource::GATEWAY_GROUP);
    &it.kind
}

fn lines(conditions: &[Condition]) -> Vec<String> {
    conditions.iter().map(|it| format!("{} {} {}: {}", it.type_, it.status, it.reason, it.message)).collect()
}

fn finding(it: &Finding) -> String {
    let help = it.help.as_ref().map(|help| format!(" Help: {help}")).unwrap_or_default();
    format!("{} {}: {it}{help}", json(&it.severity), json(&it.code))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap().replace('"', "")
}
