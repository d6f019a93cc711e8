//! Random gateways and requests of few letters, so that collisions are common.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part")]

use portway_config::request_match::RequestMatch;
use portway_config::{HostnamePattern, RouteKind};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::fixture::{Gateway, Message, RouteDraft, With, exact, get, grpc, prefix, regex, route};

const PATTERNS: [&str; 6] = ["", "*.a", "*.b.a", "b.a", "b.b.a", "c"];
const HOSTS: [&str; 8] = ["b.a", "b.b.a", "a.b.a", "a.a", "a", "c", "", "d"];
const LISTENERS: [(&str, &str); 3] = [("http", ""), ("wild", "*.a"), ("one", "b.a")];
const PATHS: [&str; 11] = ["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a-", "/a-/b", "/b", "/S/M", "/S/N"];
const VALUES: [&str; 4] = ["1", "2", "~[12]", "~.*"];

/// A gateway with three listeners on port 80, one inside another, and a few routes.
pub fn gateway() -> impl Strategy<Value = Gateway> {
    (subsequence(&LISTENERS[..], 1..=3), vec(route_draft(), 0..8)).prop_map(|(listeners, routes)| {
        let mut gateway = Gateway::new();
        for (name, hostname) in &listeners {
            gateway = gateway.http(name, 80, hostname);
        }
        for mut route in routes {
            route.listeners.retain(|it| listeners.iter().any(|(name, _)| name == it));
            gateway = gateway.route(route);
        }
        gateway
    })
}

fn route_draft() -> impl Strategy<Value = RouteDraft> {
    let kind = select(&[RouteKind::Http, RouteKind::Http, RouteKind::Grpc][..]);
    let listeners = subsequence(&["http", "wild", "one"][..], 1..=3);
    let hostnames = subsequence(&PATTERNS[1..], 0..3);
    let name = select(&["a/a", "a-a/a", "a/b", "b/a"][..]);
    (kind, name, of(0..2_i64), listeners, hostnames)
        .prop_flat_map(|(kind, name, created, listeners, hostnames)| {
            let draft = RouteDraft { created, ..route(kind, name) }.at(&listeners).hosts(&hostnames);
            vec(vec(request_match(kind), 1..3), 1..4)
                .prop_map(move |rules| RouteDraft { rules, ..draft.clone() })
        })
        .boxed()
}

fn request_match(kind: RouteKind) -> BoxedStrategy<RequestMatch> {
    let headers = vec((select(&["x", "y"][..]), select(&VALUES[..])), 0..3);
    if kind == RouteKind::Grpc {
        let service = of(select(&["S", "T", "~S.?"][..]));
        let method = of(select(&["M", "N", "~.*"][..]));
        let paths = (service, method).prop_map(|(service, method)| grpc(service, method));
        return (paths, headers).prop_map(|(it, headers)| with_headers(it, &headers)).boxed();
    }
    let paths = prop_oneof![
        4 => select(&PATHS[..]).prop_map(prefix),
        2 => select(&PATHS[..]).prop_map(exact),
        1 => select(&[".*", "/a/.*", "/[ab]"][..]).prop_map(regex),
    ];
    let method = of(select(&["GET", "POST"][..]));
    let params = vec((select(&["q", "r"][..]), select(&VALUES[..])), 0..2);
    let plain = select(&["/", "/a", "/a/b"][..]).prop_map(prefix);
    let any = (paths, method, headers, params).prop_map(|(it, method, headers, params)| {
        let mut it = with_headers(it, &headers);
        it.method = method.map(Into::into);
        params.iter().fold(it, |it, (name, value)| it.with_param(name, value))
    });
    // Plain ones are all that often tie on all but the route.
    prop_oneof![plain, any].boxed()
}

/// A name stands in a match once.
fn with_headers(it: RequestMatch, headers: &[(&str, &str)]) -> RequestMatch {
    headers.iter().fold(it, |it, (name, value)| {
        if it.headers.iter().any(|there| *there.name == **name) { it } else { it.with_header(name, value) }
    })
}

/// A request that the routes of [`gateway`] may match.
pub fn message() -> impl Strategy<Value = Message> {
    let headers = vec((select(&["x", "y"][..]), select(&["1", "2", "3"][..])), 0..4);
    let params = vec(select(&["q=1", "q=2", "r=1", "r=%31", "q", "z=1"][..]), 0..3);
    (select(&HOSTS[..]), select(&PATHS[..]), select(&["GET", "POST"][..]), headers, params).prop_map(
        |(host, path, method, headers, params)| {
            let query = if params.is_empty() { String::new() } else { format!("?{}", params.join("&")) };
            let message = get(&format!("{path}{query}")).host(host).method(method);
            headers.iter().fold(message, |it, (name, value)| it.header(name, value))
        },
    )
}

/// Whether some host of [`message`] matches.
pub fn is_reachable(pattern: &HostnamePattern) -> bool {
    HOSTS.iter().any(|host| pattern.matches(host))
}
