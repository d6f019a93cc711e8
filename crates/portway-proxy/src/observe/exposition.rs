//! The counters as metrics, for a scrape.

use std::fmt;

use portway_config::{ListenerParent, RouteKey};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::metrics::{BUCKETS_US, Bounded, CLASSES, Connections, Counts, ListenerLabel, Requests};

/// What was counted so far. Samples are sorted, so that two scrapes can be compared.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) counts: Counts,
    pub(super) dropped_log_lines: u64,
}

/// Names of labels, with what they say.
type Labels = Vec<(&'static str, String)>;

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        let listeners = labelled(&self.counts.listeners, listener_labels);
        requests(encoder, &listeners)?;
        durations(encoder, &listeners)?;
        bytes(encoder, &listeners)?;
        if let Some(routes) = &self.counts.routes {
            by_route(encoder, &labelled(routes, route_labels))?;
        }
        connections(encoder, &labelled(&self.counts.connections, listener_labels))?;
        reasons(encoder, &self.counts)?;
        let help = "Lines of the access log that could not be written in time.";
        let family = counter(encoder, "portway_access_log_dropped_lines", help)?;
        ConstCounter::new(self.dropped_log_lines).encode(family)
    }
}

/// Begins a family of counters; `_total`, which counters end with, is added to its name.
fn counter<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn sample(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(family.encode_family(labels)?)
}

fn requests(encoder: &mut DescriptorEncoder<'_>, listeners: &[(Labels, &Requests)]) -> fmt::Result {
    let help = "Requests by class of the status that the client got.";
    by_class(&mut counter(encoder, "portway_requests", help)?, listeners)?;
    let help = "Attempts at backends beyond the first.";
    let mut family = counter(encoder, "portway_retries", help)?;
    listeners.iter().try_for_each(|(labels, it)| sample(&mut family, labels, it.retries))
}

fn by_class(family: &mut MetricEncoder<'_>, all: &[(Labels, &Requests)]) -> fmt::Result {
    for (labels, requests) in all {
        for (class, count) in CLASSES.iter().zip(requests.by_class).filter(|(_, count)| *count > 0) {
            sample(family, &(labels.as_slice(), [("code", *class)]), count)?;
        }
    }
    Ok(())
}

fn durations(encoder: &mut DescriptorEncoder<'_>, listeners: &[(Labels, &Requests)]) -> fmt::Result {
    let help = "From the head of the request to the last byte of the response.";
    let name = "portway_request_duration_seconds";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, requests) in listeners {
        let bounds = BUCKETS_US.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(requests.durations).collect();
        let (sum, count) = (seconds(requests.duration_sum_us), requests.count());
        family.encode_family(labels)?.encode_histogram::<Labels>(sum, count, &buckets, None)?;
    }
    Ok(())
}

fn bytes(encoder: &mut DescriptorEncoder<'_>, listeners: &[(Labels, &Requests)]) -> fmt::Result {
    let mut family =
        counter(encoder, "portway_request_bytes", "Body bytes of requests that were forwarded.")?;
    listeners.iter().try_for_each(|(labels, it)| sample(&mut family, labels, it.request_bytes))?;
    let mut family =
        counter(encoder, "portway_response_bytes", "Body bytes of responses that were forwarded.")?;
    listeners.iter().try_for_each(|(labels, it)| sample(&mut family, labels, it.response_bytes))
}

fn by_route(encoder: &mut DescriptorEncoder<'_>, routes: &[(Labels, &Requests)]) -> fmt::Result {
    let help = "Requests of a route by class of the status that the client got.";
    by_class(&mut counter(encoder, "portway_route_requests", help)?, routes)?;
    let help = "Sum of the durations of a route's requests.";
    let mut family = counter(encoder, "portway_route_request_seconds", help)?;
    for (labels, requests) in routes {
        let sum = ConstCounter::new(seconds(requests.duration_sum_us));
        sum.encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

fn connections(encoder: &mut DescriptorEncoder<'_>, connections: &[(Labels, &Connections)]) -> fmt::Result {
    let help =
        "Connections and UDP sessions that are not HTTP, and connections that ended before HTTP began.";
    let mut family = counter(encoder, "portway_connections", help)?;
    connections.iter().try_for_each(|(labels, it)| sample(&mut family, labels, it.count))?;
    let help = "Bytes of such connections from clients.";
    let mut family = counter(encoder, "portway_connection_received_bytes", help)?;
    connections.iter().try_for_each(|(labels, it)| sample(&mut family, labels, it.received_bytes))?;
    let help = "Bytes of such connections to clients.";
    let mut family = counter(encoder, "portway_connection_sent_bytes", help)?;
    connections.iter().try_for_each(|(labels, it)| sample(&mut family, labels, it.sent_bytes))
}

fn reasons(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let help = "Responses that Portway made itself, and requests and connections that it ended early, by \
                reason code.";
    let mut family = counter(encoder, "portway_reasons", help)?;
    let mut reasons: Vec<_> = counts.reasons.iter().collect();
    reasons.sort();
    reasons.into_iter().try_for_each(|(reason, count)| sample(&mut family, &[("reason", *reason)], *count))
}

/// The values with their labels, sorted; those that have no series of their own are named `_other`.
fn labelled<K, V>(bounded: &Bounded<K, V>, labels: fn(Option<&K>) -> Labels) -> Vec<(Labels, &V)> {
    let known = bounded.known.iter().map(|(key, value)| (labels(Some(key)), value));
    let mut all: Vec<_> = known.chain(bounded.other.iter().map(|value| (labels(None), value))).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

const OTHER: &str = "_other";

fn listener_labels(label: Option<&ListenerLabel>) -> Labels {
    let Some((gateway, listener)) = label else {
        return vec![("gateway", OTHER.to_owned()), ("listener", OTHER.to_owned())];
    };
    let listener = match listener {
        None => "_none".to_owned(),
        Some(it) => match &it.parent {
            ListenerParent::Gateway(_) => it.name.to_string(),
            ListenerParent::ListenerSet(set) => format!("{set}/{}", it.name),
        },
    };
    vec![("gateway", gateway.to_string()), ("listener", listener)]
}

fn route_labels(route: Option<&RouteKey>) -> Labels {
    match route {
        None => vec![("kind", OTHER.to_owned()), ("route", OTHER.to_owned())],
        Some(route) => vec![("kind", route.kind.as_str().to_owned()), ("route", route.name.to_string())],
    }
}

fn seconds(micros: u64) -> f64 {
    // Exact for 285 years of microseconds.
    micros as f64 / 1e6
}
