//! From what is to be served to changes of the maps: which ids things have, and which endpoints drain. Pure; the clock
//! is the caller's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::layout::{
    self, ENDPOINT_REFUSE, MAGLEV_SLOTS, SERVICE_BESIDE_PROXY, SERVICE_SOURCE_AFFINITY, ServiceKey,
};
use crate::maglev::{self, Member};
use crate::service::{Backend, Endpoint, Service, ServiceAddress, Services, Transport};

/// The weight of one unit of a backend, so that it can be parted among its endpoints without rounding mattering.
const UNIT: u64 = 1 << 24;

/// A change of one entry of a map. They are made in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change {
    PutEndpoint { id: u32, endpoint: layout::Endpoint },
    PutCounters { service: u32 },
    PutTable { service: u32, table: Vec<u32> },
    PutService { key: ServiceKey, service: layout::Service },
    RemoveService { key: ServiceKey },
    RemoveTable { service: u32 },
    RemoveCounters { service: u32 },
    RemoveEndpoint { id: u32 },
}

/// What stands in the maps.
#[derive(Clone, Debug)]
pub struct Balancer {
    services: BTreeMap<ServiceAddress, Assigned>,
    endpoints: BTreeMap<EndpointKey, AssignedEndpoint>,
    last_service: u32,
    last_endpoint: u32,
    /// How long the flows of an endpoint that has left may go on.
    drain: Duration,
}

/// What makes an endpoint another one, whose flows are not those of the first: the service, where it is, and the node that
/// packets for it are left to. So flows stay with the way that they began by.
type EndpointKey = (u32, SocketAddr, Option<IpAddr>);

#[derive(Clone, Debug)]
struct Assigned {
    id: u32,
    service: Service,
    /// Whether the table is of this service; not so if it was found in the maps.
    is_known: bool,
}

#[derive(Clone, Debug)]
struct AssignedEndpoint {
    id: u32,
    flags: u16,
    source: Option<IpAddr>,
    gateway: u32,
    /// When it left, by the caller's clock.
    left: Option<Duration>,
}

impl Balancer {
    /// Nothing is served yet. The flows of an endpoint that leaves may go on for `drain`.
    pub fn new(drain: Duration) -> Self {
        Self {
            services: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            last_service: 0,
            last_endpoint: ENDPOINT_REFUSE,
            drain,
        }
    }

    /// Goes on from what stands in the maps: ids are kept, so flows are, and what is not wanted any more drains.
    pub fn resume(
        drain: Duration,
        services: &[(ServiceKey, layout::Service)],
        endpoints: &[(u32, layout::Endpoint)],
    ) -> Self {
        let mut balancer = Self::new(drain);
        for (key, service) in services {
            let Some(address) = address(key) else {
                continue;
            };
            balancer.last_service = balancer.last_service.max(service.id);
            // Without backends: its table is made anew when it is served.
            let before = Service {
                backends: Vec::new(),
                source_affinity: service.flags & SERVICE_SOURCE_AFFINITY != 0,
                beside_proxy: service.flags & SERVICE_BESIDE_PROXY != 0,
                gateway: 0,
            };
            let assigned = Assigned { id: service.id, service: before, is_known: false };
            balancer.services.insert(address, assigned);
        }
        for (id, endpoint) in endpoints {
            balancer.last_endpoint = balancer.last_endpoint.max(*id);
            balancer.last_service = balancer.last_service.max(endpoint.service);
            let address = SocketAddr::new(endpoint.address.into(), endpoint.port.into());
            let given = |it: layout::Address| (it != layout::Address::default()).then(|| it.into());
            let (source, node) = (given(endpoint.source), given(endpoint.node));
            // As if it had left just now: those that are wanted come back at once.
            let assigned = AssignedEndpoint {
                id: *id,
                flags: endpoint.flags,
                source,
                gateway: endpoint.gateway,
                left: Some(Duration::ZERO),
            };
            balancer.endpoints.insert((endpoint.service, address, node), assigned);
        }
        balancer
    }

    /// The id of a listener's service, which names its counters.
    pub fn id(&self, address: &ServiceAddress) -> Option<u32> {
        Some(self.services.get(address)?.id)
    }

    /// Endpoints that drain.
    pub fn draining(&self) -> usize {
        self.endpoints.values().filter(|it| it.left.is_some()).count()
    }

    /// The changes that lead to `wanted`. `now` is of a clock that never goes back.
    pub fn serve(&mut self, wanted: &Services, now: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        for (address, service) in wanted {
            self.serve_one(*address, service, now, &mut changes);
        }
        let gone: Vec<_> = self.services.keys().filter(|it| !wanted.contains_key(*it)).copied().collect();
        for address in gone {
            let Some(Assigned { id, .. }) = self.services.remove(&address) else {
                continue;
            };
            self.leave(id, &[], now);
            changes.push(Change::RemoveService { key: key(&address) });
            changes.push(Change::RemoveTable { service: id });
            changes.push(Change::RemoveCounters { service: id });
        }
        changes.extend(self.expire(now));
        changes
    }

    /// Ends the time of endpoints that left long enough ago.
    pub fn expire(&mut self, now: Duration) -> Vec<Change> {
        let drain = self.drain;
        let over = |it: &AssignedEndpoint| it.left.is_some_and(|left| now.saturating_sub(left) >= drain);
        let mut changes = Vec::new();
        self.endpoints.retain(|_, it| {
            let is_over = over(it);
            if is_over {
                changes.push(Change::RemoveEndpoint { id: it.id });
            }
            !is_over
        });
        changes
    }

