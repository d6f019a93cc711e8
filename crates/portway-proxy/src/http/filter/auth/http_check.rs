//! Authorization by a plain HTTP request: 200 lets pass, all else denies.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Collected, Limited};

use super::changes::{Changes, may_be_changed};
use super::{Denial, Verdict};
use crate::http::body::RequestBody;
use crate::http::draft::Draft;
use crate::http::exchange::Exchange;
use crate::http::fields::Fields;
use crate::http::filter::InvalidFilter;
use crate::http::filter::header_change::{HeaderChange, Mode};
use crate::http::hop_by_hop;
use crate::http::normalise::canonical_path;
use crate::upstream::{Backend, UpstreamBody};

/// How a server is asked over HTTP.
#[derive(Debug)]
pub(super) struct HttpCheck {
    /// Without a trailing slash.
    prefix: Box<str>,
    /// Request headers that are sent beside those that always are.
    allowed: Vec<HeaderName>,
    /// Headers of the answer that go into the request; none given is all.
    copied: Vec<HeaderName>,
}

impl HttpCheck {
    pub(super) fn compile(
        prefix: &str,
        allowed: &[Arc<str>],
        copied: &[Arc<str>],
    ) -> Result<Self, InvalidFilter> {
        let names = |names: &[Arc<str>]| -> Result<Vec<HeaderName>, InvalidFilter> {
            let parse = |name: &Arc<str>| HeaderName::from_bytes(name.as_bytes());
            let names: Result<_, _> = names.iter().map(parse).collect();
            names.map_err(|_| InvalidFilter::new("a header name of external authorization"))
        };
        let prefix = match prefix.trim_end_matches('/') {
            "" => "".into(),
            path => canonical_path(&format!("/{}", path.trim_start_matches('/')))
                .map_err(|_| InvalidFilter::new(format_args!("external authorization path {path:?}")))?
                .as_ref()
                .into(),
        };
        Ok(Self { prefix, allowed: names(allowed)?, copied: names(copied)? })
    }

    /// Asks; none when there is no answer.
    pub(super) async fn ask(
        &self,
        exchange: &Exchange,
        backend: &Backend,
        draft: &Draft,
        body: Bytes,
    ) -> Option<Verdict> {
        let request = self.request(draft, body)?;
        let sent = exchange.connection.worker.upstream.send(backend, request, &[]).await;
        match sent {
            Ok(sent) if sent.response.status() == StatusCode::OK => {
                let (parts, mut body) = sent.response.into_parts();
                // Read to its end, so that the connection can be used again.
                while let Some(Ok(_)) = body.frame().await {}
                Some(Verdict::Pass(self.passed_on(&parts.headers)))
            }
            Ok(sent) => {
                let limit = exchange.connection.worker.limits.external_auth_denial_bytes;
                Some(Verdict::Deny(denial(sent.response, limit).await))
            }
            Err(error) => {
                tracing::warn!(request = exchange.request_id.as_str(), %error, "external authorization failed");
                None
            }
        }
    }

    fn request(&self, draft: &Draft, body: Bytes) -> Option<Request<RequestBody>> {
        let query = draft.target.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{}{query}", self.prefix, draft.target.path());
        let target = PathAndQuery::from_maybe_shared(Bytes::from(target)).ok()?;
        let mut headers = HeaderMap::new();
        for name in [header::HOST, header::AUTHORIZATION].iter().chain(&self.allowed) {
            if headers.contains_key(name) {
                continue;
            }
            for value in draft.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        // What is allowed includes no framing: the body that is sent is not the client's.
        headers.remove(header::TRANSFER_ENCODING);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let mut request = Request::new(RequestBody::full(body));
        *request.method_mut() = draft.method.clone();
        *request.uri_mut() = Uri::from(target);
        *request.headers_mut() = headers;
        Some(request)
    }

    /// The headers of an answer that go into the request; of several values the last one counts.
    fn passed_on(&self, answer: &HeaderMap) -> Changes {
        let wanted = |name: &HeaderName| self.copied.is_empty() || self.copied.contains(name);
        let passed = answer.iter().filter(|(name, _)| wanted(name) && may_enter_request(name));
        let change = |(name, value): (&HeaderName, &HeaderValue)| HeaderChange {
            name: name.clone(),
            value: value.clone(),
            mode: Mode::Set,
        };
        Changes { request: passed.map(change).collect(), ..Changes::default() }
    }

    /// Removes what a client may have set in the hope that it be taken for the server's word.
    pub(super) fn forget_claims(&self, headers: &mut HeaderMap) {
        for name in self.copied.iter().filter(|name| may_enter_request(name)) {
            headers.remove(name);
        }
    }
}

/// Redirects and refusals reach the client as they are: a login page, a challenge. A status that is
/// neither says nothing to the client, and becomes 403. A body of more than `limit` bytes is left out.
async fn denial(response: Response<UpstreamBody>, limit: usize) -> Denial {
    let (mut parts, body) = response.into_parts();
    let status = parts.status;
    if !(status.is_redirection() || status.is_client_error()) {
        return Denial { status: StatusCode::FORBIDDEN, headers: HeaderMap::new(), body: Bytes::new() };
    }
    let expected = body.size_hint().lower();
    let body = Limited::new(body, limit).collect().await.map(Collected::to_bytes).unwrap_or_default();
    let kinds = Fields::of(&parts.headers).kinds;
    hop_by_hop::remove(&mut parts.headers, kinds, false);
    if (body.len() as u64) < expected {
        parts.headers.remove(header::CONTENT_ENCODING);
    }
    Denial { status, headers: parts.headers, body }
}

/// Whether a header of an answer may go into the request: not what describes the answer's own content or way,
/// besides what no server may change.
fn may_enter_request(name: &HeaderName) -> bool {
    const OF_ANSWER: [HeaderName; 5] =
        [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::DATE, header::SERVER, header::VIA];
    !OF_ANSWER.contains(name) && may_be_changed(name)
}
