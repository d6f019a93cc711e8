//! From a configuration to a router, whole or from one state to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_config::{
    Attachment, Configuration, HostnamePattern, HttpRule, Listener, ListenerKey, Route, RouteKey, Rules,
};
use portway_shared_map::{SharedMap, SharedSlots};

use crate::compile_match::Expressions;
use crate::place::{self, HostnamePlace};
use crate::port::Ports;
use crate::refused::{Refused, RefusedReason};
use crate::route_table::{HostRoutes, RouteTable};
use crate::router::{ListenerId, Router, RuleEntry, RuleId, Source, index};
use crate::streams::Streams;

impl Router {
    /// Compiles. What cannot be compiled is refused alone, and everything else serves.
    pub fn compile(configuration: &Configuration) -> (Self, Vec<Refused>) {
        let router = Update::new(Self::without_routes(configuration)).run(configuration);
        let refused = router.refused.to_vec();
        (router, refused)
    }

    /// Compiles a later state of the configuration that this was compiled from. It finds for each request what
    /// [`Self::compile`] would; but only the hostnames of routes that have changed are compiled anew, and all else is shared.
    /// Other listeners make everything new.
    pub fn recompile(&self, configuration: &Configuration) -> Self {
        if self.source.listeners != configuration.listeners {
            return Self::compile(configuration).0;
        }
        Update::new(self.clone()).run(configuration)
    }

    fn without_routes(configuration: &Configuration) -> Self {
        let listeners: Arc<[_]> = configuration.listeners.values().cloned().collect();
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
            source: Source { listeners: configuration.listeners.clone(), routes: SharedMap::new() },
            route_tables: listeners.iter().map(|_| RouteTable::default()).collect(),
            streams: Arc::new(Streams::compile(&listeners, &SharedMap::new())),
            listeners,
            ports: Arc::new(ports),
            rules: SharedSlots::new(),
            rules_of: SharedMap::new(),
            refused: Arc::new(refused),
        }
    }
}

/// The way of a router to the next state.
struct Update {
    router: Router,
    expressions: Expressions,
    /// Routes that are new, gone, or others.
    changed: BTreeSet<RouteKey>,
    refused: Vec<Refused>,
    /// Hostnames of listeners where they are or were, with the rules that come there.
    touched: BTreeMap<(usize, HostnamePattern), Vec<RuleEntry>>,
}

impl Update {
    fn new(router: Router) -> Self {
        Self {
            router,
            expressions: Expressions::default(),
            changed: BTreeSet::new(),
            refused: Vec::new(),
            touched: BTreeMap::new(),
        }
    }

    fn run(mut self, configuration: &Configuration) -> Router {
        let before = std::mem::replace(&mut self.router.source.routes, configuration.routes.clone());
        let is_same = |a: &Arc<Route>, b: &Arc<Route>| Arc::ptr_eq(a, b) || a == b;
        let changes: Vec<_> = before.differences(&configuration.routes, is_same).collect();
        let both = changes.iter().flat_map(|it| it.before.into_iter().chain(it.after));
        let has_streams = both.clone().any(|route| matches!(route.rules, Rules::L4(_)));
        self.changed = changes.iter().map(|it| it.key.clone()).collect();
        changes.iter().filter_map(|it| it.before).for_each(|route| self.withdraw(route));
        changes.iter().filter_map(|it| it.after).for_each(|route| self.add(route));
        self.rebuild();
        if has_streams {
            let streams = Streams::compile(&self.router.listeners, &configuration.routes);
            self.router.streams = Arc::new(streams);
        }
        self.tell_refused();
        self.router
    }

    /// Gives the identifiers of a route's rules free, and notes where it was.
    fn withdraw(&mut self, route: &Route) {
        for id in self.router.rules_of.remove(&route.key).into_iter().flatten() {
            self.router.rules.remove(id.0);
        }
        for (listener, hostname) in hostnames(&self.router.listeners, route) {
            self.touched.entry((listener, hostname)).or_default();
        }
    }

