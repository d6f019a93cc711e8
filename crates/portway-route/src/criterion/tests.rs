use portway_config::{Configuration, Route};

use super::*;
use crate::fixture::{RouteDraft, With, exact, grpc, grpc_route, http_route, prefix, regex};

/// Why the first loses to the second, both at hostname `a.com` unless they say otherwise.
fn why(loser: (&str, RouteDraft, RequestMatch), winner: (&str, RouteDraft, RequestMatch)) -> String {
    let nothing = Configuration::empty(NamespacedName::new("ns", "gw"));
    let [loser, winner] = [loser, winner].map(|(host, draft, request_match)| {
        let hostnames = host.split(' ').map(HostnamePattern::parse).collect::<Vec<_>>();
        (hostnames, draft.attach(&nothing), request_match)
    });
    let criterion = Criterion::between(&ranked(&loser), &ranked(&winner)).unwrap();
    assert!(ranked(&loser).key > ranked(&winner).key, "{criterion}");
    criterion.to_string()
}

fn ranked((hostnames, route, request_match): &(Vec<HostnamePattern>, Route, RequestMatch)) -> Ranked<'_> {
    let [hostname, .., own] = &hostnames[..] else { panic!("two hostnames") };
    Ranked {
        key: MatchKey::new(hostname, own, route, (0, 0), request_match),
        request_match: Some(request_match),
    }
}

#[test]
fn each_criterion_reads_as_a_clause() {
    let a = |it: RequestMatch| ("a.com a.com", http_route("a"), it);
    let z = |it: RequestMatch| ("a.com a.com", http_route("z"), it);
    assert_eq!(
        why(("*.com *.com", http_route("a"), exact("/")), z(prefix("/"))),
        "hostname *.com is less specific than a.com"
    );
    assert_eq!(
        why(("a.com *", http_route("a"), exact("/")), z(prefix("/"))),
        "the route's own hostname * is less specific than a.com, and at the listener both are the same"
    );
    assert_eq!(
        why(a(prefix("/a").with_method("GET")), z(prefix("/a/b"))),
        "path prefix /a is shorter than path prefix /a/b"
    );
    assert_eq!(why(a(prefix("/a")), z(exact("/a"))), "path prefix /a comes after exact path /a");
    assert_eq!(why(a(prefix("/a")), z(regex("/.*"))), "path prefix /a comes after path expression `/.*`");
    assert_eq!(
        why(a(grpc(Some("a.B"), None)), z(grpc(Some("a.B"), Some("C")))),
        "gRPC service `a.B` comes after gRPC service `a.B` method `C`"
    );
    assert_eq!(
        why(a(prefix("/").with_header("x", "1")), z(prefix("/").with_method("GET"))),
        "it has no condition on the method, and the winner has GET"
    );
    assert_eq!(
        why(a(prefix("/")), z(prefix("/").with_header("x", "1"))),
        "it has 0 conditions on headers, and the winner has 1"
    );
    assert_eq!(
        why(a(prefix("/")), z(prefix("/").with_param("x", "1"))),
        "it has 0 conditions on query parameters, and the winner has 1"
    );
}

#[test]
fn ties_read_as_clauses() {
    let at = |draft: RouteDraft| ("a.com a.com", draft, prefix("/"));
    assert_eq!(
        why(at(http_route("a").created(90)), at(http_route("z").created(0))),
        "its route is younger by 1 min"
    );
    assert_eq!(why(at(http_route("z")), at(http_route("a"))), "ns/z comes after ns/a in the alphabet");
    assert_eq!(why(at(grpc_route("a")), at(http_route("a"))), "GRPCRoute comes after HTTPRoute");
    assert_eq!(Criterion::RuleOrder { own: 2, winner: 1 }.to_string(), "rule 2 stands after rule 1");
    assert_eq!(Criterion::MatchOrder { own: 2, winner: 1 }.to_string(), "match 2 stands after match 1");
}

#[test]
fn a_match_does_not_differ_from_itself() {
    let nothing = Configuration::empty(NamespacedName::new("ns", "gw"));
    let hostnames = vec![HostnamePattern::Any, HostnamePattern::Any];
    let one = (hostnames, http_route("a").attach(&nothing), prefix("/"));
    assert_eq!(Criterion::between(&ranked(&one), &ranked(&one)), None);
}
