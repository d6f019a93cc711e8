//! TLS at listeners: certificates by server name, client certificates, passthrough, bad input.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portway_config::listener::{ClientValidation, ClientValidationMode, TlsTermination};
use portway_config::{Listener, ListenerProtocol, RouteKind};
use portway_proxy::limits::Limits;
use rcgen::{CertificateParams, CertifiedKey, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::edge::{Config, Edge, SOON, certificate_key, listener_key, trust_key};
use crate::peers::{echo, http, openssl, tls_echo};

/// A self-signed certificate.
fn certificate(names: &[&str]) -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn termination(certificates: &[&str]) -> TlsTermination {
    let certificates = certificates.iter().map(|name| certificate_key(name)).collect();
    TlsTermination { certificates, client_validation: None }
}

fn validating(certificates: &[&str], trust: &[&str], mode: ClientValidationMode) -> TlsTermination {
    let trust = trust.iter().map(|name| trust_key(name)).collect();
    TlsTermination { client_validation: Some(ClientValidation { trust, mode }), ..termination(certificates) }
}

/// What `openssl s_client` saw of a connection with this server name.
async fn handshake(address: SocketAddr, server_name: &str, arguments: &[&str]) -> Seen {
    let name = if server_name.is_empty() { vec!["-noservername"] } else { vec!["-servername", server_name] };
    let request = format!("GET / HTTP/1.0\r\nhost: {server_name}\r\n\r\n");
    let output = openssl(address, &[&name, arguments].concat(), &request).await;
    Seen(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

struct Seen(String);

impl Seen {
    fn has(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    fn assert(&self, text: &str) -> &Self {
        assert!(self.has(text), "no {text:?} in:\n{}", self.0);
        self
    }

    /// The first name of the certificate, which rcgen writes into the subject for nobody; so by its bytes.
    fn shows(&self, certificate: &CertifiedKey<KeyPair>) -> bool {
        let pem = certificate.cert.pem().replace('\r', "");
        let body = pem.lines().nth(1).unwrap().to_owned();
        let last = pem.lines().rev().nth(1).unwrap().to_owned();
        self.has(&body) && self.has(&last)
    }
}

#[tokio::test]
async fn the_certificate_is_chosen_by_server_name() {
    let first = certificate(&["first.example.com"]);
    let exact = certificate(&["exact.example.com"]);
    let wildcard = certificate(&["*.example.com"]);
    let config = Config::new()
        .certificate("first", &first, &["first.example.com"])
        .certificate("exact", &exact, &["exact.example.com"])
        .certificate("wildcard", &wildcard, &["*.example.com"])
        .listener("https", 443, "", ListenerProtocol::Https(termination(&["first", "exact", "wildcard"])))
        .http_route("https", http("web").await);
    let edge = Edge::start(&config).await;
    for (name, shown) in [
        ("exact.example.com", &exact),
        ("EXACT.example.com", &exact),
        ("first.example.com", &first),
        ("any.example.com", &wildcard),
        // A wildcard stands for one label.
        ("a.b.example.com", &first),
        ("other.test", &first),
        ("", &first),
    ] {
        let seen = handshake(config.at(443), name, &["-quiet", "-showcerts"]).await;
        seen.assert("200 OK");
        let seen = handshake(config.at(443), name, &["-showcerts"]).await;
        assert!(seen.shows(shown), "{name}:\n{}", seen.0);
    }
    // Both versions, and HTTP/2 by ALPN.
    let seen = handshake(config.at(443), "first.example.com", &["-tls1_2", "-alpn", "http/1.1"]).await;
    seen.assert("TLSv1.2").assert("ALPN protocol: http/1.1");
    let seen = handshake(config.at(443), "first.example.com", &["-tls1_3", "-alpn", "h2,http/1.1"]).await;
    seen.assert("TLSv1.3").assert("ALPN protocol: h2");
    let seen = handshake(config.at(443), "first.example.com", &["-tls1_1"]).await;
    assert!(!seen.has("200 OK"));
    drop(edge);
}

#[tokio::test]
async fn https_termination_and_passthrough_share_a_port() {
    let (web, own, backend) = (certificate(&["a"]), certificate(&["b"]), certificate(&["c"]));
    let passed = tls_echo(&backend).await;
    let config = Config::new()
        .certificate("web", &web, &["web.example.com"])
        .certificate("own", &own, &["own.example.com"])
        .listener("https", 443, "web.example.com", ListenerProtocol::Https(termination(&["web"])))
        .http_route("https", http("web").await)
        .listener("own", 443, "own.example.com", ListenerProtocol::TlsTerminate(termination(&["own"])))
        .route(RouteKind::Tls, "own", &[(1, Some(echo("plain ").await))])
        .listener("through", 443, "*.through.example.com", ListenerProtocol::TlsPassthrough)
        .route(RouteKind::Tls, "through", &[(1, Some(passed))])
        .listener("unrouted", 443, "unrouted.example.com", ListenerProtocol::TlsPassthrough);
    let edge = Edge::start(&config).await;
    let at = config.at(443);

    let seen = handshake(at, "web.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&web), "{}", seen.0);
    let seen = handshake(at, "own.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&own), "{}", seen.0);
    let seen = handshake(at, "own.example.com", &["-quiet"]).await;
    seen.assert("plain GET / HTTP/1.0");
    let seen = handshake(at, "x.through.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&backend), "{}", seen.0);
    let line = edge.logged(|line| line["listener"] == "through").await;
    assert_eq!(line["server_name"], "x.through.example.com");
    assert_eq!(line["endpoint"], passed.to_string());
    assert!(line["received_bytes"].as_u64().unwrap() > 100, "the ClientHello counts: {line}");

    // No listener, a listener without a route, and no name at all.
    for name in ["nobody.test", "unrouted.example.com", ""] {
        let seen = handshake(at, name, &[]).await;
        assert!(seen.0.contains("no peer certificate available") && !seen.0.contains("alert"), "{}", seen.0);
    }
    edge.logged(|line| line["server_name"] == "nobody.test" && line["reason"] == "no_listener").await;
    edge.logged(|line| line["listener"] == "unrouted" && line["reason"] == "no_route").await;
}

#[tokio::test]
async fn what_is_passed_through_is_not_encrypted_once_more() {
    let backend = certificate(&["backend.test"]);
    let own = certificate(&["own.example.com"]);
    let endpoint = tls_echo(&backend).await;
    let mut config = Config::new()
        .certificate("own", &own, &["own.example.com"])
        .trust("backend", &backend.cert)
        .listener("own", 443, "own.example.com", ListenerProtocol::TlsTerminate(termination(&["own"])))
        .listener("through", 443, "*.through.example.com", ListenerProtocol::TlsPassthrough)
        .route(RouteKind::Tls, "own", &[(1, Some(endpoint))]);
    // The one route, with its one backend, is attached to both.
    config.attach_to("own", "through");
    config.encrypt_backends("backend.test", "backend");
    let edge = Edge::start(&config).await;
    let at = config.at(443);

    let seen = handshake(at, "x.through.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&backend), "{}", seen.0);
    let seen = handshake(at, "own.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&own), "{}", seen.0);
    edge.logged(|line| line["listener"] == "own" && line["sent_bytes"].as_u64().unwrap() > 0).await;
}

/// An authority with a certificate of it for clients, as files that openssl can read.
struct Client {
    authority: rcgen::Certificate,
    directory: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cert"), certificate.pem()).unwrap();
        std::fs::write(directory.path().join("key"), key.serialize_pem()).unwrap();
        Self { authority, directory }
    }

    async fn handshake(&self, address: SocketAddr, server_name: &str) -> Seen {
        let path = |name: &str| self.directory.path().join(name).to_str().unwrap().to_owned();
        handshake(address, server_name, &["-quiet", "-cert", &path("cert"), "-key", &path("key")]).await
    }
}

#[tokio::test]
async fn client_certificates_are_asked_for_and_judged() {
    let (good, bad) = (Client::new(), Client::new());
    let server = certificate(&["server"]);
    let listeners = [
        ("strict", validating(&["server"], &["clients"], ClientValidationMode::AllowValidOnly)),
        ("lax", validating(&["server"], &["clients"], ClientValidationMode::AllowInsecureFallback)),
        ("closed", validating(&["server"], &[], ClientValidationMode::AllowValidOnly)),
    ];
    let web = http("web").await;
    let mut config = Config::new().certificate("server", &server, &[]).trust("clients", &good.authority);
    for (name, termination) in listeners {
        let hostname = format!("{name}.example.com");
        config =
            config.listener(name, 443, &hostname, ListenerProtocol::Https(termination)).http_route(name, web);
    }
    let edge = Edge::start(&config).await;
    let at = config.at(443);

    good.handshake(at, "strict.example.com").await.assert("200 OK");
    assert!(!bad.handshake(at, "strict.example.com").await.has("200 OK"));
    assert!(!handshake(at, "strict.example.com", &["-quiet"]).await.has("200 OK"));
    edge.logged(|line| line["reason"] == "client_certificate" && line["listener"] == "strict").await;
    // Where no authority is left, nobody gets in.
    assert!(!good.handshake(at, "closed.example.com").await.has("200 OK"));
    assert!(!handshake(at, "closed.example.com", &["-quiet"]).await.has("200 OK"));
    // The other mode asks, and takes any answer.
    good.handshake(at, "lax.example.com").await.assert("200 OK");
    bad.handshake(at, "lax.example.com").await.assert("200 OK");
    handshake(at, "lax.example.com", &["-quiet"]).await.assert("200 OK");
    handshake(at, "lax.example.com", &[]).await.assert("Requested Signature Algorithms");
}

/// A session that began where no certificate is asked for must not be resumed where one is (GEP-91).
#[tokio::test]
async fn sessions_do_not_cross_listeners() {
    let client = Client::new();
    let server = certificate(&["server"]);
    let web = http("web").await;
    let strict = validating(&["server"], &["clients"], ClientValidationMode::AllowValidOnly);
    let config = Config::new()
        .certificate("server", &server, &[])
        .trust("clients", &client.authority)
        .listener("open", 443, "open.example.com", ListenerProtocol::Https(termination(&["server"])))
        .http_route("open", web)
        .listener("strict", 443, "strict.example.com", ListenerProtocol::Https(strict))
        .http_route("strict", web);
    let mut edge = Edge::start(&config).await;
    let session = client.directory.path().join("session");
    let session = session.to_str().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let _ = std::fs::remove_file(session);
        // The end of the input ends openssl before the ticket of TLS 1.3 comes, unless it waits for an answer.
        let keep = [version, "-sess_out", session, "-ign_eof"];
        handshake(config.at(443), "open.example.com", &keep).await.assert("New, TLS").assert("200 OK");
        let resume = [version, "-sess_in", session];
        handshake(config.at(443), "open.example.com", &resume).await.assert("Reused, TLS");
        // A change elsewhere leaves the session alone.
        edge.apply(&config.clone().listener("more", 8080, "", ListenerProtocol::Http)).await;
        handshake(config.at(443), "open.example.com", &resume).await.assert("Reused, TLS");
        let seen = handshake(config.at(443), "strict.example.com", &resume).await;
        assert!(!seen.has("Reused") && !seen.has("200 OK"), "{}", seen.0);
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_without_a_connection_lost() {
    let (old, new) = (certificate(&["old"]), certificate(&["new"]));
    let config = Config::new()
        .certificate("tls", &old, &["web.example.com"])
        .listener("tls", 443, "", ListenerProtocol::TlsTerminate(termination(&["tls"])))
        .route(RouteKind::Tls, "tls", &[(1, Some(echo("").await))]);
    let mut edge = Edge::start(&config).await;
    let mut open = connect(config.at(443)).await;
    open.write_all(b"1").await.unwrap();
    assert_eq!(open.read_u8().await.unwrap(), b'1');

    edge.apply(&config.clone().certificate("tls", &new, &["web.example.com"])).await;
    let seen = handshake(config.at(443), "web.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&new) && !seen.shows(&old));
    open.write_all(b"2").await.unwrap();
    assert_eq!(open.read_u8().await.unwrap(), b'2');

    // One that is broken is refused alone, and said so.
    let mut broken = config.clone().certificate("tls", &new, &[]).certificate("ok", &old, &[]);
    let key = certificate_key("tls");
    let mut certificate = (*broken.configuration.certificates[&key]).clone();
    certificate.chain = vec![vec![1, 2, 3].into()];
    broken.configuration.certificates.insert(key, certificate.into());
    let both = ListenerProtocol::TlsTerminate(termination(&["tls", "ok"]));
    let (_, refused) = edge.apply_any(&broken.clone().listener("tls", 443, "", both)).await;
    let [refused] = &refused[..] else { panic!("{refused:?}") };
    assert!(
        refused.to_string().contains("Secret infra/tls: the certificate or its key cannot be used"),
        "{refused}"
    );
    let seen = handshake(config.at(443), "web.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&old), "{}", seen.0);
    // With none left, the handshake is refused; connections that are open live on.
    let (_, refused) = edge.apply_any(&broken).await;
    assert!(refused.iter().any(|it| it.to_string().contains("no usable certificate is left")), "{refused:?}");
    handshake(config.at(443), "web.example.com", &[]).await.assert("internal error");
    edge.logged_reason("listener_tls").await;
    open.write_all(b"3").await.unwrap();
    assert_eq!(open.read_u8().await.unwrap(), b'3');
}

/// What changes who may enter ends the connections that entered before.
#[tokio::test]
async fn connections_end_when_their_listener_begins_to_validate_clients() {
    let client = Client::new();
    let server = certificate(&["server"]);
    let config = Config::new()
        .certificate("server", &server, &[])
        .trust("clients", &client.authority)
        .listener("tls", 443, "", ListenerProtocol::TlsTerminate(termination(&["server"])))
        .route(RouteKind::Tls, "tls", &[(1, Some(echo("").await))]);
    let limits = Limits { drain_timeout: Duration::from_millis(100), ..Limits::default() };
    let mut edge = Edge::with_limits(&config, limits).await;
    let mut open = connect(config.at(443)).await;
    open.write_all(b"1").await.unwrap();
    assert_eq!(open.read_u8().await.unwrap(), b'1');
    let strict = validating(&["server"], &["clients"], ClientValidationMode::AllowValidOnly);
    let mut changed = config.clone();
    let listener = Listener {
        protocol: ListenerProtocol::TlsTerminate(strict),
        ..(*config.configuration.listeners[&listener_key("tls")]).clone()
    };
    changed.configuration.listeners.insert(listener_key("tls"), listener.into());
    edge.apply(&changed).await;
    let ended = tokio::time::timeout(SOON, open.read(&mut [0])).await.expect("an end");
    assert!(!matches!(ended, Ok(1)));
    edge.logged_reason("draining").await;
}

#[tokio::test]
async fn bad_input_ends_the_connection_and_nothing_else() {
    let server = certificate(&["server"]);
    let config = Config::new()
        .certificate("server", &server, &[])
        .listener("https", 443, "", ListenerProtocol::Https(termination(&["server"])))
        .http_route("https", http("web").await);
    let limits = Limits { tls_handshake_timeout: Duration::from_millis(500), ..Limits::default() };
    let edge = Edge::with_limits(&config, limits).await;
    let ends = async |bytes: &[u8]| {
        let mut client = TcpStream::connect(config.at(443)).await.unwrap();
        let _ = client.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(SOON, client.read_to_end(&mut answer)).await.expect("an end");
        answer
    };
    assert_eq!(ends(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await, b"");
    edge.logged_reason("not_tls").await;
    assert_eq!(ends(&[0x80; 100]).await, b"");
    let decode_error = [21, 3, 3, 0, 2, 2, 50];
    assert_eq!(ends(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00").await, decode_error);
    edge.logged_reason("bad_client_hello").await;
    // A ClientHello that routing understands and the TLS library does not.
    let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xff, 0xff, 1, 0]);
    assert_eq!(ends(&hello).await.first(), Some(&21), "an alert");
    edge.logged_reason("tls_handshake").await;
    // Half a ClientHello, and silence.
    let start = Instant::now();
    ends(&hello[..20]).await;
    assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
    edge.logged_reason("tls_timeout").await;
    handshake(config.at(443), "x", &["-quiet"]).await.assert("200 OK");
}

#[tokio::test]
async fn dripping_bytes_buys_no_time() {
    let config = Config::new().listener("tls", 443, "", ListenerProtocol::TlsPassthrough);
    let limits = Limits { tls_handshake_timeout: Duration::from_millis(500), ..Limits::default() };
    let edge = Edge::with_limits(&config, limits).await;
    let mut client = TcpStream::connect(config.at(443)).await.unwrap();
    let start = Instant::now();
    client.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await.unwrap();
    while client.write_all(&[3]).await.is_ok() {
        assert!(start.elapsed() < SOON, "the connection lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    edge.logged_reason("tls_timeout").await;
    // A health check that connects and closes makes no line in the log.
    drop(TcpStream::connect(config.at(443)).await.unwrap());
    assert_eq!(edge.proxy.drain(SOON).await.cut, 0);
    assert_eq!(edge.finish().len(), 1);
}

#[tokio::test]
async fn a_client_hello_in_many_packets_is_routed_and_passed_on_whole() {
    let backend = certificate(&["x"]);
    let config = Config::new().listener("tls", 443, "*.example.com", ListenerProtocol::TlsPassthrough).route(
        RouteKind::Tls,
        "tls",
        &[(1, Some(tls_echo(&backend).await))],
    );
    let edge = Edge::start(&config).await;
    // A client behind a relay that sends single bytes at first.
    let relay = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay_at = relay.local_addr().unwrap();
    let at = config.at(443);
    tokio::spawn(async move {
        let (client, _) = relay.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let server = TcpStream::connect(at).await.unwrap();
        server.set_nodelay(true).unwrap();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        for _ in 0..200 {
            let byte = from_client.read_u8().await.unwrap();
            to_server.write_u8(byte).await.unwrap();
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let seen = handshake(relay_at, "a.example.com", &["-showcerts"]).await;
    assert!(seen.shows(&backend), "{}", seen.0);
    drop(edge);
}

/// A TLS connection that trusts anyone.
async fn connect(address: SocketAddr) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(TrustAnyone(provider)))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect("web.example.com".try_into().unwrap(), stream).await.unwrap()
}

#[derive(Debug)]
struct TrustAnyone(std::sync::Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
