//! Counters. Each worker counts in a shard of its own; a lock on it is only ever contended by a scrape.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::{Equivalent, IndexMap};
use portway_config::{ListenerKey, NamespacedName, RouteKey};

use super::record::{L4Record, RequestRecord};
use crate::limits::{METRICS_LISTENERS, METRICS_ROUTES};

/// Upper bounds of the latency histogram, in microseconds; the last bucket has none.
pub(super) const BUCKETS_US: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

/// Classes of status codes: 1xx to 5xx, and requests that got none (the client was gone).
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// A Gateway's listener; absent when a request met none.
pub(super) type ListenerLabel = (NamespacedName, Option<ListenerKey>);

/// The same, borrowed: looking a listener up touches no reference count.
#[derive(PartialEq, Eq, Hash)]
struct ListenerLabelRef<'a>(&'a NamespacedName, Option<&'a ListenerKey>);

impl Equivalent<ListenerLabel> for ListenerLabelRef<'_> {
    fn equivalent(&self, (gateway, listener): &ListenerLabel) -> bool {
        self.0 == gateway && self.1 == listener.as_ref()
    }
}

impl From<&ListenerLabelRef<'_>> for ListenerLabel {
    fn from(label: &ListenerLabelRef<'_>) -> Self {
        (label.0.clone(), label.1.cloned())
    }
}

/// A route, borrowed.
#[derive(PartialEq, Eq, Hash)]
struct RouteLabel<'a>(&'a RouteKey);

impl Equivalent<RouteKey> for RouteLabel<'_> {
    fn equivalent(&self, key: &RouteKey) -> bool {
        self.0 == key
    }
}

impl From<&RouteLabel<'_>> for RouteKey {
    fn from(label: &RouteLabel<'_>) -> Self {
        label.0.clone()
    }
}

/// A map whose hash is quick for short keys. The keys are ours, not a client's.
type Map<K, V> = IndexMap<K, V, ahash::RandomState>;

/// Numbers of one listener, or of one route.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    pub(super) by_class: [u64; CLASSES.len()],
    pub(super) durations: [u64; BUCKETS_US.len() + 1],
    pub(super) duration_sum_us: u64,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) retries: u64,
}

/// Numbers of connections that are not HTTP.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    pub(super) count: u64,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
}

/// All numbers of one worker, or the sum of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) listeners: Bounded<ListenerLabel, Requests>,
    pub(super) routes: Option<Bounded<RouteKey, Requests>>,
    pub(super) connections: Bounded<ListenerLabel, Connections>,
    /// By reason code.
    pub(super) reasons: HashMap<&'static str, u64>,
}

/// A map with a greatest size; what does not fit is counted under no key.
#[derive(Clone, Debug)]
pub(super) struct Bounded<K, V> {
    pub(super) known: Map<K, V>,
    pub(super) other: Option<V>,
    limit: usize,
}

impl<K: Hash + Eq, V: Default> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Self { known: Map::default(), other: None, limit }
    }

    fn entry<'q, Q>(&mut self, key: &'q Q) -> &mut V
    where
        Q: Hash + Equivalent<K>,
        K: From<&'q Q>,
    {
        match self.known.get_index_of(key) {
            // The index was found just now.
            Some(index) => &mut self.known[index],
            None if self.known.len() >= self.limit => self.other.get_or_insert_default(),
            None => self.known.entry(key.into()).or_default(),
        }
    }
}

impl<K: Hash + Eq, V: Default> Default for Bounded<K, V> {
    fn default() -> Self {
        Self::new(METRICS_LISTENERS)
    }
}

/// The numbers of one worker.
#[derive(Debug)]
pub(super) struct Shard(Mutex<Counts>);

impl Shard {
    pub(super) fn new(route_metrics: bool) -> Self {
        let routes = route_metrics.then(|| Bounded::new(METRICS_ROUTES));
        Self(Mutex::new(Counts { routes, ..Counts::default() }))
    }

    pub(super) fn request(&self, record: &RequestRecord<'_>) {
        let mut counts = self.lock();
        counts.listeners.entry(&ListenerLabelRef(record.gateway, record.listener)).add(record);
        if let (Some(routes), Some(route)) = (&mut counts.routes, record.route) {
            routes.entry(&RouteLabel(route)).add(record);
        }
        if let Some(reason) = record.reason {
            *counts.reasons.entry(reason.as_str()).or_default() += 1;
        }
    }

    pub(super) fn connection(&self, record: &L4Record) {
        let mut counts = self.lock();
        let entry = counts.connections.entry(&ListenerLabelRef(&record.gateway, record.listener.as_ref()));
        entry.count += 1;
        entry.received_bytes += record.received_bytes;
        entry.sent_bytes += record.sent_bytes;
        if let Some(reason) = record.reason {
            *counts.reasons.entry(reason.as_str()).or_default() += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    fn add(&mut self, record: &RequestRecord<'_>) {
        let class = usize::from(record.status / 100);
        if let Some(count) = self.by_class.get_mut(if class < CLASSES.len() { class } else { 0 }) {
            *count += 1;
        }
        let micros = micros(record.timing.total);
        let bucket = BUCKETS_US.partition_point(|bound| *bound < micros);
        if let Some(count) = self.durations.get_mut(bucket) {
            *count += 1;
        }
        self.duration_sum_us += micros;
        self.request_bytes += record.request_bytes;
        self.response_bytes += record.response_bytes;
        self.retries += u64::from(record.attempts.saturating_sub(1));
    }

    fn merge(&mut self, other: &Self) {
        self.by_class.iter_mut().zip(other.by_class).for_each(|(a, b)| *a += b);
        self.durations.iter_mut().zip(other.durations).for_each(|(a, b)| *a += b);
        self.duration_sum_us += other.duration_sum_us;
        self.request_bytes += other.request_bytes;
        self.response_bytes += other.response_bytes;
        self.retries += other.retries;
    }

    /// Requests in all.
    pub(super) fn count(&self) -> u64 {
        self.durations.iter().sum()
    }
}

impl Connections {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
    }
}

fn merge_all<K: Hash + Eq, V: Default>(
    into: &mut Bounded<K, V>,
    from: Bounded<K, V>,
    merge: impl Fn(&mut V, &V),
) {
    for (key, value) in from.known {
        let fits = into.known.len() < into.limit || into.known.contains_key(&key);
        let entry =
            if fits { into.known.entry(key).or_default() } else { into.other.get_or_insert_default() };
        merge(entry, &value);
    }
    if let Some(other) = &from.other {
        merge(into.other.get_or_insert_default(), other);
    }
}

/// The sum over all workers.
pub(super) fn sum(shards: &[Arc<Shard>]) -> Counts {
    let mut total = Counts::default();
    for shard in shards {
        let counts = shard.lock().clone();
        merge_all(&mut total.listeners, counts.listeners, Requests::merge);
        merge_all(&mut total.connections, counts.connections, Connections::merge);
        if let Some(routes) = counts.routes {
            let into = total.routes.get_or_insert_with(|| Bounded::new(METRICS_ROUTES));
            merge_all(into, routes, Requests::merge);
        }
        for (reason, count) in counts.reasons {
            *total.reasons.entry(reason).or_default() += count;
        }
    }
    total
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
