//! An explanation names the match that serves, and says of every other one, truly, why it does not.

mod arbitrary;
mod fixture;
mod model;

use std::collections::BTreeSet;

use portway_config::request_match::RequestMatch;
use portway_config::{Configuration, HostnamePattern, Rules};
use portway_route::{Candidate, Connection, Loss, Outcome};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_winner_serves_and_all_others_are_told(gateway in arbitrary::gateway(), request in arbitrary::message()) {
        let router = gateway.compile();
        let explanation = router.explain(80, Connection::Plain, &request);

        let served = router.http_listener(80, &request.host).and_then(|id| router.route(id, &request));
        prop_assert_eq!(explanation.winner().map(|it| it.found), served);
        let winner = explanation.winner().map(|it| it.candidate.clone());
        let expected = explanation.listener.as_ref().and_then(|it| model::winner(&gateway.configuration, it, &request));
        prop_assert_eq!(winner.as_ref().map(|it| (it.route.clone(), it.rule, it.match_index.unwrap())), expected);

        let told: Vec<_> = winner.into_iter().chain(explanation.losers.iter().map(|it| it.candidate.clone())).collect();
        let distinct: BTreeSet<_> = told.iter().cloned().collect();
        prop_assert_eq!(told.len(), distinct.len());
        prop_assert_eq!(distinct, matches(&gateway.configuration).into_iter().map(|(it, ..)| it).collect());
        prop_assert_eq!(explanation.other_listeners.len() + usize::from(explanation.listener.is_some()), router.listeners().len());

        for (candidate, hostnames, request_match) in matches(&gateway.configuration) {
            let Some(loser) = explanation.losers.iter().find(|it| it.candidate == candidate) else { continue };
            let host_fits = hostnames.iter().any(|it| it.matches(&request.host));
            let route = &gateway.configuration.routes[&candidate.route];
            let attached = route.attachments.iter().any(|it| Some(&it.listener) == explanation.listener.as_ref());
            let true_loss = match &loser.loss {
                Loss::AttachedElsewhere { .. } => !attached,
                Loss::Hostname { .. } => attached && !host_fits,
                Loss::Precedence { .. } => attached && host_fits && model::matches(&request_match, &request),
                Loss::Path { .. } | Loss::Method { .. } | Loss::Header { .. } | Loss::QueryParam { .. } => {
                    attached && host_fits && !model::matches(&request_match, &request)
                }
                Loss::Refused { .. } | Loss::AnsweredBefore => false,
            };
            prop_assert!(true_loss, "{}", loser);
        }
        prop_assert!(matches!(explanation.outcome, Outcome::Routed(_) | Outcome::NoRoute | Outcome::NoListener));
    }
}

/// All matches with their routes' own hostnames.
fn matches(configuration: &Configuration) -> Vec<(Candidate, Vec<HostnamePattern>, RequestMatch)> {
    let mut matches = Vec::new();
    for route in configuration.routes.values() {
        let Rules::Http(rules) = &route.rules else { continue };
        for rule in rules {
            for (index, request_match) in rule.matches.iter().enumerate() {
                let (route_key, rule_name) = (route.key.clone(), rule.name.clone());
                let candidate =
                    Candidate { route: route_key, rule: rule.index, rule_name, match_index: Some(index) };
                let all = vec![HostnamePattern::Any];
                let hostnames = if route.hostnames.is_empty() { all } else { route.hostnames.clone() };
                matches.push((candidate, hostnames, request_match.clone()));
            }
        }
    }
    matches
}
