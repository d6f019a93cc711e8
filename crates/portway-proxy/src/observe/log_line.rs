//! One line of the access log, as JSON and as text.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use hyper::Version;
use portway_config::ListenerParent;
use serde::{Serialize, Serializer};

use super::record::{L4Record, RequestRecord};

/// The fields of a request, in their order. The names are stable: people's queries rely on them.
#[derive(Serialize)]
struct RequestLine<'a> {
    time: &'a str,
    revision: u64,
    gateway: Shown<&'a dyn Display>,
    listener: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_set: Option<Shown<&'a dyn Display>>,
    route: Option<Shown<&'a dyn Display>>,
    rule: Option<usize>,
    rule_name: Option<&'a str>,
    backend: Option<Shown<&'a dyn Display>>,
    endpoint: Option<Shown<&'a dyn Display>>,
    /// The kernel's fast path writes `kernel` here.
    data_path: &'static str,
    client: Shown<&'a dyn Display>,
    peer: Shown<&'a dyn Display>,
    protocol: &'static str,
    method: &'a str,
    scheme: &'static str,
    authority: &'a str,
    path: &'a str,
    status: u16,
    reason: Option<&'static str>,
    attempts: u32,
    request_bytes: u64,
    response_bytes: u64,
    duration_us: u64,
    connect_us: u64,
    upstream_us: u64,
    own_us: u64,
    request_id: &'a str,
    user_agent: Option<&'a str>,
}

/// The fields of a connection that is not HTTP, in their order.
#[derive(Serialize)]
struct ConnectionLine<'a> {
    time: &'a str,
    revision: u64,
    gateway: Shown<&'a dyn Display>,
    listener: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_set: Option<Shown<&'a dyn Display>>,
    route: Option<Shown<&'a dyn Display>>,
    backend: Option<Shown<&'a dyn Display>>,
    endpoint: Option<Shown<&'a dyn Display>>,
    data_path: &'static str,
    peer: Shown<&'a dyn Display>,
    protocol: &'static str,
    server_name: Option<&'a str>,
    reason: Option<&'static str>,
    received_bytes: u64,
    sent_bytes: u64,
    duration_us: u64,
}

/// Writes what is displayed as a JSON string.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn shown<T: Display>(value: &T) -> Shown<&dyn Display> {
    Shown(value)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

fn listener_set(parent: &ListenerParent) -> Option<Shown<&dyn Display>> {
    match parent {
        ListenerParent::Gateway(_) => None,
        ListenerParent::ListenerSet(set) => Some(shown(set)),
    }
}

pub(super) fn request_json(into: &mut Vec<u8>, time: &str, record: &RequestRecord<'_>) {
    let (rule, rule_name) = record.rule.map_or((None, None), |(index, name)| (Some(index), name));
    let line = RequestLine {
        time,
        revision: record.revision.0,
        gateway: shown(record.gateway),
        listener: record.listener.map(|it| &*it.name),
        listener_set: record.listener.and_then(|it| listener_set(&it.parent)),
        route: record.route.map(shown),
        rule,
        rule_name,
        backend: record.backend.map(shown),
        endpoint: record.endpoint.as_ref().map(shown),
        data_path: "proxy",
        client: shown(&record.client),
        peer: shown(&record.peer),
        protocol: protocol(record.version),
        method: record.method.as_str(),
        scheme: record.scheme,
        authority: record.authority,
        path: record.target,
        status: record.status,
        reason: record.reason.map(crate::reason::Reason::as_str),
        attempts: record.attempts,
        request_bytes: record.request_bytes,
        response_bytes: record.response_bytes,
        duration_us: micros(record.timing.total),
        connect_us: micros(record.timing.connect),
        upstream_us: micros(record.timing.upstream),
        own_us: micros(record.timing.own),
        request_id: record.request_id,
        user_agent: record.user_agent,
    };
    json(into, &line);
}

