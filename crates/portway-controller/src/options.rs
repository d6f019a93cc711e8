//! What the controller must be told.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use portway_api::ObjectKey;

/// What the controller must be told.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The namespace that it runs in.
    pub namespace: String,
    /// The pod that it runs in: its name in the election.
    pub pod: String,
    /// The pod's address, where proxies reach it while it leads.
    pub pod_ip: IpAddr,
    /// Names under which GatewayClasses may ask for it.
    pub controller_names: BTreeSet<String>,
    /// Where it serves the configuration stream.
    pub stream_bind: SocketAddr,
    /// The image of the proxies.
    pub image: String,
    /// When the image is pulled (`imagePullPolicy`).
    pub image_pull_policy: String,
    /// See [`portway_translate::Options::trusted_hops`].
    pub trusted_hops: u8,
    /// The Service by which proxies reach the controller that leads.
    pub service: String,
    /// The ServiceAccount of the node agents in the controller's namespace; absent: there are none. Their Service, which tells
    /// where they are, has the same name.
    pub agent_service_account: Option<String>,
}

impl ControllerOptions {
    /// The Service of the node agents.
    pub(crate) fn agents(&self) -> Option<ObjectKey> {
        let name = self.agent_service_account.as_deref()?;
        Some(ObjectKey::new(self.namespace.as_str(), name))
    }
}

/// The Lease that the controllers contend for.
pub(crate) const LEASE: &str = "portway-controller";

/// The Secret that holds the authority for the stream's certificates.
pub(crate) const AUTHORITY_SECRET: &str = "portway-controller-authority";
