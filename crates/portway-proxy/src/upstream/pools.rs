//! All connections of one worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Request, Response};
use portway_config::EndpointAddress;
use portway_config::key::BackendProtocol;

use crate::limits::Limits;
use crate::reason::Reason;

use super::backend_pool::BackendPool;
use super::backends::{Backend, Tls};
use super::body::{RequestBody, UpstreamBody};
use super::connect::{ConnectedStream, connect};
use super::endpoint_pool::InFlight;
use super::error::UpstreamError;
use super::{http1, http2};

/// How often idle connections are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A response with what is known of the attempt that brought it.
#[derive(Debug)]
pub struct Sent {
    /// The response. When it is 101 or a successful CONNECT, `hyper::upgrade::on` gives the tunnel.
    pub response: Response<UpstreamBody>,
    /// The endpoint that answered.
    pub endpoint: SocketAddr,
    /// Time to get a connection; zero for one that was idle in the pool.
    pub connect: Duration,
}

/// Which endpoints a request is to go to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The one that it goes to if that is there and has not failed of late.
    pub prefer: Option<&'a EndpointAddress>,
    /// Those that a former attempt failed on: only if there is no other.
    pub avoid: &'a [SocketAddr],
}

/// Who sees to the encryption of a byte stream towards an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
    /// We do, if the backend has TLS settings.
    ByBackendSettings,
    /// The client has done so already: its TLS is passed through.
    ByClient,
}

/// The connections of one worker to all endpoints.
#[derive(Debug)]
pub struct Pools {
    limits: Arc<Limits>,
    shared: Rc<Shared>,
    /// Whether the task that closes idle connections runs.
    swept: Cell<bool>,
    seed: usize,
}

#[derive(Debug, Default)]
struct Shared {
    backends: RefCell<HashMap<u64, Rc<BackendPool>, ahash::RandomState>>,
}

impl Pools {
    /// Empty pools. Workers take different seeds, so that they do not all begin with the same endpoint.
    pub fn new(limits: Arc<Limits>, seed: usize) -> Self {
        Self { limits, shared: Rc::default(), swept: Cell::new(false), seed }
    }

    /// Sends a request to an endpoint of the backend: chooses the endpoint, takes or makes a connection,
    /// sends, and waits for the head of the response. `avoid` are endpoints that a former attempt failed on.
    ///
    /// The URI of the request is in origin form (path and query alone) and its `Host` header is set, whatever
    /// version the backend speaks. Headers of the connection (RFC 9110, section 7.6.1) are gone from it,
    /// except that an upgrade has `Connection: upgrade` and `Upgrade`, and gRPC keeps `TE: trailers`.
    ///
    /// A request that an idle connection dropped unread is sent again on a fresh connection by itself.
    ///
    /// # Errors
    ///
    /// Says why no response came, and gives the request back when nothing of it was sent.
    pub async fn send(
        &self,
        backend: &Backend,
        request: Request<RequestBody>,
        avoid: &[SocketAddr],
    ) -> Result<Sent, UpstreamError> {
        self.send_at(Instant::now(), backend, request, Wanted { prefer: None, avoid }).await
    }

    /// The same, for who knows the time.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn send_at(
        &self,
        now: Instant,
        backend: &Backend,
        request: Request<RequestBody>,
        wanted: Wanted<'_>,
    ) -> Result<Sent, UpstreamError> {
        let in_flight = match self.begin(backend, wanted, now).await {
            Ok(in_flight) => in_flight,
            Err(error) => return Err(error.with_unsent(request)),
        };
        match backend.key.protocol {
            BackendProtocol::Http2 => http2::send(backend, in_flight, request, &self.limits).await,
            _ => http1::send(backend, in_flight, request, &self.limits, now).await,
        }
    }

    /// Makes a connection to an endpoint of the backend for a byte stream. One that the client has `encrypted`
    /// itself goes on as it is, whatever TLS the backend has settings for.
    ///
    /// # Errors
    ///
    /// Says why no connection could be made.
    pub async fn connect_stream(
        &self,
        backend: &Backend,
        encrypted: Encrypted,
        avoid: &[SocketAddr],
    ) -> Result<ConnectedStream, UpstreamError> {
        let endpoint = self.choose(backend, avoid)?;
        let tls = match encrypted {
            Encrypted::ByBackendSettings => &backend.tls,
            Encrypted::ByClient => &Tls::Plain,
        };
        connect(tls, &endpoint, &self.limits).await
    }

    /// Chooses an endpoint of the backend for datagrams.
    ///
    /// # Errors
    ///
    /// There is no endpoint, or its name does not resolve.
    pub async fn choose_endpoint(&self, backend: &Backend) -> Result<SocketAddr, UpstreamError> {
        let endpoint = self.choose(backend, &[])?;
        let address = endpoint.resolved.address(&endpoint.address, &self.limits, Instant::now()).await;
        address.map_err(|error| {
            UpstreamError::new(Reason::ConnectFailed, format_args!("{}: {error}", endpoint.address))
        })
    }

    /// Counts a first attempt for the backend's retry budget.
    pub fn count_request(&self, backend: &Backend, now: Instant) {
        self.pool(backend, now).retries.request(now);
    }

    /// Whether one more retry is within the backend's budget; it is counted if so.
    pub fn try_retry(&self, backend: &Backend) -> bool {
        let now = Instant::now();
        self.pool(backend, now).retries.try_retry(now)
    }

    async fn begin(
        &self,
        backend: &Backend,
        wanted: Wanted<'_>,
        now: Instant,
    ) -> Result<InFlight, UpstreamError> {
        let pool = self.pool(backend, now);
        let slot = pool.slot(&self.limits).await?;
        let endpoint = pool.choose(wanted, now).ok_or_else(|| no_endpoint(backend))?;
        Ok(InFlight::new(endpoint, Some(slot)))
    }

    fn choose(
        &self,
        backend: &Backend,
        avoid: &[SocketAddr],
    ) -> Result<Rc<super::endpoint_pool::EndpointPool>, UpstreamError> {
        let now = Instant::now();
        let wanted = Wanted { prefer: None, avoid };
        self.pool(backend, now).choose(wanted, now).ok_or_else(|| no_endpoint(backend))
    }

    fn pool(&self, backend: &Backend, now: Instant) -> Rc<BackendPool> {
        let mut backends = self.shared.backends.borrow_mut();
        let pool = backends
            .entry(backend.identity)
            .or_insert_with(|| BackendPool::new(&self.limits, self.seed, now));
        pool.update(backend, &self.limits);
        pool.last_used.set(now);
        self.ensure_sweeping();
        Rc::clone(pool)
    }

    fn ensure_sweeping(&self) {
        if !self.swept.replace(true) {
            let shared = Rc::downgrade(&self.shared);
            tokio::task::spawn_local(sweep(shared, Arc::clone(&self.limits)));
        }
    }
}

fn no_endpoint(backend: &Backend) -> UpstreamError {
    UpstreamError::new(Reason::NoEndpoint, format_args!("{} has no ready endpoint", backend.key))
}

/// Closes idle connections until the pools are gone.
async fn sweep(shared: Weak<Shared>, limits: Arc<Limits>) {
    let (idle_timeout, memory) = (limits.upstream_idle_timeout, limits.backend_memory);
    loop {
        tokio::time::sleep(SWEEP_INTERVAL.min(idle_timeout)).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        shared.backends.borrow_mut().retain(|_, pool| !pool.sweep(now, idle_timeout, memory));
    }
}
