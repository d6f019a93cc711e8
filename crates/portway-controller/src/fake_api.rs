//! An API server for tests: a function from requests to answers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Full};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_service::Service;

/// Answers a request: method, path with query, body; with a status code and a body.
type Answer = dyn Fn(&str, &str, Value) -> (u16, Value) + Send + Sync;

#[derive(Clone)]
struct FakeApi(Arc<Answer>);

/// A client of an API server that answers so.
pub(crate) fn client(answer: impl Fn(&str, &str, Value) -> (u16, Value) + Send + Sync + 'static) -> Client {
    Client::new(FakeApi(Arc::new(answer)), "default")
}

/// The API server's words for a refusal.
pub(crate) fn refusal(code: u16, message: &str) -> (u16, Value) {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "", "code": code,
    });
    (code, body)
}

impl Service<http::Request<Body>> for FakeApi {
    type Response = http::Response<Full<bytes::Bytes>>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self(answer) = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (code, body) = answer(head.method.as_str(), &head.uri.to_string(), body);
            let body = Full::from(body.to_string());
            Ok(http::Response::builder().status(code).body(body).unwrap())
        })
    }
}
