//! Both ends of the stream by hand, so that tests see and say what is on the wire.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portway_xds::ResourceType;
use portway_xds::message::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, METHOD, Node};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::pki::Authority;
use crate::stack::{NEVER, SOON, Stack};

/// What is sent through a channel.
struct Sent<T>(mpsc::Receiver<T>);

impl<T> Stream for Sent<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

/// A proxy's end.
pub(crate) struct RawProxy {
    pub(crate) requests: mpsc::Sender<DeltaDiscoveryRequest>,
    pub(crate) responses: Streaming<DeltaDiscoveryResponse>,
}

/// A connection to the server, and the task that it runs in.
pub(crate) async fn connect(stack: &Stack) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(stack.authority.certificate_pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(stack.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (service, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (service, tokio::spawn(connection))
}

impl RawProxy {
    /// Connects as a pod of the Gateway of all tests, and subscribes to types.
    pub(crate) async fn connect(
        stack: &Stack,
        pod: &str,
        types: &[ResourceType],
        has: HashMap<ResourceType, HashMap<String, String>>,
    ) -> Self {
        let has = has.into_iter().map(|(kind, versions)| (kind.url(), versions)).collect();
        let urls: Vec<_> = types.iter().map(|kind| kind.url()).collect();
        Self::subscribe(stack, pod, &urls, has).await
    }

    /// The same, of types that may be unknown.
    pub(crate) async fn subscribe(
        stack: &Stack,
        pod: &str,
        urls: &[&str],
        mut has: HashMap<&str, HashMap<String, String>>,
    ) -> Self {
        let (service, _) = connect(stack).await;
        let (requests, queued) = mpsc::channel(64);
        let mut grpc =
            tonic::client::Grpc::with_origin(Service(service), "https://localhost".parse().unwrap());
        grpc.ready().await.unwrap();
        let mut request = Request::new(Sent(queued));
        request.metadata_mut().insert("authorization", format!("Bearer {pod}@web").parse().unwrap());
        let path = PathAndQuery::from_static(METHOD);
        let responses = grpc.streaming(request, path, ProstCodec::default()).await.unwrap().into_inner();
        for (index, url) in urls.iter().enumerate() {
            let first = DeltaDiscoveryRequest {
                node: (index == 0).then(|| Node {
                    id: pod.to_owned(),
                    cluster: r#"{"namespace":"apps","name":"web"}"#.to_owned(),
                    user_agent_name: "old".to_owned(),
                    user_agent_version: "0".to_owned(),
                }),
                type_url: (*url).to_owned(),
                initial_resource_versions: has.remove(url).unwrap_or_default(),
                more: index + 1 < urls.len(),
                ..DeltaDiscoveryRequest::default()
            };
            requests.send(first).await.unwrap();
        }
        Self { requests, responses }
    }

    /// All responses of the next revision, not answered yet.
    pub(crate) async fn group(&mut self) -> Vec<DeltaDiscoveryResponse> {
        let mut group = Vec::new();
        loop {
            let response = timeout(SOON, self.responses.message()).await.expect("a response");
            let response = response.unwrap().expect("the stream goes on");
            let more = response.more;
            group.push(response);
            if !more {
                return group;
            }
        }
    }

    /// Answers to responses, all of which are good.
    pub(crate) async fn acknowledge(&self, group: &[DeltaDiscoveryResponse]) {
        for response in group {
            let answer = DeltaDiscoveryRequest {
                type_url: response.type_url.clone(),
                response_nonce: response.nonce.clone(),
                ..DeltaDiscoveryRequest::default()
            };
            self.requests.send(answer).await.unwrap();
        }
    }

    /// Asserts that nothing comes.
    pub(crate) async fn nothing(&mut self) {
        if let Ok(response) = timeout(NEVER, self.responses.message()).await {
            panic!("a response came: {response:?}");
        }
    }
}

struct Service(SendRequest<Body>);

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

/// A controller's end, for one stream.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    streams: mpsc::Receiver<(Streaming<DeltaDiscoveryRequest>, Responses)>,
}

type Responses = mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>;

/// A stream of [`RawServer`].
pub(crate) struct RawStream {
    requests: Streaming<DeltaDiscoveryRequest>,
    responses: Responses,
}

impl RawServer {
    pub(crate) async fn start(authority: &Authority) -> Self {
        let pair = authority.issue("localhost");
        let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (begun, streams) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = acceptor.accept(stream).await.unwrap();
                let begun = begun.clone();
                let answer = service_fn(move |request: http::Request<Incoming>| {
                    let method = Method(begun.clone());
                    async {
                        let codec = ProstCodec::<DeltaDiscoveryResponse, DeltaDiscoveryRequest>::default();
                        Ok::<_, Infallible>(tonic::server::Grpc::new(codec).streaming(method, request).await)
                    }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, streams }
    }

    /// The next stream, with its first requests.
    pub(crate) async fn stream(&mut self) -> (RawStream, Vec<DeltaDiscoveryRequest>) {
        let (requests, responses) = timeout(SOON, self.streams.recv()).await.unwrap().unwrap();
        let mut stream = RawStream { requests, responses };
        let mut first = Vec::new();
        loop {
            let request = stream.request().await;
            let more = request.more;
            first.push(request);
            if !more {
                return (stream, first);
            }
        }
    }
}

impl RawStream {
    pub(crate) async fn request(&mut self) -> DeltaDiscoveryRequest {
        let request = timeout(SOON, self.requests.message()).await.expect("a request");
        request.unwrap().expect("the stream goes on")
    }

    pub(crate) async fn respond(&self, response: DeltaDiscoveryResponse) {
        self.responses.send(Ok(response)).await.unwrap();
    }
}

struct Method(mpsc::Sender<(Streaming<DeltaDiscoveryRequest>, Responses)>);

impl tonic::server::StreamingService<DeltaDiscoveryRequest> for Method {
    type Response = DeltaDiscoveryResponse;
    type ResponseStream = Sent<Result<DeltaDiscoveryResponse, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Self::Future {
        let (responses, queued) = mpsc::channel(16);
        self.0.try_send((request.into_inner(), responses)).unwrap();
        ready(Ok(Response::new(Sent(queued))))
    }
}
