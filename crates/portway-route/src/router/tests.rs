use portway_config::RouteKind;

use super::*;
use crate::fixture::*;

/// The listener that serves, by name.
fn name(router: &Router, id: ListenerId) -> &str {
    &router.listener(id).key.name
}

#[test]
fn the_most_specific_http_listener_of_the_port_serves_alone() {
    let gateway = Gateway::new()
        .http("any", 80, "")
        .http("wild", 80, "*.example.com")
        .http("wilder", 80, "*.foo.example.com")
        .http("one", 80, "abc.foo.example.com")
        .http("other", 81, "bar.com");
    let router = gateway.compile();
    let cases = [
        (80, "bar.com", Some("any")),
        (80, "example.com", Some("any")),
        (80, "bar.example.com", Some("wild")),
        (80, "bar.foo.example.com", Some("wilder")),
        (80, "abc.foo.example.com", Some("one")),
        (80, "", Some("any")),
        (81, "bar.com", Some("other")),
        (81, "foo.com", None),
        (82, "bar.com", None),
    ];
    for (port, host, expected) in cases {
        assert_eq!(router.http_listener(port, host).map(|id| name(&router, id)), expected, "{port} {host}");
    }
}

#[test]
fn a_request_stays_with_the_routes_of_its_listener() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .http("wild", 80, "*.example.com")
        .route(http_route("everywhere").rule([prefix("/")]))
        .route(http_route("wild").at(&["wild"]).rule([prefix("/wild")]));
    let router = gateway.compile();
    assert_eq!(served(&router, "wild", &get("/")), None);
    assert_eq!(served(&router, "wild", &get("/wild")).as_deref(), Some("wild/0/0"));
    assert_eq!(served(&router, "http", &get("/wild").host("x.org")).as_deref(), Some("everywhere/0/0"));
}

/// Listeners and expectations of the conformance test `HTTPRouteHTTPSListenerDetectMisdirectedRequests`.
#[test]
fn a_request_on_another_listeners_connection_is_misdirected() {
    let gateway = Gateway::new()
        .https("https", 443, "")
        .https("second", 443, "second-example.org")
        .https("wild", 443, "*.wildcard.org")
        .https("fourth", 443, "fourth-example.wildcard.org");
    let router = gateway.compile();
    let cases = [
        ("example.org", "example.org", "https"),
        ("example.org", "second-example.org", "421 second"),
        ("example.org", "unknown-example.org", "https"),
        ("second-example.org", "second-example.org", "second"),
        ("second-example.org", "example.org", "421 https"),
        ("third-example.wildcard.org", "fith-example.wildcard.org", "wild"),
        ("third-example.wildcard.org", "fourth-example.wildcard.org", "421 fourth"),
        ("third-example.wildcard.org", "unknown-example.org", "421 https"),
        ("fourth-example.wildcard.org", "fith-example.wildcard.org", "421 wild"),
        ("unknown-example.org", "example.org", "https"),
    ];
    for (server_name, host, expected) in cases {
        let connection = router.tls_target(443, Some(server_name)).unwrap().listener();
        let found = match router.https_listener(connection, host) {
            Ok(listener) => name(&router, listener).to_owned(),
            Err(HostRefusal::Misdirected(owner)) => format!("421 {}", name(&router, owner)),
            Err(HostRefusal::NotFound) => "404".to_owned(),
        };
        assert_eq!(found, expected, "{server_name}, {host}");
    }
}

#[test]
fn a_host_of_no_https_listener_is_not_found() {
    let router = Gateway::new().https("one", 443, "a.com").http("http", 80, "b.com").compile();
    assert_eq!(router.https_listener(id(&router, "one"), "b.com"), Err(HostRefusal::NotFound));
}

#[test]
fn a_host_of_a_tls_listener_is_not_served_by_a_wider_https_listener() {
    let router = Gateway::new().https("wild", 443, "*.a.com").passthrough("raw", 443, "x.a.com").compile();
    let raw = id(&router, "raw");
    assert_eq!(router.https_listener(id(&router, "wild"), "x.a.com"), Err(HostRefusal::Misdirected(raw)));
}

