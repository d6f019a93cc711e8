//! What a controller answers on its admin address.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use portway_controller::{Health, metrics};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a connection may live.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Listens and answers.
///
/// # Errors
///
/// The address cannot be listened on.
pub(super) fn serve(
    address: SocketAddr,
    health: watch::Receiver<Option<Health>>,
) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let health = health.clone();
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let response = answer(request.method(), request.uri().path(), health.borrow().as_ref());
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(timeout(CONNECTION_TIMEOUT, connection));
        }
    }))
}

fn answer(method: &Method, path: &str, health: Option<&Health>) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here\n".to_owned());
    }
    match path {
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => readiness(health),
        "/metrics" => metrics(health),
        _ => {
            text(StatusCode::NOT_FOUND, "there is nothing here; see /healthz, /readyz, /metrics\n".to_owned())
        }
    }
}

/// Ready to lead, if asked to: all that there is has been seen.
fn readiness(health: Option<&Health>) -> Response<Full<Bytes>> {
    let awaited = match health {
        Some(health) => health.awaited(),
        None => {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the API server is not reached yet\n".to_owned(),
            );
        }
    };
    if awaited.is_empty() {
        text(StatusCode::OK, "ready\n".to_owned())
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: not listed yet: {}\n", awaited.join(", ")))
    }
}

fn metrics(health: Option<&Health>) -> Response<Full<Bytes>> {
    let Some(health) = health else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the API server is not reached yet\n".to_owned());
    };
    let mut response = text(StatusCode::OK, health.metrics());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}
