//! The rules of a Gateway, compiled; those that stay what they are, shared with the snapshot before.

use std::collections::HashMap;
use std::sync::Arc;

use portway_config::RouteKey;
use portway_route::{L4RuleEntry, Router, RuleEntry};
use portway_shared_map::SharedSlots;

use super::{BackendUses, GatewaySnapshot};
use crate::connection::Split;
use crate::http::{self, CompiledRule};
use crate::upstream::Backends;

/// The rules of a Gateway, compiled.
pub(super) struct CompiledRules {
    /// Of HTTPRoutes and GRPCRoutes, by their identifiers.
    pub(super) http: SharedSlots<Arc<CompiledRule>>,
    /// Of TLSRoutes, TCPRoutes and UDPRoutes, by theirs.
    pub(super) l4: Arc<Vec<Split>>,
    pub(super) uses: BackendUses,
}

/// Compiles what is new. A rule knows its backends by index, so what names a backend that has come or gone is new too.
pub(super) fn compile_rules(
    router: &Router,
    backends: &Backends,
    previous: Option<&GatewaySnapshot>,
) -> CompiledRules {
    if let Some(previous) = previous
        && let Some(rules) = go_on(router, backends, previous)
    {
        return rules;
    }
    let mut uses = BackendUses::default();
    let mut http = SharedSlots::new();
    for (number, entry) in router.rules().iter() {
        http.set(number, Some(Arc::new(http::compile_rule(entry, backends))));
        entry.rule().each_backend(&mut |key| uses.add(key));
    }
    for entry in router.l4_rules() {
        entry.rule().each_backend(&mut |key| uses.add(key));
    }
    CompiledRules { http, l4: Arc::new(l4_rules(router, backends, previous)), uses }
}

/// From the rules of the snapshot before; None where one that stays names a backend that has come or gone.
fn go_on(router: &Router, backends: &Backends, previous: &GatewaySnapshot) -> Option<CompiledRules> {
    let (before, mut uses) = (&previous.router, previous.uses.clone());
    let changed = before.rules().differences(router.rules(), RuleEntry::is_same);
    let entry = |router: &'_ Router, number: u32| router.rules().get(number as usize).cloned();
    let shares_l4_rules = router.shares_l4_rules(before);
    for rule in changed.iter().filter_map(|number| entry(before, *number)) {
        rule.rule().each_backend(&mut |key| uses.remove(key));
    }
    if !shares_l4_rules {
        of_l4(before.l4_rules(), |key| uses.remove(key));
    }
    let mut moved = previous.backends.ids.differences(&backends.ids, |a, b| a == b);
    if moved.any(|it| uses.is_used(it.key)) {
        return None;
    }
    let mut http = previous.rules.clone();
    for number in changed {
        let rule = entry(router, number);
        http.set(number, rule.as_ref().map(|rule| Arc::new(http::compile_rule(rule, backends))));
        if let Some(rule) = rule {
            rule.rule().each_backend(&mut |key| uses.add(key));
        }
    }
    let l4 = if shares_l4_rules {
        Arc::clone(&previous.l4_rules)
    } else {
        of_l4(router.l4_rules(), |key| uses.add(key));
        Arc::new(l4_rules(router, backends, Some(previous)))
    };
    Some(CompiledRules { http, l4, uses })
}

fn of_l4(rules: &[L4RuleEntry], mut each: impl FnMut(&portway_config::BackendKey)) {
    rules.iter().for_each(|entry| entry.rule().each_backend(&mut each));
}

fn l4_rules(router: &Router, backends: &Backends, previous: Option<&GatewaySnapshot>) -> Vec<Split> {
    let mut before = HashMap::<(&RouteKey, usize), &Split>::new();
    if let Some(previous) = previous {
        let rules = previous.router.l4_rules().iter().zip(previous.l4_rules.iter());
        before.extend(rules.map(|(entry, split)| ((&entry.route.key, entry.rule().index), split)));
    }
    let compile = |entry: &L4RuleEntry| {
        let rule = entry.rule();
        Split::new(&rule.backends, backends, before.get(&(&entry.route.key, rule.index)).copied())
    };
    router.l4_rules().iter().map(compile).collect()
}
