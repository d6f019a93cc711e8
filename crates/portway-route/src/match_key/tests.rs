use super::*;
use crate::fixture::{With, exact, grpc, http_route, prefix, regex};

#[test]
fn the_rank_of_a_path_follows_the_documented_order() {
    let ranked = [
        exact("/a"),
        grpc(Some("long.Service"), Some("Method")),
        grpc(Some("long.Service"), Some("M")),
        grpc(Some("long.Service"), Some("~M")),
        grpc(Some("long.Service"), None),
        grpc(Some("a.B"), Some("Method")),
        grpc(Some("~a"), Some("M")),
        grpc(Some("~a"), None),
        grpc(None, Some("M")),
        grpc(None, Some("~M")),
        regex("/.*"),
        prefix("/abc/d"),
        prefix("/abc"),
        prefix("/"),
        grpc(None, None),
    ];
    let ranks = ranked.map(|it| PathRank::of(&it.path));
    assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
}

#[test]
fn a_trailing_slash_and_the_length_of_an_expression_do_not_count() {
    assert_eq!(PathRank::of(&PathMatch::Prefix("/a/".into())), PathRank::of(&PathMatch::Prefix("/a".into())));
    assert_eq!(PathRank::of(&regex("/a").path), PathRank::of(&regex("/longer.*").path));
}

#[test]
fn names_are_in_the_order_of_the_joined_text() {
    let names =
        [("a", "z"), ("a-b", "c"), ("a", "b"), ("b", "a")].map(|(ns, name)| NamespacedName::new(ns, name));
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_by_key(|it| RouteName(it));
    assert_eq!(sorted.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a-b/c", "a/b", "a/z", "b/a"]);
}

#[test]
fn an_unknown_age_is_youngest() {
    assert!(Created::At(-1) < Created::At(0));
    assert!(Created::At(i64::MAX) < Created::Unknown);
}

#[test]
fn each_criterion_outweighs_all_that_follow_it() {
    let (one, all) = (HostnamePattern::parse("a.com"), HostnamePattern::Any);
    let nothing = portway_config::Configuration::empty(NamespacedName::new("ns", "gw"));
    let (young, old) = (http_route("a").attach(&nothing), http_route("b").created(1).attach(&nothing));
    let rich = prefix("/").with_method("GET").with_header("x", "1").with_param("q", "1");
    let best = MatchKey::new(&one, &one, &old, (0, 0), &rich);
    let worst = MatchKey::new(&all, &all, &young, (1, 1), &grpc(None, None));
    let worst = MatchKey { kind: RouteKind::Grpc, route: RouteName(&young.key.name), ..worst };
    let later = MatchKey { route: best.route, ..worst };
    // From the last criterion to the first: better in that one, worse in those behind it.
    let better = [
        MatchKey { match_index: 0, ..later },
        MatchKey { rule: 0, ..later },
        MatchKey { kind: RouteKind::Http, ..later },
        MatchKey { created: Created::At(1), ..later },
        MatchKey { query_params: Reverse(1), ..later },
        MatchKey { headers: Reverse(1), ..later },
        MatchKey { method: Reverse(true), ..later },
        MatchKey { path: PathRank::Prefix(Reverse(0)), ..later },
        MatchKey { route_hostname: best.route_hostname, ..later },
        MatchKey { hostname: best.hostname, ..later },
    ];
    assert!(better.iter().all(|key| *key < later));
    assert!(better.windows(2).all(|pair| pair[1] < pair[0]), "{better:?}");
}
