use portway_config::backend::{BackendTlsSettings, BackendTrust, SubjectAltName};
use portway_config::key::TrustKey;
use portway_config::tls::TrustBundle;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
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
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "*.wild.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://cluster/web".try_into().unwrap()));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
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
    let trust = TrustKey::ConfigMap(NamespacedName::new("my-app", "ca"));
    let settings = BackendTlsSettings {
        server_name: name.into(),
        trust: BackendTrust::Bundles(vec![trust.clone()]),
        subject_alt_names: names,
        client_certificate: None,
    };
    let mut configuration =
        configuration(BackendProtocol::Http1, BackendTls::Tls(settings), &[server.address]);
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
            assert_eq!(get(&pools, &wrong).await.unwrap_err().reason, Reason::UpstreamTls);
        }
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