#[test]
fn a_port_may_mix_https_termination_and_passthrough() {
    let tls_route = |name, at| route(RouteKind::Tls, name).at(&[at]);
    let gateway = Gateway::new()
        .https("https", 443, "web.example.com")
        .tls("terminate", 443, "db.example.com")
        .passthrough("raw", 443, "*.example.com")
        .passthrough("unrouted", 443, "*.example.org")
        .route(tls_route("db", "terminate").hosts(&["db.example.com"]))
        .route(tls_route("wild", "raw").hosts(&["*.example.com"]))
        .route(tls_route("narrow", "raw").hosts(&["*.eu.example.com"]))
        .route(tls_route("exact", "raw").hosts(&["a.eu.example.com"]));
    let router = gateway.compile();
    let target = |server_name| match router.tls_target(443, server_name) {
        None => "none".to_owned(),
        Some(target) => {
            let rule = match target {
                TlsTarget::Https(_) => "http",
                TlsTarget::Terminate(_, rule) | TlsTarget::Passthrough(_, rule) => {
                    rule.map_or("no route", |it| &router.l4_rules()[it.0 as usize].route.key.name.name)
                }
            };
            format!("{} {rule}", name(&router, target.listener()))
        }
    };
    assert_eq!(target(Some("web.example.com")), "https http");
    assert_eq!(target(Some("db.example.com")), "terminate db");
    assert_eq!(target(Some("x.example.com")), "raw wild");
    assert_eq!(target(Some("x.eu.example.com")), "raw narrow");
    assert_eq!(target(Some("a.eu.example.com")), "raw exact");
    assert_eq!(target(Some("x.example.org")), "unrouted no route");
    assert_eq!(target(Some("example.net")), "none");
    assert_eq!(target(None), "none");
}

#[test]
fn a_connection_without_server_name_reaches_a_listener_without_hostname() {
    let router = Gateway::new().https("https", 443, "").https("one", 443, "a.com").compile();
    assert_eq!(router.tls_target(443, None), Some(TlsTarget::Https(id(&router, "https"))));
}

#[test]
fn the_oldest_tcp_route_serves() {
    let tcp = |name| route(RouteKind::Tcp, name).at(&["tcp"]);
    let gateway = Gateway::new()
        .listener("tcp", 5432, ListenerProtocol::Tcp, "")
        .listener("bare", 5433, ListenerProtocol::Tcp, "")
        .route(tcp("a-young").created(2))
        .route(tcp("b-old").created(1))
        .route(tcp("c-unknown"));
    let router = gateway.compile();
    let rule = router.l4_rule(id(&router, "tcp")).unwrap();
    let entry = &router.l4_rules()[rule.0 as usize];
    assert_eq!((&*entry.route.key.name.name, entry.rule().index), ("b-old", 0));
    assert_eq!(router.l4_rule(id(&router, "bare")), None);
}

#[test]
fn hostnames_come_before_all_else_and_fall_through() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .route(http_route("exact").hosts(&["a.example.com"]).rule([prefix("/only")]))
        .route(http_route("narrow").hosts(&["*.example.com"]).rule([prefix("/wild")]))
        .route(http_route("wide").hosts(&["*.com"]).rule([prefix("/wild/deeper")]))
        .route(http_route("all").rule([prefix("/").with_header("x", "1")]));
    let router = gateway.compile();
    let at = |request: Message| served(&router, "http", &request);
    assert_eq!(at(get("/only/x")).as_deref(), Some("exact/0/0"));
    assert_eq!(at(get("/wild/deeper")).as_deref(), Some("narrow/0/0"));
    assert_eq!(at(get("/wild/deeper").host("a.com")).as_deref(), Some("wide/0/0"));
    assert_eq!(at(get("/").header("x", "1")).as_deref(), Some("all/0/0"));
    assert_eq!(at(get("/")), None);
}

#[test]
fn the_routes_own_hostnames_decide_where_the_intersections_are_equal() {
    let gateway = Gateway::new()
        .http("http", 80, "a.example.com")
        .route(http_route("none").rule([exact("/x")]).created(1))
        .route(http_route("wild").hosts(&["*.example.com"]).rule([exact("/x")]).created(2))
        .route(http_route("same").hosts(&["a.example.com", "*.com"]).rule([prefix("/")]).created(3));
    let router = gateway.compile();
    assert_eq!(served(&router, "http", &get("/x")).as_deref(), Some("same/0/0"));
}

#[test]
fn the_kind_of_path_match_comes_before_all_that_follows() {
    let gateway = Gateway::new().http("http", 80, "").route(
        http_route("r")
            .rule([prefix("/").with_method("GET").with_header("x", "1").with_param("q", "1")])
            .rule([regex("/a/.*").with_header("x", "1")])
            .rule([prefix("/a/b/c/d")])
            .rule([exact("/a/b/c/d/e")])
            .rule([regex("/a/b/c/.*")]),
    );
    let router = gateway.compile();
    let at = |target| served(&router, "http", &get(target).header("x", "1"));
    assert_eq!(at("/a/b/c/d/e?q=1").as_deref(), Some("r/3/0"));
    assert_eq!(at("/a/b/c/d/f?q=1").as_deref(), Some("r/1/0"));
    assert_eq!(at("/b?q=1").as_deref(), Some("r/0/0"));
    assert_eq!(served(&router, "http", &get("/a/b/c/d/f")).as_deref(), Some("r/4/0"));
}

