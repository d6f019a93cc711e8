//! Matches where they meet: at listeners, by hostname.

use std::collections::BTreeSet;

use portway_config::{HostnamePattern, Listener, ListenerProtocol, Route};

use crate::candidate::Candidate;
use crate::criterion::Ranked;
use crate::match_key::MatchKey;
use crate::path_table::{CompiledMatch, MatchId};
use crate::place::{self, HostnamePlace};
use crate::router::{ListenerId, Router, index};

/// A match under a hostname of a listener, or a rule of a TLSRoute, TCPRoute or UDPRoute.
pub(super) struct Entry<'a> {
    pub(super) ranked: Ranked<'a>,
    /// Its rule.
    pub(super) rule: Candidate,
    /// None for the latter, which have no conditions.
    pub(super) compiled: Option<(MatchId, &'a CompiledMatch)>,
}

impl Entry<'_> {
    /// Index of the match in the rule.
    pub(super) fn match_index(&self) -> Option<usize> {
        self.compiled.map(|_| self.ranked.key.match_index)
    }
}

/// The entries of each listener, in their order of precedence.
pub(super) fn by_listener(router: &Router) -> Vec<Vec<Entry<'_>>> {
    let mut entries: Vec<_> = router.listeners().iter().map(|_| Vec::new()).collect();
    let mut add = |(listener, entry)| {
        let ListenerId(position) = listener;
        if let Some(entries) = entries.get_mut(position as usize) {
            entries.push(entry);
        }
    };
    http(router).for_each(&mut add);
    streams(router).for_each(&mut add);
    for entries in &mut entries {
        entries.sort_by(|a, b| a.ranked.key.cmp(&b.ranked.key));
        entries.dedup_by(|a, b| a.ranked.key == b.ranked.key);
    }
    entries
}

fn http(router: &Router) -> impl Iterator<Item = (ListenerId, Entry<'_>)> {
    let matches = router.matches.iter().enumerate().filter_map(|(position, compiled)| {
        let entry = router.rules().get(compiled.rule.0 as usize)?;
        let (rule, match_index) = (entry.rule(), compiled.match_index as usize);
        let request_match = rule.matches.get(match_index)?;
        let candidate = Candidate::of_http(&entry.route, rule, None);
        Some(places(router, &entry.route).map(move |(listener, place)| {
            let HostnamePlace { hostname, route_hostname } = place;
            let order = (rule.index, match_index);
            let key = MatchKey::new(hostname, route_hostname, &entry.route, order, request_match);
            let ranked = Ranked { key, request_match: Some(request_match) };
            let compiled = Some((MatchId(index(position)), compiled));
            (listener, Entry { ranked, rule: candidate.clone(), compiled })
        }))
    });
    matches.flatten()
}

fn streams(router: &Router) -> impl Iterator<Item = (ListenerId, Entry<'_>)> {
    router.l4_rules().iter().flat_map(move |entry| {
        let rule = entry.rule();
        places(router, &entry.route).map(move |(listener, HostnamePlace { hostname, route_hostname })| {
            let key = MatchKey::of_stream(hostname, route_hostname, &entry.route, rule.index);
            let ranked = Ranked { key, request_match: None };
            (listener, Entry { ranked, rule: Candidate::of_stream(&entry.route, rule), compiled: None })
        })
    })
}

/// The listeners that a route is attached to, each with the hostnames in common.
fn places<'a>(router: &'a Router, route: &'a Route) -> impl Iterator<Item = (ListenerId, HostnamePlace<'a>)> {
    let attached: BTreeSet<_> =
        route.attachments.iter().filter_map(|it| router.listener_id(&it.listener)).collect();
    attached.into_iter().flat_map(move |id| {
        let listener = router.listener(id);
        let carried = place::carries(&listener.protocol, route.key.kind);
        let hostnames = if carried { place::hostnames(route, listener) } else { Vec::new() };
        hostnames.into_iter().map(move |place| (id, place))
    })
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
