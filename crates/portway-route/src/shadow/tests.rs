use portway_config::RouteKind;

use super::*;
use crate::fixture::{Gateway, With, exact, grpc, grpc_route, http_route, prefix, regex, route};

fn sentences(gateway: &Gateway) -> Vec<String> {
    gateway.compile().shadowed().iter().map(ToString::to_string).collect()
}

fn at_http(routes: impl IntoIterator<Item = crate::fixture::RouteDraft>) -> Vec<String> {
    sentences(&routes.into_iter().fold(Gateway::new().http("http", 80, ""), Gateway::route))
}

#[test]
fn equal_matches_of_two_routes_leave_the_younger_nothing() {
    let one = |name| {
        http_route(name).hosts(&["a.com"]).rule([prefix("/a").with_header("x", "1").with_header("y", "2")])
    };
    let other =
        http_route("a").hosts(&["a.com"]).rule([prefix("/a").with_header("y", "2").with_header("x", "1")]);
    assert_eq!(
        at_http([one("b").created(60), other.created(120)]),
        [
            "HTTPRoute ns/a, rule 0 never serves a request: HTTPRoute ns/b, rule 0 takes them, since its route is \
          younger by 1 min."
        ]
    );
}

#[test]
fn what_is_left_elsewhere_makes_it_partly() {
    let old = http_route("old").created(0).hosts(&["a.com"]).rule([prefix("/"), prefix("/x")]);
    let young = http_route("young").hosts(&["a.com", "b.com"]).rule([prefix("/"), exact("/y")]);
    let router = Gateway::new().http("http", 80, "").route(old).route(young).compile();
    let shadowed = router.shadowed();
    assert_eq!(shadowed.len(), 1);
    assert_eq!(shadowed[0].extent, Extent::Partly);
    assert_eq!(
        shadowed[0].to_string(),
        "HTTPRoute ns/young, rule 0 never serves match 0 under hostname a.com at listener ns/gw/http: HTTPRoute \
         ns/old, rule 0 takes them, since its route is of unknown age, and the winner's has a creation time."
    );
    assert_eq!((shadowed[0].matches[0].match_index, shadowed[0].matches[0].winner_match), (Some(0), Some(0)));
}

#[test]
fn rules_that_differ_or_come_first_are_not_shadowed() {
    let nothing: [String; 0] = [];
    let one = |name, it| http_route(name).rule([it]);
    assert_eq!(at_http([one("a", prefix("/")), one("b", prefix("/b"))]), nothing);
    assert_eq!(at_http([one("a", prefix("/")), one("b", prefix("/").with_method("GET"))]), nothing);
    assert_eq!(at_http([one("a", prefix("/").with_header("x", "1")), one("b", prefix("/"))]), nothing);
    assert_eq!(
        at_http([one("a", prefix("/")).hosts(&["*.com"]), one("b", prefix("/")).hosts(&["b.com"])]),
        nothing
    );
    assert_eq!(at_http([one("a", regex("/.*")), one("b", prefix("/b"))]), nothing);
    assert_eq!(at_http([http_route("a").rule([prefix("/"), prefix("/")])]), nothing);
}

#[test]
fn a_later_rule_of_the_same_route_is_shadowed_too() {
    let twice = http_route("r").rule([exact("/a")]).rule([prefix("/"), exact("/a")]).rule([exact("/a")]);
    assert_eq!(
        at_http([twice]),
        [
            "HTTPRoute ns/r, rule 1 never serves match 1 under hostname * at listener ns/gw/http: HTTPRoute ns/r, \
             rule 0 takes them, since rule 1 stands after rule 0.",
            "HTTPRoute ns/r, rule 2 never serves a request: HTTPRoute ns/r, rule 0 takes them, since rule 2 stands \
             after rule 0.",
        ]
    );
}

#[test]
fn a_wider_match_that_comes_first_takes_all() {
    let one = |name, it| http_route(name).rule([it]);
    let header = |it| prefix("/").with_header("x", it);
    let wider = at_http([one("a", header("~[12]")), one("b", header("1"))]);
    assert_eq!(wider.len(), 1);
    assert!(
        wider[0].starts_with("HTTPRoute ns/b, rule 0 never serves a request: HTTPRoute ns/a"),
        "{wider:?}"
    );
    // The other way round the expression still has what is not `1`.
    assert!(at_http([one("b", header("~[12]")), one("a", header("1"))]).is_empty());

    let grpc_service = grpc_route("g").rule([grpc(Some("a.B"), Some("C"))]);
    assert_eq!(
        at_http([grpc_service, one("w", exact("/a.B/C"))]),
        [
            "GRPCRoute ns/g, rule 0 never serves a request: HTTPRoute ns/w, rule 0 takes them, since gRPC service \
          `a.B` method `C` comes after exact path /a.B/C."
        ]
    );
    let any_grpc = grpc_route("g").rule([grpc(None, None)]);
    assert_eq!(at_http([any_grpc.clone(), one("w", prefix("/"))]).len(), 1);
    assert!(at_http([any_grpc, one("w", prefix("/").with_method("GET"))]).is_empty());
}

#[test]
fn the_routes_own_hostname_may_outweigh_a_longer_path() {
    let gateway = Gateway::new()
        .http("http", 80, "a.example.com")
        .route(http_route("all").rule([prefix("/api")]))
        .route(http_route("same").hosts(&["a.example.com"]).rule([prefix("/")]));
    assert_eq!(
        sentences(&gateway),
        [
            "HTTPRoute ns/all, rule 0 never serves a request: HTTPRoute ns/same, rule 0 takes them, since the route's \
          own hostname * is less specific than a.example.com, and at the listener both are the same."
        ]
    );
}

#[test]
fn of_two_tls_routes_for_one_server_name_the_younger_is_shadowed() {
    let tls_route = |name| route(RouteKind::Tls, name).at(&["raw"]).hosts(&["a.com"]);
    let gateway = Gateway::new().passthrough("raw", 443, "").route(tls_route("b")).route(tls_route("a"));
    assert_eq!(
        sentences(&gateway),
        [
            "TLSRoute ns/b, rule 0 never serves a request: TLSRoute ns/a, rule 0 takes them, since ns/b comes after \
          ns/a in the alphabet."
        ]
    );
}

#[test]
fn a_narrower_listener_isolates_what_is_attached_to_a_wider_one() {
    let gateway = |listeners: &[&str]| {
        Gateway::new()
            .http("any", 80, "")
            .http("wild", 80, "*.example.com")
            .http("one", 80, "a.example.com")
            .route(
                http_route("r")
                    .at(listeners)
                    .hosts(&["a.example.com", "*.b.example.com"])
                    .rule([prefix("/")]),
            )
            .compile()
    };
    let isolated = gateway(&["any"]).isolated();
    assert_eq!(
        isolated.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "HTTPRoute ns/r, rule 0 never serves a request: requests for a.example.com come to listener ns/gw/one and \
          not to ns/gw/any, *.b.example.com come to listener ns/gw/wild and not to ns/gw/any."
        ]
    );
    assert!(gateway(&["any", "wild"]).isolated().is_empty());
    assert!(gateway(&["one"]).isolated().is_empty());
    assert!(gateway(&["any", "wild"]).shadowed().is_empty());
}
