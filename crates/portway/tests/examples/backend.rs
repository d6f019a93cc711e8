//! The servers that stand in for an example's backends where the answer of a demo backend would not show enough.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::script::{BackendKind, BackendLine};

/// Ends a connection that nobody uses any more, so that no thread outlives the test by much.
const IDLE: Duration = Duration::from_secs(10);
/// More than any example sends.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The running backends of an example, by `NAMESPACE/SERVICE:PORT`.
pub(crate) type Backends = HashMap<String, Arc<Backend>>;

/// A server at an ephemeral port of the loopback address.
pub(crate) struct Backend {
    address: SocketAddr,
    behaviour: Behaviour,
    heads: Mutex<Vec<String>>,
    requests: AtomicUsize,
}

enum Behaviour {
    Echo,
    TlsEcho(Arc<ServerConfig>),
    Flaky,
    Silent,
}

/// Starts what the script asks for. Certificates are read from `directory`.
pub(crate) fn start_all(lines: &[BackendLine], directory: &Path) -> Result<Backends, String> {
    let start = |line: &BackendLine| {
        let behaviour = Behaviour::new(&line.kind, directory)?;
        let backend = Backend::start(behaviour).map_err(|error| error.to_string())?;
        Ok((line.service.clone(), backend))
    };
    let annotate = |line: &BackendLine, error: String| format!("backend {}: {error}", line.service);
    lines.iter().map(|line| start(line).map_err(|error| annotate(line, error))).collect()
}

impl Backend {
    fn start(behaviour: Behaviour) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let backend = Arc::new(Self {
            address: listener.local_addr()?,
            behaviour,
            heads: Mutex::default(),
            requests: AtomicUsize::new(0),
        });
        let server = Arc::clone(&backend);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // A client that breaks off is no concern of the backend's: the request's expectations judge.
                thread::spawn(move || server.serve(connection).ok());
            }
        });
        Ok(backend)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a request head with `text` in it has arrived.
    pub(crate) fn has_received(&self, text: &str) -> bool {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|head| head.contains(text))
    }

    fn serve(&self, connection: TcpStream) -> io::Result<()> {
        connection.set_read_timeout(Some(IDLE))?;
        connection.set_write_timeout(Some(IDLE))?;
        match &self.behaviour {
            Behaviour::TlsEcho(config) => {
                let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(session, connection);
                self.answer(&mut stream)?;
                stream.conn.send_close_notify();
                stream.flush()
            }
            _ => self.answer(connection),
        }
    }

    /// Answers one request and has the connection closed after it.
    fn answer(&self, mut stream: impl Read + Write) -> io::Result<()> {
        let head = read_head(&mut stream)?;
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
        let status = match self.behaviour {
            Behaviour::Silent => {
                thread::sleep(IDLE);
                return Ok(());
            }
            Behaviour::Flaky if count.is_multiple_of(2) => "503 Service Unavailable",
            _ => "200 OK",
        };
        let length = head.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nserver: echo\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{head}"
        )?;
        stream.flush()
    }
}

impl Behaviour {
    fn new(kind: &BackendKind, directory: &Path) -> Result<Self, String> {
        Ok(match kind {
            BackendKind::Echo => Self::Echo,
            BackendKind::Flaky => Self::Flaky,
            BackendKind::Silent => Self::Silent,
            BackendKind::TlsEcho { certificate, key } => {
                let chain = CertificateDer::pem_file_iter(directory.join(certificate))
                    .and_then(Iterator::collect)
                    .map_err(|error| format!("{certificate}: {error}"))?;
                let key = PrivateKeyDer::from_pem_file(directory.join(key))
                    .map_err(|error| format!("{key}: {error}"))?;
                let config = ServerConfig::builder()
                    .with_no_client_auth()
                    .with_single_cert(chain, key)
                    .map_err(|error| error.to_string())?;
                Self::TlsEcho(Arc::new(config))
            }
        })
    }
}

fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let length = stream.read(&mut buffer)?;
        if length == 0 || head.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend(buffer.iter().take(length));
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
