//! What translation must be told beside the objects.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use portway_api::ObjectKey;
use portway_api::gateway::GatewayStatusAddress;
use portway_api::portway_parameters::TransportProtocol;

/// The controller name that Portway answers to.
pub const CONTROLLER_NAME: &str = "portway.dev/gateway-controller";

/// What translation must be told beside the objects. Everything that changes with time or place is
/// here, so that translation itself is a function of its arguments.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which GatewayClasses are ours.
    pub controllers: Controllers,
    /// The moment of the translation: `lastTransitionTime` of conditions, expiry of certificates.
    pub now: Timestamp,
    /// Whether a namespace that no object declares exists (standalone mode).
    pub implied_namespaces: bool,
    /// See [`portway_config::configuration::Settings::trusted_hops`].
    pub trusted_hops: u8,
    /// Where Gateways are served, for their status. One that asks for other addresses in
    /// `spec.addresses` does not get them, and where it gets none of them it is not served; unless
    /// all of these are loopback addresses, where nothing is exposed. An unspecified address
    /// (`0.0.0.0`, `::`) stands for each of its family. Empty: whoever provisions assigns addresses
    /// later, and static ones are taken to be had.
    pub default_addresses: Vec<std::net::IpAddr>,
    /// In a cluster: what is there beside the objects. `default_addresses` then mean nothing.
    pub cluster: Option<ClusterOptions>,
}

/// What a cluster has beside the objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterOptions {
    /// What became of the addresses of each Gateway: one outcome for each entry of `spec.addresses`, in its order; where
    /// that is empty, whatever was chosen. A Gateway that is not here waits for its first decision.
    pub addresses: BTreeMap<ObjectKey, Vec<AddressOutcome>>,
    /// The ports that a Gateway cannot have, since another one has them at an address that both share: why, each a sentence
    /// without capital and full stop.
    pub taken_ports: BTreeMap<ObjectKey, BTreeMap<(TransportProtocol, u16), String>>,
    /// Of which releases of the Gateway API its CRDs say that they are.
    pub bundle_versions: BTreeSet<String>,
    /// Whether its API server has no ClusterTrustBundles (`certificates.k8s.io/v1`): before Kubernetes 1.37, or where they are
    /// disabled (GEP-5075, "API Availability").
    pub lacks_trust_bundles: bool,
}

/// What became of one address.
#[derive(Clone, Debug, PartialEq)]
pub enum AddressOutcome {
    /// The Gateway has it.
    Assigned(GatewayStatusAddress),
    /// It may come yet: who is waited for, a sentence without capital and full stop.
    Awaited(String),
    /// It is not to be had.
    Refused {
        /// Whether that is for what the address is (`AddressNotUsable`), rather than for there being none.
        is_unusable: bool,
        /// Why: a sentence without capital and full stop.
        message: String,
        /// What to do: likewise.
        help: String,
    },
}

/// Which GatewayClasses are ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Controllers {
    /// Each (standalone mode).
    Any,
    /// Those that name one of these controllers.
    Named(BTreeSet<String>),
}

impl Controllers {
    /// Whether a class with this controller name is ours.
    pub fn include(&self, controller_name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(names) => names.contains(controller_name),
        }
    }
}
