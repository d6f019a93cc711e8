//! Making a connection to an endpoint.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::limits::Limits;
use crate::reason::Reason;

use super::backends::Tls;
use super::endpoint_pool::EndpointPool;
use super::error::UpstreamError;
use super::stream::UpstreamStream;

/// A new connection for a byte stream.
#[derive(Debug)]
pub struct ConnectedStream {
    /// The connection.
    pub stream: UpstreamStream,
    /// The endpoint.
    pub endpoint: SocketAddr,
    /// How long it took.
    pub connect: Duration,
}

/// Connects, with this TLS, within the time that the limits give.
pub(super) async fn connect(
    tls: &Tls,
    endpoint: &Rc<EndpointPool>,
    limits: &Limits,
) -> Result<ConnectedStream, UpstreamError> {
    if let Tls::Refused(refused) = tls {
        return Err(UpstreamError::new(Reason::Fault(refused.reason), &refused.message));
    }
    let start = Instant::now();
    let made = match tokio::time::timeout(limits.connect_timeout, attempt(tls, endpoint, start)).await {
        Ok(made) => made,
        Err(_) => Err(UpstreamError::new(
            Reason::ConnectTimeout,
            format_args!("no connection to {} in {:?}", endpoint.address, limits.connect_timeout),
        )),
    };
    match made {
        Ok((stream, address)) => {
            endpoint.succeeded();
            Ok(ConnectedStream { stream, endpoint: address, connect: start.elapsed() })
        }
        Err(error) => {
            endpoint.failed(Instant::now());
            Err(error)
        }
    }
}

async fn attempt(
    tls: &Tls,
    endpoint: &EndpointPool,
    now: Instant,
) -> Result<(UpstreamStream, SocketAddr), UpstreamError> {
    let address = endpoint.resolved.address(&endpoint.address, now).await.map_err(|error| {
        UpstreamError::new(Reason::ConnectFailed, format_args!("{}: {error}", endpoint.address))
    })?;
    let failed = |error: io::Error| {
        UpstreamError::new(Reason::ConnectFailed, format_args!("{address}: {error}")).at(address)
    };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    match tls {
        Tls::With(tls) => {
            let handshake = tls.connector.connect(tls.server_name.clone(), stream).await;
            let stream = handshake.map_err(|error| {
                UpstreamError::new(Reason::UpstreamTls, format_args!("{address}: {error}")).at(address)
            })?;
            Ok((UpstreamStream::Tls(Box::new(stream)), address))
        }
        Tls::Plain | Tls::Refused(_) => Ok((UpstreamStream::Plain(stream), address)),
    }
}
