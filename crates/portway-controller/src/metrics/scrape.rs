//! What is looked up when somebody asks for metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use portway_api::Snapshot;
use portway_xds::publisher::{GatewayAcknowledgements, Traffic};
use portway_xds::{Acknowledgements, Publisher, ResourceType};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;

use super::label::{GatewayState, Kind, Outcome, Type};
use super::{Gauges, MAX_GATEWAY_SERIES, StreamCounters};
use crate::watch::Store;

/// Where it is looked up.
#[derive(Clone, Debug)]
pub struct Sources {
    pub(crate) store: Arc<Store>,
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) publisher: Publisher,
}

/// What the connected proxies of a Gateway have taken.
#[derive(Clone, Copy, Debug, Default)]
struct Proxies {
    /// The newest configuration.
    current: i64,
    /// An older one, or none yet.
    behind: i64,
}

impl Sources {
    pub(super) fn look_up(&self, gauges: &Gauges, stream: &StreamCounters) {
        gauges.leader.set(i64::from(*self.leads.borrow()));
        for (kind, count) in objects(&self.store.snapshot()) {
            gauges.objects.get_or_create(&Kind { kind }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        look_at_proxies(&self.publisher.acknowledgements().borrow(), gauges);
        look_at_traffic(self.publisher.traffic(), stream);
    }
}

pub(super) fn look_at_proxies(acknowledgements: &Acknowledgements, gauges: &Gauges) {
    let mut by_gateway = BTreeMap::<String, Proxies>::new();
    let mut refused = BTreeMap::<ResourceType, i64>::new();
    for (name, of_gateway) in &acknowledgements.gateways {
        let is_own = by_gateway.len() < MAX_GATEWAY_SERIES;
        let proxies = by_gateway.entry(if is_own { name.to_string() } else { "_other".to_owned() });
        proxies.or_default().add(of_gateway);
        for key in of_gateway.proxies.values().flat_map(|it| it.refused.keys()) {
            *refused.entry(key.resource_type()).or_default() += 1;
        }
    }
    // A Gateway that is gone has no series any more.
    gauges.proxies.clear();
    for (gateway, Proxies { current, behind }) in by_gateway {
        for (state, count) in [("current", current), ("behind", behind)] {
            gauges.proxies.get_or_create(&GatewayState { gateway: gateway.clone(), state }).set(count);
        }
    }
    for kind in ResourceType::ALL {
        let count = refused.get(&kind).copied().unwrap_or_default();
        gauges.refused_resources.get_or_create(&resource(kind)).set(count);
    }
}

fn look_at_traffic(traffic: &Traffic, stream: &StreamCounters) {
    let set = |counter: &Counter, value: u64| counter.inner().store(value, Ordering::Relaxed);
    set(&stream.streams.get_or_create(&Outcome { outcome: "admitted" }), traffic.admitted());
    set(&stream.streams.get_or_create(&Outcome { outcome: "turned_away" }), traffic.turned_away());
    for kind in ResourceType::ALL {
        let (label, sent) = (resource(kind), traffic.of(kind));
        set(&stream.resources.get_or_create(&label), sent.resources);
        set(&stream.bytes.get_or_create(&label), sent.bytes);
        set(&stream.nacks.get_or_create(&label), sent.nacks);
    }
}

impl Proxies {
    fn add(&mut self, of_gateway: &GatewayAcknowledgements) {
        for proxy in of_gateway.proxies.values() {
            let is_current = of_gateway.revision.is_none_or(|it| proxy.has_reached(it));
            *(if is_current { &mut self.current } else { &mut self.behind }) += 1;
        }
    }
}

fn resource(kind: ResourceType) -> Type {
    Type { resource: format!("{kind:?}") }
}

/// How many objects there are of the kinds that people write for a Gateway.
fn objects(snapshot: &Snapshot) -> [(&'static str, usize); 12] {
    [
        ("GatewayClass", snapshot.gateway_classes.len()),
        ("Gateway", snapshot.gateways.len()),
        ("ListenerSet", snapshot.listener_sets.len()),
        ("HTTPRoute", snapshot.http_routes.len()),
        ("GRPCRoute", snapshot.grpc_routes.len()),
        ("TLSRoute", snapshot.tls_routes.len()),
        ("TCPRoute", snapshot.tcp_routes.len()),
        ("UDPRoute", snapshot.udp_routes.len()),
        ("ReferenceGrant", snapshot.reference_grants.len()),
        ("BackendTLSPolicy", snapshot.backend_tls_policies.len()),
        ("PortwayParameters", snapshot.portway_parameters.len()),
        ("AddressPool", snapshot.address_pools.len()),
    ]
}