#[test]
fn ties_go_by_method_headers_query_age_name_and_order() {
    let tie = |a: RouteDraft, b: RouteDraft| {
        let router = Gateway::new().http("http", 80, "").route(a).route(b).compile();
        served(&router, "http", &get("/?q=1&r=1").header("x", "1").header("y", "1"))
    };
    let plain = |name| http_route(name).rule([prefix("/")]);
    let with = |it| http_route("z").rule([it]);
    let many =
        prefix("/").with_param("q", "1").with_param("r", "1").with_header("x", "1").with_header("y", "1");
    assert_eq!(
        tie(with(prefix("/").with_method("GET")), http_route("a").rule([many.clone()])).unwrap(),
        "z/0/0"
    );
    assert_eq!(tie(with(prefix("/").with_header("x", "1")), plain("a")).unwrap(), "z/0/0");
    let one_header = prefix("/").with_header("x", "1").with_param("q", "1").with_param("r", "1");
    assert_eq!(tie(with(many), http_route("a").rule([one_header])).unwrap(), "z/0/0");
    assert_eq!(tie(with(prefix("/").with_param("q", "1")), plain("a")).unwrap(), "z/0/0");
    assert_eq!(tie(plain("z").created(1), plain("a").created(2)).unwrap(), "z/0/0");
    assert_eq!(tie(plain("z").created(1), plain("a")).unwrap(), "z/0/0");
    assert_eq!(tie(plain("b-c/a"), plain("b/z")).unwrap(), "a/0/0");
    let twice = http_route("r").rule([prefix("/"), prefix("/")]).rule([prefix("/")]);
    assert_eq!(tie(twice, plain("s")).unwrap(), "r/0/0");
}

#[test]
fn grpc_goes_by_service_then_method_then_headers() {
    let gateway = Gateway::new().http("http", 80, "").route(
        grpc_route("g")
            .rule([grpc(None, None).with_header("x", "1")])
            .rule([grpc(None, Some("Get")).with_header("x", "1")])
            .rule([grpc(Some("~a\\..*"), Some("Get")).with_header("x", "1")])
            .rule([grpc(Some("a.B"), None).with_header("x", "1")])
            .rule([grpc(Some("a.B"), Some("~G.*")).with_header("x", "1")])
            .rule([grpc(Some("a.B"), Some("Get"))])
            .rule([grpc(Some("a.B"), Some("Get")).with_header("x", "1")]),
    );
    let router = gateway.compile();
    let at = |path| served(&router, "http", &get(path).method("POST").header("x", "1"));
    assert_eq!(at("/a.B/Get").as_deref(), Some("g/6/0"));
    assert_eq!(served(&router, "http", &get("/a.B/Get")).as_deref(), Some("g/5/0"));
    assert_eq!(at("/a.B/Got").as_deref(), Some("g/4/0"));
    assert_eq!(at("/a.B/Put").as_deref(), Some("g/3/0"));
    assert_eq!(at("/a.C/Get").as_deref(), Some("g/2/0"));
    assert_eq!(at("/x.Y/Get").as_deref(), Some("g/1/0"));
    assert_eq!(at("/x.Y/Put").as_deref(), Some("g/0/0"));
    assert_eq!(at("/not/grpc/path"), None);
}

#[test]
fn a_web_application_and_grpc_services_share_a_hostname() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .route(grpc_route("service").rule([grpc(Some("a.B"), None)]))
        .route(grpc_route("rest").rule([grpc(None, None)]))
        .route(http_route("web").rule([prefix("/")]).rule([exact("/a.B/Info")]));
    let router = gateway.compile();
    let at = |path| served(&router, "http", &get(path));
    assert_eq!(at("/a.B/Get").as_deref(), Some("service/0/0"));
    assert_eq!(at("/a.B/Info").as_deref(), Some("web/1/0"));
    assert_eq!(at("/assets/app.js").as_deref(), Some("web/0/0"));
}

#[test]
fn the_length_of_the_prefix_is_told_without_trailing_slash() {
    let rule = |it| http_route("r").rule([it]);
    let len = |request_match, target| {
        let router = Gateway::new().http("http", 80, "").route(rule(request_match)).compile();
        router.route(id(&router, "http"), &get(target)).unwrap().prefix_len
    };
    assert_eq!(len(prefix("/"), "/a"), Some(0));
    assert_eq!(len(path(portway_config::request_match::PathMatch::Prefix("/a/".into())), "/a/b"), Some(2));
    assert_eq!(len(exact("/a"), "/a"), None);
    assert_eq!(len(regex("/a.*"), "/a"), None);
}

#[test]
fn identifiers_of_another_router_find_nothing() {
    let router = Gateway::new().http("http", 80, "").compile();
    let stale = ListenerId(7);
    assert_eq!(router.route(stale, &get("/")), None);
    assert_eq!(router.l4_rule(stale), None);
    assert_eq!(router.https_listener(stale, "a"), Err(HostRefusal::NotFound));
    assert_eq!(router.listener_id(&listener_key("gone")), None);
}
