//! The TLSRoutes, TCPRoutes and UDPRoutes of a Gateway.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, OnceLock};

use portway_config::{HostnamePattern, Listener, Route, RouteKey, Rules};
use portway_shared_map::SharedMap;

use crate::compile::places;
use crate::host_table::HostTable;
use crate::match_key::MatchKey;
use crate::place::HostnamePlace;
use crate::router::{L4RuleEntry, L4RuleId, index};
use crate::shadow::ByRule;

/// The TLSRoutes, TCPRoutes and UDPRoutes of a Gateway. They are few, and compiled as a whole.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) rules: Vec<L4RuleEntry>,
    /// For each listener, the rules of TLSRoutes by server name, or that of the TCPRoute or UDPRoute.
    pub(crate) tables: Vec<HostTable<L4RuleId>>,
    /// What is known of them, once somebody has asked.
    pub(crate) findings: OnceLock<ByRule>,
}

/// For each hostname the rule that wins so far.
type Winners<'c> = BTreeMap<&'c HostnamePattern, (MatchKey<'c>, L4RuleId)>;

impl Streams {
    pub(crate) fn compile(listeners: &[Arc<Listener>], routes: &SharedMap<RouteKey, Arc<Route>>) -> Self {
        let mut rules = Vec::new();
        let mut winners: Vec<Winners<'_>> = listeners.iter().map(|_| Winners::new()).collect();
        for route in routes.values() {
            let Rules::L4(own) = &route.rules else { continue };
            let first = L4RuleId(index(rules.len()));
            rules.extend((0..own.len()).map(|position| L4RuleEntry { route: Arc::clone(route), position }));
            if !own.is_empty() {
                place(listeners, route, first, &mut winners);
            }
        }
        let table = |winners: Winners<'_>| {
            let mut table = HostTable::default();
            for (hostname, (_, rule)) in winners {
                table.set(hostname, Some(rule));
            }
            table
        };
        Self { rules, tables: winners.into_iter().map(table).collect(), findings: OnceLock::new() }
    }
}

/// Rules of such routes have no matches, so that the first serves all.
fn place<'c>(listeners: &[Arc<Listener>], route: &'c Route, first: L4RuleId, winners: &mut [Winners<'c>]) {
    for (listener, HostnamePlace { hostname, route_hostname }) in places(listeners, route) {
        let Some(winners) = winners.get_mut(listener) else { continue };
        let candidate = (MatchKey::of_stream(hostname, route_hostname, route, 0), first);
        match winners.entry(hostname) {
            Entry::Vacant(slot) => {
                slot.insert(candidate);
            }
            Entry::Occupied(mut best) => {
                if candidate < *best.get() {
                    best.insert(candidate);
                }
            }
        }
    }
}
