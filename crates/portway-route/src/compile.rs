//! From a configuration to a router.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use portway_config::{Attachment, Configuration, HostnamePattern, HttpRule, Listener, Route, Rules};

use crate::compile_match::Expressions;
use crate::host_table::HostTable;
use crate::match_key::MatchKey;
use crate::path_table::{CompiledMatch, MatchId};
use crate::place::{self, HostnamePlace};
use crate::port::Ports;
use crate::refused::{Refused, RefusedReason};
use crate::route_table::RouteTable;
use crate::router::{L4RuleEntry, L4RuleId, ListenerId, Router, RuleEntry, RuleId, index};

impl Router {
    /// Compiles. What cannot be compiled is refused alone, and everything else serves.
    pub fn compile(configuration: &Configuration) -> (Self, Vec<Refused>) {
        let mut compiler = Compiler::new(configuration);
        for route in configuration.routes.values() {
            match &route.rules {
                Rules::Http(rules) => compiler.add_http_rules(route, rules),
                Rules::L4(rules) => compiler.add_l4_rules(route, rules.len()),
            }
        }
        let router = compiler.finish();
        let refused = router.refused.to_vec();
        (router, refused)
    }
}

struct Compiler<'c> {
    listeners: Box<[Arc<Listener>]>,
    ports: Ports,
    /// For each listener.
    placed: Vec<Placed<'c>>,
    expressions: Expressions,
    matches: Vec<CompiledMatch>,
    rules: Vec<RuleEntry>,
    l4_rules: Vec<L4RuleEntry>,
    refused: Vec<Refused>,
}

/// What is attached to one listener.
#[derive(Default)]
struct Placed<'c> {
    matches: Vec<(MatchKey<'c>, MatchId)>,
    /// For each hostname the rule that wins so far.
    streams: BTreeMap<&'c HostnamePattern, (MatchKey<'c>, L4RuleId)>,
}

impl<'c> Compiler<'c> {
    fn new(configuration: &'c Configuration) -> Self {
        let listeners: Box<[_]> = configuration.listeners.values().cloned().collect();
        let mut ports = Ports::default();
        let mut refused = Vec::new();
        for (position, listener) in listeners.iter().enumerate() {
            if let Err(there) = ports.insert(listener, ListenerId(index(position)))
                && let Some(there) = listeners.get(there.0 as usize)
            {
                let reason = RefusedReason::Conflict(there.key.clone());
                refused.push(Refused::Listener { listener: listener.key.clone(), reason });
            }
        }
        Self {
            placed: listeners.iter().map(|_| Placed::default()).collect(),
            listeners,
            ports,
            expressions: Expressions::default(),
            matches: Vec::new(),
            rules: Vec::new(),
            l4_rules: Vec::new(),
            refused,
        }
    }

    fn add_http_rules(&mut self, route: &'c Arc<Route>, rules: &'c [HttpRule]) {
        let first = self.matches.len();
        for (position, rule) in rules.iter().enumerate() {
            let id = RuleId(index(self.rules.len()));
            match self.expressions.rule(id, rule) {
                Ok(compiled) => {
                    self.matches.extend(compiled);
                    self.rules.push(RuleEntry { route: Arc::clone(route), position });
                }
                Err(reason) => {
                    self.refused.push(Refused::Rule { route: route.key.clone(), rule: rule.index, reason });
                }
            }
        }
        for (listener, HostnamePlace { hostname, route_hostname }) in self.places(route) {
            let new = self.matches.iter().enumerate().skip(first);
            let keyed = new.filter_map(|(at, compiled)| {
                let rule = rules.get(self.rules.get(compiled.rule.0 as usize)?.position)?;
                let match_index = compiled.match_index as usize;
                let request_match = rule.matches.get(match_index)?;
                let key =
                    MatchKey::new(hostname, route_hostname, route, (rule.index, match_index), request_match);
                Some((key, MatchId(index(at))))
            });
            if let Some(placed) = self.placed.get_mut(listener) {
                placed.matches.extend(keyed);
            }
        }
    }

    /// Adds a TLSRoute, TCPRoute or UDPRoute. Its rules have no matches, so that the first serves all.
    fn add_l4_rules(&mut self, route: &'c Arc<Route>, rules: usize) {
        let first = L4RuleId(index(self.l4_rules.len()));
        self.l4_rules.extend((0..rules).map(|position| L4RuleEntry { route: Arc::clone(route), position }));
        if rules == 0 {
            return;
        }
        for (listener, HostnamePlace { hostname, route_hostname }) in self.places(route) {
            let Some(placed) = self.placed.get_mut(listener) else { continue };
            let candidate = (MatchKey::of_stream(hostname, route_hostname, route, 0), first);
            match placed.streams.entry(hostname) {
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

    /// Where a route is attached: positions of listeners, each with a hostname.
    fn places(&mut self, route: &'c Route) -> Vec<(usize, HostnamePlace<'c>)> {
        let mut places = BTreeMap::new();
        for attachment in &route.attachments {
            match self.attached_listener(route, attachment) {
                Ok((position, listener)) => {
                    places.insert(position, place::hostnames(route, listener));
                }
                Err(reason) => {
                    let (route, listener) = (route.key.clone(), attachment.listener.clone());
                    self.refused.push(Refused::Attachment { route, listener, reason });
                }
            }
        }
        places.into_iter().flat_map(|(at, hostnames)| hostnames.into_iter().map(move |it| (at, it))).collect()
    }

    fn attached_listener(
        &self,
        route: &Route,
        attachment: &Attachment,
    ) -> Result<(usize, &Listener), RefusedReason> {
        let position = self.listeners.binary_search_by(|it| it.key.cmp(&attachment.listener));
        let position = position.map_err(|_| RefusedReason::NoSuchListener)?;
        let listener = self.listeners.get(position).ok_or(RefusedReason::NoSuchListener)?;
        let carried = place::carries(&listener.protocol, route.key.kind);
        carried.then_some((position, &**listener)).ok_or(RefusedReason::WrongProtocol)
    }

    fn finish(self) -> Router {
        let mut route_tables = Vec::new();
        let mut stream_tables = Vec::new();
        for placed in self.placed {
            route_tables.push(RouteTable::new(placed.matches, &self.matches));
            let mut streams = HostTable::default();
            for (hostname, (_, rule)) in placed.streams {
                // Each hostname is a key of the map, so the slot is empty.
                let _ = streams.insert(hostname, rule);
            }
            stream_tables.push(streams);
        }
        Router {
            listeners: self.listeners,
            ports: self.ports,
            route_tables: route_tables.into(),
            stream_tables: stream_tables.into(),
            matches: self.matches.into(),
            rules: self.rules.into(),
            l4_rules: self.l4_rules.into(),
            refused: self.refused.into(),
        }
    }
}
