//! Copies of requests, sent elsewhere; nobody waits for their answers.

use std::rc::Rc;

use http::{Request, Version};
use http_body_util::BodyExt;
use portway_config::filter::Mirror;
use tokio::time::timeout;

use crate::http::body::RequestBody;
use crate::http::exchange::Exchange;
use crate::http::random;
use crate::http::rule;
use crate::http::split::Split;
use crate::upstream::{BackendId, Backends};

/// Sends a share of the requests elsewhere, too.
#[derive(Debug)]
pub(crate) struct CompiledMirror {
    /// Absent when the reference is invalid: then there are no copies, and no request suffers.
    target: Option<BackendId>,
    share: Split,
}

impl CompiledMirror {
    pub(super) fn compile(mirror: &Mirror, backends: &Backends) -> Self {
        let rest = mirror.denominator.saturating_sub(mirror.numerator);
        // All the weight on one part needs no turns.
        let weights = if rest == 0 { vec![1] } else { vec![mirror.numerator, rest] };
        Self {
            target: rule::resolve(&mirror.target, backends).ok(),
            share: Split::new(weights.into_iter(), random::next_u64()),
        }
    }

    /// Where a copy of this request goes, if it is one to be copied.
    pub(super) fn next(&self) -> Option<BackendId> {
        self.target.filter(|_| self.share.next() == Some(0))
    }
}

/// Sends copies of a request. Returns the request, whose body now feeds the copies.
pub(in crate::http) fn send(
    exchange: &Rc<Exchange>,
    request: Request<RequestBody>,
    targets: &[BackendId],
) -> Request<RequestBody> {
    let limit = exchange.connection.worker.limits.mirror_body_bytes;
    let (parts, body) = request.into_parts();
    let (body, copies) = body.copied(targets.len(), limit);
    for (&target, copy) in targets.iter().zip(copies) {
        let mut request = Request::new(copy);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = parts.headers.clone();
        tokio::task::spawn_local(send_one(Rc::clone(exchange), target, request));
    }
    Request::from_parts(parts, body)
}

async fn send_one(exchange: Rc<Exchange>, target: BackendId, request: Request<RequestBody>) {
    let worker = &exchange.connection.worker;
    let Some(backend) = exchange.gateway().and_then(|gateway| gateway.backends.get(target)) else { return };
    let whole = async {
        let mut body = worker.upstream.send(backend, request, &[]).await?.response.into_body();
        // Read to its end, so that the connection can be used again.
        while let Some(Ok(_)) = body.frame().await {}
        Ok::<(), crate::upstream::UpstreamError>(())
    };
    if let Ok(Err(error)) = timeout(worker.limits.mirror_timeout, whole).await {
        tracing::debug!(request = exchange.request_id.as_str(), %error, "a copy of a request was not sent");
    }
}
