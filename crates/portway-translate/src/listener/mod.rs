//! Listeners: what a Gateway and its ListenerSets listen on, and which routes may attach there.

pub(crate) mod allowed;
pub(crate) mod conflict;
pub(crate) mod filters;
pub(crate) mod finish;
pub(crate) mod kinds;
pub(crate) mod overlap;
pub(crate) mod read;
pub(crate) mod tls;
pub(crate) mod view;

pub(crate) use allowed::AllowedNamespaces;
pub(crate) use view::{GatewayView, ListenerView, Owner, Protocol};