    fn add(&mut self, route: &Arc<Route>) {
        if let Rules::Http(rules) = &route.rules {
            let entries = self.compile_rules(route, rules);
            for place in hostnames(&self.router.listeners, route) {
                self.touched.entry(place).or_default().extend(entries.iter().cloned());
            }
        }
        for attachment in &route.attachments {
            if let Err(reason) = attached_listener(&self.router.listeners, route, attachment) {
                let (route, listener) = (route.key.clone(), attachment.listener.clone());
                self.refused.push(Refused::Attachment { route, listener, reason });
            }
        }
    }

    fn compile_rules(&mut self, route: &Arc<Route>, rules: &[HttpRule]) -> Vec<RuleEntry> {
        let mut entries = Vec::with_capacity(rules.len());
        let mut ids = Vec::with_capacity(rules.len());
        for (position, rule) in rules.iter().enumerate() {
            let id = RuleId(self.router.rules.next_number());
            match self.expressions.rule(id, rule) {
                Ok(matches) => {
                    let entry = RuleEntry { route: Arc::clone(route), position, matches };
                    self.router.rules.insert(entry.clone());
                    ids.push(id);
                    entries.push(entry);
                }
                Err(reason) => {
                    self.refused.push(Refused::Rule { route: route.key.clone(), rule: rule.index, reason });
                }
            }
        }
        self.router.rules_of.insert(route.key.clone(), ids);
        entries
    }

    /// Builds anew what is under the hostnames where something has changed.
    fn rebuild(&mut self) {
        for ((listener, hostname), new) in std::mem::take(&mut self.touched) {
            let table = self.router.route_tables.get_mut(listener);
            let Some((table, listener)) = table.zip(self.router.listeners.get(listener)) else { continue };
            let old = table.hosts.get(&hostname).map(|routes| &*routes.rules).unwrap_or_default();
            let kept = old.iter().filter(|rule| !self.changed.contains(&rule.route.key)).cloned();
            let rules: Vec<_> = kept.chain(new).collect();
            let routes = (!rules.is_empty()).then(|| Arc::new(HostRoutes::new(listener, &hostname, rules)));
            table.hosts.set(&hostname, routes);
        }
    }

    /// Refusals stand in the order of the routes, those of listeners first.
    fn tell_refused(&mut self) {
        if self.refused.is_empty() && self.router.refused.is_empty() {
            return;
        }
        let refused = Arc::make_mut(&mut self.router.refused);
        refused.retain(|it| !it.route().is_some_and(|route| self.changed.contains(route)));
        refused.append(&mut self.refused);
        refused.sort_by(|a, b| a.route().cmp(&b.route()));
    }
}

/// Where a route is: positions of listeners, each with a hostname. Attachments that are none are left out.
pub(crate) fn hostnames(listeners: &[Arc<Listener>], route: &Route) -> BTreeSet<(usize, HostnamePattern)> {
    places(listeners, route).into_iter().map(|(listener, it)| (listener, it.hostname.clone())).collect()
}

/// The same, with the route's own hostnames, in the order of listeners.
pub(crate) fn places<'c>(listeners: &[Arc<Listener>], route: &'c Route) -> Vec<(usize, HostnamePlace<'c>)> {
    let attached = route.attachments.iter().filter_map(|it| attached_listener(listeners, route, it).ok());
    let attached: BTreeMap<_, _> = attached.collect();
    let places = |(position, listener)| {
        let hostnames: Vec<HostnamePlace<'c>> = place::hostnames(route, listener);
        hostnames.into_iter().map(move |it| (position, it))
    };
    attached.into_iter().flat_map(places).collect()
}

fn attached_listener<'l>(
    listeners: &'l [Arc<Listener>],
    route: &Route,
    attachment: &Attachment,
) -> Result<(usize, &'l Listener), RefusedReason> {
    let position = position(listeners, &attachment.listener).ok_or(RefusedReason::NoSuchListener)?;
    let listener = listeners.get(position).ok_or(RefusedReason::NoSuchListener)?;
    let carried = place::carries(&listener.protocol, route.key.kind);
    carried.then_some((position, &**listener)).ok_or(RefusedReason::WrongProtocol)
}

fn position(listeners: &[Arc<Listener>], key: &ListenerKey) -> Option<usize> {
    listeners.binary_search_by(|it| it.key.cmp(key)).ok()
}
