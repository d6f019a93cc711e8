//! Five thousand routes: what they weigh, and that no shape of them makes a look-up or the search for
//! shadowed rules slow.

mod fixture;

use std::alloc::System;
use std::time::{Duration, Instant};

use fixture::{
    Gateway, Message, RouteDraft, With, exact, get, grpc, grpc_route, http_route, id, prefix, served,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUTES: usize = 5_000;

/// What the compiled router of five thousand routes, one host and one rule each, may weigh in bytes,
/// beside the configuration that it shares. The whole process is to stay under 40 MB.
const MOST_BYTES: usize = 4_000_000;

/// A generous multiple of what it takes unoptimised on a busy machine; quadratic time is far above.
const MOST_TIME: Duration = Duration::from_secs(20);

fn many(route: impl Fn(usize) -> RouteDraft) -> Gateway {
    (0..ROUTES).map(route).fold(Gateway::new().http("http", 80, ""), Gateway::route)
}

/// Each shape with a request for the route in the middle.
fn shapes() -> [(&'static str, Gateway, Message); 5] {
    let middle = ROUTES / 2;
    let name = |i| format!("r{i:04}");
    [
        (
            "hosts",
            many(|i| http_route(&name(i)).hosts(&[&format!("h{i}.example.com")]).rule([prefix("/")])),
            get("/a/b").host(&format!("h{middle}.example.com")),
        ),
        ("exact paths", many(|i| http_route(&name(i)).rule([exact(&format!("/app/{i}"))])), get("/app/2500")),
        (
            "prefixes",
            many(|i| http_route(&name(i)).rule([prefix(&format!("/app/{i}"))])),
            get("/app/2500/x/y/z"),
        ),
        (
            "headers",
            many(|i| http_route(&name(i)).rule([prefix("/").with_header("x", &i.to_string())])),
            get("/").header("x", "2500"),
        ),
        (
            "services",
            many(|i| grpc_route(&name(i)).rule([grpc(Some(&format!("app.S{i}")), None)])),
            get("/app.S2500/Get"),
        ),
    ]
}

// One test in this file: another one's thread would allocate beside it.
#[test]
fn five_thousand_routes_are_small_and_none_shadows_another() {
    for (shape, gateway, request) in shapes() {
        let region = Region::new(ALLOCATOR);
        let router = gateway.compile();
        let change = region.change();
        let bytes = change.bytes_allocated - change.bytes_deallocated;
        assert!(bytes < MOST_BYTES, "{shape}: {bytes} bytes");

        assert_eq!(served(&router, "http", &request).as_deref(), Some("r2500/0/0"), "{shape}");
        let listener = id(&router, "http");
        let started = Instant::now();
        let found = (0..1_000).filter(|_| router.route(listener, &request).is_some()).count();
        let look_up = started.elapsed() / 1_000;
        assert_eq!(found, 1_000);

        let started = Instant::now();
        assert!(router.shadowed().is_empty(), "{shape}");
        let search = started.elapsed();
        assert!(search < MOST_TIME, "{shape}: {search:?}");
        println!(
            "{shape}: {bytes} bytes, {look_up:?} for a look-up, {search:?} to search for shadowed rules"
        );
    }
}
