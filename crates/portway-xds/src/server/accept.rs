//! Accepting connections, and answering to the one method that there is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use portway_config::NamespacedName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::admission::{Authenticate, GatewayOf, Identity, admit};
use super::stream::{Session, run};
use super::tls::ServerTls;
use crate::limits::Limits;
use crate::message::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, METHOD};
use crate::publisher::Publisher;

/// Wait after an accept that failed, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Streams of one HTTP/2 connection: a proxy needs one.
const STREAMS_PER_CONNECTION: u32 = 4;

/// What the server works with.
pub struct Server<A> {
    /// Its certificate.
    pub tls: ServerTls,
    /// Verifies the tokens of proxies.
    pub authenticator: A,
    /// Knows whose proxies they are.
    pub gateway_of: GatewayOf,
    /// What they are told.
    pub publisher: Publisher,
    /// Limits.
    pub limits: Limits,
}

/// How often the same reason for which proxies are turned away is logged: they try again every few seconds.
const TURNED_AWAY_AGAIN: Duration = Duration::from_secs(60);

/// Reasons that are remembered for that.
const TURNED_AWAY_REASONS: usize = 64;

/// Why proxies were turned away lately.
type TurnedAway = Mutex<BTreeMap<String, Instant>>;

/// Serves proxies until `shutdown` resolves; then all streams end.
pub async fn serve<A: Authenticate>(
    listener: TcpListener,
    server: Server<A>,
    shutdown: impl Future<Output = ()>,
) {
    let server = Arc::new((server, TurnedAway::default()));
    let places = Arc::new(Semaphore::new(server.0.limits.connections));
    // Dropped at the end, which ends the connections.
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accept = async {
            // It is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut shutdown => return,
            (accepted, place) = accept => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&server), place));
                }
                Err(error) => {
                    tracing::warn!("the configuration server cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<A: Authenticate>(
    stream: TcpStream,
    shared: Arc<(Server<A>, TurnedAway)>,
    _place: Option<OwnedSemaphorePermit>,
) {
    let server = &shared.0;
    let limits = &server.limits;
    // It matters for the latency of small messages alone.
    let _ = stream.set_nodelay(true);
    let acceptor = TlsAcceptor::from(server.tls.config());
    let stream = match timeout(limits.handshake_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("TLS handshake of a proxy failed: {error}"),
        Err(_) => return tracing::debug!("TLS handshake of a proxy took too long"),
    };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout);
    let is_admitted = Arc::new(AtomicBool::new(false));
    let answer = |request| {
        let (shared, is_admitted) = (Arc::clone(&shared), Arc::clone(&is_admitted));
        async move { Ok::<_, Infallible>(answer(request, &shared.0, &shared.1, &is_admitted).await) }
    };
    // Without this, whoever reaches the port could take all places with connections that say nothing.
    let must_be_admitted = async {
        tokio::time::sleep(limits.admission_timeout).await;
        if is_admitted.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = builder.serve_connection(TokioIo::new(stream), service_fn(answer)) => {
            if let Err(error) = ended {
                tracing::debug!("the connection of a proxy broke: {error}");
            }
        }
        () = must_be_admitted => tracing::debug!("a connection without a stream is closed"),
    }
}

async fn answer<A: Authenticate>(
    request: http::Request<Incoming>,
    server: &Server<A>,
    turned_away: &TurnedAway,
    is_admitted: &AtomicBool,
) -> http::Response<Body> {
    if request.uri().path() != METHOD {
        return Status::unimplemented("the one method is DeltaAggregatedResources").into_http();
    }
    let limits = &server.limits;
    let admitted = admit(request.headers(), &server.authenticator, &server.gateway_of);
    let admitted = match timeout(limits.admission_timeout, admitted).await {
        Ok(admitted) => admitted,
        Err(_) => Err(Status::unavailable("verifying the token took too long")),
    };
    match admitted {
        Ok((identity, gateway)) => {
            is_admitted.store(true, Ordering::Relaxed);
            let codec = ProstCodec::<DeltaDiscoveryResponse, DeltaDiscoveryRequest>::default();
            let mut grpc = tonic::server::Grpc::new(codec)
                .max_decoding_message_size(limits.message_bytes)
                .max_encoding_message_size(limits.message_bytes);
            let method =
                Method { identity, gateway, publisher: server.publisher.clone(), limits: limits.clone() };
            grpc.streaming(method, request).await
        }
        Err(status) => {
            server.publisher.traffic().note_admission(false);
            log_turned_away(status.message(), turned_away);
            status.into_http()
        }
    }
}

fn log_turned_away(reason: &str, turned_away: &TurnedAway) {
    // Nothing is left half done under this lock.
    let mut reasons = turned_away.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    reasons.retain(|_, logged| now.duration_since(*logged) < TURNED_AWAY_AGAIN);
    if reasons.len() < TURNED_AWAY_REASONS && !reasons.contains_key(reason) {
        reasons.insert(reason.to_owned(), now);
        tracing::warn!("a proxy is turned away: {reason}");
    }
}

/// The method DeltaAggregatedResources, for a proxy that is admitted.
struct Method {
    identity: Identity,
    gateway: NamespacedName,
    publisher: Publisher,
    limits: Limits,
}

impl tonic::server::StreamingService<DeltaDiscoveryRequest> for Method {
    type Response = DeltaDiscoveryResponse;
    type ResponseStream = Responses;
    type Future = Ready<Result<Response<Responses>, Status>>;

    fn call(&mut self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Self::Future {
        let (outbound, responses) = mpsc::channel(self.limits.queued_responses.max(1));
        let session = Session {
            inbound: request.into_inner(),
            outbound: outbound.clone(),
            identity: self.identity.clone(),
            gateway: self.gateway.clone(),
            publisher: self.publisher.clone(),
            limits: self.limits.clone(),
        };
        // Ends with the stream: `run` sees that the receiver is gone.
        tokio::spawn(async move {
            if let Err(status) = run(session).await {
                let _ = outbound.send(Err(status)).await;
            }
        });
        ready(Ok(Response::new(Responses(responses))))
    }
}

/// What is sent to a proxy.
struct Responses(mpsc::Receiver<Result<DeltaDiscoveryResponse, Status>>);

impl Stream for Responses {
    type Item = Result<DeltaDiscoveryResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

impl<A> std::fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("publisher", &self.publisher).finish_non_exhaustive()
    }
}
