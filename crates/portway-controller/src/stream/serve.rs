//! Serving the stream, while this controller leads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use portway_xds::server::{GatewayOf, Server};
use portway_xds::{Limits, Publisher, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep};

use super::authenticate::TokenReviewer;
use super::authority::Authority;
use super::beacon;
use crate::limits::{ANNOUNCE_AGAIN, CERTIFICATE_RENEWAL};
use crate::options::ControllerOptions;

/// Pause before something that was refused is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// What the stream is served with.
pub struct StreamServer {
    /// To the API server.
    pub client: Client,
    /// What the controller was told.
    pub options: Arc<ControllerOptions>,
    /// Issues the server's certificates.
    pub authority: Arc<Authority>,
    /// What is served.
    pub publisher: Publisher,
    /// Whose proxies an identity belongs to.
    pub gateway_of: GatewayOf,
}

/// Why the stream cannot be served at all.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No certificate could be issued.
    #[error("no certificate can be issued for the configuration stream: {0}")]
    Issue(#[from] rcgen::Error),
    /// The TLS library refuses it.
    #[error(transparent)]
    Tls(#[from] portway_xds::server::TlsError),
}

impl StreamServer {
    /// Serves whenever this controller leads, for ever.
    ///
    /// # Errors
    ///
    /// There is no certificate to serve with.
    pub async fn run(self, mut leads: watch::Receiver<bool>) -> Result<(), CertificateError> {
        let issued = self.issue()?;
        let tls = ServerTls::from_pem(issued.0.as_bytes(), issued.1.as_bytes())?;
        let mut renewal = interval_at(Instant::now() + CERTIFICATE_RENEWAL, CERTIFICATE_RENEWAL);
        loop {
            if leads.wait_for(|leads| *leads).await.is_err() {
                return Ok(());
            }
            let mut until = leads.clone();
            tokio::select! {
                () = self.lead(tls.clone()) => {}
                _ = until.wait_for(|leads| !*leads) => {}
                _ = renewal.tick() => {
                    let issued = self.issue()?;
                    tls.replace(issued.0.as_bytes(), issued.1.as_bytes())?;
                }
            }
        }
    }

    fn issue(&self) -> Result<(String, String), rcgen::Error> {
        let ControllerOptions { service, namespace, .. } = &*self.options;
        let names =
            vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")];
        let issued = self.authority.issue(names, Timestamp::now())?;
        Ok((issued.certificate, issued.key))
    }

    /// Lets proxies in and tells them the way. Does not end by itself.
    async fn lead(&self, tls: ServerTls) {
        let listener = bind(self.options.stream_bind).await;
        let server = Server {
            tls,
            authenticator: TokenReviewer::new(self.client.clone()),
            gateway_of: self.gateway_of.clone(),
            publisher: self.publisher.clone(),
            limits: Limits::default(),
        };
        let serve = portway_xds::serve(listener, server, std::future::pending());
        tokio::join!(serve, self.announce());
    }

    async fn announce(&self) {
        let mut told = String::new();
        loop {
            match beacon::announce(self.client.clone(), &self.options).await {
                Ok(()) => {
                    told.clear();
                    sleep(ANNOUNCE_AGAIN).await;
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        tracing::warn!(
                            "proxies cannot be told the way here yet: the EndpointSlice is refused: {error}"
                        );
                    }
                    told = error;
                    sleep(RETRY).await;
                }
            }
        }
    }
}

/// The first revision of a term: there are not a thousand changes in each second.
pub fn first_revision(now: Timestamp) -> portway_config::Revision {
    portway_config::Revision(u64::try_from(now.as_millisecond()).unwrap_or(1))
}

/// Binds, however long it takes: the port may still be held by what ended just now.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match listen(address) {
            Ok(listener) => return listener,
            Err(error) => tracing::error!("cannot listen on {address} for proxies: {error}"),
        }
        sleep(RETRY).await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
