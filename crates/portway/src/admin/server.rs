//! The server itself.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::answer::answer;
use super::state::AdminState;

/// Connections at once; others wait until one has ended.
const CONNECTIONS: usize = 64;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;

/// Fields of a request's head.
const HEAD_FIELDS: usize = 64;

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may live. A scrape every few seconds may open another.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait after an accept that failed, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The admin server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminServer {
    address: SocketAddr,
    /// Dropped with the server, which its thread sees.
    stop: oneshot::Sender<Infallible>,
    thread: JoinHandle<()>,
}

impl AdminServer {
    /// Listens, and answers from a thread of its own.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or there is no thread to be had.
    pub(crate) fn start(address: SocketAddr, state: Arc<AdminState>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (keep, stop) = oneshot::channel();
        let thread = thread::Builder::new().name("portway-admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, address, state) => {}
                    // It is never sent, only dropped.
                    _ = stop => {}
                }
            });
        })?;
        Ok(Self { address, stop: keep, thread })
    }

    /// Ends it, and waits until it has.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the admin server ended in a panic");
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, state: Arc<AdminState>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the admin server cannot serve: {error}"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&state), address.ip().is_loopback(), place));
            }
            Err(error) => {
                tracing::warn!("the admin server cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    state: Arc<AdminState>,
    local_only: bool,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response: Response<Full<Bytes>> = answer(&request, &state, local_only).map(Full::from);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the client's business.
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
}