    /// When [`expire`](Self::expire) next has something to do.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.endpoints.values().filter_map(|it| Some(it.left? + self.drain)).min()
    }

    fn serve_one(
        &mut self,
        address: ServiceAddress,
        service: &Service,
        now: Duration,
        changes: &mut Vec<Change>,
    ) {
        let before = self.services.get(&address);
        if before.is_some_and(|before| before.is_known && before.service == *service) {
            return;
        }
        // One that was found may be of a former layout, and not stand in the map yet.
        let had_flags = before.filter(|it| it.is_known).map(|it| flags(&it.service));
        let is_new = before.is_none();
        let id = before.map_or_else(
            || {
                self.last_service += 1;
                self.last_service
            },
            |it| it.id,
        );
        let members = self.join(id, &address, service, changes);
        if is_new {
            changes.push(Change::PutCounters { service: id });
        }
        let table = maglev::table(&members, MAGLEV_SLOTS, ENDPOINT_REFUSE);
        changes.push(Change::PutTable { service: id, table });
        if had_flags != Some(flags(service)) {
            let value = layout::Service { id, flags: flags(service) };
            changes.push(Change::PutService { key: key(&address), service: value });
        }
        let stay: Vec<_> = members.iter().map(|it| it.value).collect();
        self.leave(id, &stay, now);
        self.services.insert(address, Assigned { id, service: service.clone(), is_known: true });
    }

    /// Gives every endpoint of a service its id, and returns who shares its table.
    fn join(
        &mut self,
        id: u32,
        address: &ServiceAddress,
        service: &Service,
        changes: &mut Vec<Change>,
    ) -> Vec<Member> {
        let mut members = Vec::new();
        let mut refused = 0;
        for Backend { weight, endpoints } in service.backends.iter().filter(|it| it.weight > 0) {
            let weight = u64::from(*weight) * UNIT;
            let reachable: Vec<_> =
                endpoints.iter().filter(|it| it.address.is_ipv4() == address.address.is_ipv4()).collect();
            if reachable.is_empty() {
                refused += weight;
            }
            for endpoint in &reachable {
                let value = self.endpoint(id, endpoint, service.gateway, changes);
                let key = key_of(endpoint.address);
                members.push(Member { value, key, weight: weight / reachable.len() as u64 });
            }
        }
        if refused > 0 {
            members.push(Member { value: ENDPOINT_REFUSE, key: 0, weight: refused });
        }
        members
    }

    fn endpoint(
        &mut self,
        service: u32,
        endpoint: &Endpoint,
        gateway: u32,
        changes: &mut Vec<Change>,
    ) -> u32 {
        let Endpoint { address, reach, source } = *endpoint;
        let flags = reach.flags();
        let last = &mut self.last_endpoint;
        let mut is_new = false;
        let assigned = self.endpoints.entry((service, address, reach.node())).or_insert_with(|| {
            *last += 1;
            is_new = true;
            AssignedEndpoint { id: *last, flags, source, gateway, left: None }
        });
        assigned.left = None;
        let is_other = (assigned.flags, assigned.source, assigned.gateway) != (flags, source, gateway);
        if is_new || is_other {
            (assigned.flags, assigned.source, assigned.gateway) = (flags, source, gateway);
            let endpoint = layout::Endpoint {
                address: address.ip().into(),
                port: address.port().into(),
                flags,
                service,
                source: source.map(Into::into).unwrap_or_default(),
                node: reach.node().map(Into::into).unwrap_or_default(),
                gateway,
            };
            changes.push(Change::PutEndpoint { id: assigned.id, endpoint });
        }
        assigned.id
    }

    /// Lets the endpoints of a service drain that are not among `stay`.
    fn leave(&mut self, service: u32, stay: &[u32], now: Duration) {
        let of_service = self.endpoints.iter_mut().filter(|((of, ..), _)| *of == service);
        for (_, endpoint) in of_service.filter(|(_, it)| !stay.contains(&it.id)) {
            endpoint.left.get_or_insert(now);
        }
    }
}

fn key(address: &ServiceAddress) -> ServiceKey {
    ServiceKey::new(address.transport.protocol(), address.address)
}

fn address(key: &ServiceKey) -> Option<ServiceAddress> {
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(|it| it.protocol() == key.protocol)?;
    Some(ServiceAddress { transport, address: SocketAddr::new(key.address.into(), key.port.into()) })
}

fn flags(service: &Service) -> u32 {
    let affinity = if service.source_affinity { SERVICE_SOURCE_AFFINITY } else { 0 };
    affinity | if service.beside_proxy { SERVICE_BESIDE_PROXY } else { 0 }
}

/// What the place of an endpoint in a table follows from: where it is, which every node knows.
fn key_of(address: SocketAddr) -> u64 {
    let octets = match address {
        SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
        SocketAddr::V6(v6) => *v6.ip(),
    };
    let bits = octets.to_bits();
    let high = maglev::mix((bits >> 64) as u64);
    maglev::mix(maglev::mix(high ^ bits as u64) ^ u64::from(address.port()))
}

#[cfg(test)]
mod tests;
