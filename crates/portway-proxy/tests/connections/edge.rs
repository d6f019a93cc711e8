//! A proxy under test: its configuration, its address, its access log.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portway_config::backend::{BackendTls, BackendTlsSettings, BackendTrust, EndpointState};
use portway_config::key::{BackendProtocol, CertificateKey, TrustKey};
use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::route::{BackendTarget, Fault, FaultReason, WeightedBackend};
use portway_config::tls::{Certificate, PrivateKey, PrivateKeyEncoding, TrustBundle};
use portway_config::*;
use portway_proxy::limits::Limits;
use portway_proxy::observe::{ObserveOptions, Observer};
use portway_proxy::proxy::{Applied, ProxyOptions};
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Refused, Transport};
use portway_proxy::{Proxy, Snapshot};
use serde_json::Value;

/// Long enough for anything that should happen at once, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A configuration that is being written.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) configuration: Configuration,
    bindings: Vec<Binding>,
    /// Each test has a loopback address of its own, so that ports can be chosen freely.
    pub(crate) address: IpAddr,
}

impl Config {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let pid = std::process::id().to_be_bytes();
        let test = NEXT.fetch_add(1, Ordering::Relaxed) as u8;
        Self {
            configuration: Configuration::empty(NamespacedName::new("infra", "edge")),
            bindings: Vec::new(),
            // 127.0.0.x is left to others.
            address: Ipv4Addr::new(127, pid[2] | 1, pid[3], test).into(),
        }
    }

    /// Adds a listener.
    pub(crate) fn listener(
        mut self,
        name: &str,
        port: u16,
        hostname: &str,
        protocol: ListenerProtocol,
    ) -> Self {
        let key = listener_key(name);
        let transport = if protocol == ListenerProtocol::Udp { Transport::Udp } else { Transport::Tcp };
        let binding =
            Binding { address: SocketAddr::new(self.address, port), transport, listener_port: port };
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
        let hostname = HostnamePattern::parse(hostname);
        let listener = Listener { key: key.clone(), port, hostname, protocol, filters: Vec::new() };
        self.configuration.listeners.insert(key, Arc::new(listener));
        self
    }

    /// Takes a listener away, with its port and the routes that are attached to it.
    pub(crate) fn without(mut self, name: &str) -> Self {
        let key = listener_key(name);
        let listener = self.configuration.listeners.remove(&key).expect("a listener of this name");
        self.bindings.retain(|binding| binding.listener_port != listener.port);
        self.configuration.routes.retain(|_, route| route.attachments.iter().all(|it| it.listener != key));
        self
    }

    /// Adds a route of a byte stream or of datagrams; a weight with an address is a backend of its own.
    pub(crate) fn route(
        mut self,
        kind: RouteKind,
        listener: &str,
        backends: &[(u32, Option<SocketAddr>)],
    ) -> Self {
        let protocol = if kind == RouteKind::Udp { BackendProtocol::Udp } else { BackendProtocol::Tcp };
        let backends = self.backends(listener, protocol, backends);
        let rules = Rules::L4(vec![L4Rule { index: 0, name: None, backends }]);
        self.attach(kind, listener, rules);
        self
    }

    /// Adds an HTTPRoute for all requests.
    pub(crate) fn http_route(mut self, listener: &str, backend: SocketAddr) -> Self {
        let backends = self.backends(listener, BackendProtocol::Http1, &[(1, Some(backend))]);
        let path = PathMatch::Prefix("".into());
        let all = RequestMatch { path, method: None, headers: Vec::new(), query_params: Vec::new() };
        let rule = HttpRule {
            index: 0,
            name: None,
            matches: vec![all],
            filters: Vec::new(),
            backends,
            fault: None,
            request_timeout: None,
            backend_timeout: None,
            retry: None,
            session_persistence: None,
        };
        self.attach(RouteKind::Http, listener, Rules::Http(vec![rule]));
        self
    }

    pub(crate) fn certificate(
        mut self,
        name: &str,
        certificate: &rcgen::CertifiedKey<rcgen::KeyPair>,
        names: &[&str],
    ) -> Self {
        let key = certificate_key(name);
        let private_key = PrivateKey::new(certificate.signing_key.serialize_der(), PrivateKeyEncoding::Pkcs8);
        let certificate = Certificate {
            key: key.clone(),
            chain: vec![certificate.cert.der().to_vec().into()],
            private_key,
            dns_names: names.iter().map(|name| (*name).into()).collect(),
        };
        self.configuration.certificates.insert(key, Arc::new(certificate));
        self
    }

    pub(crate) fn trust(mut self, name: &str, anchor: &rcgen::Certificate) -> Self {
        let key = trust_key(name);
        let bundle = TrustBundle { key: key.clone(), anchors: vec![anchor.der().to_vec().into()] };
        self.configuration.trust_bundles.insert(key, Arc::new(bundle));
        self
    }

    /// Attaches the route of a listener to another one, too.
    pub(crate) fn attach_to(&mut self, of: &str, listener: &str) {
        let listener = &self.configuration.listeners[&listener_key(listener)];
        let hostnames = vec![listener.hostname.clone()];
        let attachment = Attachment { listener: listener.key.clone(), hostnames };
        let mut routes = self.configuration.routes.values_mut();
        let route = routes.find(|it| &*it.key.name.name == of).expect("a route of this listener");
        Arc::make_mut(route).attachments.push(attachment);
    }

    /// Has all backends spoken to over TLS.
    pub(crate) fn encrypt_backends(&mut self, server_name: &str, trust: &str) {
        for backend in self.configuration.backends.values_mut() {
            Arc::make_mut(backend).tls = BackendTls::Tls(BackendTlsSettings {
                server_name: server_name.into(),
                trust: BackendTrust::Bundles(vec![trust_key(trust)]),
                subject_alt_names: Vec::new(),
                client_certificate: None,
            });
        }
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port)
    }

    fn attach(&mut self, kind: RouteKind, listener: &str, rules: Rules) {
        let key = RouteKey { kind, name: NamespacedName::new("app", listener) };
        let listener = &self.configuration.listeners[&listener_key(listener)];
        let hostnames = vec![listener.hostname.clone()];
        let attachments = vec![Attachment { listener: listener.key.clone(), hostnames }];
        let route = Route { key: key.clone(), created: None, attachments, hostnames: Vec::new(), rules };
        self.configuration.routes.insert(key, Arc::new(route));
    }

    fn backends(
        &mut self,
        name: &str,
        protocol: BackendProtocol,
        backends: &[(u32, Option<SocketAddr>)],
    ) -> Vec<WeightedBackend> {
        let mut weighted = Vec::new();
        for (index, (weight, address)) in backends.iter().enumerate() {
            let target = match address {
                Some(address) => {
                    let service = NamespacedName::new("app", format!("{name}-{index}"));
                    let endpoints = EndpointsKey { service, port: 1, transport: protocol.transport() };
                    let key = BackendKey { endpoints: endpoints.clone(), protocol };
                    self.endpoints(&endpoints, &[*address]);
                    let backend = Backend { key: key.clone(), tls: BackendTls::Plain };
                    self.configuration.backends.insert(key.clone(), Arc::new(backend));
                    BackendTarget::Backend(key)
                }
                None => BackendTarget::Invalid(Fault {
                    reason: FaultReason::BackendNotFound,
                    message: "Service app/none does not exist".into(),
                }),
            };
            weighted.push(WeightedBackend { index, weight: *weight, target, filters: Vec::new() });
        }
        weighted
    }

    pub(crate) fn endpoints(&mut self, key: &EndpointsKey, addresses: &[SocketAddr]) {
        let endpoint = |it: &SocketAddr| Endpoint {
            address: EndpointAddress::Socket(*it),
            state: EndpointState::Ready,
            node: None,
        };
        let endpoints = addresses.iter().map(endpoint).collect();
        let endpoints = Endpoints { key: key.clone(), endpoints };
        self.configuration.endpoints.insert(key.clone(), Arc::new(endpoints));
    }
}

