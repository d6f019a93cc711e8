//! What a data plane must do for one Gateway: listeners, routes, backends, TLS material.
//!
//! This is the language between translation and the data planes. It knows nothing of Kubernetes'
//! objects, and nothing in it is compiled: expressions, header names and certificates are text and
//! bytes, which the receiver validates aside before it swaps them in.
//!
//! The unit of change is a resource with a structured key. Resources point up to what they attach to
//! (a route names its listeners, a backend its endpoints), so that a small edit is a small change on
//! the wire: an endpoint change does not resend routes, a certificate touches only itself.

pub mod backend;
pub mod cluster_policy;
pub mod configuration;
pub mod exposure;
pub mod filter;
pub mod hostname;
pub mod key;
pub mod listener;
pub mod network_policy;
pub mod request_match;
pub mod route;
pub mod tls;
pub mod uses;
pub mod wire;

pub use backend::{Backend, Endpoint, EndpointAddress, Endpoints};
pub use configuration::{Configuration, Revision};
pub use exposure::{Exposure, node_agents, nodes_with_agents};
pub use hostname::HostnamePattern;
pub use key::{
    BackendKey, EndpointsKey, ListenerKey, ListenerParent, NamespacedName, RouteKey, RouteKind, Transport,
};
pub use listener::{Listener, ListenerProtocol};
pub use route::{Attachment, HttpRule, L4Rule, Route, Rules};
