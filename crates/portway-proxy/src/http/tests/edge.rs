//! A worker with a configuration of a few words, and clients of it.

use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use portway_config::backend::{BackendTls, EndpointState};
use portway_config::filter::Filter;
use portway_config::key::BackendProtocol;
use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::route::{BackendTarget, WeightedBackend};
use portway_config::{
    Attachment, Backend as BackendConfig, BackendKey, Configuration, Endpoint, EndpointAddress, Endpoints,
    EndpointsKey, HostnamePattern, HttpRule, Listener, ListenerKey, ListenerParent, ListenerProtocol,
    NamespacedName, Revision, Route, RouteKey, RouteKind, Rules,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::Backend;
use crate::Snapshot;
use crate::connection::{DrainSignal, DrainTrigger};
use crate::http::{ConnectionInfo, serve};
use crate::limits::Limits;
use crate::observe::{ObserveOptions, Observer};
use crate::snapshot::GatewaySnapshot;
use crate::upstream::Pools;
use crate::worker::Worker;

/// What an edge is to do.
pub(super) struct Plan {
    pub(super) configuration: Configuration,
    pub(super) limits: Limits,
}

fn gateway() -> NamespacedName {
    NamespacedName::new("infra", "edge")
}

pub(super) fn listener_key(name: &str) -> ListenerKey {
    ListenerKey { parent: ListenerParent::Gateway(gateway()), name: name.into() }
}

/// The key of a backend by its name.
pub(super) fn key(name: &str, protocol: BackendProtocol) -> BackendKey {
    let service = NamespacedName::new("apps", name);
    BackendKey { endpoints: EndpointsKey { service, port: 80, transport: protocol.transport() }, protocol }
}

/// A weighted reference to a backend.
pub(super) fn to(name: &str) -> WeightedBackend {
    let target = BackendTarget::Backend(key(name, BackendProtocol::Http1));
    WeightedBackend { index: 0, weight: 1, target, filters: Vec::new() }
}

/// A rule for paths with a prefix; `/` is all.
pub(super) fn rule(prefix: &str, backends: Vec<WeightedBackend>) -> HttpRule {
    let path = PathMatch::Prefix(prefix.trim_end_matches('/').into());
    HttpRule {
        index: 0,
        name: None,
        matches: vec![RequestMatch { path, method: None, headers: Vec::new(), query_params: Vec::new() }],
        filters: Vec::new(),
        backends,
        fault: None,
        request_timeout: None,
        backend_timeout: None,
        retry: None,
        session_persistence: None,
    }
}

/// Shortcuts for rules.
pub(super) trait RuleExt {
    fn filter(self, filter: Filter) -> Self;
}

impl RuleExt for HttpRule {
    fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }
}

impl Plan {
    /// One HTTP listener on port 80 for all hosts, and one route with these rules.
    pub(super) fn new(rules: Vec<HttpRule>) -> Self {
        let mut plan = Self { configuration: Configuration::empty(gateway()), limits: Limits::default() };
        plan = plan.listener("http", "");
        plan.route("all", RouteKind::Http, &["http"], rules)
    }

    pub(super) fn listener(mut self, name: &str, hostname: &str) -> Self {
        let listener = Listener {
            key: listener_key(name),
            port: 80,
            hostname: HostnamePattern::parse(hostname),
            protocol: ListenerProtocol::Http,
            filters: Vec::new(),
        };
        self.configuration.listeners.insert(listener.key.clone(), Arc::new(listener));
        self
    }

    pub(super) fn route(
        mut self,
        name: &str,
        kind: RouteKind,
        listeners: &[&str],
        rules: Vec<HttpRule>,
    ) -> Self {
        let hostnames = vec![HostnamePattern::Any];
        let attachments = listeners
            .iter()
            .map(|name| Attachment { listener: listener_key(name), hostnames: hostnames.clone() })
            .collect();
        let route = Route {
            key: RouteKey { kind, name: NamespacedName::new("apps", name) },
            created: None,
            hostnames: Vec::new(),
            attachments,
            rules: Rules::Http(rules),
        };
        self.configuration.routes.insert(route.key.clone(), Arc::new(route));
        self
    }

