//! What is known of each rule, hostname by hostname.
//!
//! Under one hostname of a listener, what a rule loses there depends on nothing that is elsewhere. So it is found out once, and
//! a router that shares the hostname's routes with an earlier one shares this too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_config::{HostnamePattern, Listener, ListenerKey, RouteKey};

use super::entry::{self, Entry};
use super::rivals::Group;
use super::{Extent, Isolated, IsolatedPlace, Shadowed, ShadowedMatch, Unserved};
use crate::candidate::Candidate;
use crate::compile;
use crate::criterion::Criterion;
use crate::path_table::PathTable;
use crate::router::Router;

/// What is known of one rule, under one hostname or all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Findings {
    live: bool,
    lost: BTreeMap<Candidate, (Criterion, Vec<ShadowedMatch>)>,
    isolated: Vec<IsolatedPlace>,
}

/// Rules that are not here serve all that they match.
pub(crate) type ByRule = BTreeMap<Candidate, Findings>;

impl Router {
    /// All rules that do not serve what they seem to. Takes time nearly linear in the number of matches that nobody has
    /// asked for before.
    pub fn unserved(&self) -> Unserved {
        let mut unserved = Unserved::default();
        self.source.routes.keys().for_each(|route| self.add_unserved(route, &mut unserved));
        unserved
    }

    /// [`Self::unserved`], of the rules of one route.
    pub fn unserved_of(&self, route: &RouteKey) -> Unserved {
        let mut unserved = Unserved::default();
        self.add_unserved(route, &mut unserved);
        unserved
    }

    /// [`Self::unserved`] without the rules that other listeners isolate.
    pub fn shadowed(&self) -> Vec<Shadowed> {
        self.unserved().shadowed
    }

    /// The rules of [`Self::unserved`] that other listeners isolate.
    pub fn isolated(&self) -> Vec<Isolated> {
        self.unserved().isolated
    }

    /// The routes of which [`Self::unserved_of`] may say something else than the router did that this was made from, though
    /// nothing has happened to them: others have come or gone beside them.
    pub fn otherwise_served(&self, before: &Self) -> BTreeSet<RouteKey> {
        if !Arc::ptr_eq(&self.listeners, &before.listeners) {
            return before.source.routes.keys().chain(self.source.routes.keys()).cloned().collect();
        }
        let mut routes = BTreeSet::new();
        for (position, (old, new)) in before.route_tables.iter().zip(&self.route_tables).enumerate() {
            for hostname in old.hosts.differences(&new.hosts, Arc::ptr_eq) {
                let (old, new) =
                    (before.of_hostname(position, &hostname), self.of_hostname(position, &hostname));
                add_different(old, new, &mut routes);
            }
        }
        if !Arc::ptr_eq(&self.streams, &before.streams) {
            add_different(Some(before.of_streams()), Some(self.of_streams()), &mut routes);
        }
        routes
    }

    fn add_unserved(&self, key: &RouteKey, unserved: &mut Unserved) {
        let Some(route) = self.source.routes.get(key) else { return };
        let mut findings = ByRule::new();
        let places: Vec<_> = compile::hostnames(&self.listeners, route).into_iter().collect();
        for id in self.rules_of.get(key).into_iter().flatten() {
            let Some(entry) = self.rules.get(id.0 as usize) else { continue };
            let rule = Candidate::of_http(&entry.route, entry.rule(), None);
            let mut of_rule = Findings::default();
            for (position, hostname) in &places {
                match self.of_hostname(*position, hostname).map(|found| found.get(&rule)) {
                    Some(Some(found)) => of_rule.merge(found),
                    Some(None) => of_rule.live = true,
                    None => {}
                }
            }
            if !places.is_empty() {
                findings.insert(rule, of_rule);
            }
        }
        findings.extend(of_route(self.of_streams(), key).map(|(rule, found)| (rule.clone(), found.clone())));
        for (rule, findings) in findings {
            findings.tell(rule, unserved);
        }
    }

    /// What is known of the rules under a hostname of the listener at this position.
    fn of_hostname(&self, position: usize, hostname: &HostnamePattern) -> Option<&ByRule> {
        let (table, listener) = self.route_tables.get(position).zip(self.listeners.get(position))?;
        let routes = table.hosts.get(hostname)?;
        Some(routes.findings.get_or_init(|| {
            let mut findings = ByRule::new();
            let entries = entry::http(listener, hostname, routes);
            self.look(listener, &entries, &routes.tables, &mut findings);
            // Of thousands of hostnames nearly all have nothing to be remembered, and shall weigh as much.
            findings.retain(|_, found| *found != Findings::live());
            Box::new(findings)
        }))
    }

