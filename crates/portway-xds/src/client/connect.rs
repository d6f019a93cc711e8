//! Connecting to the controller.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use super::ClientOptions;

/// Why the stream could not be had, or ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot read {what} {}: {error}", path.display())]
    File { what: &'static str, path: PathBuf, error: String },
    #[error("`{0}` is not HOST:PORT")]
    Address(String),
    #[error("cannot connect: {0}")]
    Tcp(io::Error),
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("TLS cannot be set up: {0}")]
    TlsSettings(rustls::Error),
    #[error("it took too long")]
    Timeout,
    #[error("HTTP/2: {0}")]
    Http(hyper::Error),
    #[error("{}", status_words(.0))]
    Status(tonic::Status),
    #[error("the controller ended the stream")]
    Closed,
    #[error("the controller breaks the protocol: {0}")]
    Protocol(String),
}

/// gRPC's words for a connection that broke are many; the cause is in their last part.
fn status_words(status: &tonic::Status) -> String {
    match (status.code(), status.message()) {
        (code, "") => code.description().to_owned(),
        (_, message) => message.to_owned(),
    }
}

/// A connection to the controller.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) service: Service,
    pub(super) origin: Uri,
    /// The value of the header `authorization`.
    pub(super) authorization: Option<String>,
    /// Ends the connection's task when this is dropped.
    _driver: Driver,
}

#[derive(Debug)]
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn connect(options: &ClientOptions) -> Result<Channel, ConnectError> {
    timeout(options.limits.handshake_timeout, establish(options)).await.map_err(|_| ConnectError::Timeout)?
}

async fn establish(options: &ClientOptions) -> Result<Channel, ConnectError> {
    let address = || ConnectError::Address(options.controller.clone());
    let origin: Uri = format!("https://{}", options.controller).parse().map_err(|_| address())?;
    let authority = origin.authority().filter(|it| it.port().is_some()).ok_or_else(address)?;
    // An IPv6 address stands in brackets, which are not part of it.
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|_| address())?;
    let authorization = match &options.token_file {
        Some(path) => Some(format!("Bearer {}", read("the token", path)?.trim())),
        None => None,
    };
    let tls = tls(options.ca_file.as_deref())?;

    let stream = TcpStream::connect(&options.controller).await.map_err(ConnectError::Tcp)?;
    // It matters for the latency of small messages alone.
    let _ = stream.set_nodelay(true);
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(ConnectError::Tls)?;
    let (service, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(options.limits.keepalive_interval)
        .keep_alive_timeout(options.limits.keepalive_timeout)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ConnectError::Http)?;
    let driver = tokio::spawn(async {
        if let Err(error) = connection.await {
            tracing::debug!("the connection to the controller broke: {error}");
        }
    });
    let driver = Driver(driver.abort_handle());
    Ok(Channel { service: Service(service), origin, authorization, _driver: driver })
}

fn read(what: &'static str, path: &Path) -> Result<String, ConnectError> {
    std::fs::read_to_string(path).map_err(|error| file(what, path, &error))
}

fn file(what: &'static str, path: &Path, error: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::File { what, path: path.to_owned(), error: error.to_string() }
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let what = "the controller's CA certificate";
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|error| file(what, path, &error))?
            {
                let certificate = certificate.map_err(|error| file(what, path, &error))?;
                roots.add(certificate).map_err(|error| file(what, path, &error))?;
            }
            if roots.is_empty() {
                return Err(file(what, path, &"there is no certificate in it"));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ConnectError::TlsSettings)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// hyper's connection in the form that tonic wants.
#[derive(Clone, Debug)]
pub(super) struct Service(SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Service {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