pub(crate) fn listener_key(name: &str) -> ListenerKey {
    let parent = ListenerParent::Gateway(NamespacedName::new("infra", "edge"));
    ListenerKey { parent, name: name.into() }
}

pub(crate) fn certificate_key(name: &str) -> CertificateKey {
    CertificateKey(NamespacedName::new("infra", name))
}

pub(crate) fn trust_key(name: &str) -> TrustKey {
    TrustKey::ConfigMap(NamespacedName::new("infra", name))
}

/// A running proxy.
pub(crate) struct Edge {
    pub(crate) proxy: Proxy,
    log: Log,
    revision: u64,
    observer: Arc<Observer>,
}

impl Edge {
    /// Starts a proxy with two workers.
    pub(crate) async fn start(config: &Config) -> Self {
        Self::with_limits(config, Limits::default()).await
    }

    pub(crate) async fn with_limits(config: &Config, limits: Limits) -> Self {
        let log = Log::default();
        let observer = Arc::new(Observer::new(ObserveOptions::default(), Box::new(log.clone())));
        let options = ProxyOptions { workers: 2, limits: Arc::new(limits) };
        let proxy = Proxy::start(options, &observer).expect("threads");
        let mut edge = Self { proxy, log, revision: 0, observer };
        let applied = edge.apply(config).await;
        assert!(applied.failures.is_empty(), "{:?}", applied.failures);
        edge
    }

    /// Applies a configuration in which nothing is refused.
    pub(crate) async fn apply(&mut self, config: &Config) -> Applied {
        let (applied, refused) = self.apply_any(config).await;
        assert!(refused.is_empty(), "{refused:?}");
        applied
    }

    pub(crate) async fn apply_any(&mut self, config: &Config) -> (Applied, Vec<Refused>) {
        self.revision += 1;
        let before = self.proxy.snapshot();
        let (gateway, refused) = GatewaySnapshot::build(
            Arc::new(config.configuration.clone()),
            config.bindings.clone(),
            before.gateways.first().map(|it| &**it),
        );
        let snapshot = Snapshot { revision: Revision(self.revision), gateways: vec![Arc::new(gateway)] };
        (self.proxy.apply(snapshot).await, refused)
    }

    /// Waits for a line of the access log for which `wanted` holds.
    pub(crate) async fn logged(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log.lines().into_iter().find(|line| wanted(line)) {
                return line;
            }
            assert!(start.elapsed() < SOON, "no such line in the log:\n{:#?}", self.log.lines());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for a line with this reason.
    pub(crate) async fn logged_reason(&self, reason: &str) -> Value {
        self.logged(|line| line["reason"] == reason).await
    }

    /// All lines of the access log, once the proxy has ended.
    pub(crate) fn finish(self) -> Vec<Value> {
        self.proxy.shutdown();
        Arc::into_inner(self.observer).expect("the workers have ended").finish();
        self.log.lines()
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a line of JSON")).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
