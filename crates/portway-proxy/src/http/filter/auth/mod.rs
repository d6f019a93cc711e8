//! External authorization (GEP-1494). Whatever goes wrong denies the request.

mod changes;
mod envoy;
mod grpc_check;
mod http_check;

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use portway_config::filter::{ExternalAuth, ExternalAuthProtocol};
use portway_config::route::FaultReason;
use tokio::time::{Instant, timeout_at};

use super::InvalidFilter;
use crate::http::body::{RequestBody, Unreadable, Until};
use crate::http::decode::Refusal;
use crate::http::draft::Draft;
use crate::http::exchange::Exchange;
use crate::http::forward::request_deadline;
use crate::http::rule;
use crate::reason::Reason;
use crate::upstream::{BackendId, Backends};

use changes::Changes;
use grpc_check::GrpcCheck;
use http_check::HttpCheck;

/// Asks a server whether a request may pass.
#[derive(Debug)]
pub(crate) struct AuthServer {
    target: Result<BackendId, FaultReason>,
    max_body: usize,
    check: Check,
}

/// How it is asked.
#[derive(Debug)]
enum Check {
    Http(HttpCheck),
    Grpc(GrpcCheck),
}

/// What an authorization server has said.
#[derive(Debug)]
enum Verdict {
    /// The request passes, with these changes.
    Pass(Changes),
    Deny(Denial),
}

/// The answer of an authorization server to the client.
#[derive(Debug)]
pub(in crate::http) struct Denial {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) headers: HeaderMap,
    pub(in crate::http) body: Bytes,
}

impl AuthServer {
    pub(super) fn compile(auth: &ExternalAuth, backends: &Backends) -> Result<Self, InvalidFilter> {
        let check = match &auth.protocol {
            ExternalAuthProtocol::Http { path, allowed_headers, allowed_response_headers } => {
                Check::Http(HttpCheck::compile(path, allowed_headers, allowed_response_headers)?)
            }
            ExternalAuthProtocol::Grpc { allowed_headers } => {
                Check::Grpc(GrpcCheck::compile(allowed_headers)?)
            }
        };
        let target = rule::resolve(&auth.target, backends);
        Ok(Self { target, max_body: auth.max_body as usize, check })
    }

    /// Asks. The request goes on with the headers that the server adds, or is answered by its denial.
    pub(super) async fn ask(
        &self,
        exchange: &Rc<Exchange>,
        draft: &mut Draft,
    ) -> Result<Option<Denial>, Refusal> {
        const ERROR: Refusal = Refusal::new(Reason::AuthError, "the authorization server could not be asked");
        let body = self.read_body(draft, until(exchange)).await?;
        let target = self.target.map_err(|_| ERROR)?;
        let backend = exchange.gateway().and_then(|gateway| gateway.backends.get(target)).ok_or(ERROR)?;
        let asked = async {
            match &self.check {
                Check::Http(check) => check.ask(exchange, backend, draft, body).await,
                Check::Grpc(check) => check.ask(exchange, backend, draft, &body).await,
            }
        };
        let until = until(exchange);
        let verdict = timeout_at(until.time, asked)
            .await
            .map_err(|_| Refusal::new(until.reason, "the authorization server did not answer in time"))?;
        match verdict.ok_or(ERROR)? {
            Verdict::Deny(denial) => Ok(Some(denial)),
            Verdict::Pass(changes) => {
                if let Check::Http(check) = &self.check {
                    check.forget_claims(&mut draft.headers);
                }
                changes.apply(exchange, draft);
                Ok(None)
            }
        }
    }

    /// The body for the server, which then is kept for the backend, too.
    async fn read_body(&self, draft: &mut Draft, until: Until) -> Result<Bytes, Refusal> {
        if self.max_body == 0 {
            return Ok(Bytes::new());
        }
        let body = std::mem::replace(&mut draft.body, RequestBody::empty());
        let whole = timeout_at(until.time, body.read_whole(self.max_body)).await.map_err(|_| {
            Refusal::new(until.reason, "the body did not come in time for the authorization server")
        })?;
        let whole = whole.map_err(|error| match error {
            Unreadable::TooLarge => {
                Refusal::new(Reason::BodyTooLarge, "the body is too large for the authorization server")
            }
            Unreadable::Broken => Refusal::new(Reason::ClientGone, "the body broke off"),
        })?;
        draft.body = RequestBody::full(whole.clone());
        Ok(whole)
    }
}

/// How long to wait for what begins now: as long as is allowed for one step, and not beyond the time of the request, where
/// a rule has been chosen already.
fn until(exchange: &Exchange) -> Until {
    let step = Until {
        time: Instant::now() + exchange.connection.worker.limits.external_auth_timeout,
        reason: Reason::AuthError,
    };
    let request = exchange.compiled_rule().and_then(|rule| request_deadline(exchange, rule));
    request.filter(|it| it.time < step.time).unwrap_or(step)
}
