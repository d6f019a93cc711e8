//! Which address of a pool goes to which Gateway.
//!
//! The order makes it stable: whoever serves a port at an address keeps it; then come the addresses that Gateways ask for
//! by name, then those that they hold already, then new ones. Within each step older Gateways come first. Several may
//! share an address on different ports; one that nobody asked for by name is shared only when no other is left.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_api::ObjectKey;

use super::claimant::{Claimant, Request};
use super::pool::Pool;
use crate::provision::ServedPort;

/// Who has which port of which address.
#[derive(Debug, Default)]
pub(super) struct Allocation<'a> {
    claims: BTreeMap<(IpAddr, ServedPort), &'a ObjectKey>,
    users: BTreeMap<IpAddr, BTreeSet<&'a ObjectKey>>,
    /// What each request of each Gateway came to, by its index.
    granted: BTreeMap<(&'a ObjectKey, usize), Grant>,
}

/// What a request for an address of a pool came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// The Gateway has it.
    Address(IpAddr),
    /// There is no such address.
    Unusable(String),
    /// There is none left.
    None(String),
}

/// One request for an address of a pool.
#[derive(Clone, Copy, Debug)]
struct Wish<'c, 'a> {
    claimant: &'c Claimant<'a>,
    index: usize,
    value: Option<IpAddr>,
}

