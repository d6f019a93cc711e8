//! From a configuration to what is served, and what of it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use portway_config::{Configuration, RouteKey};
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Refused, Transport};
use portway_proxy::tls::TlsRefused;
use portway_route::RefusedReason;
use portway_xds::client::RefusedByProxy;
use portway_xds::{Refusal, ResourceKey};

use crate::standalone::bindings::{self, transport};

/// A Gateway that is ready to be served.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) snapshot: Arc<GatewaySnapshot>,
    pub(super) refused: Vec<RefusedByProxy>,
}

/// Where to listen.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) bind: Vec<IpAddr>,
    /// Of the admin server.
    pub(super) admin_port: u16,
}

/// Compiles a configuration. A route with an expression that cannot be compiled keeps the version that it has in
/// `previous`, what is served now.
pub(super) fn compile(
    configuration: Arc<Configuration>,
    addresses: &Addresses,
    previous: Option<&Compiled>,
) -> Compiled {
    let (bindings, mut refused) = bindings_of(&configuration, addresses);
    let served = previous.map(|previous| &*previous.snapshot);
    let (mut snapshot, mut left_out) =
        GatewaySnapshot::build(Arc::clone(&configuration), bindings.clone(), served);

    let kept = last_good(&left_out, &configuration, previous);
    if !kept.is_empty() {
        let is_kept = |it: &Refused| faulty_route(it).is_some_and(|route| kept.contains_key(route));
        let messages = left_out.iter().filter(|it| is_kept(it)).map(|it| refusal(it, &configuration));
        refused.extend(messages.map(|refusal| RefusedByProxy { refusal, keeps_last_good: true }));
        let mut configuration = (*configuration).clone();
        configuration.routes.extend(kept);
        (snapshot, left_out) = GatewaySnapshot::build(Arc::new(configuration), bindings, served);
    }
    let left_out = left_out.iter().map(|it| refusal(it, &configuration));
    refused.extend(left_out.map(|refusal| RefusedByProxy { refusal, keeps_last_good: false }));
    Compiled { snapshot: Arc::new(snapshot), refused }
}

/// The sockets of a Gateway; and the listeners that can have none, since the admin server has their port.
fn bindings_of(configuration: &Configuration, addresses: &Addresses) -> (Vec<Binding>, Vec<RefusedByProxy>) {
    let plan = bindings::plan(&[(configuration, addresses.bind.clone())], 0);
    let admin_port = addresses.admin_port;
    let is_reserved = |it: &Binding| it.address.port() == admin_port && it.transport == Transport::Tcp;
    let (reserved, bindings): (Vec<_>, Vec<_>) =
        plan.of.into_values().flatten().partition(|binding| is_reserved(binding));
    let message = format!("the proxy's admin server has port {admin_port}; give the listener another port");
    let refused = reserved.first().map(|binding| of_listeners(configuration, binding, &message));
    (bindings, refused.unwrap_or_default())
}

/// Refuses the listeners that a socket is for.
pub(super) fn of_listeners(
    configuration: &Configuration,
    binding: &Binding,
    message: &str,
) -> Vec<RefusedByProxy> {
    let listeners = configuration.listeners.values().filter(|listener| {
        listener.port == binding.listener_port && transport(&listener.protocol) == binding.transport
    });
    let refuse = |listener: &Arc<portway_config::Listener>| RefusedByProxy {
        refusal: Refusal::new(ResourceKey::Listener(listener.key.clone()), message),
        keeps_last_good: false,
    };
    listeners.map(refuse).collect()
}

/// For each route that is at fault itself the version that is served, if that is a good one.
fn last_good(
    left_out: &[Refused],
    configuration: &Configuration,
    previous: Option<&Compiled>,
) -> BTreeMap<RouteKey, Arc<portway_config::Route>> {
    let Some(previous) = previous else { return BTreeMap::new() };
    let never_was_good: BTreeSet<_> =
        previous.refused.iter().filter(|it| !it.keeps_last_good).map(|it| &it.refusal.key).collect();
    let routes = left_out.iter().filter_map(faulty_route);
    let kept = routes.filter_map(|key| {
        let before = previous.snapshot.configuration.routes.get(key)?;
        let is_good = !never_was_good.contains(&ResourceKey::Route(key.clone()))
            && configuration.routes.get(key) != Some(before);
        is_good.then(|| (key.clone(), Arc::clone(before)))
    });
    kept.collect()
}

/// The route that is at fault by itself, whatever else there is.
fn faulty_route(refused: &Refused) -> Option<&RouteKey> {
    match refused {
        Refused::Routing(portway_route::Refused::Rule {
            route,
            reason: RefusedReason::Pattern { .. },
            ..
        }) => Some(route),
        _ => None,
    }
}

/// What is to be told of something that was left out: of a listener too, where what it refers to is not there.
fn refusal(refused: &Refused, configuration: &Configuration) -> Refusal {
    use portway_route::Refused as Routing;
    let key = match refused {
        Refused::Routing(Routing::Rule { route, .. } | Routing::Attachment { route, .. }) => {
            ResourceKey::Route(route.clone())
        }
        Refused::Routing(Routing::Listener { listener, .. }) => ResourceKey::Listener(listener.clone()),
        Refused::Tls(TlsRefused::Certificate { certificate, .. })
            if configuration.certificates.contains_key(certificate) =>
        {
            ResourceKey::Certificate(certificate.clone())
        }
        Refused::Tls(TlsRefused::Trust { trust, .. })
            if configuration.trust_bundles.contains_key(&trust.0) =>
        {
            ResourceKey::TrustBundle(trust.0.clone())
        }
        Refused::Tls(
            TlsRefused::Certificate { listener, .. }
            | TlsRefused::Trust { listener, .. }
            | TlsRefused::NoCertificate(listener),
        ) => ResourceKey::Listener(listener.clone()),
    };
    Refusal::new(key, refused.to_string())
}

#[cfg(test)]
mod tests;
