//! The HTTPRoutes and GRPCRoutes of one listener.

use std::ops::Range;

use portway_config::HostnamePattern;

use crate::host_table::HostTable;
use crate::match_key::MatchKey;
use crate::path_table::{CompiledMatch, MatchId, PathTable};
use crate::request::Request;

/// The HTTPRoutes and GRPCRoutes of one listener.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    /// For each hostname, which of `tables` are tried, in this order.
    hosts: HostTable<Range<u32>>,
    /// One for each pair of a hostname and a hostname as routes name it. These differ only at a
    /// listener that has a narrower hostname than its routes, so most hostnames have one table.
    tables: Box<[PathTable]>,
}

impl RouteTable {
    /// Builds the table of matches under their keys.
    pub(crate) fn new(mut placed: Vec<(MatchKey<'_>, MatchId)>, matches: &[CompiledMatch]) -> Self {
        placed.sort_unstable();
        placed.dedup();
        let mut hosts = HostTable::default();
        let mut tables = Vec::new();
        for host in placed.chunk_by(|(a, _), (b, _)| a.hostname == b.hostname) {
            let start = crate::router::index(tables.len());
            let tiers = host.chunk_by(|(a, _), (b, _)| a.route_hostname == b.route_hostname);
            tables.extend(tiers.map(|tier| PathTable::new(tier.iter().map(|&(_, id)| id), matches)));
            if let Some((key, _)) = host.first() {
                // Equal hostnames stand together after sorting, so the slot is empty.
                let _ = hosts.insert(key.hostname, start..crate::router::index(tables.len()));
            }
        }
        Self { hosts, tables: tables.into() }
    }

    /// The match with the highest precedence of those that `request` passes.
    pub(crate) fn find<R: Request + ?Sized>(
        &self,
        matches: &[CompiledMatch],
        request: &R,
    ) -> Option<MatchId> {
        self.hosts
            .find(request.host())
            .flat_map(|tiers| self.tiers(tiers))
            .find_map(|table| table.find(matches, request))
    }

    /// The tables of a hostname, in the order in which they are tried.
    pub(crate) fn tables(&self, hostname: &HostnamePattern) -> &[PathTable] {
        self.hosts.get(hostname).map(|tiers| self.tiers(tiers)).unwrap_or_default()
    }

    fn tiers(&self, tiers: &Range<u32>) -> &[PathTable] {
        self.tables.get(tiers.start as usize..tiers.end as usize).unwrap_or_default()
    }
}
