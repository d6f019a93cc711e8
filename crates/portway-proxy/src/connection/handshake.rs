//! TLS ports: from the first byte to the point where requests or a tunnel begin.

use std::io;
use std::sync::Arc;

use portway_config::ListenerProtocol;
use portway_route::{ListenerId, TlsTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::record::Recording;
use super::replay::Replay;
use super::serve::{Accepted, cut_when_drained};
use super::tunnel::tunnel;
use crate::http::{self, TlsInfo};
use crate::reason::Reason;
use crate::snapshot::GatewaySnapshot;
use crate::tls::{Alert, ClientHello, ClientHelloError, ClientHelloReader, ListenerTls, Termination};
use crate::upstream::Encrypted;

/// A connection of which the ClientHello was read.
struct Greeted {
    stream: TcpStream,
    hello: ClientHello,
    /// All bytes that were read.
    read: Vec<u8>,
    accepted: Accepted,
    recording: Recording,
    /// When the handshake must be complete.
    deadline: Instant,
}

/// Serves a connection to a TLS port.
pub(super) async fn serve(mut stream: TcpStream, accepted: Accepted) {
    let recording = accepted.recording("tls");
    // In total, not for each byte: a client that drips bytes has no more time than any other.
    let deadline = Instant::from_std(accepted.began()) + accepted.limits().tls_handshake_timeout;
    let mut reader = ClientHelloReader::new(accepted.limits().client_hello_bytes);
    let greeting = timeout_at(deadline, read_client_hello(&mut stream, &mut reader)).await;
    recording.counts().received.set(reader.len() as u64);
    match greeting.unwrap_or(Err(Ungreeted::Timeout)) {
        Ok(hello) => {
            let read = reader.into_raw();
            route(Greeted { stream, hello, read, accepted, recording, deadline }).await;
        }
        // Health checks of load balancers do that every second.
        Err(Ungreeted::Closed) if reader.len() == 0 => recording.discard(),
        Err(Ungreeted::Closed) => recording.end(Some(Reason::ClientGone)),
        Err(Ungreeted::Timeout) => recording.end(Some(Reason::TlsTimeout)),
        Err(Ungreeted::Error(error)) => {
            tracing::debug!(peer = %accepted.peer, %error, "no TLS ClientHello");
            if error != ClientHelloError::NotTls {
                refuse(stream, Alert::DecodeError).await;
            }
            recording.end(Some(match error {
                ClientHelloError::NotTls => Reason::NotTls,
                ClientHelloError::Malformed(_) | ClientHelloError::TooLarge(_) => Reason::BadClientHello,
            }));
        }
    }
}

/// Why there is no ClientHello.
enum Ungreeted {
    Closed,
    Timeout,
    Error(ClientHelloError),
}

async fn read_client_hello(
    stream: &mut TcpStream,
    reader: &mut ClientHelloReader,
) -> Result<ClientHello, Ungreeted> {
    loop {
        // A read error says no more than that the client is gone.
        if stream.read_buf(reader.buffer()).await.unwrap_or(0) == 0 {
            return Err(Ungreeted::Closed);
        }
        if let Some(hello) = reader.advance().map_err(Ungreeted::Error)? {
            return Ok(hello);
        }
    }
}

/// Hands the connection to the listener that has its server name.
async fn route(mut greeted: Greeted) {
    // Looked up now, not at accept: the snapshot may have changed since.
    let Some(gateway) = greeted.accepted.gateway() else {
        return greeted.recording.end(Some(Reason::NoListener));
    };
    if let Some(name) = &greeted.hello.server_name {
        greeted.recording.server_name(name);
    }
    let port = greeted.accepted.owner.listener_port;
    let target = gateway.router.tls_target(port, greeted.hello.server_name.as_deref());
    if let Some(target) = target {
        greeted.recording.listener(&gateway.router.listener(target.listener()).key);
    }
    match target {
        // Where TLSRoutes attach, a name that leads nowhere ends the connection with no word of TLS, for it would have
        // been a backend that says it. The conformance suite asks for that (TLSRouteHostnameIntersection).
        None if routes_tls(&gateway, port) => greeted.recording.end(Some(Reason::NoListener)),
        None => greeted.refuse(Alert::UnrecognizedName, Reason::NoListener).await,
        Some(TlsTarget::Terminate(_, None) | TlsTarget::Passthrough(_, None)) => {
            greeted.recording.end(Some(Reason::NoRoute));
        }
        Some(TlsTarget::Https(listener)) => greeted.serve_https(listener, gateway).await,
        Some(TlsTarget::Terminate(listener, Some(rule))) => {
            let key = gateway.router.listener(listener).key.clone();
            let Some((stream, accepted, recording)) = greeted.terminate(listener, &gateway).await else {
                return;
            };
            let drain = accepted.drain(&key);
            let tunnel =
                tunnel(stream, &[], Encrypted::ByBackendSettings, rule, gateway, &accepted, recording);
            cut_when_drained(tunnel, drain, accepted.limits()).await;
        }
        Some(TlsTarget::Passthrough(listener, Some(rule))) => {
            let Greeted { stream, read, accepted, recording, .. } = greeted;
            // Counted again as they are forwarded.
            recording.counts().received.set(0);
            let drain = accepted.drain(&gateway.router.listener(listener).key);
            let tunnel = tunnel(stream, &read, Encrypted::ByClient, rule, gateway, &accepted, recording);
            cut_when_drained(tunnel, drain, accepted.limits()).await;
        }
    }
}

/// Whether any listener of the port is one to which TLSRoutes attach.
fn routes_tls(gateway: &GatewaySnapshot, port: u16) -> bool {
    let mut listeners = gateway.configuration.listeners.values().filter(|it| it.port == port);
    listeners
        .any(|it| matches!(it.protocol, ListenerProtocol::TlsTerminate(_) | ListenerProtocol::TlsPassthrough))
}

type Terminated = (TlsStream<Replay<TcpStream>>, Accepted, Recording);

impl Greeted {
    async fn serve_https(self, listener: ListenerId, gateway: Arc<GatewaySnapshot>) {
        let key = gateway.router.listener(listener).key.clone();
        let server_name = self.hello.server_name.clone();
        let Some((stream, accepted, recording)) = self.terminate(listener, &gateway).await else { return };
        drop(gateway);
        // From here on each request has its own record.
        recording.discard();
        let (tcp, session) = stream.get_ref();
        let http2 = session.alpn_protocol() == Some(b"h2");
        let mut info = accepted.info(tcp.get_ref());
        let drain = accepted.drain(&key);
        info.tls = Some(TlsInfo { listener: key, server_name, http2 });
        let serve = http::serve(stream, info, accepted.worker().clone(), drain.clone());
        cut_when_drained(serve, drain, accepted.limits()).await;
    }

    /// Completes the handshake as the listener says; None if it failed, which is recorded then.
    async fn terminate(self, listener: ListenerId, gateway: &GatewaySnapshot) -> Option<Terminated> {
        let tls = gateway.tls.get(listener.0 as usize).and_then(Option::as_ref);
        let Some(Termination::Ready(acceptor)) = tls.map(ListenerTls::termination) else {
            self.refuse(Alert::InternalError, Reason::ListenerTls).await;
            return None;
        };
        let Self { stream, read, accepted, recording, deadline, .. } = self;
        match timeout_at(deadline, handshake(acceptor, Replay::new(stream, read))).await {
            Ok(Ok(stream)) => Some((stream, accepted, recording)),
            Ok(Err(error)) => {
                tracing::debug!(peer = %accepted.peer, %error, "TLS handshake failed");
                recording.end(Some(reason_of(&error)));
                None
            }
            Err(_) => {
                recording.end(Some(Reason::TlsTimeout));
                None
            }
        }
    }

    async fn refuse(self, alert: Alert, reason: Reason) {
        self.recording.end(Some(reason));
        refuse(self.stream, alert).await;
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: Replay<TcpStream>,
) -> io::Result<TlsStream<Replay<TcpStream>>> {
    acceptor.accept(stream).await
}

/// Says why before the connection is closed. Seven bytes always fit into the socket's buffer.
async fn refuse(mut stream: TcpStream, alert: Alert) {
    if stream.write_all(&alert.record()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

fn reason_of(error: &io::Error) -> Reason {
    use rustls::Error as Tls;
    match error.get_ref().and_then(|error| error.downcast_ref::<Tls>()) {
        Some(Tls::NoCertificatesPresented | Tls::InvalidCertificate(_)) => Reason::ClientCertificate,
        Some(_) => Reason::TlsHandshake,
        None => Reason::ClientGone,
    }
}
