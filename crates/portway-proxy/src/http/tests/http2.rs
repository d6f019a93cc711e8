//! HTTP/2, in clear text with prior knowledge; gRPC.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use portway_config::key::BackendProtocol;
use portway_config::route::{BackendTarget, WeightedBackend};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::edge::{LocalExecutor, key};
use super::*;

async fn connect(edge: &Edge) -> http2::SendRequest<Full<Bytes>> {
    let io = TokioIo::new(edge.connect());
    let (sender, connection) = http2::handshake(LocalExecutor, io).await.unwrap();
    tokio::task::spawn_local(connection);
    sender
}

fn ask(target: &str) -> Request<Full<Bytes>> {
    let uri = format!("http://web.example{target}");
    Request::builder().uri(uri).body(Full::default()).unwrap()
}

fn http2_backend(name: &str) -> WeightedBackend {
    WeightedBackend { target: BackendTarget::Backend(key(name, BackendProtocol::Http2)), ..to(name) }
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn streams_pass_to_backends_of_either_version() {
    on_a_worker(async {
        let one = Backend::echo().await;
        let two = Backend::http2(|text| Response::new(text.to_owned())).await;
        let edge = Plan::new(vec![rule("/one", vec![to("one")]), rule("/two", vec![http2_backend("two")])])
            .backend("one", &[&one])
            .endpoints("two", BackendProtocol::Http2, &[two.address])
            .start();
        let mut client = connect(&edge).await;
        let (first, second) =
            tokio::join!(client.clone().send_request(ask("/one")), client.send_request(ask("/two")));
        let (first, second) = (text(first.unwrap()).await, text(second.unwrap()).await);
        assert!(first.starts_with("GET /one\n") && first.contains("host: web.example\n"), "{first}");
        assert!(first.contains("via: 2 portway\n"), "{first}");
        assert!(second.starts_with("GET http://web.example/two\n"), "{second}");
        drop(client);
        let log = edge.finish().await;
        assert_eq!(log.iter().map(|it| it["protocol"].as_str().unwrap()).collect::<Vec<_>>(), ["HTTP/2"; 2]);
    });
}

/// A gRPC server that answers with trailers.
async fn grpc_backend() -> Backend {
    Backend::raw(|backend, stream, _| async move {
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let backend = backend.clone();
            async move {
                backend.note(format!("te: {:?}", request.headers().get("te")));
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "5".parse().unwrap());
                let frames = [
                    Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"message"))),
                    Ok(Frame::trailers(trailers)),
                ];
                let body = StreamBody::new(futures_util::stream::iter(frames));
                Ok::<_, std::convert::Infallible>(
                    Response::builder().header("content-type", "application/grpc").body(body).unwrap(),
                )
            }
        });
        let io = TokioIo::new(stream);
        let _ = hyper::server::conn::http2::Builder::new(LocalExecutor).serve_connection(io, service).await;
    })
    .await
}

#[test]
fn grpc_passes_with_its_trailers() {
    on_a_worker(async {
        let backend = grpc_backend().await;
        let edge = Plan::new(vec![rule("/", vec![http2_backend("grpc")])])
            .endpoints("grpc", BackendProtocol::Http2, &[backend.address])
            .start();
        let mut client = connect(&edge).await;
        let mut request = ask("/pkg.Svc/Do");
        *request.method_mut() = hyper::Method::POST;
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let response = client.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "5");
        assert_eq!(body.to_bytes(), "message");
        assert_eq!(backend.requests(), ["te: Some(\"trailers\")"]);
    });
}

#[test]
fn draining_lets_streams_end() {
    on_a_worker(async {
        let backend = Backend::raw(|backend, mut stream, _| async move {
            backend.note(backend::read_head(&mut stream).await.unwrap());
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let mut client = connect(&edge).await;
        let response = client.send_request(ask("/"));
        let response = tokio::task::spawn_local(response);
        backend.wait_for(1).await;
        edge.drain.drain();
        assert_eq!(text(response.await.unwrap().unwrap()).await, "ok");
        while !client.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn a_websocket_over_http2_is_an_upgrade_for_the_backend() {
    on_a_worker(async {
        let backend = Backend::raw(|backend, mut stream, _| async move {
            backend.note(backend::read_head(&mut stream).await.unwrap());
            let agreed = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                          sec-websocket-accept: k\r\nx-mine: 1\r\n\r\n";
            stream.write_all(agreed.as_bytes()).await.unwrap();
            let mut bytes = [0; 64];
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                stream.write_all(&bytes[..read]).await.unwrap();
            }
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let mut client = connect(&edge).await;
        // The server's settings, which allow extended CONNECT, come with its first answer.
        client.send_request(ask("/x%00")).await.unwrap();
        let mut request = ask("/chat");
        *request.method_mut() = hyper::Method::CONNECT;
        request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
        request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        assert_eq!(response.headers()["x-mine"], "1");
        let mut tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        tunnel.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        tunnel.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        let head = backend.requests()[0].to_lowercase();
        assert!(head.starts_with("get /chat http/1.1\r\n"), "{head}");
        for line in ["upgrade: websocket", "connection: upgrade", "sec-websocket-key: ", "host: web.example"]
        {
            assert!(head.contains(line), "{line} in {head}");
        }
    });
}
