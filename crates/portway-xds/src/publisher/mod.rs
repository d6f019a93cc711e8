//! What is published, to whom, and what came of it.

mod acknowledgement;
mod connection;
mod gateway;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use portway_config::{Configuration, Endpoints, NamespacedName, Revision};
use tokio::sync::{oneshot, watch};

pub use self::acknowledgement::{
    Acknowledgements, GatewayAcknowledgements, ProxyAcknowledgement, RefusedResource,
};
pub(crate) use self::connection::Connection;
pub(crate) use self::gateway::Changes;
use self::gateway::PublishedGateway;
pub use self::traffic::{Traffic, TypeTraffic};

/// Publishes configurations to the proxies that are connected to [`crate::serve`], and tells what they made of it.
///
/// A Gateway's revision grows by one with each change. What is equal to what was published before is no change,
/// by pointer first and then by value. A Gateway that is published no more keeps its last configuration for as
/// long as a proxy of it is connected: that its proxies end is for whoever started them to see to.
#[derive(Clone)]
pub struct Publisher(Arc<Shared>);

struct Shared {
    first: Revision,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    gateways: Mutex<BTreeMap<NamespacedName, Gateway>>,
    acknowledgements: watch::Sender<Arc<Acknowledgements>>,
    traffic: Traffic,
}

struct Gateway {
    published: Option<PublishedGateway>,
    /// What it begins with when it is published.
    first: Revision,
    /// Whether it was in what was published last.
    is_current: bool,
    /// Tells the streams.
    revision: watch::Sender<Option<Revision>>,
    /// By a number that no two streams share.
    streams: BTreeMap<u64, Stream>,
    next_stream: u64,
}

struct Stream {
    pod: Arc<str>,
    /// What it was sent.
    sent: Option<Revision>,
    /// Dropped to end the stream.
    _end: oneshot::Sender<Infallible>,
}

impl Publisher {
    /// Publishes nothing yet.
    ///
    /// `first` is the revision that each Gateway begins with. It should be beyond what was published before a
    /// restart: the milliseconds since 1970 are, as there are not a thousand changes in each second. Where the clock
    /// went back, the revision goes on from that of the first proxy that is ahead. `clock` gives the times in
    /// [`Acknowledgements`].
    pub fn new(first: Revision, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            first,
            clock: Box::new(clock),
            gateways: Mutex::default(),
            acknowledgements: watch::Sender::default(),
            traffic: Traffic::default(),
        }))
    }

    /// Publishes the configurations of all Gateways, and returns the revision that each is at now: the one that
    /// a proxy must have acknowledged to serve it.
    ///
    /// Endpoints given to [`Self::publish_endpoints`] since the configurations were made must be in them.
    pub fn publish(
        &self,
        configurations: &BTreeMap<NamespacedName, Arc<Configuration>>,
    ) -> BTreeMap<NamespacedName, Revision> {
        let mut gateways = self.lock();
        let mut revisions = BTreeMap::new();
        for (name, configuration) in configurations {
            let gateway = gateways.entry(name.clone()).or_insert_with(|| Gateway::new(self.0.first));
            gateway.is_current = true;
            let published = match &mut gateway.published {
                Some(published) => {
                    published.publish(configuration);
                    published
                }
                None => gateway.published.insert(PublishedGateway::new(configuration, gateway.first)),
            };
            revisions.insert(name.clone(), published.revision());
        }
        gateways.retain(|name, gateway| {
            gateway.is_current = configurations.contains_key(name);
            gateway.is_needed()
        });
        for gateway in gateways.values_mut() {
            gateway.announce();
        }
        self.tell(&gateways);
        revisions
    }

    /// The short path: publishes the endpoints of one Service port to every Gateway that uses it, and returns
    /// the revisions of those for which they are different.
    pub fn publish_endpoints(&self, endpoints: &Arc<Endpoints>) -> BTreeMap<NamespacedName, Revision> {
        self.publish_endpoints_to(endpoints, |_| true)
    }

    /// The same, to some Gateways alone: not all are told the same of endpoints.
    pub fn publish_endpoints_to(
        &self,
        endpoints: &Arc<Endpoints>,
        are_for: impl Fn(&NamespacedName) -> bool,
    ) -> BTreeMap<NamespacedName, Revision> {
        let mut gateways = self.lock();
        let mut revisions = BTreeMap::new();
        for (name, gateway) in gateways.iter_mut().filter(|(name, _)| are_for(name)) {
            let Some(published) = &mut gateway.published else { continue };
            if published.publish_endpoints(endpoints) {
                revisions.insert(name.clone(), published.revision());
                gateway.announce();
            }
        }
        if !revisions.is_empty() {
            self.tell(&gateways);
        }
        revisions
    }

    /// Changes what is published for one Gateway, and returns the revision that it is at now; None if nothing is published
    /// for it. What the next [`Self::publish`] has for it replaces all.
    pub fn amend(&self, name: &NamespacedName, change: impl FnOnce(&mut Configuration)) -> Option<Revision> {
        let mut gateways = self.lock();
        let gateway = gateways.get_mut(name)?;
        let published = gateway.published.as_mut()?;
        let is_new = published.amend(change);
        let revision = published.revision();
        if is_new {
            gateway.announce();
            self.tell(&gateways);
        }
        Some(revision)
    }

    /// What the proxies have made of it, now and whenever that changes.
    pub fn acknowledgements(&self) -> watch::Receiver<Arc<Acknowledgements>> {
        self.0.acknowledgements.subscribe()
    }

    /// How much has gone over all streams.
    pub fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// Brings what is told in line with the Gateways that there are.
    fn tell(&self, gateways: &BTreeMap<NamespacedName, Gateway>) {
        self.0.acknowledgements.send_if_modified(|told| {
            let is_same = |(name, gateway): (&NamespacedName, &Gateway)| {
                told.gateways.get(name).is_some_and(|it| it.revision == gateway.revision())
            };
            if told.gateways.len() == gateways.len() && gateways.iter().all(is_same) {
                return false;
            }
            let told = Arc::make_mut(told);
            told.gateways.retain(|name, _| gateways.contains_key(name));
            for (name, gateway) in gateways {
                let of_gateway = told.gateways.entry(name.clone()).or_default();
                if of_gateway.revision != gateway.revision() {
                    Arc::make_mut(of_gateway).revision = gateway.revision();
                }
            }
            true
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NamespacedName, Gateway>> {
        // Nothing that is done under this lock leaves it half done.
        self.0.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    fn new(first: Revision) -> Self {
        Self {
            published: None,
            first,
            is_current: false,
            revision: watch::Sender::new(None),
            streams: BTreeMap::new(),
            next_stream: 0,
        }
    }

    fn revision(&self) -> Option<Revision> {
        self.published.as_ref().map(PublishedGateway::revision)
    }

    fn is_needed(&self) -> bool {
        self.is_current || !self.streams.is_empty()
    }

    /// Wakes the streams, if there is something new for them.
    fn announce(&mut self) {
        let revision = self.revision();
        self.revision.send_if_modified(|told| std::mem::replace(told, revision) != revision);
        self.forget_removed();
    }

    /// What every stream has been told of, or will be told as a whole, need not be remembered.
    fn forget_removed(&mut self) {
        let Some(published) = &mut self.published else { return };
        let all = published.revision();
        let told = self.streams.values().filter_map(|stream| stream.sent).min();
        published.forget_removed(told.unwrap_or(all));
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("gateways", &self.lock().len()).finish_non_exhaustive()
    }
}
