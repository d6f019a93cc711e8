//! One line of the access log, as JSON and as text.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use hyper::Version;
use portway_config::{ListenerParent, NamespacedName};

use super::json::{Object, Plain, key};
use super::record::{L4Record, RequestRecord};
use super::remembered::Remembered;
use crate::reason::Reason;

/// Room for the JSON of most requests.
const USUAL_LENGTH: usize = 1024;

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

fn listener_set(parent: &ListenerParent) -> Option<&NamespacedName> {
    match parent {
        ListenerParent::Gateway(_) => None,
        ListenerParent::ListenerSet(set) => Some(set),
    }
}

/// What way the bytes took. The kernel's fast path writes `kernel` here.
const DATA_PATH: &str = "proxy";

/// The fields of a request, in their order. The names are stable: people's queries rely on them.
pub(super) fn request_json(
    into: &mut Vec<u8>,
    time: &str,
    record: &RequestRecord<'_>,
    remembered: &mut Remembered,
) {
    into.reserve(USUAL_LENGTH);
    Object::begin(into).field(key!("time"), Plain(time));
    remembered.write(into, record.served_by, |into| served_by_json(into, record));
    Object::resume(into)
        .field(key!("endpoint"), record.endpoint)
        .field(key!("data_path"), Plain(DATA_PATH))
        .field(key!("client"), record.client)
        .field(key!("peer"), record.peer)
        .field(key!("protocol"), Plain(protocol(record.version)))
        // A token (RFC 9110, section 9.1), which has neither quotes nor backslashes.
        .field(key!("method"), Plain(record.method.as_str()))
        .field(key!("scheme"), Plain(record.scheme))
        .field(key!("authority"), record.authority)
        .field(key!("path"), record.target)
        .field(key!("status"), record.status)
        .field(key!("reason"), record.reason.map(|reason| Plain(reason.as_str())))
        .field_if(key!("cause"), record.cause)
        .field(key!("attempts"), record.attempts)
        .field(key!("request_bytes"), record.request_bytes)
        .field(key!("response_bytes"), record.response_bytes)
        .field(key!("duration_us"), micros(record.timing.total))
        .field(key!("connect_us"), micros(record.timing.connect))
        .field(key!("upstream_us"), micros(record.timing.upstream))
        .field(key!("own_us"), micros(record.timing.own))
        .field(key!("request_id"), record.request_id)
        .field(key!("user_agent"), record.user_agent)
        .end();
}

/// The fields that requests have alike which the same part of a configuration has served.
fn served_by_json(into: &mut Vec<u8>, record: &RequestRecord<'_>) {
    Object::resume(into)
        .field(key!("revision"), record.revision.0)
        .field(key!("gateway"), record.gateway)
        .field(key!("listener"), record.listener.map(|it| &*it.name))
        .field_if(key!("listener_set"), record.listener.and_then(|it| listener_set(&it.parent)))
        .field(key!("route"), record.route)
        .field(key!("rule"), record.rule.map(|(index, _)| index))
        .field(key!("rule_name"), record.rule.and_then(|(_, name)| name))
        .field(key!("backend"), record.backend);
}

/// The fields of a connection that is not HTTP, in their order.
pub(super) fn connection_json(into: &mut Vec<u8>, time: &str, record: &L4Record) {
    Object::begin(into)
        .field(key!("time"), time)
        .field(key!("revision"), record.revision.0)
        .field(key!("gateway"), &record.gateway)
        .field(key!("listener"), record.listener.as_ref().map(|it| &*it.name))
        .field_if(key!("listener_set"), record.listener.as_ref().and_then(|it| listener_set(&it.parent)))
        .field(key!("route"), record.route.as_ref())
        .field(key!("backend"), record.backend.as_ref())
        .field(key!("endpoint"), record.endpoint)
        .field(key!("data_path"), DATA_PATH)
        .field(key!("peer"), record.peer)
        .field(key!("protocol"), record.protocol)
        .field(key!("server_name"), record.server_name.as_deref())
        .field(key!("reason"), record.reason.map(Reason::as_str))
        .field_if(key!("status"), record.status)
        .field(key!("received_bytes"), record.received_bytes)
        .field(key!("sent_bytes"), record.sent_bytes)
        .field(key!("duration_us"), micros(record.total))
        .end();
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
        reason = record.reason.map(|it| reason_text(it, record.cause)).unwrap_or_default(),
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
        "{time} {peer} {protocol} {name}{status}{reason} {total} ms, {received} B in, {sent} B out | \
         {gateway} {listener} > {route} > {backend} {endpoint} | r{revision}",
        peer = record.peer,
        protocol = record.protocol,
        name = record.server_name.as_deref().map_or_else(|| "-".to_owned(), printable),
        status = record.status.map(|it| format!(" {it}")).unwrap_or_default(),
        reason = record.reason.map(|it| reason_text(it, None)).unwrap_or_default(),
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

fn reason_text(reason: Reason, cause: Option<&str>) -> String {
    match cause {
        None => format!(" ({})", reason.as_str()),
        Some(cause) => format!(" ({}: {})", reason.as_str(), printable(cause)),
    }
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
