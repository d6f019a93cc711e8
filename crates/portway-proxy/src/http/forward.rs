//! Attempts at a backend, within the time that the rule gives.

use std::rc::Rc;
use std::time::Duration;

use hyper::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::body::{RequestBody, Until};
use super::decode::Refusal;
use super::exchange::Exchange;
use super::rule::CompiledRule;
use crate::reason::Reason;
use crate::upstream::{Backend, UpstreamBody, UpstreamError};

/// A response of a backend.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) response: Response<UpstreamBody>,
    /// When its body must be complete.
    pub(super) until: Option<Until>,
}

/// Sends a request to a backend and waits for the head of its response.
pub(super) async fn forward(
    exchange: &Rc<Exchange>,
    rule: &CompiledRule,
    backend: &Backend,
    request: Request<RequestBody>,
) -> Result<Forwarded, Refusal> {
    exchange.connection.worker.upstream.count_request(backend);
    match request_deadline(exchange, rule) {
        None if rule.backend_timeout.is_none() => {
            let response =
                attempt(exchange, backend, request).await.map_err(|error| refusal(exchange, &error))?;
            Ok(Forwarded { response, until: None })
        }
        deadline => Box::pin(within(exchange, rule, backend, request, deadline)).await,
    }
}

fn request_deadline(exchange: &Exchange, rule: &CompiledRule) -> Option<Until> {
    let timeout = rule.request_timeout.unwrap_or(exchange.connection.worker.limits.request_timeout);
    let until =
        || Until { time: Instant::from_std(exchange.begun) + timeout, reason: Reason::RequestTimeout };
    (timeout > Duration::ZERO).then(until)
}

async fn within(
    exchange: &Rc<Exchange>,
    rule: &CompiledRule,
    backend: &Backend,
    request: Request<RequestBody>,
    deadline: Option<Until>,
) -> Result<Forwarded, Refusal> {
    let attempt_deadline = rule
        .backend_timeout
        .map(|timeout| Until { time: Instant::now() + timeout, reason: Reason::BackendTimeout });
    let Some(until) = [deadline, attempt_deadline].into_iter().flatten().min_by_key(|until| until.time)
    else {
        let response =
            attempt(exchange, backend, request).await.map_err(|error| refusal(exchange, &error))?;
        return Ok(Forwarded { response, until: None });
    };
    match timeout_at(until.time, attempt(exchange, backend, request)).await {
        Ok(Ok(response)) => Ok(Forwarded { response, until: Some(until) }),
        Ok(Err(error)) => Err(refusal(exchange, &error)),
        Err(_) => Err(Refusal::new(until.reason, "the backend did not answer in time")),
    }
}

/// One attempt: sends, and waits for the head of the response.
async fn attempt(
    exchange: &Exchange,
    backend: &Backend,
    request: Request<RequestBody>,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    exchange.attempts.set(exchange.attempts.get() + 1);
    let begun = std::time::Instant::now();
    let sent = exchange.connection.worker.upstream.send(backend, request, &[]).await;
    match sent {
        Ok(sent) => {
            exchange.endpoint.set(Some(sent.endpoint));
            exchange.connect.set(sent.connect);
            exchange.upstream.set(begun.elapsed().saturating_sub(sent.connect));
            Ok(sent.response)
        }
        Err(error) => {
            exchange.endpoint.set(error.endpoint.or(exchange.endpoint.get()));
            Err(error)
        }
    }
}

fn refusal(exchange: &Exchange, error: &UpstreamError) -> Refusal {
    tracing::debug!(request = exchange.request_id.as_str(), %error, "an attempt failed");
    // Whoever broke off the body knows better why the request has failed.
    let reason = exchange.reason().unwrap_or(error.reason);
    Refusal::new(reason, "the backend did not answer")
}
