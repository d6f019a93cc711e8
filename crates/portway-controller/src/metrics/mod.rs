//! What a controller counts, for Prometheus. `docs/metrics.md` lists it, which a test holds.
//!
//! The number of series is bounded: labels are kinds, outcomes and codes, of which there are few; Gateways beyond the first
//! [`MAX_GATEWAY_SERIES`] share one.

mod label;
mod scrape;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use self::label::{GatewayState, Kind, KindOutcome, KindReason, Outcome, Type, VerbCode};
pub use self::scrape::Sources;
use crate::status::StatusOutcome;

/// Media type of what [`Metrics::encode`] yields.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Gateways that have series of their own. Those beyond share one, named `_other`.
pub const MAX_GATEWAY_SERIES: usize = 50;

/// Upper bounds of the durations of translations, in seconds.
const DURATIONS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Upper bounds of the changes that one translation takes in.
const CHANGES: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 1000.0, 10_000.0];

/// What a controller counts. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    translation_seconds: Histogram,
    translation_changes: Histogram,
    endpoint_updates: Counter,
    status_writes: Family<KindOutcome, Counter>,
    events: Family<Outcome, Counter>,
    api_requests: Family<VerbCode, Counter>,
    watch_restarts: Family<KindReason, Counter>,
    provisioned: Family<KindOutcome, Counter>,
    gauges: Gauges,
    stream: StreamCounters,
}

/// What is looked up when somebody asks.
struct Gauges {
    leader: Gauge,
    objects: Family<Kind, Gauge>,
    proxies: Family<GatewayState, Gauge>,
    refused_resources: Family<Type, Gauge>,
}

/// What the stream counts by itself.
struct StreamCounters {
    streams: Family<Outcome, Counter>,
    resources: Family<Type, Counter>,
    bytes: Family<Type, Counter>,
    nacks: Family<Type, Counter>,
}

/// Registers metrics under their common prefix.
struct Register(Registry);

impl Register {
    fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Register(Registry::with_prefix("portway_controller"));
        let (durations, changes) = (Histogram::new(DURATIONS), Histogram::new(CHANGES));
        let inner = Inner {
            translation_seconds: all.add(
                "translation_duration_seconds",
                "How long translations took",
                durations,
            ),
            translation_changes: all.add(
                "translation_changes",
                "Changes of objects that one translation took in",
                changes,
            ),
            endpoint_updates: all.add(
                "endpoint_updates",
                "Times that changed endpoints went out by their short path",
                Counter::default(),
            ),
            status_writes: all.add("status_writes", "Writes of statuses", Family::default()),
            events: all.add("events", "Events that were to be told", Family::default()),
            api_requests: all.add("api_requests", "Requests to the API server", Family::default()),
            watch_restarts: all.add(
                "watch_restarts",
                "Watches that had to be begun again",
                Family::default(),
            ),
            provisioned: all.add(
                "provisioned_objects",
                "Writes of the objects that serve Gateways",
                Family::default(),
            ),
            gauges: Gauges::register(&mut all),
            stream: StreamCounters::register(&mut all),
            registry: Registry::default(),
        };
        Self(Arc::new(Inner { registry: all.0, ..inner }))
    }
}

impl Gauges {
    fn register(all: &mut Register) -> Self {
        Self {
            leader: all.add("leader", "Whether this controller is the one that writes", Gauge::default()),
            objects: all.add("objects", "Objects that are known", Family::default()),
            proxies: all.add("proxies", "Proxies that are connected", Family::default()),
            refused_resources: all.add(
                "refused_resources",
                "Resources that proxies refuse now",
                Family::default(),
            ),
        }
    }
}

impl StreamCounters {
    fn register(all: &mut Register) -> Self {
        Self {
            streams: all.add("streams", "Streams that proxies asked for", Family::default()),
            resources: all.add(
                "stream_resources_sent",
                "Resources that were sent to proxies",
                Family::default(),
            ),
            bytes: all.add("stream_bytes_sent", "Bytes of the messages to proxies", Family::default()),
            nacks: all.add("stream_nacks", "Answers of proxies that refuse a resource", Family::default()),
        }
    }
}

impl Metrics {
    /// A translation that is done.
    pub(crate) fn translated(&self, duration: Duration) {
        self.0.translation_seconds.observe(duration.as_secs_f64());
    }

    /// A translation that begins, with so many changes.
    pub(crate) fn translating(&self, changes: u64) {
        // A number of changes that a float cannot tell exactly does not come together in one burst.
        self.0.translation_changes.observe(changes as f64);
    }

    /// Endpoints that went out by their short path.
    pub(crate) fn endpoints_updated(&self) {
        self.0.endpoint_updates.inc();
    }

    pub(crate) fn status_written(&self, kind: &str, outcome: StatusOutcome) {
        let labels = KindOutcome { kind: kind.to_owned(), outcome: outcome.as_str() };
        self.0.status_writes.get_or_create(&labels).inc();
    }

    /// An Event that was published, refused, or left out.
    pub(crate) fn event(&self, outcome: &'static str) {
        self.0.events.get_or_create(&Outcome { outcome }).inc();
    }

    /// A request to the API server, with the status of the answer; None: there is none.
    pub(crate) fn requested(&self, method: &http::Method, is_watch: bool, status: Option<http::StatusCode>) {
        let labels = VerbCode { verb: label::verb(method, is_watch), code: label::code(status) };
        self.0.api_requests.get_or_create(&labels).inc();
    }

    /// A watch that had to be begun again.
    pub(crate) fn watch_restarted(&self, kind: &str, reason: &'static str) {
        self.0.watch_restarts.get_or_create(&KindReason { kind: kind.to_owned(), reason }).inc();
    }

    /// An object of a Gateway that was written, deleted, or could not be.
    pub(crate) fn provisioned(&self, kind: &str, outcome: &'static str) {
        let labels = KindOutcome { kind: kind.to_owned(), outcome };
        self.0.provisioned.get_or_create(&labels).inc();
    }

    /// All of it, in the text form of OpenMetrics.
    pub fn encode(&self, sources: &Sources) -> String {
        sources.look_up(&self.0.gauges, &self.0.stream);
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.0.registry);
        out
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
