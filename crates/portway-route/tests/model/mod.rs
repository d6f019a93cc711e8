//! The matcher once more, slow and obvious: look at everything, take what the API prefers.
//!
//! It shares nothing with the crate, reads the routes' own hostnames instead of what translation has
//! intersected, and counts what the API says to count.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part")]

use portway_config::request_match::{NamedMatch, PathMatch, RequestMatch, ValueMatch};
use portway_config::{
    Configuration, HostnamePattern, Listener, ListenerKey, ListenerProtocol, Route, RouteKey, Rules,
};

use crate::fixture::Message;

/// Route, rule and match.
pub type Found = (RouteKey, usize, usize);

/// Whether a text fits.
type Meaning = fn(&str) -> bool;

/// The expressions that tests use, and what they mean.
pub const EXPRESSIONS: [(&str, Meaning); 5] = [
    (".*", |_| true),
    ("/a/.*", |text| text.starts_with("/a/")),
    ("/[ab]", |text| text == "/a" || text == "/b"),
    ("[12]", |text| text == "1" || text == "2"),
    ("S.?", |text| text == "S" || (text.len() == 2 && text.starts_with('S'))),
];

/// The listener that serves a host on a port, in clear text.
pub fn http_listener(configuration: &Configuration, port: u16, host: &str) -> Option<ListenerKey> {
    let serves = |it: &&Listener| {
        it.port == port
            && it.protocol == ListenerProtocol::Http
            && hostname_matches(&it.hostname.to_string(), host)
    };
    let all = configuration.listeners.values().map(|it| &**it);
    all.filter(serves).max_by_key(|it| specificity(&it.hostname.to_string())).map(|it| it.key.clone())
}

/// The match that serves a request at a listener.
pub fn winner(configuration: &Configuration, listener: &ListenerKey, request: &Message) -> Option<Found> {
    let mut best = None;
    let listener = configuration.listeners.get(listener)?;
    for route in configuration.routes.values() {
        let Some(hostnames) = hostnames(route, listener, &request.host) else { continue };
        let Rules::Http(rules) = &route.rules else { continue };
        for rule in rules {
            for (index, request_match) in rule.matches.iter().enumerate() {
                if matches(request_match, request) {
                    let age = -route.created.unwrap_or(i64::MAX);
                    let name = std::cmp::Reverse(route.key.name.to_string());
                    let order = std::cmp::Reverse((route.key.kind, rule.index, index));
                    let score = (hostnames, conditions(request_match), age, name, order);
                    let found = (route.key.clone(), rule.index, index);
                    best = best.max(Some((score, found)));
                }
            }
        }
    }
    best.map(|(_, found)| found)
}

/// Whether a request meets all conditions of a match.
pub fn matches(it: &RequestMatch, request: &Message) -> bool {
    path_matches(&it.path, &request.path)
        && it.method.as_ref().is_none_or(|method| **method == request.method)
        && it.headers.iter().all(|it| header_matches(it, request))
        && it.query_params.iter().all(|it| param_matches(it, request))
}

type Specificity = (usize, usize);

/// Specificity of the best hostname at which a route meets a host: of what it has in common with the
/// listener, and of what it names itself.
fn hostnames(route: &Route, listener: &Listener, host: &str) -> Option<(Specificity, Specificity)> {
    route.attachments.iter().find(|it| it.listener == listener.key)?;
    let wide = listener.hostname.to_string();
    let all = [HostnamePattern::Any];
    let own = if route.hostnames.is_empty() { &all[..] } else { &route.hostnames };
    own.iter()
        .map(ToString::to_string)
        .filter(|own| hostname_matches(own, host) && hostname_matches(&wide, host))
        .map(|own| (specificity(&own).max(specificity(&wide)), specificity(&own)))
        .max()
}

fn hostname_matches(pattern: &str, host: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == host,
        Some((_, "")) => true,
        Some((_, suffix)) => host.len() > suffix.len() && host.ends_with(suffix),
    }
}

/// Characters in a non-wildcard hostname, characters in a hostname.
fn specificity(pattern: &str) -> Specificity {
    if pattern.contains('*') { (0, pattern.len()) } else { (pattern.len(), pattern.len()) }
}

fn path_matches(path: &PathMatch, had: &str) -> bool {
    match path {
        PathMatch::Exact(wanted) => **wanted == *had,
        PathMatch::Prefix(prefix) => {
            let wanted: Vec<_> = prefix.split('/').filter(|it| !it.is_empty()).collect();
            let had: Vec<_> = had.split('/').skip(1).collect();
            had.starts_with(&wanted)
        }
        PathMatch::Regex(pattern) => fits(pattern, had),
        PathMatch::Grpc { service, method } => {
            let parts: Vec<_> = had.split('/').collect();
            let ["", had_service, had_method] = parts[..] else { return false };
            let fits = |it: &Option<ValueMatch>, had| it.as_ref().is_none_or(|it| value_matches(it, had));
            !had_service.is_empty()
                && !had_method.is_empty()
                && fits(service, had_service)
                && fits(method, had_method)
        }
    }
}

fn header_matches(it: &NamedMatch, request: &Message) -> bool {
    let lines: Vec<_> =
        request.headers.iter().filter(|(name, _)| **name == *it.name).map(|(_, it)| &**it).collect();
    !lines.is_empty() && value_matches(&it.value, &lines.join(", "))
}

fn param_matches(it: &NamedMatch, request: &Message) -> bool {
    let query = request.query.as_deref().unwrap_or_default().replace("%31", "1");
    let pair = query.split('&').find(|pair| pair.split('=').next() == Some(&*it.name) && !pair.is_empty());
    pair.is_some_and(|pair| value_matches(&it.value, pair.split_once('=').map_or("", |(_, value)| value)))
}

fn value_matches(it: &ValueMatch, had: &str) -> bool {
    match it {
        ValueMatch::Exact(wanted) => **wanted == *had,
        ValueMatch::Regex(pattern) => fits(pattern, had),
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    EXPRESSIONS.iter().find(|(it, _)| *it == pattern).unwrap().1(text)
}

/// The kind of path condition with its characters, then method, headers, query parameters.
fn conditions(it: &RequestMatch) -> ([usize; 5], bool, usize, usize) {
    let named = |it: &Option<ValueMatch>| match it {
        Some(ValueMatch::Exact(text)) => [2, text.len()],
        Some(ValueMatch::Regex(_)) => [1, 0],
        None => [0, 0],
    };
    let path = match &it.path {
        PathMatch::Exact(_) => [4, 0, 0, 0, 0],
        PathMatch::Grpc { service: None, method: None } => [0, 0, 0, 0, 0],
        PathMatch::Grpc { service, method } => {
            let ([a, b], [c, d]) = (named(service), named(method));
            [3, a, b, c, d]
        }
        PathMatch::Regex(_) => [2, 0, 0, 0, 0],
        PathMatch::Prefix(prefix) => [1, prefix.len(), 0, 0, 0],
    };
    (path, it.method.is_some(), it.headers.len(), it.query_params.len())
}
