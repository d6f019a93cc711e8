//! What the proxies of each Gateway have made of its configuration, told in the statuses.
//!
//! A status says what is served, so it waits for the proxies: while one that is ready has not answered, everything that
//! is said of its Gateway and of the routes there is held back; after [`crate::limits::PATIENCE`] the Gateway says that it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::ObjectKey;
use portway_api::core::{Condition, Time};
use portway_api::listener::ListenerStatus;
use portway_api::object::ObjectRef;
use portway_config::{
    Configuration, ListenerKey, ListenerParent, NamespacedName, Revision, RouteKey, RouteKind,
};
use portway_translate::Statuses;
use portway_translate::backend::EndpointsIndex;
use portway_translate::reason::{ConditionType, Reason};
use portway_xds::publisher::GatewayAcknowledgements;
use portway_xds::{Acknowledgements, ResourceKey};

/// Where the proxies of a Gateway stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// None is ready.
    Absent,
    /// Of all that are ready, these have not answered to the newest configuration.
    Behind {
        /// Names of pods.
        pods: Vec<String>,
        /// How many are ready.
        ready: usize,
    },
    /// All that are ready have.
    Current,
}

/// Where the proxies stand that are ready.
pub(crate) fn standing(
    ready: &[String],
    revision: Revision,
    acknowledgements: Option<&GatewayAcknowledgements>,
) -> Standing {
    if ready.is_empty() {
        return Standing::Absent;
    }
    let has_reached =
        |pod: &&String| acknowledgements.is_some_and(|it| it.have_reached(revision, [pod.as_str()]));
    let pods: Vec<_> = ready.iter().filter(|pod| !has_reached(pod)).cloned().collect();
    if pods.is_empty() { Standing::Current } else { Standing::Behind { pods, ready: ready.len() } }
}

/// The pods that are ready behind a Service, by its EndpointSlices.
pub(crate) fn ready_pods(index: &EndpointsIndex, service: &ObjectKey) -> Vec<String> {
    let endpoints = index.slices(service).flat_map(|slice| slice.endpoints.iter().flatten());
    let ready = endpoints.filter(|it| it.conditions.as_ref().and_then(|it| it.ready) != Some(false));
    let pods: BTreeSet<_> = ready.filter_map(|it| it.target_ref.as_ref()?.name.clone()).collect();
    pods.into_iter().collect()
}

/// Brings the proxies' side into the statuses of one Gateway and of all that hangs on it.
pub(crate) struct Telling<'a> {
    pub(crate) statuses: &'a mut Statuses,
    pub(crate) configuration: &'a Configuration,
    pub(crate) acknowledgements: Option<&'a GatewayAcknowledgements>,
    pub(crate) now: Timestamp,
}

impl Telling<'_> {
    /// Tells where the proxies stand, which resources they refuse, and what stands in the way of provisioning.
    pub(crate) fn tell(&mut self, standing: &Standing, fault: Option<&str>) {
        if let Some(fault) = fault {
            self.pend(Reason::NoResources, fault);
        }
        match standing {
            Standing::Current => {}
            Standing::Absent => self.pend(Reason::Pending, "No proxy of the Gateway is ready yet."),
            Standing::Behind { pods, ready } => {
                let message = format!(
                    "{} of {ready} proxies have not taken the newest configuration yet: {}.",
                    pods.len(),
                    pods.join(", ")
                );
                self.pend(Reason::Pending, &message);
            }
        }
        self.tell_refusals();
    }

    /// Nothing of the Gateway is programmed yet.
    fn pend(&mut self, reason: Reason, message: &str) {
        let (kind, now) = (ConditionType::Programmed, self.now);
        if let Some(status) = self.statuses.gateways.get_mut(&key(&self.configuration.gateway)) {
            fail(&mut status.conditions, kind, reason, message, now);
            for listener in &mut status.listeners {
                fail(&mut listener.conditions, kind, reason, message, now);
            }
        }
        for set in listener_sets(self.configuration) {
            if let Some(status) = self.statuses.listener_sets.get_mut(&set) {
                fail(&mut status.conditions, kind, reason, message, now);
                for listener in &mut status.listeners {
                    fail(&mut listener.conditions, kind, reason, message, now);
                }
            }
        }
    }

    fn tell_refusals(&mut self) {
        let proxies = self.acknowledgements.into_iter().flat_map(|it| &it.proxies);
        let mut refusals = BTreeMap::<&ResourceKey, (String, usize)>::new();
        for (pod, proxy) in proxies {
            for (key, refused) in &proxy.refused {
                let refusal = refusals
                    .entry(key)
                    .or_insert_with(|| (format!("Proxy {pod} refuses it: {}", refused.message), 0));
                refusal.1 += 1;
            }
        }
        for (resource, (message, _)) in refusals {
            match resource {
                ResourceKey::Listener(listener) => self.refuse_listener(listener, &message),
                ResourceKey::Route(route) => self.refuse_route(route, &message),
                // See `refusals_without_status`.
                _ => {}
            }
        }
    }

    fn refuse_listener(&mut self, listener: &ListenerKey, message: &str) {
        let now = self.now;
        let status = self.listener_status(listener);
        if let Some(status) = status {
            fail(&mut status.conditions, ConditionType::Programmed, Reason::Invalid, message, now);
        }
        let is_all = self.configuration.listeners.keys().all(|key| {
            self.acknowledgements
                .is_some_and(|it| it.refusals(&ResourceKey::Listener(key.clone())).next().is_some())
        });
        if is_all && let Some(status) = self.statuses.gateways.get_mut(&key(&self.configuration.gateway)) {
            fail(&mut status.conditions, ConditionType::Programmed, Reason::Invalid, message, now);
        }
    }

    fn refuse_route(&mut self, route: &RouteKey, message: &str) {
        let status = self.statuses.routes.get_mut(&(route.kind, key(&route.name)));
        for parent in status.into_iter().flat_map(|it| &mut Arc::make_mut(it).parents) {
            fail(
                &mut parent.conditions,
                ConditionType::Accepted,
                Reason::UnsupportedValue,
                message,
                self.now,
            );
        }
    }

    /// Tells that a listener is not programmed; if it is not anyway, for a better reason.
    pub(super) fn fail_listener(&mut self, listener: &ListenerKey, reason: Reason, message: &str) {
        let now = self.now;
        if let Some(status) = self.listener_status(listener) {
            fail(&mut status.conditions, ConditionType::Programmed, reason, message, now);
        }
    }

    /// Adds to what is told of a listener that is programmed.
    pub(super) fn add_to_listener(&mut self, listener: &ListenerKey, message: &str) {
        let Some(status) = self.listener_status(listener) else { return };
        let is_meant =
            |it: &&mut Condition| it.type_ == ConditionType::Programmed.as_str() && it.status == "True";
        if let Some(condition) = status.conditions.iter_mut().find(is_meant) {
            condition.message = format!("{} {message}", condition.message).trim().to_owned();
        }
    }

    fn listener_status(&mut self, listener: &ListenerKey) -> Option<&mut ListenerStatus> {
        let listeners = match &listener.parent {
            ListenerParent::Gateway(name) => &mut self.statuses.gateways.get_mut(&key(name))?.listeners,
            ListenerParent::ListenerSet(name) => {
                &mut self.statuses.listener_sets.get_mut(&key(name))?.listeners
            }
        };
        listeners.iter_mut().find(|it| *it.name == *listener.name)
    }
}

