//! Attempts at a backend, within the time that the rule gives.

use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use hyper::{Request, Response};
use tokio::time::{Instant, sleep, timeout_at};

use super::body::{Replay, RequestBody, Until, is_malformed};
use super::decode::Refusal;
use super::exchange::Exchange;
use super::random;
use super::retry::RetryPolicy;
use super::rule::CompiledRule;
use crate::reason::Reason;
use crate::upstream::{Backend, UpstreamBody, Wanted, in_full};

/// A response of a backend.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) response: Response<UpstreamBody>,
    /// When its body must be complete.
    pub(super) until: Option<Until>,
}

/// Why an attempt brought no response.
#[derive(Clone, Copy, Debug)]
struct Failure {
    reason: Reason,
    /// Nothing of the request was sent.
    unsent: bool,
}

impl Failure {
    fn refusal(self, exchange: &Exchange) -> Refusal {
        // Whoever broke off the body knows better why the request has failed.
        let reason = exchange.reason().unwrap_or(self.reason);
        let detail = match reason {
            Reason::RequestTimeout | Reason::BackendTimeout => "the backend did not answer in time",
            Reason::NoEndpoint => "the backend has no endpoint that is ready",
            Reason::ConnectFailed | Reason::ConnectTimeout => "no connection to the backend could be made",
            Reason::Overload => "too many requests to the backend are under way",
            Reason::Fault(_) => "the backend cannot be served",
            Reason::UpstreamTls => "TLS with the backend failed",
            Reason::UpstreamProtocol => "the backend's answer is not HTTP as it should be",
            Reason::UpstreamReset => "the backend closed the connection before it answered",
            Reason::BadRequest => "the body is malformed",
            Reason::StreamIdle => "the body did not move for too long",
            Reason::ClientGone => "the client went away",
            _ => "the backend did not answer",
        };
        Refusal::new(reason, detail)
    }
}

/// Sends a request to a backend and waits for the head of its response.
pub(super) async fn forward(
    exchange: &Rc<Exchange>,
    rule: &CompiledRule,
    backend: &Backend,
    request: Request<RequestBody>,
) -> Result<Forwarded, Refusal> {
    exchange.connection.worker.upstream.count_request(backend, exchange.begun);
    let deadline = request_deadline(exchange, rule);
    let forwarded = match &rule.retry {
        None if deadline.is_none() && rule.backend_timeout.is_none() => {
            let response = attempt(exchange, backend, request, &[]).await;
            return response
                .map(|response| Forwarded { response, until: None })
                .map_err(|failure| failure.refusal(exchange));
        }
        // Rare, so that their state is kept out of the state of every request.
        None => Box::pin(attempt_until(exchange, rule, backend, request, deadline, &[])).await,
        Some(retry) => Box::pin(attempts(exchange, rule, retry, backend, request, deadline)).await,
    };
    forwarded.map_err(|failure| failure.refusal(exchange))
}

/// When the request must be answered by its rule, if there is such a time.
pub(super) fn request_deadline(exchange: &Exchange, rule: &CompiledRule) -> Option<Until> {
    let timeout = rule.request_timeout.unwrap_or(exchange.connection.worker.limits.request_timeout);
    let until =
        || Until { time: Instant::from_std(exchange.begun) + timeout, reason: Reason::RequestTimeout };
    (timeout > Duration::ZERO).then(until)
}

/// Attempts until one succeeds, or no other is allowed. The last one counts, whatever it brought.
async fn attempts(
    exchange: &Rc<Exchange>,
    rule: &CompiledRule,
    retry: &RetryPolicy,
    backend: &Backend,
    request: Request<RequestBody>,
    deadline: Option<Until>,
) -> Result<Forwarded, Failure> {
    let worker = &exchange.connection.worker;
    let (parts, body) = request.into_parts();
    let replay = Replay::new(body, worker.limits.replay_body_bytes);
    let mut avoid = Vec::new();
    for nth in 0.. {
        let request = Request::from_parts(copy(&parts), replay.next());
        let brought = attempt_until(exchange, rule, backend, request, deadline, &avoid).await;
        let again = match &brought {
            Ok(forwarded) => retry.covers_status(forwarded.response.status()),
            Err(failure) => retry.covers_failure(failure.reason, failure.unsent, &parts.method),
        };
        if !again || nth >= retry.attempts || !replay.is_possible() || !worker.upstream.try_retry(backend) {
            return brought;
        }
        // The response is given up before the wait, and its connection with it.
        drop(brought);
        avoid.extend(exchange.endpoint.get());
        let chance = (random::next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let wait = sleep(retry.wait(nth, &worker.limits, chance));
        match deadline {
            None => wait.await,
            Some(until) => timeout_at(until.time, wait).await.map_err(|_| timed_out(until))?,
        }
    }
    // The loop ends by its own means: `nth` reaches the number of attempts.
    Err(Failure { reason: Reason::UpstreamReset, unsent: false })
}

fn timed_out(until: Until) -> Failure {
    Failure { reason: until.reason, unsent: false }
}

/// Extensions hold what belongs to the client's connection, and are not copied.
fn copy(parts: &Parts) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = parts.method.clone();
    copy.uri = parts.uri.clone();
    copy.version = parts.version;
    copy.headers = parts.headers.clone();
    copy
}

/// One attempt, in the time that it has by itself and in what is left for the request.
async fn attempt_until(
    exchange: &Rc<Exchange>,
    rule: &CompiledRule,
    backend: &Backend,
    request: Request<RequestBody>,
    deadline: Option<Until>,
    avoid: &[std::net::SocketAddr],
) -> Result<Forwarded, Failure> {
    let own = rule
        .backend_timeout
        .map(|timeout| Until { time: Instant::now() + timeout, reason: Reason::BackendTimeout });
    let attempt = attempt(exchange, backend, request, avoid);
    let until = [deadline, own].into_iter().flatten().min_by_key(|until| until.time);
    let response = match until {
        None => attempt.await?,
        Some(until) => timeout_at(until.time, attempt).await.map_err(|_| timed_out(until))??,
    };
    Ok(Forwarded { response, until })
}

/// One attempt: sends, and waits for the head of the response.
async fn attempt(
    exchange: &Exchange,
    backend: &Backend,
    request: Request<RequestBody>,
    avoid: &[std::net::SocketAddr],
) -> Result<Response<UpstreamBody>, Failure> {
    exchange.attempts.set(exchange.attempts.get() + 1);
    let begun = std::time::Instant::now();
    let wanted = Wanted { prefer: exchange.preferred.get(), avoid };
    match exchange.connection.worker.upstream.send_at(begun, backend, request, wanted).await {
        Ok(sent) => {
            exchange.endpoint.set(Some(sent.endpoint));
            exchange.connect.set(sent.connect);
            exchange.upstream.set(begun.elapsed().saturating_sub(sent.connect));
            let mut response = sent.response;
            match response.body_mut().broken_at_once() {
                None => Ok(response),
                Some(error) => {
                    exchange.explain(in_full(&error));
                    let is_malformed = is_malformed(&error);
                    let reason = if is_malformed { Reason::UpstreamProtocol } else { Reason::UpstreamReset };
                    Err(Failure { reason, unsent: false })
                }
            }
        }
        Err(error) => {
            exchange.endpoint.set(error.endpoint.or(exchange.endpoint.get()));
            tracing::debug!(request = exchange.request_id.as_str(), %error, "an attempt failed");
            // Whoever broke off the body has explained it already.
            if exchange.reason().is_none() {
                exchange.explain(error.detail);
            }
            Err(Failure { reason: error.reason, unsent: error.unsent.is_some() })
        }
    }
}
