//! Metrics in the text form that Prometheus reads.

use std::fmt::Write;

use portway_config::RouteKey;

use super::metrics::{BUCKETS_US, Bounded, CLASSES, Counts, ListenerLabel, Requests};

/// Media type of what [`encode`] yields.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A family of metrics with its samples.
struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { out, name }
    }

    fn sample(&mut self, suffix: &str, labels: &str, more: &str, value: impl std::fmt::Display) {
        let comma = if labels.is_empty() || more.is_empty() { "" } else { "," };
        let _ = writeln!(self.out, "{}{suffix}{{{labels}{comma}{more}}} {value}", self.name);
    }
}

/// All metrics. Samples are sorted, so that two scrapes can be compared.
pub(super) fn encode(counts: &Counts, dropped_log_lines: u64) -> String {
    let mut out = String::new();
    let listeners = labelled(&counts.listeners, listener_labels);
    requests(&mut out, &listeners);
    durations(&mut out, &listeners);
    bytes(&mut out, &listeners);
    if let Some(routes) = &counts.routes {
        by_route(&mut out, &labelled(routes, route_labels));
    }
    connections(&mut out, counts);
    let mut family = Family::new(
        &mut out,
        "portway_reasons_total",
        "counter",
        "Responses that Portway made itself, and requests and connections that it ended early, by reason code.",
    );
    let mut reasons: Vec<_> = counts.reasons.iter().collect();
    reasons.sort();
    for (reason, count) in reasons {
        family.sample("", &format!("reason=\"{reason}\""), "", count);
    }
    let _ = writeln!(
        out,
        "# HELP portway_access_log_dropped_lines_total Lines that could not be written in time.\n\
         # TYPE portway_access_log_dropped_lines_total counter\n\
         portway_access_log_dropped_lines_total {dropped_log_lines}"
    );
    out
}

fn requests(out: &mut String, listeners: &[(String, &Requests)]) {
    let help = "Requests by class of the status that the client got.";
    let mut family = Family::new(out, "portway_requests_total", "counter", help);
    for (labels, requests) in listeners {
        for (class, count) in CLASSES.iter().zip(requests.by_class).filter(|(_, count)| *count > 0) {
            family.sample("", labels, &format!("code=\"{class}\""), count);
        }
    }
    let help = "Attempts at backends beyond the first.";
    let mut family = Family::new(out, "portway_retries_total", "counter", help);
    for (labels, requests) in listeners {
        family.sample("", labels, "", requests.retries);
    }
}

fn durations(out: &mut String, listeners: &[(String, &Requests)]) {
    let help = "From the head of the request to the last byte of the response.";
    let mut family = Family::new(out, "portway_request_duration_seconds", "histogram", help);
    for (labels, requests) in listeners {
        let mut below = 0;
        for (bound, count) in BUCKETS_US.iter().zip(requests.durations) {
            below += count;
            family.sample("_bucket", labels, &format!("le=\"{}\"", seconds(*bound)), below);
        }
        family.sample("_bucket", labels, "le=\"+Inf\"", requests.count());
        family.sample("_sum", labels, "", seconds(requests.duration_sum_us));
        family.sample("_count", labels, "", requests.count());
    }
}

fn bytes(out: &mut String, listeners: &[(String, &Requests)]) {
    let help = "Body bytes of requests that were forwarded.";
    let mut family = Family::new(out, "portway_request_bytes_total", "counter", help);
    for (labels, requests) in listeners {
        family.sample("", labels, "", requests.request_bytes);
    }
    let help = "Body bytes of responses that were forwarded.";
    let mut family = Family::new(out, "portway_response_bytes_total", "counter", help);
    for (labels, requests) in listeners {
        family.sample("", labels, "", requests.response_bytes);
    }
}

fn by_route(out: &mut String, routes: &[(String, &Requests)]) {
    let help = "Requests of a route by class of the status that the client got.";
    let mut family = Family::new(out, "portway_route_requests_total", "counter", help);
    for (labels, requests) in routes {
        for (class, count) in CLASSES.iter().zip(requests.by_class).filter(|(_, count)| *count > 0) {
            family.sample("", labels, &format!("code=\"{class}\""), count);
        }
    }
    let help = "Sum of the durations of a route's requests.";
    let mut family = Family::new(out, "portway_route_request_seconds_total", "counter", help);
    for (labels, requests) in routes {
        family.sample("", labels, "", seconds(requests.duration_sum_us));
    }
}

fn connections(out: &mut String, counts: &Counts) {
    let connections = labelled(&counts.connections, listener_labels);
    let help =
        "Connections and UDP sessions that are not HTTP, and connections that ended before HTTP began.";
    let mut family = Family::new(out, "portway_connections_total", "counter", help);
    for (labels, it) in &connections {
        family.sample("", labels, "", it.count);
    }
    let help = "Bytes of such connections from clients.";
    let mut family = Family::new(out, "portway_connection_received_bytes_total", "counter", help);
    for (labels, it) in &connections {
        family.sample("", labels, "", it.received_bytes);
    }
    let help = "Bytes of such connections to clients.";
    let mut family = Family::new(out, "portway_connection_sent_bytes_total", "counter", help);
    for (labels, it) in &connections {
        family.sample("", labels, "", it.sent_bytes);
    }
}

/// The values with their labels, sorted; those that have no series of their own are named `_other`.
fn labelled<K, V>(bounded: &Bounded<K, V>, labels: fn(Option<&K>) -> String) -> Vec<(String, &V)> {
    let known = bounded.known.iter().map(|(key, value)| (labels(Some(key)), value));
    let mut all: Vec<_> = known.chain(bounded.other.iter().map(|value| (labels(None), value))).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn listener_labels(label: Option<&ListenerLabel>) -> String {
    match label {
        None => "gateway=\"_other\",listener=\"_other\"".to_owned(),
        Some((gateway, listener)) => {
            let listener = listener.as_ref().map_or_else(
                || "_none".to_owned(),
                |it| match &it.parent {
                    portway_config::ListenerParent::Gateway(_) => it.name.to_string(),
                    portway_config::ListenerParent::ListenerSet(set) => format!("{set}/{}", it.name),
                },
            );
            format!("gateway=\"{gateway}\",listener=\"{listener}\"")
        }
    }
}

fn route_labels(route: Option<&RouteKey>) -> String {
    match route {
        None => "route=\"_other\"".to_owned(),
        Some(route) => format!("kind=\"{}\",route=\"{}\"", route.kind.as_str(), route.name),
    }
}

fn seconds(micros: u64) -> f64 {
    // Exact for 285 years of microseconds.
    micros as f64 / 1e6
}
