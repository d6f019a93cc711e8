//! Matches where they meet: at listeners, by hostname.

use std::sync::Arc;

use portway_config::{HostnamePattern, Listener, ListenerProtocol};

use crate::candidate::Candidate;
use crate::compile::places;
use crate::criterion::Ranked;
use crate::match_key::MatchKey;
use crate::path_table::CompiledMatch;
use crate::place::HostnamePlace;
use crate::route_table::{HostRoutes, keyed};
use crate::router::{ListenerId, Router};

/// A match under a hostname of a listener, or a rule of a TLSRoute, TCPRoute or UDPRoute.
pub(super) struct Entry<'a> {
    pub(super) ranked: Ranked<'a>,
    /// Its rule.
    pub(super) rule: Candidate,
    /// None for the latter, which have no conditions.
    pub(super) compiled: Option<&'a Arc<CompiledMatch>>,
}

impl Entry<'_> {
    /// Index of the match in the rule.
    pub(super) fn match_index(&self) -> Option<usize> {
        self.compiled.map(|_| self.ranked.key.match_index)
    }
}

/// The matches under a hostname of a listener, in their order of precedence.
pub(super) fn http<'a>(
    listener: &Listener,
    hostname: &HostnamePattern,
    routes: &'a HostRoutes,
) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for rule in &routes.rules {
        let candidate = Candidate::of_http(&rule.route, rule.rule(), None);
        for (key, compiled) in keyed(listener, hostname, rule) {
            let ranked = Ranked { key, request_match: rule.rule().matches.get(key.match_index) };
            entries.push(Entry { ranked, rule: candidate.clone(), compiled: Some(compiled) });
        }
    }
    sort(&mut entries);
    entries
}

/// The rules of TLSRoutes, TCPRoutes and UDPRoutes at each listener, in their order of precedence.
pub(super) fn streams(router: &Router) -> Vec<Vec<Entry<'_>>> {
    let mut entries: Vec<_> = router.listeners().iter().map(|_| Vec::new()).collect();
    for entry in router.l4_rules() {
        let rule = entry.rule();
        for (listener, HostnamePlace { hostname, route_hostname }) in places(router.listeners(), &entry.route)
        {
            let key = MatchKey::of_stream(hostname, route_hostname, &entry.route, rule.index);
            let ranked = Ranked { key, request_match: None };
            let candidate = Candidate::of_stream(&entry.route, rule);
            if let Some(entries) = entries.get_mut(listener) {
                entries.push(Entry { ranked, rule: candidate, compiled: None });
            }
        }
    }
    entries.iter_mut().for_each(sort);
    entries
}

fn sort(entries: &mut Vec<Entry<'_>>) {
    entries.sort_by(|a, b| a.ranked.key.cmp(&b.ranked.key));
    entries.dedup_by(|a, b| a.ranked.key == b.ranked.key);
}

/// The listener that takes all requests for `hostname` which come to the port of `listener`: the
/// most specific one that has all of it.
pub(super) fn owner(router: &Router, listener: &Listener, hostname: &HostnamePattern) -> Option<ListenerId> {
    // A wildcard's own text, `*.example.com`, finds the listeners that match all that the wildcard
    // does, and the empty host those for all hosts.
    let host = if *hostname == HostnamePattern::Any { String::new() } else { hostname.to_string() };
    match &listener.protocol {
        ListenerProtocol::Http => router.ports.http(listener.port, &host),
        protocol if protocol.is_tls() => router.ports.tls(listener.port, &host),
        _ => router.listener_id(&listener.key),
    }
}
