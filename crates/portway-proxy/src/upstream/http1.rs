//! Requests over HTTP/1.1 connections.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use portway_config::EndpointAddress;

use crate::limits::Limits;
use crate::reason::Reason;

use super::backends::Backend;
use super::body::{RequestBody, UpstreamBody};
use super::connect::connect;
use super::endpoint_pool::{InFlight, Lease, LeasedConnection};
use super::error::UpstreamError;
use super::pools::Sent;
use super::resolve::Resolved;
use super::small_copy::SmallCopy;

type Sender = http1::SendRequest<RequestBody>;

/// Sends a request over an idle connection, or else over a new one.
pub(super) async fn send(
    backend: &Backend,
    in_flight: InFlight,
    mut request: Request<RequestBody>,
    limits: &Limits,
    now: Instant,
) -> Result<Sent, UpstreamError> {
    let endpoint = Rc::clone(&in_flight.endpoint);
    while let Some(mut sender) = endpoint.take_idle(now, limits.upstream_idle_timeout) {
        // Ready at once, unless the end of the former response has not been processed yet.
        if !sender.is_ready() && sender.ready().await.is_err() {
            continue;
        }
        let address = pooled_address(&endpoint.address, &endpoint.resolved, limits, now).await;
        let copy = SmallCopy::of(&request);
        match sender.try_send_request(request).await {
            Ok(response) => return Ok(sent(response, sender, in_flight, address, Duration::ZERO)),
            Err(mut error) => {
                // The endpoint may close an idle connection at the very moment that it is used. What it
                // has not read, or may be asked twice for (RFC 9110, 9.2.2), is sent again.
                let unread = error.take_message();
                let copy = || copy.filter(|_| closed_unanswered(error.error()))?.into_request();
                request = match unread.or_else(copy) {
                    Some(request) => request,
                    None => return Err(UpstreamError::of_exchange(error.error(), address)),
                };
            }
        }
    }
    send_fresh(backend, in_flight, request, limits).await
}

async fn send_fresh(
    backend: &Backend,
    in_flight: InFlight,
    request: Request<RequestBody>,
    limits: &Limits,
) -> Result<Sent, UpstreamError> {
    let connected = match connect(&backend.tls, &in_flight.endpoint, limits).await {
        Ok(connected) => connected,
        Err(error) => return Err(error.with_unsent(request)),
    };
    let address = connected.endpoint;
    let handshake = http1::Builder::new().handshake(TokioIo::new(connected.stream)).await;
    let (mut sender, connection) = match handshake {
        Ok(made) => made,
        Err(error) => {
            let error = UpstreamError::new(Reason::ConnectFailed, error);
            return Err(error.at(address).with_unsent(request));
        }
    };
    // An error here is also the error of the request that is under way; there it is reported.
    tokio::task::spawn_local(connection.with_upgrades().map(drop));
    match sender.try_send_request(request).await {
        Ok(response) => Ok(sent(response, sender, in_flight, address, connected.connect)),
        Err(mut error) => {
            let unsent = error.take_message();
            let error = UpstreamError::of_exchange(error.error(), address);
            Err(match unsent {
                Some(request) => error.with_unsent(request),
                None => error,
            })
        }
    }
}

fn sent(
    response: Response<hyper::body::Incoming>,
    sender: Sender,
    in_flight: InFlight,
    endpoint: SocketAddr,
    connect: Duration,
) -> Sent {
    let connection = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        LeasedConnection::Upgraded
    } else {
        LeasedConnection::Http1(sender)
    };
    let lease = Lease { in_flight, connection };
    Sent { response: response.map(|incoming| UpstreamBody::new(incoming, lease)), endpoint, connect }
}

/// The address of a pooled connection, for the record. A name was resolved when it was made.
async fn pooled_address(
    endpoint: &EndpointAddress,
    resolved: &Resolved,
    limits: &Limits,
    now: Instant,
) -> SocketAddr {
    match endpoint {
        EndpointAddress::Socket(address) => *address,
        EndpointAddress::Dns { port, .. } => {
            let address = resolved.address(endpoint, limits, now).await;
            address.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], *port)))
        }
    }
}

/// Whether the connection ended before any byte of a response came.
fn closed_unanswered(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || is_reset(error)
}

fn is_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}
