use portway_config::RouteKind;

use super::*;
use crate::fixture::{Gateway, Message, With, exact, get, http_route, prefix, regex, route};

fn sentences(explanation: &Explanation) -> Vec<String> {
    explanation.losers.iter().map(ToString::to_string).collect()
}

fn plain(gateway: &Gateway, request: &Message) -> Explanation {
    gateway.compile().explain(80, Connection::Plain, request)
}

#[test]
fn every_losing_match_says_on_what_it_lost() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .http("side", 81, "")
        .route(
            http_route("shop")
                .rule([prefix("/cart"), prefix("/cart/items")])
                .rule([exact("/cart/items/1").with_method("PUT")])
                .rule([prefix("/").with_header("x", "1"), prefix("/").with_header("z", "~[ab]")])
                .rule([prefix("/").with_param("q", "1")]),
        )
        .route(http_route("other-host").hosts(&["b.com", "*.b.com"]).rule([prefix("/")]))
        .route(http_route("other-path").rule([regex("/c.*")]).rule([exact("/cart")]))
        .route(http_route("side").at(&["side"]).rule([prefix("/")]));
    let explanation = plain(&gateway, &get("/cart/items/1?q=2").header("x", "2"));
    assert_eq!(
        explanation.outcome.to_string(),
        "HTTPRoute ns/other-path, rule 0, match 0 serves it, under hostname *."
    );
    assert_eq!(
        sentences(&explanation),
        [
            "HTTPRoute ns/shop, rule 0, match 1 does not serve it: HTTPRoute ns/other-path, rule 0, match 0 has \
             precedence, since path prefix /cart/items comes after path expression `/c.*`.",
            "HTTPRoute ns/shop, rule 0, match 0 does not serve it: HTTPRoute ns/other-path, rule 0, match 0 has \
             precedence, since path prefix /cart comes after path expression `/c.*`.",
            "HTTPRoute ns/other-host, rule 0, match 0 does not serve it: host a.example.com does not match b.com, *.b.com.",
            "HTTPRoute ns/other-path, rule 1, match 0 does not serve it: path /cart/items/1 does not match exact \
             path /cart.",
            "HTTPRoute ns/shop, rule 1, match 0 does not serve it: method GET is not PUT.",
            "HTTPRoute ns/shop, rule 2, match 0 does not serve it: header x is `2` and not `1`.",
            "HTTPRoute ns/shop, rule 2, match 1 does not serve it: header z is absent and not expression `[ab]`.",
            "HTTPRoute ns/shop, rule 3, match 0 does not serve it: query parameter q is `2` and not `1`.",
            "HTTPRoute ns/side, rule 0, match 0 does not serve it: its route is attached to ns/gw/side, which does \
             not take the request.",
        ]
    );
}

#[test]
fn every_other_listener_says_why_it_is_not_the_one() {
    let gateway = Gateway::new()
        .http("any", 80, "")
        .http("wild", 80, "*.example.com")
        .http("one", 80, "b.example.com")
        .https("tls", 80, "a.example.com")
        .http("elsewhere", 8080, "a.example.com");
    let explanation = plain(&gateway, &get("/"));
    assert_eq!(&*explanation.listener.unwrap().name, "wild");
    assert_eq!(explanation.outcome, Outcome::NoRoute);
    let others: Vec<_> = explanation.other_listeners.iter().map(ToString::to_string).collect();
    assert_eq!(
        others,
        [
            "Listener ns/gw/any does not take it: its hostname * is less specific than *.example.com.",
            "Listener ns/gw/elsewhere does not take it: it is at port 8080.",
            "Listener ns/gw/one does not take it: its hostname b.example.com does not match a.example.com.",
            "Listener ns/gw/tls does not take it: its protocol is not that of the connection.",
        ]
    );
}

