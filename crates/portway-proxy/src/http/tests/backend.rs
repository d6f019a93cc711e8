//! Backends that say what they were sent.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::edge::LocalExecutor;

/// A backend.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    connections: Rc<Cell<usize>>,
    /// What it was sent, as text: request line, header lines in order of their names, empty line, body.
    requests: Rc<RefCell<Vec<String>>>,
}

impl Backend {
    /// A backend whose connections run `serve`, which is told the number of the connection.
    pub(super) async fn raw<F: Future<Output = ()> + 'static>(
        serve: impl Fn(Self, TcpStream, usize) -> F + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backend = Self { address, connections: Rc::default(), requests: Rc::default() };
        let it = backend.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = it.connections.replace(it.connections.get() + 1);
                tokio::task::spawn_local(serve(it.clone(), stream, nth));
            }
        });
        backend
    }

    /// Answers each request by `respond`, over HTTP/1.1.
    pub(super) async fn new(respond: impl Fn(&str) -> Response<String> + Clone + 'static) -> Self {
        Self::serving(false, respond).await
    }

    /// Answers each request by `respond`, over HTTP/2 with prior knowledge.
    pub(super) async fn http2(respond: impl Fn(&str) -> Response<String> + Clone + 'static) -> Self {
        Self::serving(true, respond).await
    }

    async fn serving(http2: bool, respond: impl Fn(&str) -> Response<String> + Clone + 'static) -> Self {
        Self::raw(move |backend, stream, _| {
            let respond = respond.clone();
            async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let (backend, respond) = (backend.clone(), respond.clone());
                    async move {
                        let text = as_text(request).await;
                        let response = respond(&text);
                        backend.requests.borrow_mut().push(text);
                        Ok::<_, Infallible>(response.map(|body| Full::new(Bytes::from(body))))
                    }
                });
                // The other side may break off; that is the test's business.
                let io = TokioIo::new(stream);
                let _ = if http2 {
                    hyper::server::conn::http2::Builder::new(LocalExecutor)
                        .serve_connection(io, service)
                        .await
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
                };
            }
        })
        .await
    }

    /// Answers each request with what it was.
    pub(super) async fn echo() -> Self {
        Self::new(|text| Response::new(text.to_owned())).await
    }

    /// Answers each request with `name`.
    pub(super) async fn named(name: &'static str) -> Self {
        Self::new(move |_| Response::new(name.to_owned())).await
    }

    /// Reads the head of a request and then answers with these bytes, and closes.
    pub(super) async fn answering(answer: &'static [u8]) -> Self {
        Self::raw(move |backend, mut stream, _| async move {
            if let Some(head) = read_head(&mut stream).await {
                backend.requests.borrow_mut().push(head);
                let _ = stream.write_all(answer).await;
            }
        })
        .await
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(super) fn note(&self, request: String) {
        self.requests.borrow_mut().push(request);
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    /// Waits until it has been sent so many requests.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<String> {
        while self.requests.borrow().len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        self.requests()
    }
}

/// Reads to the end of a request's head.
pub(super) async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn as_text(request: Request<Incoming>) -> String {
    let (parts, body) = request.into_parts();
    let mut lines: Vec<_> =
        parts.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
    lines.sort();
    let body = match body.collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(_) => "(broken off)".to_owned(),
    };
    format!("{} {}\n{}\n{body}", parts.method, parts.uri, lines.concat())
}
