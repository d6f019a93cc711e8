//! Pools against real sockets.

mod endpoints;
mod http1;
mod http2;
mod tls;

use std::cell::Cell;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{Method, Request};
use portway_config::backend::{BackendTls, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::{
    Backend as BackendConfig, BackendKey, Configuration, Endpoint, EndpointAddress, Endpoints, EndpointsKey,
    NamespacedName,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::limits::Limits;

/// Runs a test as a worker runs its connections.
fn on_a_worker<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limit = std::time::Duration::from_secs(30);
    tokio::task::LocalSet::new()
        .block_on(&runtime, async { tokio::time::timeout(limit, test).await })
        .expect("the test hangs");
}

fn pools(limits: Limits) -> Pools {
    Pools::new(Arc::new(limits), 0)
}

fn key(protocol: BackendProtocol) -> BackendKey {
    let service = NamespacedName::new("my-app", "web");
    BackendKey { endpoints: EndpointsKey { service, port: 80, transport: protocol.transport() }, protocol }
}

/// A configuration with one backend.
fn configuration(protocol: BackendProtocol, tls: BackendTls, endpoints: &[SocketAddr]) -> Configuration {
    let key = key(protocol);
    let endpoints = endpoints
        .iter()
        .map(|address| Endpoint {
            address: EndpointAddress::Socket(*address),
            state: EndpointState::Ready,
            node: None,
        })
        .collect();
    let mut configuration = Configuration::empty(NamespacedName::new("infra", "edge"));
    let endpoints = Arc::new(Endpoints { key: key.endpoints.clone(), endpoints });
    configuration.endpoints.insert(key.endpoints.clone(), endpoints);
    configuration.backends.insert(key.clone(), Arc::new(BackendConfig { key, tls }));
    configuration
}

/// The one backend of a configuration, compiled.
fn compile(configuration: &Configuration, previous: Option<&Backends>) -> (Backends, Arc<Backend>) {
    let backends = Backends::compile(configuration, previous);
    let id = backends.id(configuration.backends.keys().next().unwrap()).unwrap();
    let backend = Arc::clone(backends.get(id).unwrap());
    (backends, backend)
}

fn plain_http1(endpoints: &[SocketAddr]) -> Arc<Backend> {
    compile(&configuration(BackendProtocol::Http1, BackendTls::Plain, endpoints), None).1
}

fn request(method: Method) -> Request<RequestBody> {
    let request = Request::builder().method(method).uri("/").header("host", "web.example");
    request.body(RequestBody::empty()).unwrap()
}

/// Sends a GET, reads the whole response and returns its body.
async fn get(pools: &Pools, backend: &Backend) -> Result<String, UpstreamError> {
    let sent = pools.send(backend, request(Method::GET), &[]).await?;
    let body = sent.response.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// A backend that counts connections and requests, and whose connections run `serve`.
struct Server {
    address: SocketAddr,
    connections: Rc<Cell<usize>>,
}

impl Server {
    async fn start<F: Future<Output = ()> + 'static>(
        serve: impl Fn(TcpStream, usize) -> F + 'static,
    ) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), serve).await
    }

    async fn start_at<F: Future<Output = ()> + 'static>(
        ip: IpAddr,
        serve: impl Fn(TcpStream, usize) -> F + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Rc::new(Cell::new(0));
        let count = Rc::clone(&connections);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = count.replace(count.get() + 1);
                tokio::task::spawn_local(serve(stream, nth));
            }
        });
        Self { address, connections }
    }

    /// Answers each request with `body`, over connections that stay.
    async fn answering(body: &'static str) -> Self {
        Self::answering_at(Ipv4Addr::LOCALHOST.into(), body).await
    }

    async fn answering_at(ip: IpAddr, body: &'static str) -> Self {
        Self::start_at(ip, move |mut stream, _| async move {
            while read_head(&mut stream).await {
                answer(&mut stream, body).await;
            }
        })
        .await
    }
}

/// Reads to the end of a request's head; false at the end of the connection.
async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

async fn answer(stream: &mut TcpStream, body: &str) {
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // The other side may be gone.
    let _ = stream.write_all(response.as_bytes()).await;
}
