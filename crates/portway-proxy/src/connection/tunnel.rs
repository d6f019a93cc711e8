//! Tunnels: byte streams of TCPRoutes and TLSRoutes, from a client to an endpoint.

use std::sync::Arc;

use portway_route::L4RuleId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::record::Recording;
use super::relay::{End, Silence, relay};
use super::replay::Replay;
use super::serve::Accepted;
use crate::reason::Reason;
use crate::snapshot::GatewaySnapshot;
use crate::upstream::{Backend, ConnectedStream, Encrypted, UpstreamError, UpstreamStream};

/// A connection that can be ended such that the other side does not take it for a clean end.
pub(super) trait Reset {
    /// Makes the connection end with a TCP reset when it is dropped.
    fn reset(&self);
}

impl Reset for TcpStream {
    fn reset(&self) {
        // A connection that is already broken needs no reset.
        let _ = self.set_zero_linger();
    }
}

impl Reset for TlsStream<Replay<TcpStream>> {
    fn reset(&self) {
        self.get_ref().0.get_ref().reset();
    }
}

impl Reset for UpstreamStream {
    fn reset(&self) {
        match self {
            Self::Plain(stream) => stream.reset(),
            Self::Tls(stream) => stream.get_ref().0.reset(),
        }
    }
}

/// Forwards `client` by a rule, until the connection has ended. `read`: bytes of the client that were read
/// already and go to the endpoint first.
pub(super) async fn tunnel<I>(
    mut client: I,
    read: &[u8],
    encrypted: Encrypted,
    rule: L4RuleId,
    gateway: Arc<GatewaySnapshot>,
    accepted: &Accepted,
    mut recording: Recording,
) where
    I: AsyncRead + AsyncWrite + Reset + Unpin,
{
    if let Some(entry) = gateway.router.l4_rules().get(rule.0 as usize) {
        recording.route(&entry.route.key);
    }
    let connected = async {
        let backend = gateway.choose_backend(rule)?;
        recording.backend(&backend.key);
        connect(&backend, encrypted, accepted).await.map_err(|error| {
            recording.endpoint(error.endpoint);
            tracing::debug!(peer = %accepted.peer, %error, "no connection to an endpoint");
            error.reason
        })
    };
    let ConnectedStream { stream: mut upstream, endpoint, .. } = match connected.await {
        Ok(connected) => connected,
        Err(reason) => {
            // The API asks to reject, which a plain end would not say.
            client.reset();
            return recording.end(Some(reason));
        }
    };
    recording.endpoint(Some(endpoint));
    // It may live for days, and the next snapshots need not wait for it.
    drop(gateway);

    let counts = recording.counts();
    counts.received.set(counts.received.get() + read.len() as u64);
    let end = match upstream.write_all(read).await {
        Ok(()) => {
            let limits = accepted.limits();
            let silence =
                Silence { open: limits.stream_idle_timeout, half_closed: limits.tunnel_half_closed_timeout };
            relay(&mut client, &mut upstream, silence, accepted.scratch(), &counts).await
        }
        Err(error) => End::Upstream(error),
    };
    finish(&end, &client, &upstream, accepted);
    recording.end(match end {
        End::Closed => None,
        End::Idle => Some(Reason::StreamIdle),
        End::Client(_) => Some(Reason::ClientGone),
        End::Upstream(_) => Some(Reason::UpstreamReset),
    });
}

/// A connection that broke on one side must not look complete on the other.
fn finish<I: Reset>(end: &End, client: &I, upstream: &UpstreamStream, accepted: &Accepted) {
    match end {
        End::Closed => {}
        End::Idle => {
            client.reset();
            upstream.reset();
        }
        End::Client(error) => {
            tracing::debug!(peer = %accepted.peer, %error, "the client's connection broke");
            upstream.reset();
        }
        End::Upstream(error) => {
            tracing::debug!(peer = %accepted.peer, %error, "the endpoint's connection broke");
            client.reset();
        }
    }
}

/// Connects to an endpoint; where that fails, to others. No byte has been sent, so it is always safe.
async fn connect(
    backend: &Backend,
    encrypted: Encrypted,
    accepted: &Accepted,
) -> Result<ConnectedStream, UpstreamError> {
    let pools = &accepted.worker().upstream;
    let attempts = accepted.limits().tunnel_connect_attempts.min(backend.endpoint_count());
    let mut avoid = Vec::new();
    for _ in 1..attempts {
        match pools.connect_stream(backend, encrypted, &avoid).await {
            Err(UpstreamError { endpoint: Some(endpoint), .. }) => avoid.push(endpoint),
            result => return result,
        }
    }
    pools.connect_stream(backend, encrypted, &avoid).await
}