/// Gives addresses to Gateways.
pub(super) fn allocate<'a>(claimants: &[&Claimant<'a>], pools: &[Pool<'_>]) -> Allocation<'a> {
    let mut claimants = claimants.to_vec();
    claimants.sort_by_key(|it| it.precedence());
    let wishes: Vec<_> = claimants.iter().flat_map(|it| wishes(it)).collect();
    let mut allocation = Allocation::default();
    allocation.confirm_ports(&claimants, pools);
    let (named, open): (Vec<_>, Vec<_>) = wishes.into_iter().partition(|it| it.value.is_some());
    for wish in named {
        allocation.grant_named(wish, pools);
    }
    let missing: Vec<_> = open.into_iter().filter(|wish| !allocation.grant_held(*wish, pools)).collect();
    for wish in missing {
        allocation.grant_new(wish, pools);
    }
    allocation
}

/// What a Gateway wants of a pool: an address, if it asks for nothing in particular.
fn wishes<'c, 'a>(claimant: &'c Claimant<'a>) -> Vec<Wish<'c, 'a>> {
    let requests = claimant.requests();
    if requests.is_empty() {
        return vec![Wish { claimant, index: 0, value: None }];
    }
    let wanted = requests.into_iter().enumerate().filter_map(|(index, request)| match request {
        Request::Ip { value, .. } => Some(Wish { claimant, index, value }),
        _ => None,
    });
    wanted.collect()
}

impl<'a> Allocation<'a> {
    /// What a request came to.
    pub(super) fn grant(&self, gateway: &'a ObjectKey, index: usize) -> Option<&Grant> {
        self.granted.get(&(gateway, index))
    }

    /// The addresses of a Gateway, in the order of its requests.
    pub(super) fn addresses(&self, gateway: &'a ObjectKey) -> Vec<IpAddr> {
        let all = self.granted.range((gateway, 0)..=(gateway, usize::MAX));
        all.filter_map(|(_, grant)| if let Grant::Address(it) = grant { Some(*it) } else { None }).collect()
    }

    /// The ports that a Gateway cannot have, since another has them at one of its addresses, and who that is.
    pub(super) fn taken_ports(
        &self,
        claimant: &Claimant<'a>,
    ) -> impl Iterator<Item = (ServedPort, IpAddr, &'a ObjectKey)> {
        let addresses = self.addresses(claimant.key).into_iter();
        let pairs = addresses.flat_map(|it| claimant.ports.iter().map(move |port| (it, *port)));
        pairs.filter_map(|(address, port)| {
            let owner = self.claims.get(&(address, port)).filter(|it| **it != claimant.key)?;
            Some((port, address, *owner))
        })
    }

    /// Who serves a port at an address already, and still may, keeps it.
    fn confirm_ports(&mut self, claimants: &[&Claimant<'a>], pools: &[Pool<'_>]) {
        for claimant in claimants {
            let wishes = wishes(claimant);
            let wants = |it: &IpAddr| wishes.iter().any(|wish| wish.value.is_none_or(|value| value == *it));
            let ports: Vec<_> = claimant.held_ports().intersection(&claimant.ports).copied().collect();
            for address in
                claimant.held().into_iter().filter(wants).filter(|it| may_have(claimant, *it, pools))
            {
                for port in &ports {
                    self.claims.entry((address, *port)).or_insert(claimant.key);
                }
            }
        }
    }

    fn grant_named(&mut self, wish: Wish<'_, 'a>, pools: &[Pool<'_>]) {
        let Some(address) = wish.value else { return };
        let key = (wish.claimant.key, wish.index);
        let grant = match self.refusal(wish.claimant, address, pools) {
            Some(message) => Grant::Unusable(message),
            None => self.claim(wish.claimant, address),
        };
        self.granted.insert(key, grant);
    }

    /// Why a Gateway cannot have the address that it asks for.
    fn refusal(&self, claimant: &Claimant<'a>, address: IpAddr, pools: &[Pool<'_>]) -> Option<String> {
        if self.addresses(claimant.key).contains(&address) {
            return Some(format!("{address} is asked for twice"));
        }
        if !claimant.has_family_of(address) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            return Some(format!("the Service {} has no {family}", claimant.service_key));
        }
        match pools.iter().find(|pool| pool.contains(address)) {
            None => return Some(format!("no AddressPool has {address}")),
            Some(pool) if !may_have(claimant, address, pools) => {
                return Some(format!(
                    "the AddressPool {} has {address}, but does not select this Gateway",
                    pool.name
                ));
            }
            Some(_) => {}
        }
        let owner = |port: &ServedPort| self.claims.get(&(address, *port)).filter(|it| **it != claimant.key);
        let others: BTreeSet<_> = claimant.ports.iter().filter_map(owner).collect();
        let is_free = claimant.ports.is_empty() || claimant.ports.iter().any(|port| owner(port).is_none());
        (!is_free).then(|| {
            let others: Vec<_> = others.into_iter().map(|it| format!("Gateway {it}")).collect();
            format!("the ports of this Gateway are taken at {address} by {}", others.join(", "))
        })
    }

    /// Keeps an address that the Gateway has.
    fn grant_held(&mut self, wish: Wish<'_, 'a>, pools: &[Pool<'_>]) -> bool {
        let claimant = wish.claimant;
        let own = self.addresses(claimant.key);
        let mut held = claimant.held().into_iter();
        let kept = held.find(|it| {
            !own.contains(it)
                && may_have(claimant, *it, pools)
                && claimant.has_family_of(*it)
                && self.has_free_port(claimant, *it)
        });
        let Some(address) = kept else { return false };
        let grant = self.claim(claimant, address);
        self.granted.insert((claimant.key, wish.index), grant);
        true
    }

    /// Finds an address that nobody has, else one where the ports are free.
    fn grant_new(&mut self, wish: Wish<'_, 'a>, pools: &[Pool<'_>]) {
        let claimant = wish.claimant;
        let own = self.addresses(claimant.key);
        let pools: Vec<_> =
            pools.iter().filter(|pool| pool.auto_assign && pool.selects(claimant.gateway)).collect();
        let fits = |it: &IpAddr| !own.contains(it) && claimant.has_family_of(*it);
        let candidates = || pools.iter().flat_map(|pool| pool.addresses()).filter(fits);
        // An address that nobody has is found after as many as are taken; only where all are is every one looked at.
        let unused = candidates().find(|it| !self.users.contains_key(it));
        let found = unused.or_else(|| candidates().find(|it| self.has_all_ports(claimant, *it)));
        let grant = match found {
            Some(address) => self.claim(claimant, address),
            None => Grant::None(exhausted(&pools)),
        };
        self.granted.insert((claimant.key, wish.index), grant);
    }

    fn claim(&mut self, claimant: &Claimant<'a>, address: IpAddr) -> Grant {
        for port in &claimant.ports {
            self.claims.entry((address, *port)).or_insert(claimant.key);
        }
        self.users.entry(address).or_default().insert(claimant.key);
        Grant::Address(address)
    }

    fn is_free(&self, claimant: &Claimant<'a>, address: IpAddr, port: ServedPort) -> bool {
        self.claims.get(&(address, port)).is_none_or(|it| *it == claimant.key)
    }

    fn has_all_ports(&self, claimant: &Claimant<'a>, address: IpAddr) -> bool {
        claimant.ports.iter().all(|port| self.is_free(claimant, address, *port))
    }

    fn has_free_port(&self, claimant: &Claimant<'a>, address: IpAddr) -> bool {
        claimant.ports.is_empty() || claimant.ports.iter().any(|port| self.is_free(claimant, address, *port))
    }
}

/// Whether some pool lets the Gateway have the address.
fn may_have(claimant: &Claimant<'_>, address: IpAddr, pools: &[Pool<'_>]) -> bool {
    pools.iter().any(|pool| pool.contains(address) && pool.selects(claimant.gateway))
}

fn exhausted(pools: &[&Pool<'_>]) -> String {
    let names: Vec<_> = pools.iter().map(|it| it.name).collect();
    match names.as_slice() {
        [] => "no AddressPool assigns addresses by itself to this Gateway".to_owned(),
        [name] => format!("the AddressPool {name} has no address left"),
        names => format!("none of the AddressPools {} has an address left", names.join(", ")),
    }
}