    pub(super) fn backend(self, name: &str, backends: &[&Backend]) -> Self {
        let addresses: Vec<_> = backends.iter().map(|backend| backend.address).collect();
        self.endpoints(name, BackendProtocol::Http1, &addresses)
    }

    pub(super) fn endpoints(
        mut self,
        name: &str,
        protocol: BackendProtocol,
        addresses: &[std::net::SocketAddr],
    ) -> Self {
        let key = key(name, protocol);
        let endpoint = |address: &std::net::SocketAddr| Endpoint {
            address: EndpointAddress::Socket(*address),
            state: EndpointState::Ready,
            node: None,
        };
        let endpoints =
            Endpoints { key: key.endpoints.clone(), endpoints: addresses.iter().map(endpoint).collect() };
        self.configuration.endpoints.insert(key.endpoints.clone(), Arc::new(endpoints));
        let backend = BackendConfig { key: key.clone(), tls: BackendTls::Plain };
        self.configuration.backends.insert(key, Arc::new(backend));
        self
    }

    pub(super) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(super) fn start(self) -> Edge {
        Edge::start(self)
    }
}

/// A worker that serves a configuration.
pub(super) struct Edge {
    worker: Rc<Worker>,
    observer: Observer,
    log: Log,
    pub(super) drain: DrainTrigger,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Edge {
    fn start(plan: Plan) -> Self {
        let (gateway, refused) = GatewaySnapshot::build(Arc::new(plan.configuration), Vec::new(), None);
        assert!(refused.is_empty(), "{refused:?}");
        let snapshot = Snapshot { revision: Revision(7), gateways: vec![Arc::new(gateway)] };
        let log = Log::default();
        let observer = Observer::new(ObserveOptions::default(), Box::new(log.clone()));
        let limits = Arc::new(plan.limits);
        let worker = Worker {
            id: 0,
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            limits: Arc::clone(&limits),
            upstream: Pools::new(limits, 0),
            recorder: observer.recorder(),
        };
        Self { worker: Rc::new(worker), observer, log, drain: DrainTrigger::default() }
    }

    /// Serves a new configuration.
    pub(super) fn reload(&self, plan: Plan) {
        let previous = self.worker.snapshot.load_full();
        let previous = previous.gateways.first().map(AsRef::as_ref);
        let (gateway, _) = GatewaySnapshot::build(Arc::new(plan.configuration), Vec::new(), previous);
        self.worker
            .snapshot
            .store(Arc::new(Snapshot { revision: Revision(8), gateways: vec![Arc::new(gateway)] }));
    }

    /// A new connection of a client.
    pub(super) fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let info = ConnectionInfo {
            gateway: gateway(),
            listener_port: 80,
            peer: "192.0.2.1:4711".parse().unwrap(),
            local: "198.51.100.1:80".parse().unwrap(),
            tls: None,
        };
        let drain: DrainSignal = self.drain.signal();
        tokio::task::spawn_local(serve(server, info, Rc::clone(&self.worker), drain));
        client
    }

    /// Sends bytes over a new connection and reads until it closes.
    pub(super) async fn send(&self, request: &str) -> String {
        let mut client = self.connect();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        client.read_to_end(&mut response).await.unwrap();
        String::from_utf8(response).unwrap()
    }

    /// Ends the worker and returns its access log.
    pub(super) async fn finish(self) -> Vec<serde_json::Value> {
        let mut worker = self.worker;
        // Connections whose clients have gone end as soon as they get their turn.
        let worker = loop {
            worker = match Rc::try_unwrap(worker) {
                Ok(worker) => break worker,
                Err(worker) => worker,
            };
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        };
        drop(worker);
        self.observer.finish();
        let log = self.log.0.lock().unwrap().clone();
        let lines = std::str::from_utf8(&log).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs hyper's tasks on the test's own thread.
#[derive(Clone, Copy)]
pub(super) struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
