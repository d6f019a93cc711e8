//! A router that is made from the one before is as good as one that is made from nothing.

mod arbitrary;
mod fixture;

use std::sync::Arc;

use portway_config::{Configuration, L4Rule, Route, RouteKind, Rules};
use portway_route::{Candidate, Router};
use proptest::collection::vec;
use proptest::prelude::*;

/// Routes come and go by the bits; so do listeners, though not often.
fn step(configuration: &mut Configuration, other: &Configuration, bits: u32) {
    if bits.is_multiple_of(8) {
        configuration.listeners = other.listeners.clone();
    }
    let keys: Vec<_> = configuration.routes.keys().chain(other.routes.keys()).cloned().collect();
    for (index, key) in keys.into_iter().enumerate() {
        if bits >> (3 + index % 24) & 1 == 1 {
            match other.routes.get(&key) {
                Some(route) => drop(configuration.routes.insert(key, with_stream(route, bits))),
                None => drop(configuration.routes.remove(&key)),
            }
        }
    }
}

/// Now and then it is a TLSRoute under the name of the HTTPRoute, or the same again.
fn with_stream(route: &Arc<Route>, bits: u32) -> Arc<Route> {
    let mut route = Route::clone(route);
    if bits >> 30 == 0 && route.key.kind == RouteKind::Http {
        route.rules = Rules::L4(vec![L4Rule { index: 0, name: None, backends: Vec::new() }]);
    }
    Arc::new(route)
}

fn winner(router: &Router, request: &fixture::Message) -> Option<(Candidate, u32, Option<u32>)> {
    let found = router.route(router.http_listener(80, &request.host)?, request)?;
    let entry = router.rules().get(found.rule.0 as usize)?;
    let rule = Candidate {
        route: entry.route.key.clone(),
        rule: entry.rule().index,
        rule_name: None,
        match_index: None,
    };
    Some((rule, found.match_index, found.prefix_len))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_from_what(
        gateway in arbitrary::gateway(),
        steps in vec((arbitrary::gateway(), any::<u32>()), 1..6),
        requests in vec(arbitrary::message(), 30),
    ) {
        let mut configuration = gateway.configuration;
        let mut router = Router::compile(&configuration).0;
        for (other, bits) in steps {
            // What is known of a router before the change must not be taken for what is true after it.
            let _ = router.unserved();
            let (before, configured) = (router.clone(), configuration.clone());
            step(&mut configuration, &other.configuration, bits);
            router = router.recompile(&configuration);
            let (fresh, refused) = Router::compile(&configuration);
            for request in &requests {
                prop_assert_eq!(winner(&router, request), winner(&fresh, request), "{:?}", request);
                let connection = portway_route::Connection::Plain;
                prop_assert_eq!(
                    router.explain(80, connection, request).losers,
                    fresh.explain(80, connection, request).losers
                );
            }
            prop_assert_eq!(router.refused(), refused.as_slice());
            prop_assert_eq!(router.unserved(), fresh.unserved());
            prop_assert_eq!(router.rules().len(), fresh.rules().len());
            prop_assert_eq!(router.l4_rules().len(), fresh.l4_rules().len());
            let changed = router.otherwise_served(&before);
            for (key, route) in &configuration.routes {
                if !changed.contains(key) && configured.routes.get(key) == Some(route) {
                    prop_assert_eq!(router.unserved_of(key), before.unserved_of(key));
                }
            }
        }
    }
}