#[test]
fn a_listener_in_conflict_says_so() {
    let gateway = Gateway::new().http("a", 80, "").http("b", 80, "");
    let (router, refused) = Router::compile(&gateway.configuration);
    assert_eq!(refused.len(), 1);
    let explanation = router.explain(80, Connection::Plain, &get("/"));
    assert_eq!(&*explanation.listener.unwrap().name, "a");
    assert_eq!(explanation.other_listeners[0].loss, ListenerLoss::Conflict);
}

#[test]
fn a_misdirected_request_names_the_owner_of_its_host() {
    let gateway = Gateway::new()
        .https("wild", 443, "*.example.com")
        .https("one", 443, "b.example.com")
        .route(http_route("r").at(&["wild", "one"]).rule([prefix("/")]));
    let router = gateway.compile();
    let tls = Connection::Tls { server_name: Some("a.example.com") };
    let explanation = router.explain(443, tls, &get("/").host("b.example.com"));
    assert_eq!(&*explanation.listener.as_ref().unwrap().name, "wild");
    assert_eq!(explanation.outcome, Outcome::Misdirected { owner: crate::fixture::listener_key("one") });
    assert_eq!(explanation.losers[0].loss, Loss::AnsweredBefore);
    assert_eq!(router.explain(443, tls, &get("/").host("x.org")).outcome, Outcome::HostNotFound);
    assert!(router.explain(443, tls, &get("/")).winner().is_some());
    let unknown = router.explain(443, Connection::Tls { server_name: None }, &get("/"));
    assert_eq!((unknown.listener, unknown.outcome), (None, Outcome::NoListener));
}

#[test]
fn a_byte_stream_goes_by_server_name() {
    let tls_route = |name| route(RouteKind::Tls, name).at(&["raw"]);
    let gateway = Gateway::new()
        .passthrough("raw", 443, "")
        .route(tls_route("wild").hosts(&["*.example.com"]))
        .route(tls_route("one").hosts(&["a.example.com"]))
        .route(tls_route("other").hosts(&["b.example.com"]));
    let tls = Connection::Tls { server_name: Some("a.example.com") };
    let explanation = gateway.compile().explain(443, tls, &get("/"));
    assert_eq!(
        explanation.outcome.to_string(),
        "TLSRoute ns/one, rule 0 takes the connection as a byte stream."
    );
    assert_eq!(
        sentences(&explanation),
        [
            "TLSRoute ns/wild, rule 0 does not serve it: TLSRoute ns/one, rule 0 has precedence, since hostname \
             *.example.com is less specific than a.example.com.",
            "TLSRoute ns/other, rule 0 does not serve it: host a.example.com does not match b.example.com.",
        ]
    );
}

#[test]
fn a_refused_rule_says_why() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .route(http_route("r").rule([prefix("/a").with_header("x", "~(")]).rule([prefix("/")]));
    let (router, refused) = Router::compile(&gateway.configuration);
    assert_eq!(
        refused.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "HTTPRoute ns/r, rule 0: match 0, header x: `(` is not a regular expression: unclosed group, at character 1"
        ]
    );
    let explanation = router.explain(80, Connection::Plain, &get("/a").header("x", "1"));
    assert_eq!(explanation.winner().unwrap().candidate.rule, 1);
    assert_eq!(
        sentences(&explanation),
        [
            "HTTPRoute ns/r, rule 0 does not serve it: it was refused, match 0, header x: `(` is not a regular \
          expression: unclosed group, at character 1."
        ]
    );
}

#[test]
fn an_explanation_can_be_written_as_json() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .route(http_route("a").rule([prefix("/a")]))
        .route(http_route("b").rule([prefix("/a/b")]));
    let json = serde_json::to_value(plain(&gateway, &get("/a/b"))).unwrap();
    assert_eq!(json["outcome"]["Routed"]["candidate"]["route"]["name"]["name"], "b");
    assert_eq!(json["losers"][0]["loss"]["Precedence"]["criterion"]["Path"]["winner"]["Prefix"], "/a/b");
}
