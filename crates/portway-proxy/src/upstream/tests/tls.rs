use portway_config::backend::{BackendTlsSettings, BackendTrust, SubjectAltName};
use portway_config::key::{CertificateKey, TrustKey};
use portway_config::tls::{Certificate, PrivateKey, PrivateKeyEncoding, TrustBundle};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::reason::Reason;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Arc<[u8]>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec().into();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// A server with a certificate of this authority for `localhost` and a SPIFFE identity.
    async fn server(&self) -> Server {
        self.server_for(None).await
    }

    /// A certificate of this authority that a Gateway can show to backends.
    fn client(&self) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["gateway.example".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate {
            key: CertificateKey(NamespacedName::new("infra", "client")),
            chain: vec![certificate.der().to_vec().into()],
            private_key: PrivateKey::new(key.serialize_der(), PrivateKeyEncoding::Pkcs8),
            dns_names: Vec::new(),
        }
    }

    /// The same, which asks its clients for a certificate of `clients`, if there is one.
    async fn server_for(&self, clients: Option<&Self>) -> Server {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "*.wild.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://cluster/web".try_into().unwrap()));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = clients.map(|authority| {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(authority.der.to_vec())).unwrap();
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap()
        });
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Server::start(move |stream, _| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 1024];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret").await;
                }
            }
        })
        .await
    }
}

fn backend(server: &Server, authority: &Authority, name: &str, names: Vec<SubjectAltName>) -> Arc<Backend> {
    backend_for(server, authority, name, names, None)
}

fn backend_for(
    server: &Server,
    authority: &Authority,
    name: &str,
    names: Vec<SubjectAltName>,
    client: Option<Certificate>,
) -> Arc<Backend> {
    let trust = TrustKey::ConfigMap(NamespacedName::new("my-app", "ca"));
    let settings = BackendTlsSettings {
        server_name: name.into(),
        trust: BackendTrust::Bundles(vec![trust.clone()]),
        subject_alt_names: names,
        client_certificate: client.as_ref().map(|it| it.key.clone()),
    };
    let mut configuration =
        configuration(BackendProtocol::Http1, BackendTls::Tls(settings), &[server.address]);
    if let Some(certificate) = client {
        configuration.certificates.insert(certificate.key.clone(), Arc::new(certificate));
    }
    let bundle = TrustBundle { key: trust.clone(), anchors: vec![Arc::clone(&authority.der)] };
    configuration.trust_bundles.insert(trust, Arc::new(bundle));
    compile(&configuration, None).1
}

#[test]
fn a_certificate_must_be_of_the_authority_and_for_the_name() {
    on_a_worker(async {
        let (ours, foreign) = (Authority::new(), Authority::new());
        let server = ours.server().await;
        let pools = pools(Limits::default());
        let right = backend(&server, &ours, "localhost", vec![]);
        assert_eq!(get(&pools, &right).await.unwrap(), "secret");
        for wrong in [
            backend(&server, &ours, "other.example", vec![]),
            backend(&server, &foreign, "localhost", vec![]),
        ] {
            let error = get(&pools, &wrong).await.unwrap_err();
            assert_eq!(error.reason, Reason::UpstreamTls);
            assert!(error.detail.contains("invalid peer certificate"), "{error}");
        }
    });
}

/// GEP-3155.
#[test]
fn the_gateways_certificate_is_shown_to_backends_that_ask() {
    on_a_worker(async {
        let (servers, clients, foreign) = (Authority::new(), Authority::new(), Authority::new());
        let server = servers.server_for(Some(&clients)).await;
        let pools = pools(Limits::default());
        let with = |client| backend_for(&server, &servers, "localhost", vec![], client);
        assert_eq!(get(&pools, &with(Some(clients.client()))).await.unwrap(), "secret");
        for refused in [None, Some(foreign.client())] {
            // With TLS 1.3 the server refuses after the handshake, and so perhaps when the request is out.
            let reason = get(&pools, &with(refused)).await.unwrap_err().reason;
            assert!(matches!(reason, Reason::UpstreamTls | Reason::UpstreamReset), "{reason:?}");
        }
        // Who does not ask is not told.
        let indifferent = servers.server().await;
        let backend = backend_for(&indifferent, &servers, "localhost", vec![], Some(clients.client()));
        assert_eq!(get(&pools, &backend).await.unwrap(), "secret");
    });
}

#[test]
fn subject_alternative_names_take_the_place_of_the_server_name() {
    on_a_worker(async {
        let authority = Authority::new();
        let server = authority.server().await;
        let pools = pools(Limits::default());
        let dns = |name: &str| SubjectAltName::Dns(name.into());
        let uri = |name: &str| SubjectAltName::Uri(name.into());
        let fits = [
            vec![uri("spiffe://cluster/web")],
            vec![dns("other.example"), dns("localhost")],
            vec![dns("a.wild.example")],
        ];
        for names in fits {
            let backend = backend(&server, &authority, "sni.example", names.clone());
            assert_eq!(get(&pools, &backend).await.unwrap(), "secret", "{names:?}");
        }
        let refused =
            [vec![uri("spiffe://cluster/we")], vec![uri("spiffe://cluster/web/x")], vec![dns("sni.example")]];
        for names in refused {
            let backend = backend(&server, &authority, "localhost", names.clone());
            let error = get(&pools, &backend).await.unwrap_err();
            assert_eq!(error.reason, Reason::UpstreamTls, "{names:?}");
        }
    });
}

#[test]
fn a_new_authority_makes_new_connections() {
    on_a_worker(async {
        let (old, new) = (Authority::new(), Authority::new());
        let server = old.server().await;
        let pools = pools(Limits::default());
        get(&pools, &backend(&server, &old, "localhost", vec![])).await.unwrap();
        let rotated = backend(&server, &new, "localhost", vec![]);
        assert!(get(&pools, &rotated).await.is_err(), "the idle connection was made under other terms");
    });
}