pub(super) fn connection_json(into: &mut Vec<u8>, time: &str, record: &L4Record) {
    let line = ConnectionLine {
        time,
        revision: record.revision.0,
        gateway: shown(&record.gateway),
        listener: record.listener.as_ref().map(|it| &*it.name),
        listener_set: record.listener.as_ref().and_then(|it| listener_set(&it.parent)),
        route: record.route.as_ref().map(shown),
        backend: record.backend.as_ref().map(shown),
        endpoint: record.endpoint.as_ref().map(shown),
        data_path: "proxy",
        peer: shown(&record.peer),
        protocol: record.protocol,
        server_name: record.server_name.as_deref(),
        reason: record.reason.map(crate::reason::Reason::as_str),
        received_bytes: record.received_bytes,
        sent_bytes: record.sent_bytes,
        duration_us: micros(record.total),
    };
    json(into, &line);
}

fn json(into: &mut Vec<u8>, line: &impl Serialize) {
    let start = into.len();
    // Neither a Vec nor the types above can fail; if they did, no half line may stay.
    if serde_json::to_writer(&mut *into, line).is_ok() {
        into.push(b'\n');
    } else {
        into.truncate(start);
    }
}

pub(super) fn request_text(into: &mut Vec<u8>, time: &str, record: &RequestRecord<'_>) {
    let or_dash = |value: Option<&dyn Display>| value.map_or_else(|| "-".to_owned(), ToString::to_string);
    let rule = match record.rule {
        None => String::new(),
        Some((_, Some(name))) => format!(" rule {}", printable(name)),
        Some((index, None)) => format!(" rule {index}"),
    };
    // Writing to a Vec cannot fail.
    let _ = writeln!(
        into,
        "{time} {client} {method} {scheme}://{authority}{path} {status}{reason} {total} ms, {response} B | \
         {gateway} {listener} > {route}{rule} > {backend} {endpoint} | r{revision} {id}",
        client = record.client,
        method = record.method,
        scheme = record.scheme,
        authority = printable(record.authority),
        path = printable(record.target),
        status = record.status,
        reason = record.reason.map(|it| format!(" ({})", it.as_str())).unwrap_or_default(),
        total = millis(record.timing.total),
        response = record.response_bytes,
        gateway = record.gateway,
        listener = or_dash(record.listener.map(|it| -> &dyn Display { &it.name })),
        route = or_dash(record.route.map(|it| -> &dyn Display { it })),
        backend = or_dash(record.backend.map(|it| -> &dyn Display { it })),
        endpoint = or_dash(record.endpoint.as_ref().map(|it| -> &dyn Display { it })),
        revision = record.revision,
        id = printable(record.request_id),
    );
}

pub(super) fn connection_text(into: &mut Vec<u8>, time: &str, record: &L4Record) {
    let or_dash = |value: Option<&dyn Display>| value.map_or_else(|| "-".to_owned(), ToString::to_string);
    let _ = writeln!(
        into,
        "{time} {peer} {protocol} {name}{reason} {total} ms, {received} B in, {sent} B out | \
         {gateway} {listener} > {route} > {backend} {endpoint} | r{revision}",
        peer = record.peer,
        protocol = record.protocol,
        name = record.server_name.as_deref().map_or_else(|| "-".to_owned(), printable),
        reason = record.reason.map(|it| format!(" ({})", it.as_str())).unwrap_or_default(),
        total = millis(record.total),
        received = record.received_bytes,
        sent = record.sent_bytes,
        gateway = record.gateway,
        listener = or_dash(record.listener.as_ref().map(|it| -> &dyn Display { &it.name })),
        route = or_dash(record.route.as_ref().map(|it| -> &dyn Display { it })),
        backend = or_dash(record.backend.as_ref().map(|it| -> &dyn Display { it })),
        endpoint = or_dash(record.endpoint.as_ref().map(|it| -> &dyn Display { it })),
        revision = record.revision,
    );
}

fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

/// What clients send must not move the cursor of a terminal, or pass for a line of its own.
fn printable(text: impl AsRef<str>) -> String {
    text.as_ref()
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}
