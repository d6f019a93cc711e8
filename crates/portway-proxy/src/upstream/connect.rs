//! Making a connection to an endpoint.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use portway_config::EndpointAddress;
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
    let attempt = attempt(tls, endpoint, limits, start);
    let made = match tokio::time::timeout(limits.connect_timeout, attempt).await {
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
            endpoint.failed(Instant::now(), limits);
            Err(error)
        }
    }
}

async fn attempt(
    tls: &Tls,
    endpoint: &EndpointPool,
    limits: &Limits,
    start: Instant,
) -> Result<(UpstreamStream, SocketAddr), UpstreamError> {
    let (stream, address) = match &endpoint.address {
        EndpointAddress::Socket(address) => (to_address(*address).await?, *address),
        EndpointAddress::Dns { .. } => to_name(endpoint, limits, start).await?,
    };
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

async fn to_address(address: SocketAddr) -> Result<TcpStream, UpstreamError> {
    let failed = |error: io::Error| {
        UpstreamError::new(Reason::ConnectFailed, format_args!("{address}: {error}")).at(address)
    };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// Tries the addresses of a name one after the other, each with its share of the time that is left: a name may have
/// addresses of a family that leads nowhere from here. The first that works is the first to be tried the next time.
async fn to_name(
    endpoint: &EndpointPool,
    limits: &Limits,
    start: Instant,
) -> Result<(TcpStream, SocketAddr), UpstreamError> {
    let unknown = |error: io::Error| {
        UpstreamError::new(Reason::ConnectFailed, format_args!("{}: {error}", endpoint.address))
    };
    let addresses = endpoint.resolved.addresses(&endpoint.address, limits, start).await.map_err(unknown)?;
    let mut failed = unknown(io::ErrorKind::NotFound.into());
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let time = limits.connect_timeout.saturating_sub(start.elapsed());
        let share = time / u32::try_from(left).unwrap_or(u32::MAX);
        match tokio::time::timeout(share, to_address(*address)).await {
            Ok(Ok(stream)) => {
                endpoint.resolved.prefer(*address);
                return Ok((stream, *address));
            }
            Ok(Err(error)) => failed = error,
            Err(_) => {
                let detail = format!("no connection to {address} in {share:?}");
                failed = UpstreamError::new(Reason::ConnectTimeout, detail).at(*address);
            }
        }
    }
    Err(failed)
}
