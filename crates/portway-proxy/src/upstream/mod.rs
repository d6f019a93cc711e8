//! Backends: balancing, connection pools, connecting, draining.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::{Request, Response};
use portway_config::{BackendKey, Configuration};

use crate::reason::Reason;

/// The backends of one Gateway, with their endpoints and TLS settings, compiled.
#[derive(Debug, Default)]
pub struct Backends {}

/// One backend of a snapshot.
#[derive(Debug)]
pub struct Backend {}

/// Index of a backend in [`Backends`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackendId(pub u32);

impl Backends {
    /// Compiles the backends of a configuration. What stays the same as in `previous` is shared with it.
    pub fn compile(_configuration: &Configuration, _previous: Option<&Self>) -> Self {
        Self {}
    }

    /// The backend with this key.
    pub fn id(&self, _key: &BackendKey) -> Option<BackendId> {
        None
    }

    /// The backend itself.
    pub fn get(&self, _id: BackendId) -> Option<&Backend> {
        None
    }
}

/// The body of a request on its way to a backend.
pub type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A response with what is known of the attempt that brought it.
#[derive(Debug)]
pub struct Sent {
    /// The response. When it is 101 or a successful CONNECT, `hyper::upgrade::on` gives the tunnel.
    pub response: Response<Incoming>,
    /// The endpoint that answered.
    pub endpoint: SocketAddr,
    /// Time to get a connection; zero for one that was idle in the pool.
    pub connect: Duration,
}

/// Why an attempt failed.
#[derive(Debug)]
pub struct UpstreamError {
    /// Reason code.
    pub reason: Reason,
    /// The endpoint, when one was chosen.
    pub endpoint: Option<SocketAddr>,
    /// The request, when not one byte of it was sent: it is always safe to try again.
    pub unsent: Option<Request<RequestBody>>,
}

/// The connections of one worker to all endpoints.
#[derive(Debug, Default)]
pub struct Pools {}

impl Pools {
    /// Sends a request to an endpoint of the backend: chooses the endpoint, takes or makes a connection,
    /// sends, and waits for the head of the response. `avoid` are endpoints that a former attempt failed on.
    ///
    /// A request that an idle connection dropped without having read any of it is sent again on a fresh
    /// connection by itself.
    pub async fn send(
        &self,
        _backend: &Backend,
        _request: Request<RequestBody>,
        _avoid: &[SocketAddr],
    ) -> Result<Sent, UpstreamError> {
        Err(UpstreamError { reason: Reason::NoEndpoint, endpoint: None, unsent: None })
    }
}
