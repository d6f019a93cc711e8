//! The Lease at the API server.

use std::future::Future;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Client, Error};

use super::claim::Move;
use crate::watch::Pauses;

/// Where the Lease is: the API server, or what a test has in its place.
pub(super) trait Leases: Sync {
    /// The Lease whenever it changes; None: there is none. It may be late, or say nothing any more.
    fn watch(&self) -> impl Stream<Item = Option<Lease>> + Send + 'static;

    /// Writes it; yields what is there then.
    fn write(&self, step: Move) -> impl Future<Output = Result<Lease, WriteError>> + Send;

    /// Reads it, as it is now.
    fn read(&self) -> impl Future<Output = Result<Option<Lease>, WriteError>> + Send;
}

/// Why a Lease is not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// Somebody was faster.
    #[error("somebody else has written it")]
    Overtaken,
    /// A permission is missing.
    #[error("{0}")]
    Forbidden(String),
    /// Anything else; to try again may help.
    #[error("{0}")]
    Unavailable(String),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(status) if matches!(status.code, 404 | 409) => Self::Overtaken,
            Error::Api(status) if status.code == 403 => Self::Forbidden(status.message),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// A Lease of a cluster.
pub(super) struct ClusterLease {
    api: Api<Lease>,
    namespace: String,
    name: String,
}

impl ClusterLease {
    pub(super) fn new(client: Client, namespace: String, name: String) -> Self {
        Self { api: Api::namespaced(client, &namespace), namespace, name }
    }
}

impl Leases for ClusterLease {
    fn watch(&self) -> impl Stream<Item = Option<Lease>> + Send + 'static {
        let seen = watch_object(self.api.clone(), &self.name).backoff(Pauses::new());
        seen.filter_map(|event| async {
            event.inspect_err(|error| tracing::debug!("watch of the Lease: {error}")).ok()
        })
    }

    async fn write(&self, step: Move) -> Result<Lease, WriteError> {
        let written = match step {
            Move::Create(spec) => {
                let metadata = ObjectMeta {
                    name: Some(self.name.clone()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                };
                let lease = Lease { metadata, spec: Some(spec) };
                self.api.create(&PostParams::default(), &lease).await
            }
            // The resource version in it makes the API server refuse all but the first.
            Move::Replace(lease) => self.api.replace(&self.name, &PostParams::default(), &lease).await,
        };
        Ok(written?)
    }

    async fn read(&self) -> Result<Option<Lease>, WriteError> {
        Ok(self.api.get_opt(&self.name).await?)
    }
}
