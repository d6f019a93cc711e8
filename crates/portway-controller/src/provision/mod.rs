//! The objects that serve a Gateway, and keeping them as they should be.
//!
//! [`desired()`] says what there should be: a function of the Gateway, its parameters, its listeners and its addresses.
//! [`Applier`] brings the cluster there by server-side apply, where something of ours differs from it.

mod apply;
mod compare;
mod demand;
mod desired;
mod error;
mod kind;
mod live;
pub mod naming;
mod overlay;
mod pod;
mod port;
mod service;
mod settings;
#[cfg(test)]
mod tests;

use portway_api::{ObjectKey, Snapshot};

pub use self::apply::{Applied, Applier};
pub use self::demand::Demand;
pub use self::desired::{Desired, DesiredObject, desired};
pub use self::error::ProvisionError;
pub use self::kind::Kind;
pub use self::live::{Live, LiveWatches};
pub use self::pod::proxies;
pub use self::port::{ServedPort, served_ports};
pub use self::settings::{ProvisionSettings, TOKEN_AUDIENCE};

/// The entry of the ConfigMap that holds the controller's authority.
pub(crate) const CA_FILE: &str = "ca.crt";

/// The Service of a Gateway, where it is there.
pub fn service_of(snapshot: &Snapshot, gateway: &ObjectKey) -> Option<ObjectKey> {
    let class = &snapshot.gateways.get(gateway)?.spec.gateway_class_name;
    let service = ObjectKey::new(gateway.namespace.as_str(), naming::name(&gateway.name, class));
    snapshot.services.contains_key(&service).then_some(service)
}
