//! Which node announces which address, told to the cluster: a Lease for each. Node agents write them; nobody decides anything
//! by them (`docs/announcing.md`).

mod lease;
mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use kube::{Client, Error as ApiError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use self::lease::{after, name, without_holder};
pub use self::node::follow_node;
use crate::failure::Telling;
use crate::limits::{HOLDER_LEASE_PAUSE, HOLDER_LEASE_RENEWAL, HOLDER_LEASE_SETTLES};
use crate::metrics::Metrics;

/// What a node announces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Every address that is announced by some node.
    pub known: BTreeSet<IpAddr>,
    /// Those of this node, with how often they have changed hands.
    pub own: BTreeMap<IpAddr, u32>,
}

/// A client of the pod's ServiceAccount, or of a kubeconfig.
///
/// # Errors
///
/// Neither is there.
pub async fn connect() -> Result<Client, Box<dyn Error + Send + Sync>> {
    crate::client::connect(&Metrics::default()).await
}

/// Writes a Lease for each address that this node announces, whenever one changes hands, and renews it now and then. For
/// ever: what the API server does not take is tried again.
pub async fn record(
    client: Client,
    namespace: String,
    node: String,
    mut holdings: watch::Receiver<Holdings>,
) {
    let mut recorder = Recorder {
        api: Api::namespaced(client, &namespace),
        node,
        written: BTreeMap::new(),
        telling: Telling::default(),
    };
    loop {
        let now = holdings.borrow_and_update().clone();
        let again = recorder.bring_to(&now).await;
        tokio::select! {
            changed = holdings.changed() => {
                if changed.is_err() {
                    return;
                }
                // An address may go on to another node at once.
                sleep(HOLDER_LEASE_SETTLES).await;
            }
            () = sleep_until(again) => {}
        }
    }
}

struct Recorder {
    api: Api<Lease>,
    node: String,
    /// What stands in Leases by this process: transitions, and when it was written.
    written: BTreeMap<IpAddr, (u32, Instant)>,
    telling: Telling,
}

impl Recorder {
    /// Writes what is due. Returns when there will be something again.
    async fn bring_to(&mut self, holdings: &Holdings) -> Instant {
        let gone: Vec<_> = self.written.keys().filter(|it| !holdings.own.contains_key(it)).copied().collect();
        for address in gone {
            // Another node that has it writes it itself; nobody does where there is no such address any more.
            if !holdings.known.contains(&address)
                && let Err(error) = self.give_up(address).await
            {
                return self.refused(&error);
            }
            self.written.remove(&address);
        }
        for (address, transitions) in &holdings.own {
            let written = self.written.get(address);
            if written.is_some_and(|(it, at)| it == transitions && at.elapsed() < HOLDER_LEASE_RENEWAL) {
                continue;
            }
            let now = Instant::now();
            match self.write(*address, *transitions).await {
                Ok(()) => drop(self.written.insert(*address, (*transitions, now))),
                Err(error) => return self.refused(&error),
            }
            self.telling.works();
        }
        let first = self.written.values().map(|(_, at)| *at).min();
        first.unwrap_or_else(Instant::now) + HOLDER_LEASE_RENEWAL
    }

    async fn write(&self, address: IpAddr, transitions: u32) -> Result<(), ApiError> {
        let name = name(address);
        let present = self.api.get_opt(&name).await?;
        let is_new = present.is_none();
        let lease = after(present, &name, &self.node, transitions, Timestamp::now());
        let parameters = PostParams::default();
        if is_new {
            self.api.create(&parameters, &lease).await.map(drop)
        } else {
            self.api.replace(&name, &parameters, &lease).await.map(drop)
        }
    }

    async fn give_up(&self, address: IpAddr) -> Result<(), ApiError> {
        let name = name(address);
        let Some(lease) = self.api.get_opt(&name).await?.and_then(|it| without_holder(it, &self.node)) else {
            return Ok(());
        };
        self.api.replace(&name, &PostParams::default(), &lease).await.map(drop)
    }

    fn refused(&mut self, error: &ApiError) -> Instant {
        let is_forbidden = matches!(error, ApiError::Api(status) if status.code == 403);
        if is_forbidden && self.telling.is_forbidden() {
            tracing::error!(
                "Leases cannot tell who announces addresses: the agent's ServiceAccount lacks a permission: {error}"
            );
        } else if !is_forbidden && self.telling.fails() {
            tracing::warn!("a Lease that tells who announces an address is not written yet: {error}");
        }
        Instant::now() + HOLDER_LEASE_PAUSE
    }
}
