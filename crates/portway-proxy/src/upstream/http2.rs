//! Requests over HTTP/2 connections.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use http::{Uri, header};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::limits::Limits;
use crate::reason::Reason;

use super::backends::Backend;
use super::body::{RequestBody, UpstreamBody};
use super::connect::connect;
use super::endpoint_pool::{EndpointPool, Http2Connection, Http2Stream, InFlight, Lease, LeasedConnection};
use super::error::UpstreamError;
use super::pools::Sent;

/// Sends a request as a stream of a connection that has room for it, or else of a new one.
pub(super) async fn send(
    backend: &Backend,
    in_flight: InFlight,
    mut request: Request<RequestBody>,
    limits: &Limits,
) -> Result<Sent, UpstreamError> {
    to_http2(&mut request, backend.is_tls());
    let endpoint = Rc::clone(&in_flight.endpoint);
    let mut may_be_stale = true;
    loop {
        let (connection, address, took) = match open(backend, &endpoint, limits, &mut may_be_stale).await {
            Ok(open) => open,
            Err(error) => return Err(error.with_unsent(request)),
        };
        let mut sender = connection.sender.clone();
        let stream = Http2Stream::new(Rc::clone(&connection));
        match sender.try_send_request(request).await {
            Ok(response) => {
                let lease = Lease { in_flight, connection: LeasedConnection::Http2 { _stream: stream } };
                let response = response.map(|incoming| UpstreamBody::new(incoming, lease));
                return Ok(Sent { response, endpoint: address, connect: took });
            }
            Err(mut error) => match error.take_message() {
                // The connection was closing; the endpoint has not seen the request.
                Some(unsent) if may_be_stale => {
                    forget(&endpoint, &connection);
                    request = unsent;
                }
                unsent => {
                    let error = UpstreamError::of_exchange(error.error(), address);
                    return Err(match unsent {
                        Some(request) => error.with_unsent(request),
                        None => error,
                    });
                }
            },
        }
    }
}

/// Says scheme and authority as HTTP/2 says them (RFC 9113, section 8.3.1): instead of `Host`.
fn to_http2(request: &mut Request<RequestBody>, tls: bool) {
    let Some(host) = request.headers_mut().remove(header::HOST) else { return };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    // Without an authority hyper refuses the request, and the client is told so.
    parts.authority = Authority::from_maybe_shared(host).ok();
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
}

/// A connection with room for a stream. `may_be_stale` is cleared when it is a new one.
async fn open(
    backend: &Backend,
    endpoint: &Rc<EndpointPool>,
    limits: &Limits,
    may_be_stale: &mut bool,
) -> Result<(Rc<Http2Connection>, SocketAddr, Duration), UpstreamError> {
    let pooled = |connection| async {
        let address = endpoint.resolved.address(&endpoint.address, limits, Instant::now()).await;
        let address = address.map_err(|error| UpstreamError::new(Reason::ConnectFailed, error))?;
        Ok((connection, address, Duration::ZERO))
    };
    if let Some(connection) = with_room(endpoint, limits) {
        return pooled(connection).await;
    }
    let _one_at_a_time = endpoint.http2_connecting.lock().await;
    if let Some(connection) = with_room(endpoint, limits) {
        return pooled(connection).await;
    }
    *may_be_stale = false;
    let connected = connect(&backend.tls, endpoint, limits).await?;
    let address = connected.endpoint;
    let handshake = builder(limits).handshake(TokioIo::new(connected.stream)).await;
    let (sender, task) =
        handshake.map_err(|error| UpstreamError::new(Reason::ConnectFailed, error).at(address))?;
    tokio::task::spawn_local(async move {
        // Each stream reports its own error.
        let _ = task.await;
    });
    let connection =
        Rc::new(Http2Connection { sender, streams: Cell::new(0), idle_since: Cell::new(Instant::now()) });
    endpoint.http2.borrow_mut().push(Rc::clone(&connection));
    Ok((connection, address, connected.connect))
}

fn with_room(endpoint: &EndpointPool, limits: &Limits) -> Option<Rc<Http2Connection>> {
    let mut connections = endpoint.http2.borrow_mut();
    connections.retain(|it| !it.sender.is_closed());
    connections.iter().find(|it| it.streams.get() < limits.http2_max_concurrent_streams).cloned()
}

fn forget(endpoint: &EndpointPool, connection: &Rc<Http2Connection>) {
    endpoint.http2.borrow_mut().retain(|it| !Rc::ptr_eq(it, connection));
}

fn builder(limits: &Limits) -> http2::Builder<LocalExecutor> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits.http2_stream_window)
        .initial_connection_window_size(limits.http2_connection_window)
        .keep_alive_interval(limits.upstream_http2_keepalive)
        .keep_alive_timeout(limits.upstream_http2_keepalive);
    builder
}

/// Runs hyper's tasks on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            let _ = future.await;
        });
    }
}
