//! What translation must be told beside the objects.

use std::collections::BTreeSet;

use jiff::Timestamp;

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
}

/// Which GatewayClasses are ours.
#[derive(Clone, Debug)]
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
