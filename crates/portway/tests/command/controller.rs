//! What a proxy of `portway proxy` needs around it: a controller's end of the configuration stream, configurations,
//! and a backend.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use portway_config::backend::{BackendTls, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::route::{BackendTarget, WeightedBackend};
use portway_config::{
    Attachment, Backend, BackendKey, Configuration, Endpoint, EndpointAddress, Endpoints, EndpointsKey,
    HostnamePattern, HttpRule, Listener, ListenerKey, ListenerParent, ListenerProtocol, NamespacedName,
    Revision, Route, RouteKey, RouteKind, Rules, Transport,
};
use portway_xds::publisher::ProxyAcknowledgement;
use portway_xds::{Authenticate, AuthenticationError, Identity, Limits, Publisher, Server, ServerTls, serve};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::portway::{ADMIN_PORT, Portway, command, own_address};

pub(crate) fn gateway() -> NamespacedName {
    NamespacedName::new("apps", "web")
}

/// The controller's end of the stream. It takes any token, and everybody for the one proxy.
pub(crate) struct Controller {
    pub(crate) publisher: Publisher,
    /// Where the proxies listen.
    pub(crate) address: IpAddr,
    server: SocketAddr,
    directory: TempDir,
    /// Dropped to end the server.
    end: Option<oneshot::Sender<()>>,
}

struct AnyToken;

impl Authenticate for AnyToken {
    async fn authenticate(&self, _token: &str) -> Result<Identity, AuthenticationError> {
        Ok(Identity { namespace: "apps".into(), service_account: "web".into(), pod: "pod".into() })
    }
}

impl Controller {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(directory.path().join("ca.pem"), cert.pem()).unwrap();
        std::fs::write(directory.path().join("token"), "token").unwrap();
        let key = signing_key.serialize_pem();
        let publisher = Publisher::new(Revision(1000), jiff::Timestamp::now);
        let server = Server {
            tls: ServerTls::from_pem(cert.pem().as_bytes(), key.as_bytes()).unwrap(),
            authenticator: AnyToken,
            gateway_of: Arc::new(|_: &Identity| Some(gateway())),
            publisher: publisher.clone(),
            limits: Limits::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let ended = async {
                    let _ = ended.await;
                };
                serve(listener, server, ended).await;
            });
        });
        Self { publisher, address: own_address(), server: address, directory, end: Some(end) }
    }

    /// Publishes what the one Gateway has to serve.
    pub(crate) fn publish(&self, configuration: &Configuration) -> Revision {
        let all = BTreeMap::from([(gateway(), Arc::new(configuration.clone()))]);
        self.publisher.publish(&all)[&gateway()]
    }

    /// Is away from now on.
    pub(crate) fn stop(&mut self) {
        self.end.take();
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Starts a proxy that listens on this controller's address alone.
    pub(crate) fn proxy(&self, arguments: &[&str]) -> Portway {
        let file = |name: &str| self.directory.path().join(name).to_str().unwrap().to_owned();
        let mut command = command(["proxy", "--gateway", "apps/web", "--workers", "2"]);
        command.args(["--controller", &format!("localhost:{}", self.server.port())]);
        command.args(["--controller-ca", &file("ca.pem"), "--token-file", &file("token")]);
        command.args(["--state-dir", &file("state")]);
        self.with_addresses(&mut command);
        command.args(arguments);
        Portway::spawn(self.address, command)
    }

    fn with_addresses(&self, command: &mut Command) {
        let address = self.address;
        command.args(["--bind", &address.to_string(), "--admin", &format!("{address}:{ADMIN_PORT}")]);
    }

    /// What the proxy has answered, once it has answered to `revision`.
    pub(crate) fn acknowledged(&self, revision: Revision) -> ProxyAcknowledgement {
        self.until(|proxy| proxy.has_reached(revision))
    }

    /// What the proxy has answered, once that is as `wanted`.
    pub(crate) fn until(&self, wanted: impl Fn(&ProxyAcknowledgement) -> bool) -> ProxyAcknowledgement {
        crate::eventually("what the proxy should answer", || {
            let told = self.publisher.acknowledgements();
            let told = told.borrow();
            told.gateways.get(&gateway())?.proxies.get("pod").filter(|it| wanted(it)).cloned()
        })
    }
}

pub(crate) fn listener_key(port: u16) -> ListenerKey {
    ListenerKey { parent: ListenerParent::Gateway(gateway()), name: port.to_string().into() }
}

pub(crate) fn endpoints_key() -> EndpointsKey {
    let service = NamespacedName::new("apps", "backend");
    EndpointsKey { service, port: 80, transport: Transport::Tcp }
}

pub(crate) fn endpoints(backend: SocketAddr) -> Endpoints {
    let endpoint =
        Endpoint { address: EndpointAddress::Socket(backend), state: EndpointState::Ready, node: None };
    Endpoints { key: endpoints_key(), endpoints: vec![endpoint] }
}

pub(crate) fn route_key() -> RouteKey {
    RouteKey { kind: RouteKind::Http, name: NamespacedName::new("apps", "route") }
}

/// HTTP listeners, and a route at all of them that leads what `path` fits to the backend.
pub(crate) fn configuration(ports: &[u16], path: PathMatch, backend: SocketAddr) -> Configuration {
    let mut configuration = Configuration::empty(gateway());
    for port in ports {
        let listener = Listener {
            key: listener_key(*port),
            port: *port,
            hostname: HostnamePattern::Any,
            protocol: ListenerProtocol::Http,
            filters: vec![],
        };
        configuration.listeners.insert(listener.key.clone(), Arc::new(listener));
    }
    let key = BackendKey { endpoints: endpoints_key(), protocol: BackendProtocol::Http1 };
    let to_backend = Backend { key: key.clone(), tls: BackendTls::Plain };
    configuration.backends.insert(key.clone(), Arc::new(to_backend));
    configuration.endpoints.insert(endpoints_key(), Arc::new(endpoints(backend)));
    configuration.routes.insert(route_key(), Arc::new(route(ports, path, key)));
    configuration
}

fn route(ports: &[u16], path: PathMatch, backend: BackendKey) -> Route {
    let to =
        WeightedBackend { index: 0, weight: 1, target: BackendTarget::Backend(backend), filters: vec![] };
    let rule = HttpRule {
        index: 0,
        name: None,
        matches: vec![RequestMatch { path, method: None, headers: vec![], query_params: vec![] }],
        filters: vec![],
        backends: vec![to],
        fault: None,
        request_timeout: None,
        backend_timeout: None,
        retry: None,
        session_persistence: None,
    };
    let attach =
        |port: &u16| Attachment { listener: listener_key(*port), hostnames: vec![HostnamePattern::Any] };
    Route {
        key: route_key(),
        created: None,
        hostnames: vec![],
        attachments: ports.iter().map(attach).collect(),
        rules: Rules::Http(vec![rule]),
    }
}

/// Starts a backend that answers `text` to everything, for as long as the tests run.
pub(crate) fn backend(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The head of a request without a body fits in one read.
            let _ = stream.read(&mut [0; 4096]);
            let length = text.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
            );
        }
    });
    address
}
