//! The way to the API server.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use kube::client::ClientBuilder;
use kube::{Client, Config};
use tokio::time::timeout;
use tower_layer::layer_fn;
use tower_service::Service;

use crate::limits::{API_ANSWER, API_CONNECT};
use crate::metrics::Metrics;

type BoxError = Box<dyn Error + Send + Sync>;

/// A client as the environment says: of the pod's ServiceAccount, or of a kubeconfig.
pub(crate) async fn connect(metrics: &Metrics) -> Result<Client, BoxError> {
    let mut config = Config::infer().await?;
    // Whoever asks for something tries again at a pace of its own. kube would try up to 15 times inside one request, with
    // pauses that double up to a thousand seconds: after an absence of the API server, a request that had met its 503
    // some times would sleep on for half a minute.
    config.default_retry = false;
    config.connect_timeout = Some(API_CONNECT);
    let metrics = metrics.clone();
    let patient = layer_fn(move |inner| Patient { inner, metrics: metrics.clone() });
    Ok(ClientBuilder::try_from(config)?.with_layer(&patient).build())
}

/// The API server did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not answer within {API_ANSWER:?}")]
struct NoAnswer;

/// Waits for the begin of an answer, but not for ever: a connection may be dead without anybody having said so. Counts what
/// came of it.
#[derive(Clone, Debug)]
struct Patient<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B, R> Service<http::Request<B>> for Patient<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = http::Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let method = request.method().clone();
        let is_watch = request.uri().query().is_some_and(|it| it.split('&').any(|it| it == "watch=true"));
        let (answer, metrics) = (self.inner.call(request), self.metrics.clone());
        Box::pin(async move {
            let answer: Result<_, BoxError> = match timeout(API_ANSWER, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(NoAnswer.into()),
            };
            metrics.requested(&method, is_watch, answer.as_ref().ok().map(http::Response::status));
            answer
        })
    }
}
