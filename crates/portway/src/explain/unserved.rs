//! What would perhaps have served the request, had it been served: listeners of its port and routes that are not accepted,
//! with the conditions that say why.

use std::collections::BTreeSet;

use portway_api::listener::{ListenerStatus, ProtocolType};
use portway_api::manifest::FieldPath;
use portway_api::object::ObjectRef;
use portway_config::{Configuration, ListenerProtocol};

use super::report::{Place, Reason};
use super::request::ExplainedRequest;
use crate::offline::Offline;

/// The listeners of this port that the configurations have not, in the order of their Gateways and ListenerSets.
pub(super) fn listeners(offline: &Offline, request: &ExplainedRequest) -> Vec<Reason> {
    let (port, is_udp) = (request.port, request.stream() == Some(ListenerProtocol::Udp));
    let statuses = &offline.translation.statuses;
    let of_gateways = offline.snapshot.gateways.iter().map(|(key, gateway)| {
        let status = statuses.gateways.get(key).map(|it| it.listeners.as_slice());
        (ObjectRef::namespaced("Gateway", key), gateway.spec.listeners.as_slice(), status)
    });
    let of_sets = offline.snapshot.listener_sets.iter().map(|(key, set)| {
        let status = statuses.listener_sets.get(key).map(|it| it.listeners.as_slice());
        (ObjectRef::namespaced("ListenerSet", key), set.spec.listeners.as_slice(), status)
    });
    let served = served(offline.translation.configurations.values());
    let mut unserved = Vec::new();
    for (owner, listeners, status) in of_gateways.chain(of_sets) {
        for (index, listener) in listeners.iter().enumerate() {
            let is_of_port =
                listener.port == i32::from(port) && (listener.protocol == ProtocolType::Udp) == is_udp;
            if !is_of_port || served.contains(&(owner.clone(), listener.name.clone())) {
                continue;
            }
            let field = FieldPath::root().child("spec").child("listeners").child(index);
            let name = format!("listener {} of {owner}", listener.name);
            let place = Place { name, position: offline.origins.position(&owner, &field) };
            let status = status.into_iter().flatten().find(|it| it.name == listener.name);
            unserved.push(Reason { place, reason: why_not(status) });
        }
    }
    unserved
}

fn served<'c>(configurations: impl Iterator<Item = &'c Configuration>) -> BTreeSet<(ObjectRef, String)> {
    let listeners = configurations.flat_map(|it| it.listeners.keys());
    listeners.map(|key| (crate::object_name::listener_parent(&key.parent), key.name.to_string())).collect()
}

fn why_not(status: Option<&ListenerStatus>) -> String {
    let Some(status) = status else {
        return "nobody serves its Gateway, or the Gateway does not let it in".to_owned();
    };
    let is_failing =
        |type_: &str, status: &str| status == if type_ == "Conflicted" { "True" } else { "False" };
    let failing = |type_: &str| {
        let condition = status.conditions.iter().find(|it| it.type_ == type_);
        condition.filter(|it| is_failing(type_, &it.status))
    };
    // The cause before what follows of it.
    let why = ["Conflicted", "Accepted", "ResolvedRefs", "Programmed"].into_iter().find_map(failing);
    why.map_or_else(
        || "its Gateway is not served; see its conditions".to_owned(),
        |it| format!("{} is {}, {}: {}", it.type_, it.status, it.reason, it.message),
    )
}

/// The routes that some parent does not accept, but for those that are told of already as not attached.
pub(super) fn routes(offline: &Offline) -> Vec<Reason> {
    let told: BTreeSet<_> = offline
        .issues
        .iter()
        .filter(|issue| issue.code == "route-not-attached")
        .filter_map(|issue| issue.object.as_deref())
        .collect();
    let mut unserved = Vec::new();
    for ((kind, key), status) in &offline.translation.statuses.routes {
        let object = ObjectRef::namespaced(kind.as_str(), key);
        if told.contains(object.to_string().as_str()) {
            continue;
        }
        let conditions = status.parents.iter().flat_map(|parent| &parent.conditions);
        let failing = conditions.filter(|it| {
            (it.type_ == "Accepted" && it.status == "False")
                || (it.type_ == "PartiallyInvalid" && it.status == "True")
        });
        let reasons: BTreeSet<_> = failing
            .map(|it| format!("{} is {}, {}: {}", it.type_, it.status, it.reason, it.message))
            .collect();
        let place = Place { name: object.to_string(), position: offline.origins.start(&object) };
        unserved.extend(reasons.into_iter().map(|reason| Reason { place: place.clone(), reason }));
    }
    unserved
}
