//! Servers behind the proxy, and clients in front of it.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A TCP server that says its name and then echoes until the client has ended; then it says goodbye.
pub(crate) async fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = write.write_all(name.as_bytes()).await;
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.write_all(b"goodbye").await;
            });
        }
    });
    address
}

/// An HTTP/1.1 server that answers each request with its name.
pub(crate) async fn http(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.is_ok_and(|length| length > 0) {
                    while let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") {
                        request.drain(..end + 4);
                        let response =
                            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                        if stream.write_all(response.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// A UDP server that answers each datagram with its name and the datagram.
pub(crate) async fn udp_echo(name: &'static str) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_535];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let answer = [name.as_bytes(), &buffer[..length]].concat();
            let _ = socket.send_to(&answer, peer).await;
        }
    });
    address
}

/// A TLS server that echoes.
pub(crate) async fn tls_echo(certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let (mut read, mut write) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

/// Sends `bytes`, ends the direction, and returns all that comes back.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// One HTTP request on a connection of its own; returns the status and the body.
pub(crate) async fn get(address: SocketAddr) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    get_on(&mut stream).await
}

/// One HTTP request on a connection; returns the status and the body.
pub(crate) async fn get_on(stream: &mut TcpStream) -> std::io::Result<(u16, String)> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: web.example\r\n\r\n").await?;
    let mut response = Vec::new();
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    loop {
        if stream.read_buf(&mut response).await? == 0 {
            return Err(broken());
        }
        let text = String::from_utf8_lossy(&response);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(broken)?;
            return Ok((status, body.to_owned()));
        }
    }
}

/// How long `openssl s_client` may take: with `-quiet` it waits for a server that may never close.
const OPENSSL_SECONDS: &str = "3";

/// Runs `openssl s_client` against `address` with one line of input.
pub(crate) async fn openssl(address: SocketAddr, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("timeout");
    command.args([OPENSSL_SECONDS, "openssl", "s_client", "-connect", &address.to_string()]).args(arguments);
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("openssl is installed (apt-get install openssl)");
        // A handshake that fails may have ended it before.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}
