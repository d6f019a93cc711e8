//! Requests: decode, normalise, match, filter, forward, respond.

mod body;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use portway_config::{Configuration, ListenerKey, NamespacedName};
use portway_route::Router;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::body::RequestBody;
use crate::connection::DrainSignal;
use crate::upstream::Backends;
use crate::worker::Worker;

/// What a rule needs at request time: filters with parsed header names, resolved backends.
#[derive(Debug)]
pub struct CompiledRule {}

/// Compiles the rules of a router, in its order.
pub fn compile_rules(
    _configuration: &Configuration,
    _router: &Router,
    _backends: &Backends,
) -> Vec<CompiledRule> {
    Vec::new()
}

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

/// Serves the HTTP requests of a connection until it ends or `drain` asks to end it.
pub async fn serve<I>(_io: I, _info: ConnectionInfo, _worker: Rc<Worker>, _drain: DrainSignal)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
}