    fn of_streams(&self) -> &ByRule {
        self.streams.findings.get_or_init(|| {
            let mut findings = ByRule::new();
            for (listener, entries) in self.listeners.iter().zip(entry::streams(self)) {
                for entries in entries.chunk_by(|a, b| a.ranked.key.hostname == b.ranked.key.hostname) {
                    self.look(listener, entries, &[], &mut findings);
                }
            }
            findings
        })
    }

    /// Looks at the entries under one hostname.
    fn look(&self, listener: &Listener, entries: &[Entry<'_>], tables: &[PathTable], findings: &mut ByRule) {
        let Some(first) = entries.first() else { return };
        let hostname = first.ranked.key.hostname;
        let owner = entry::owner(self, listener, hostname).map(|id| &self.listener(id).key);
        let group = Group::new(entries, tables);
        for (position, entry) in entries.iter().enumerate() {
            let findings = findings.entry(entry.rule.clone()).or_default();
            match owner.filter(|owner| **owner != listener.key) {
                Some(owner) => findings.isolate(&listener.key, hostname, owner),
                None => findings.add(&listener.key, entry, group.taker(position)),
            }
        }
    }
}

/// What is known of the rules of a route.
fn of_route<'f>(
    findings: &'f ByRule,
    route: &RouteKey,
) -> impl Iterator<Item = (&'f Candidate, &'f Findings)> {
    let first = Candidate { route: route.clone(), rule: 0, rule_name: None, match_index: None };
    findings.range(first..).take_while(move |(rule, _)| rule.route == *route)
}

fn add_different(before: Option<&ByRule>, after: Option<&ByRule>, routes: &mut BTreeSet<RouteKey>) {
    let none = ByRule::new();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let is_new = |(rule, findings): &(&Candidate, &Findings)| before.get(*rule) != Some(*findings);
    routes.extend(after.iter().filter(is_new).map(|(rule, _)| rule.route.clone()));
    let is_gone = |rule: &&Candidate| !after.contains_key(*rule);
    routes.extend(before.keys().filter(is_gone).map(|rule| rule.route.clone()));
}

impl Findings {
    fn live() -> Self {
        Self { live: true, ..Self::default() }
    }

    fn isolate(&mut self, listener: &ListenerKey, hostname: &HostnamePattern, owner: &ListenerKey) {
        let (listener, hostname, owner) = (listener.clone(), hostname.clone(), owner.clone());
        let place = IsolatedPlace { listener, hostname, owner };
        // A rule of many matches has one place.
        if self.isolated.last() != Some(&place) {
            self.isolated.push(place);
        }
    }

    fn add(&mut self, listener: &ListenerKey, entry: &Entry<'_>, taker: Option<&Entry<'_>>) {
        let Some(taker) = taker else {
            self.live = true;
            return;
        };
        // What a rule loses to itself, it does not lose: that it lives or not shows at the match that takes it.
        if taker.rule == entry.rule {
            return;
        }
        let Some(criterion) = Criterion::between(&entry.ranked, &taker.ranked) else { return };
        let (_, matches) = self.lost.entry(taker.rule.clone()).or_insert_with(|| (criterion, Vec::new()));
        matches.push(ShadowedMatch {
            listener: listener.clone(),
            hostname: entry.ranked.key.hostname.clone(),
            match_index: entry.match_index(),
            winner_match: taker.match_index(),
        });
    }

    /// Adds what is known of the same rule elsewhere.
    fn merge(&mut self, other: &Self) {
        self.live |= other.live;
        for (winner, (criterion, matches)) in &other.lost {
            let (_, all) = self.lost.entry(winner.clone()).or_insert_with(|| (criterion.clone(), Vec::new()));
            all.extend(matches.iter().cloned());
        }
        self.isolated.extend(other.isolated.iter().cloned());
    }

    /// Says it, if the rule does not serve what it seems to.
    fn tell(self, rule: Candidate, unserved: &mut Unserved) {
        if !self.live && self.lost.is_empty() {
            unserved.isolated.push(Isolated { rule, places: self.isolated });
            return;
        }
        let extent = if self.live { Extent::Partly } else { Extent::Whole };
        let lost = self.lost.into_iter().map(|(winner, (criterion, matches))| Shadowed {
            loser: rule.clone(),
            winner,
            criterion,
            extent,
            matches,
        });
        unserved.shadowed.extend(lost);
    }
}
