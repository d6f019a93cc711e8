//! Requests: decode, normalise, match, filter, forward, respond.
//!
//! [`handle`] has the steps in their order; each step is a module.

mod authority;
mod body;
mod current;
mod decode;
mod draft;
mod exchange;
mod fields;
mod filter;
mod forward;
mod forwarded;
mod grpc;
mod handle;
mod hop_by_hop;
mod normalise;
mod random;
mod request_id;
mod respond;
mod retry;
mod rule;
mod server;
mod session;
mod split;
mod target;
mod tunnel;
mod upgrade;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::{ListenerKey, NamespacedName};

pub use self::body::RequestBody;
pub use self::filter::listener::{ListenerFilters, compile_listener_filters};
pub use self::normalise::{BadPath, canonical_path};
pub use self::rule::CompiledRule;
pub(crate) use self::rule::compile_rule;
pub use self::server::serve;

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The Gateway that accepted it.
    pub gateway: NamespacedName,
    /// The port that the Gateway's listeners name.
    pub listener_port: u16,
    /// The other side.
    pub peer: SocketAddr,
    /// Our side.
    pub local: SocketAddr,
    /// Set when the connection is TLS that ended here.
    pub tls: Option<TlsInfo>,
}

/// What is known of a connection's TLS session.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// The HTTPS listener that the handshake was made for.
    pub listener: ListenerKey,
    /// The server name that the client sent, in lower case.
    pub server_name: Option<Arc<str>>,
    /// Whether the client asked for HTTP/2 by ALPN.
    pub http2: bool,
}
