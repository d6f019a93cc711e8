//! A rule that is called shadowed never serves: held against the slow model and against all that the
//! small alphabet can say.

mod arbitrary;
mod fixture;
mod model;

use std::collections::BTreeSet;

use fixture::{Message, get};
use portway_route::Extent;
use proptest::prelude::*;

const HOSTS: [&str; 8] = ["b.a", "b.b.a", "a.b.a", "a.a", "a", "c", "", "d"];
const PATHS: [&str; 9] = ["/", "/a", "/a/", "/a/b", "/ab", "/a-/b", "/S/M", "/S/N", "/T/M"];
const HEADERS: [&[&str]; 5] = [&[], &["1"], &["2"], &["3"], &["1", "2"]];
const QUERIES: [&str; 6] = ["", "?q=1", "?q=2", "?q=3", "?r=1", "?r=1&q=2"];

/// Every request of the alphabet.
fn all_requests() -> Vec<Message> {
    let mut requests = Vec::new();
    for (host, path) in HOSTS.iter().flat_map(|host| PATHS.iter().map(move |path| (host, path))) {
        for (query, method) in QUERIES.iter().flat_map(|query| ["GET", "POST"].map(|method| (query, method)))
        {
            for (x, y) in HEADERS.iter().flat_map(|x| HEADERS.iter().map(move |y| (x, y))) {
                let plain = get(&format!("{path}{query}")).host(host).method(method);
                let with_x = x.iter().fold(plain, |it, value| it.header("x", value));
                requests.push(y.iter().fold(with_x, |it, value| it.header("y", value)));
            }
        }
    }
    requests
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shadowed_or_isolated_never_serves(gateway in arbitrary::gateway()) {
        let router = gateway.compile();
        let shadowed = router.shadowed();
        let whole = shadowed.iter().filter(|it| it.extent == Extent::Whole).map(|it| &it.loser);
        let dead: BTreeSet<_> = whole.cloned().chain(router.isolated().into_iter().map(|it| it.rule)).collect();
        let matches: BTreeSet<_> = shadowed
            .iter()
            .flat_map(|it| it.matches.iter().map(|lost| {
                (lost.listener.clone(), lost.hostname.clone(), it.loser.route.clone(), it.loser.rule, lost.match_index.unwrap())
            }))
            .collect();
        for request in all_requests() {
            let Some(id) = router.http_listener(80, &request.host) else { continue };
            let Some(found) = router.route(id, &request) else { continue };
            let entry = router.rules().get(found.rule.0 as usize).unwrap();
            let (route, rule) = (&entry.route, entry.rule().index);
            prop_assert!(!dead.iter().any(|it| it.route == route.key && it.rule == rule), "{:?}", request);
            let listener = &router.listener(id).key;
            let attachment = route.attachments.iter().find(|it| it.listener == *listener).unwrap();
            let hostname = attachment.hostnames.iter().filter(|it| it.matches(&request.host)).min().unwrap();
            let served = (listener.clone(), hostname.clone(), route.key.clone(), rule, found.match_index as usize);
            prop_assert!(!matches.contains(&served), "{:?}", request);
        }
    }

    #[test]
    fn of_equal_matches_under_equal_hostnames_all_but_one_rule_is_told(gateway in arbitrary::gateway()) {
        let router = gateway.compile();
        let told: BTreeSet<_> = router.shadowed().into_iter().map(|it| (it.loser.route, it.loser.rule)).collect();
        let rules: Vec<_> = router.rules().iter().map(|(_, entry)| entry).collect();
        for (position, a) in rules.iter().enumerate() {
            for b in &rules[..position] {
                let same_place = a.route.attachments == b.route.attachments && a.route.hostnames == b.route.hostnames;
                let same_match = a.rule().matches.iter().any(|it| b.rule().matches.contains(it));
                let isolated = router.isolated().iter().any(|it| it.rule.route == a.route.key);
                if same_place && same_match && !isolated && !a.route.attachments.is_empty() {
                    let is_told = [a, b].iter().any(|it| told.contains(&(it.route.key.clone(), it.rule().index)));
                    prop_assert!(is_told, "{} and {}", a.route.key, b.route.key);
                }
            }
        }
    }
}
