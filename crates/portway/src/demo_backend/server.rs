//! The servers themselves, all on one thread.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, SERVER};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::answer::Page;

/// How long to wait after an accept that failed, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The thread that all demo backends live on. It ends when this and all its servers are dropped.
#[derive(Debug)]
pub(super) struct ServerThread {
    start: mpsc::UnboundedSender<Start>,
}

/// One demo backend. When it is dropped it takes no more connections; those that it has live on.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    /// Dropped with the server, which the other end sees.
    _stop: oneshot::Sender<Infallible>,
}

#[derive(Debug)]
struct Start {
    listener: TcpListener,
    address: SocketAddr,
    pod: String,
    stop: oneshot::Receiver<Infallible>,
}

impl Server {
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl ServerThread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (start, mut starts) = mpsc::unbounded_channel();
        let run = move || {
            runtime.block_on(async {
                while let Some(start) = starts.recv().await {
                    tokio::spawn(serve(start));
                }
            });
        };
        thread::Builder::new().name("portway-demo".to_owned()).spawn(run)?;
        Ok(Self { start })
    }

    /// Starts a server on a free port.
    pub(super) fn serve(&self, pod: String) -> io::Result<Server> {
        self.serve_at((Ipv4Addr::LOCALHOST, 0).into(), pod)
    }

    /// Starts a server at an address, which may be that of all interfaces.
    pub(super) fn serve_at(&self, address: SocketAddr, pod: String) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (keep, stop) = oneshot::channel();
        self.start
            .send(Start { listener, address, pod, stop })
            .map_err(|_| io::Error::other("the thread of the demo backends is gone"))?;
        Ok(Server { port: address.port(), _stop: keep })
    }
}

/// Accepts connections until the server is dropped.
async fn serve(Start { listener, address, pod, mut stop }: Start) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%address, "a demo backend cannot serve: {error}"),
    };
    let pod: Arc<str> = pod.into();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let pod = Arc::clone(&pod);
                // The address that the client has reached, also where the listener takes those of all interfaces.
                let address = stream.local_addr().unwrap_or(address);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, address, Arc::clone(&pod)));
                    // HTTP/1.1, and HTTP/2 for gRPC. A connection that breaks is the client's business.
                    let connection = auto::Builder::new(TokioExecutor::new());
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Err(error) => {
                tracing::warn!(%address, "a demo backend cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    address: SocketAddr,
    pod: Arc<str>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, mut body) = request.into_parts();
    // Read to its end, so that the connection can be used again.
    while let Some(frame) = body.frame().await {
        frame?;
    }
    let uri = head.uri.path_and_query().map_or("/", |uri| uri.as_str());
    let page = Page { address, pod: &pod, now: Timestamp::now(), uri, headers: &head.headers }.text();
    let mut response = Response::new(Full::from(page));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("portway-demo-backend"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
