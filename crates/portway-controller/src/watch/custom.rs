//! Which CRDs of the Gateway API are installed, and a watch for each kind that one serves.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::watcher as watch;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch::Sender;
use tokio::task::JoinHandle;

use super::events::Events;
use super::kind::{KINDS, Kind};
use super::object_watch;
use super::store::Store;
use crate::failure::Subject;
use crate::metrics::Metrics;

/// The annotations by which the CRDs tell which release they are of (`apis/v1`, CRD annotations).
const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";

/// The CRDs of the Gateway API that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Of each kind, which release its CRD says that it is of.
    pub bundle_versions: BTreeMap<&'static str, BundleVersion>,
}

impl Installed {
    /// The releases of the Gateway API that the CRDs are of, as far as they say so.
    pub fn releases(&self) -> BTreeSet<String> {
        self.bundle_versions.values().flatten().cloned().collect()
    }
}

/// Which release of the Gateway API a CRD is of.
pub type BundleVersion = Option<String>;

/// Starts and ends watches as CRDs come and go, for ever.
pub(super) async fn follow(
    client: Client,
    store: Arc<Store>,
    installed: Sender<Installed>,
    metrics: Metrics,
) {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let subject = Subject::of_kind("CRDs", "customresourcedefinitions", "apiextensions.k8s.io");
    let stream = pin!(watch(api, watcher::Config::default()));
    let mut events = Events::new(stream, subject, metrics.clone());
    let mut watches =
        CustomWatches { client, store, installed, metrics, running: BTreeMap::new(), listed: Vec::new() };
    while let Some(event) = events.next().await {
        watches.take(event);
    }
}

struct CustomWatches {
    client: Client,
    store: Arc<Store>,
    installed: Sender<Installed>,
    metrics: Metrics,
    running: BTreeMap<&'static str, Running>,
    listed: Vec<&'static str>,
}

struct Running {
    version: String,
    task: JoinHandle<()>,
}

impl CustomWatches {
    fn take(&mut self, event: Event<CustomResourceDefinition>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(crd) | Event::Apply(crd) => {
                if let Some(kind) = kind_of(&crd) {
                    self.listed.push(kind.kind);
                    self.serve(kind, &crd);
                }
            }
            Event::Delete(crd) => {
                if let Some(kind) = kind_of(&crd) {
                    self.end(kind);
                }
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                for kind in KINDS.iter().filter(|kind| kind.is_custom() && !listed.contains(&kind.kind)) {
                    self.end(kind);
                    // There is nothing to wait for.
                    self.store.complete(kind.kind);
                }
            }
        }
    }

    fn serve(&mut self, kind: &'static Kind, crd: &CustomResourceDefinition) {
        let release = crd.annotations().get(BUNDLE_VERSION).cloned();
        self.installed.send_if_modified(|installed| {
            installed.bundle_versions.insert(kind.kind, release.clone()) != Some(release.clone())
        });
        let Some(version) = version(kind, crd) else {
            let (name, versions) = (kind.crd_name(), kind.versions.join(", "));
            tracing::warn!(
                "CRD {name} serves none of the versions that Portway reads ({versions}); {} is ignored",
                kind.kind
            );
            self.end(kind);
            self.store.complete(kind.kind);
            return;
        };
        if self.running.get(kind.kind).is_some_and(|running| running.version == version) {
            return;
        }
        self.end_watch(kind);
        tracing::debug!("watching {} {version}", kind.kind);
        let watch = object_watch::follow(
            self.client.clone(),
            kind,
            version,
            Arc::clone(&self.store),
            self.metrics.clone(),
        );
        let running = Running { version: version.to_owned(), task: tokio::spawn(watch) };
        self.running.insert(kind.kind, running);
    }

    fn end(&mut self, kind: &'static Kind) {
        self.end_watch(kind);
        self.installed.send_if_modified(|installed| installed.bundle_versions.remove(kind.kind).is_some());
    }

    fn end_watch(&mut self, kind: &'static Kind) {
        if let Some(running) = self.running.remove(kind.kind) {
            tracing::info!("{} is no longer served in {}", kind.kind, running.version);
            running.task.abort();
        }
    }
}

impl Drop for CustomWatches {
    fn drop(&mut self) {
        self.running.values().for_each(|running| running.task.abort());
    }
}

fn kind_of(crd: &CustomResourceDefinition) -> Option<&'static Kind> {
    let kind = Kind::named(&crd.spec.names.kind)?;
    (kind.is_custom() && kind.group == crd.spec.group).then_some(kind)
}

/// The version to read: the first of ours that the CRD serves. It must be established, or lists fail.
fn version(kind: &Kind, crd: &CustomResourceDefinition) -> Option<&'static str> {
    let serves = |version: &&&str| crd.spec.versions.iter().any(|it| it.served && it.name == **version);
    kind.versions.iter().find(serves).copied()
}
