//! The server side of a client's connection: its protocol, its time limits, its end.

mod client_io;
mod connection;
mod drive;
mod executor;
mod preface;
mod unread;
mod watchdog;

use std::rc::Rc;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use self::client_io::ClientIo;
pub(super) use self::connection::{ClientConnection, Place};
use self::executor::LocalExecutor;
use self::preface::Spoken;
use super::ConnectionInfo;
use super::handle::handle;
use crate::connection::DrainSignal;
use crate::limits::Limits;
use crate::reason::Reason;
use crate::worker::Worker;

/// hyper accepts no smaller buffer.
const LEAST_BUFFER: usize = 8192;

/// Serves the HTTP requests of a connection until it ends or `drain` asks to end it.
pub async fn serve<I>(io: I, info: ConnectionInfo, worker: Rc<Worker>, drain: DrainSignal)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = ClientConnection::new(info, worker);
    let linger_timeout = connection.worker.limits.linger_timeout;
    let mut io = ClientIo::new(io, connection.received(), linger_timeout);
    let http2 = match connection.info.tls.as_ref().map(|tls| tls.http2) {
        Some(http2) => http2,
        None => match preface::spoken(&mut io, connection.worker.limits.request_header_timeout).await {
            Some(Spoken::Http1) => false,
            Some(Spoken::Http2) => true,
            Some(Spoken::Unknown) => return connection.record_refusal(Reason::BadRequest, None),
            // It closed or kept silent; there is nothing to serve and nothing to say.
            None => return,
        },
    };
    let limits = &connection.worker.limits;
    let for_requests = Rc::clone(&connection);
    let io = TokioIo::new(io);
    // Boxed, so that a connection has the size of its own protocol, and once: a future that is handed on
    // takes its room in each that hands it on.
    let ended = if http2 {
        // hyper moves the future of a stream several times before it is polled; boxed, it has the size of a pointer.
        let service = service_fn(move |request| Box::pin(handle(Rc::clone(&for_requests), request)));
        let served = Box::pin(http2_builder(limits).serve_connection(io, service));
        drive::drive(served, &connection, drain).await
    } else {
        let service = service_fn(move |request| handle(Rc::clone(&for_requests), request));
        let served = Box::pin(http1_builder(limits).serve_connection(io, service).with_upgrades());
        drive::drive(served, &connection, drain).await
    };
    if let Err(error) = ended {
        connection.record_failure(&error);
    }
    // Tunnels outlive the HTTP connection that they began on, and belong to it.
    for tunnel in connection.take_tunnels() {
        tunnel.await;
    }
}

/// `half_close` stays off: a client that closes its side gives its request up, as with nginx and Envoy,
/// and the request to the backend is cancelled. Header timeouts are [`watchdog`]'s: hyper's would need a
/// timer for each request and would close idle connections, too. `pipeline_flush` stays off: it keeps what
/// was written from being flushed when the connection ends or switches protocols with bytes unread.
fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(limits.request_header_bytes.max(LEAST_BUFFER));
    if limits.request_headers != 100 {
        builder.max_headers(limits.request_headers);
    }
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<LocalExecutor> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_max_concurrent_streams)
        .initial_stream_window_size(limits.http2_stream_window)
        .initial_connection_window_size(limits.http2_connection_window)
        .max_header_list_size(u32::try_from(limits.request_header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits.http2_pending_resets)
        .max_local_error_reset_streams(limits.http2_local_resets)
        .max_send_buf_size(limits.http2_send_buffer_bytes)
        .enable_connect_protocol()
        .keep_alive_interval(limits.downstream_idle_timeout)
        .keep_alive_timeout(limits.request_header_timeout);
    builder
}
