//! Matching allocates nothing.

mod fixture;

use std::alloc::System;

use fixture::{Gateway, Message, With, exact, get, grpc, grpc_route, http_route, id, prefix, regex};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// One test in this file: another one's thread would allocate beside it.
#[test]
fn matching_allocates_nothing() {
    let gateway = Gateway::new()
        .http("http", 80, "")
        .http("wild", 80, "*.example.com")
        .https("https", 443, "*.example.com")
        .route(grpc_route("grpc").at(&["wild"]).rule([grpc(Some("a.B"), None), grpc(Some("~c\\..*"), None)]))
        .route(
            http_route("http")
                .at(&["wild"])
                .hosts(&["*.example.com", "a.example.com"])
                .rule([exact("/exact"), prefix("/prefix/deep"), prefix("/prefix")])
                .rule([regex("/v[0-9]+/.*"), prefix("/").with_method("POST")])
                .rule([prefix("/h").with_header("x", "1, 2").with_header("y", "~[a-z]+")])
                .rule([prefix("/q").with_param("q", "a b").with_param("r", "~[a-z ]+")]),
        );
    let router = gateway.compile();
    let wild = id(&router, "wild");
    let requests = [
        (true, get("/exact")),
        (true, get("/prefix/deep/x/y/z")),
        (true, get("/prefix/x").host("b.c.example.com")),
        (true, get("/v12/x")),
        (true, get("/a.B/C").method("POST")),
        (true, get("/c.D/E").method("POST")),
        (true, get("/x").method("POST")),
        (true, get("/h").header("x", "1").header("x", "2").header("y", "a")),
        (true, get("/q?q=a%20b&r=a%20b")),
        (false, get("/h").header("x", "1").header("y", "A")),
        (false, get("/nothing").host("b.example.com")),
    ];
    let answers =
        || requests.iter().filter(|(expected, it)| router.route(wild, it).is_some() == *expected).count();
    // The expression engine makes its caches when a thread first uses an expression.
    assert_eq!(answers(), requests.len());

    let region = Region::new(ALLOCATOR);
    let right = answers();
    let found = requests.iter().filter(|(_, it)| listeners_are_found(&router, it)).count();
    let change = region.change();

    assert_eq!((right, found), (requests.len(), requests.len()));
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
}

fn listeners_are_found(router: &portway_route::Router, request: &Message) -> bool {
    let connection = router.tls_target(443, Some(&request.host)).map(portway_route::TlsTarget::listener);
    router.http_listener(80, &request.host).is_some()
        && connection.is_some_and(|it| router.https_listener(it, &request.host).is_ok())
}
