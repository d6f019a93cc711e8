//! From the API server to one consistent set of objects.
//!
//! Each kind has one watch, shared by all who read it. Kinds of the Gateway API are watched from the
//! moment at which their CRD serves a version that Portway reads, and no longer than that.

mod cluster_policy;
mod custom;
mod events;
pub mod kind;
pub(crate) mod nodes;
mod object_watch;
mod optional;
mod pause;
pub(crate) mod policy;
mod prune;
mod store;

use std::sync::Arc;

use kube::Client;
use tokio::task::JoinHandle;

pub use self::custom::{BundleVersion, Installed};
pub(crate) use self::events::Events;
pub use self::kind::{KINDS, Kind};
pub(crate) use self::object_watch::decode;
pub(crate) use self::pause::Pauses;
pub use self::store::{Dirt, Store, service_of};
use crate::metrics::Metrics;

/// The watches. Dropping them ends all.
#[derive(Debug)]
pub struct Watches {
    tasks: Vec<JoinHandle<()>>,
    /// The CRDs that are there.
    pub installed: tokio::sync::watch::Receiver<Installed>,
}

impl Watches {
    /// Starts them all.
    pub fn start(client: &Client, store: &Arc<Store>, metrics: &Metrics) -> Self {
        let mut tasks = Vec::new();
        // Everything is expected before anything is started, so that nobody takes a part for the whole.
        for kind in KINDS {
            store.expect(kind.kind);
        }
        for kind in KINDS.iter().filter(|kind| !kind.is_custom()) {
            let version = kind.versions[0]; // each kind has one
            if kind.is_optional() {
                let watch =
                    optional::follow(client.clone(), kind, version, Arc::clone(store), metrics.clone());
                tasks.push(tokio::spawn(watch));
                continue;
            }
            let watch =
                object_watch::follow(client.clone(), kind, version, Arc::clone(store), metrics.clone());
            tasks.push(tokio::spawn(watch));
        }
        let (sender, installed) = tokio::sync::watch::channel(Installed::default());
        tasks.push(tokio::spawn(custom::follow(client.clone(), Arc::clone(store), sender, metrics.clone())));
        Self { tasks, installed }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
