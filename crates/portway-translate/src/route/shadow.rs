//! Rules that never serve, because others win every request that they match.
//!
//! The matcher itself proves it, on the configuration that it will serve by: what is said here is
//! always true, and cannot disagree with the traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::ObjectKey;
use portway_config::{Configuration, NamespacedName, RouteKey};
use portway_route::{Candidate, Extent, Router, Unserved};

use crate::finding::{Finding, FindingCode, Severity};
use crate::listener::GatewayView;

use super::memory::RouteMemory;
use super::work::Work;

/// The most shadowed rules that one condition tells of; findings tell of all.
const MAX_TOLD: usize = 5;

/// The rules of a route, or parts of rules, that never serve.
#[derive(Debug, Default)]
pub(super) struct Shadows(Vec<Shadow>);

/// That a rule, or a part of it, never serves at one Gateway.
#[derive(Debug)]
struct Shadow {
    gateway: ObjectKey,
    rule: usize,
    /// The match that is concerned, where it is one.
    match_index: Option<usize>,
    /// Whether nothing of the rule serves at this Gateway.
    is_whole: bool,
    /// Which rule wins, and by which criterion; a sentence without full stop.
    message: String,
}

/// Compiles the configurations of all Gateways, as far as routes have changed. Returns the routes of which something else
/// may be to be said now.
pub(super) fn compile(
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    memory: &mut RouteMemory,
) -> BTreeSet<RouteKey> {
    let mut routes = BTreeSet::new();
    let before = std::mem::take(&mut memory.routers);
    for (key, of_gateway) in memory.routes.iter().filter(|(_, it)| !it.is_empty()) {
        let Some(view) = gateways.get(key) else { continue };
        let listeners = view.listeners.iter().filter_map(|it| it.config.as_ref());
        let name = NamespacedName::new(key.namespace.as_str(), key.name.as_str());
        let complete = Configuration {
            listeners: listeners.map(|it| (it.key.clone(), Arc::new(it.clone()))).collect(),
            routes: of_gateway.clone(),
            ..Configuration::empty(name)
        };
        let router = match before.get(key) {
            Some(before) => {
                let router = before.recompile(&complete);
                routes.extend(router.otherwise_served(before));
                router
            }
            None => Router::compile(&complete).0,
        };
        memory.routers.insert(key.clone(), router);
    }
    routes
}

impl Shadows {
    /// Of one route, at all Gateways.
    pub(super) fn of(route: &RouteKey, memory: &RouteMemory) -> Self {
        let mut shadows = Self::default();
        for (gateway, router) in &memory.routers {
            shadows.add(gateway, router.unserved_of(route));
        }
        shadows
    }

    fn add(&mut self, gateway: &ObjectKey, Unserved { shadowed, isolated }: Unserved) {
        for shadowed in shadowed {
            let mut matches = shadowed.matches.iter().map(|it| it.match_index);
            let first = matches.next().flatten();
            let match_index = first.filter(|first| matches.all(|it| it == Some(*first)));
            let is_whole = shadowed.extent == Extent::Whole;
            self.push(gateway, &shadowed.loser, match_index, is_whole, shadowed.to_string());
        }
        for isolated in isolated {
            self.push(gateway, &isolated.rule, None, true, isolated.to_string());
        }
    }

    fn push(
        &mut self,
        gateway: &ObjectKey,
        rule: &Candidate,
        match_index: Option<usize>,
        is_whole: bool,
        message: String,
    ) {
        let message = message.strip_suffix('.').map(str::to_owned).unwrap_or(message);
        let match_index = match_index.filter(|_| !is_whole);
        let shadow = Shadow { gateway: gateway.clone(), rule: rule.rule, match_index, is_whole, message };
        self.0.push(shadow);
    }

    /// What a condition of the route towards a listener of `gateway` tells.
    pub(super) fn sentences(&self, gateway: &ObjectKey) -> Vec<String> {
        let told: Vec<_> = self.0.iter().filter(|it| it.gateway == *gateway).collect();
        let mut sentences: Vec<_> = told.iter().take(MAX_TOLD).map(|it| format!("{}.", it.message)).collect();
        if told.len() > MAX_TOLD {
            sentences.push(format!("There are {} more of this kind.", told.len() - MAX_TOLD));
        }
        sentences
    }

    /// What `portway check` tells of the route.
    pub(super) fn findings(&self, work: &Work<'_, '_>, findings: &mut Vec<Finding>) {
        let object = work.view.object_ref();
        let gateways: usize = {
            let attached = work.parents.iter().filter(|it| !it.attached().is_empty());
            let mut keys: Vec<_> = attached.map(|it| &it.parent.gateway).collect();
            keys.sort();
            keys.dedup();
            keys.len()
        };
        for shadow in &self.0 {
            // A rule that serves nothing at one Gateway may serve at another.
            let whole_at = self.0.iter().filter(|it| it.rule == shadow.rule && it.is_whole);
            let mut whole_at: Vec<_> = whole_at.map(|it| &it.gateway).collect();
            whole_at.dedup();
            let code = if whole_at.len() == gateways {
                FindingCode::RuleNeverMatches
            } else {
                FindingCode::RulePartlyShadowed
            };
            let field = match shadow.match_index {
                Some(index) => format!("spec.rules[{}].matches[{index}]", shadow.rule),
                None => format!("spec.rules[{}]", shadow.rule),
            };
            findings.push(Finding::new(
                Severity::Warning,
                code,
                object.clone(),
                field,
                shadow.message.as_str(),
            ));
        }
    }
}
