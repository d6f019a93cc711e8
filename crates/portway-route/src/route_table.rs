//! The HTTPRoutes and GRPCRoutes of one listener.

use std::sync::{Arc, OnceLock};

use portway_config::{HostnamePattern, Listener};

use crate::host_table::HostTable;
use crate::match_key::MatchKey;
use crate::path_table::{CompiledMatch, PathTable};
use crate::place::{self, HostnamePlace};
use crate::request::Request;
use crate::router::RuleEntry;
use crate::shadow::ByRule;

/// The HTTPRoutes and GRPCRoutes of one listener, by hostname. What no change has touched is shared with the table before.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteTable {
    pub(crate) hosts: HostTable<Arc<HostRoutes>>,
}

impl RouteTable {
    /// The match with the highest precedence of those that `request` passes.
    pub(crate) fn find<R: Request + ?Sized>(&self, request: &R) -> Option<&Arc<CompiledMatch>> {
        self.hosts
            .find(request.host())
            .flat_map(|routes| &routes.tables)
            .find_map(|table| table.find(request))
    }
}

/// The HTTPRoutes and GRPCRoutes under one hostname of a listener.
#[derive(Debug)]
pub(crate) struct HostRoutes {
    /// One for each hostname as routes name it, in the order in which they are tried. These differ only at a
    /// listener that has a narrower hostname than its routes, so most hostnames have one table.
    pub(crate) tables: Box<[PathTable]>,
    /// All rules that are here.
    pub(crate) rules: Box<[RuleEntry]>,
    /// What is known of them, once somebody has asked.
    pub(crate) findings: OnceLock<Box<ByRule>>,
}

impl HostRoutes {
    /// Builds the tables of rules under a hostname of a listener.
    pub(crate) fn new(listener: &Listener, hostname: &HostnamePattern, rules: Vec<RuleEntry>) -> Self {
        let mut placed: Vec<_> = rules.iter().flat_map(|rule| keyed(listener, hostname, rule)).collect();
        placed.sort_unstable_by_key(|(key, it)| (*key, it.id()));
        placed.dedup_by_key(|(key, it)| (*key, it.id()));
        let tiers = placed.chunk_by(|(a, _), (b, _)| a.route_hostname == b.route_hostname);
        let tables = tiers.map(|tier| PathTable::new(tier.iter().map(|(_, it)| *it))).collect();
        Self { tables, rules: rules.into(), findings: OnceLock::new() }
    }
}

/// The matches of a rule under a hostname of a listener, with their keys.
pub(crate) fn keyed<'a>(
    listener: &Listener,
    hostname: &HostnamePattern,
    entry: &'a RuleEntry,
) -> Vec<(MatchKey<'a>, &'a Arc<CompiledMatch>)> {
    let mut keyed = Vec::new();
    let rule = entry.rule();
    let places = place::hostnames(&entry.route, listener).into_iter().filter(|it| it.hostname == hostname);
    for HostnamePlace { hostname, route_hostname } in places {
        for compiled in &*entry.matches {
            let match_index = compiled.match_index as usize;
            let Some(request_match) = rule.matches.get(match_index) else { continue };
            let order = (rule.index, match_index);
            let key = MatchKey::new(hostname, route_hostname, &entry.route, order, request_match);
            keyed.push((key, compiled));
        }
    }
    keyed
}
