use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, Version};
use hyper_util::rt::TokioIo;

use super::*;

/// An HTTP/2 backend that answers after a moment.
async fn server() -> Server {
    Server::start(|stream, _| async move {
        let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
            assert_eq!(request.version(), Version::HTTP_2);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from("h2")))
        });
        let executor = hyper_util::rt::TokioExecutor::new();
        // The connection ends with the test.
        let _ = hyper::server::conn::http2::Builder::new(executor)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
    .await
}

fn backend(server: &Server) -> Arc<Backend> {
    compile(&configuration(BackendProtocol::Http2, BackendTls::Plain, &[server.address]), None).1
}

#[test]
fn a_burst_shares_one_connection() {
    on_a_worker(async {
        let server = server().await;
        let (pools, backend) = (pools(Limits::default()), backend(&server));
        let (a, b, c) = tokio::join!(get(&pools, &backend), get(&pools, &backend), get(&pools, &backend));
        assert_eq!([a, b, c].map(Result::unwrap), ["h2"; 3]);
        assert_eq!(server.connections.get(), 1);
    });
}

#[test]
fn a_connection_that_is_full_gets_a_second_one_beside_it() {
    on_a_worker(async {
        let server = server().await;
        let limits = Limits { http2_max_concurrent_streams: 2, ..Limits::default() };
        let (pools, backend) = (pools(limits), backend(&server));
        let (a, b, c) = tokio::join!(get(&pools, &backend), get(&pools, &backend), get(&pools, &backend));
        assert_eq!([a, b, c].map(Result::unwrap), ["h2"; 3]);
        assert_eq!(server.connections.get(), 2);
    });
}

#[test]
fn a_backend_that_speaks_no_http2_is_an_error() {
    on_a_worker(async {
        let server = Server::answering("HTTP/1.1 only").await;
        let error = get(&pools(Limits::default()), &backend(&server)).await.unwrap_err();
        assert!(matches!(error.reason.status(), 502), "{error}");
    });
}