/// What proxies refuse that has no status of its own, such as a backend: whatever depends on it fails closed, or serves on as
/// it was. Each resource with a reason once, however many proxies there are.
pub(crate) fn refusals_without_status(acknowledgements: &Acknowledgements) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (gateway, of_gateway) in &acknowledgements.gateways {
        for (key, refused) in of_gateway.proxies.values().flat_map(|it| &it.refused) {
            if !matches!(key, ResourceKey::Listener(_) | ResourceKey::Route(_)) {
                lines.insert(format!("Gateway {gateway}: its proxies refuse {key}: {}", refused.message));
            }
        }
    }
    lines
}

/// Whether the status of an object waits for the proxies of a Gateway.
pub(crate) fn waits(configuration: &Configuration, object: &ObjectRef) -> bool {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let name = NamespacedName::new(namespace, object.name.as_str());
    match object.kind.as_str() {
        "Gateway" => configuration.gateway == name,
        "ListenerSet" => listener_sets(configuration).contains(&key(&name)),
        kind => {
            let kind = RouteKind::ALL.into_iter().find(|it| it.as_str() == kind);
            kind.is_some_and(|kind| configuration.routes.contains_key(&RouteKey { kind, name }))
        }
    }
}

fn listener_sets(configuration: &Configuration) -> BTreeSet<ObjectKey> {
    let sets = configuration.listeners.keys().filter_map(|listener| match &listener.parent {
        ListenerParent::ListenerSet(name) => Some(key(name)),
        ListenerParent::Gateway(_) => None,
    });
    sets.collect()
}

/// Sets a condition that is true to false. One that is false already has a better reason.
fn fail(conditions: &mut [Condition], kind: ConditionType, reason: Reason, message: &str, now: Timestamp) {
    let condition = conditions.iter_mut().find(|it| it.type_ == kind.as_str() && it.status == "True");
    if let Some(condition) = condition {
        condition.last_transition_time = Time(now);
        condition.status = "False".to_owned();
        condition.reason = reason.as_str().to_owned();
        condition.message = message.to_owned();
    }
}

/// The key of the API objects.
pub(crate) fn key(name: &NamespacedName) -> ObjectKey {
    ObjectKey::new(&*name.namespace, &*name.name)
}

#[cfg(test)]
mod tests {
    use portway_config::EndpointsKey;
    use portway_config::Transport;
    use portway_xds::publisher::{ProxyAcknowledgement, RefusedResource};

    use super::*;

    #[test]
    fn what_has_no_status_is_told_once_for_all_proxies() {
        let service = NamespacedName::new("apps", "web");
        let endpoints = ResourceKey::Endpoints(EndpointsKey { service, port: 80, transport: Transport::Tcp });
        let name = NamespacedName::new("apps", "web");
        let route = ResourceKey::Route(RouteKey { kind: RouteKind::Http, name });
        let why = RefusedResource { message: "no".to_owned(), since: Timestamp::UNIX_EPOCH };
        let proxy = ProxyAcknowledgement {
            connected: Timestamp::UNIX_EPOCH,
            sent: None,
            acknowledged: None,
            refused: [(endpoints, why.clone()), (route, why)].into(),
        };
        let proxies = [("a".into(), proxy.clone()), ("b".into(), proxy)].into();
        let of_gateway = Arc::new(GatewayAcknowledgements { revision: None, proxies });
        let gateways = [(NamespacedName::new("infra", "edge"), of_gateway)].into();
        let told = refusals_without_status(&Acknowledgements { gateways });
        let line = "Gateway infra/edge: its proxies refuse endpoints of apps/web:80: no".to_owned();
        assert_eq!(told, [line].into());
    }
}
