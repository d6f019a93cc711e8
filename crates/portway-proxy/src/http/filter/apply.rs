//! Filters at work: on a request, in their order, and on its response.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::cors::CrossOrigin;
use super::redirect::{RedirectTo, Requested, Scheme};
use super::{CompiledFilter, Filters, RewriteTo};
use crate::http::decode::Refusal;
use crate::http::draft::Draft;
use crate::http::exchange::Exchange;
use crate::reason::Reason;

/// A response that a filter makes, in place of a backend.
#[derive(Debug)]
pub(in crate::http) struct Answer {
    pub(in crate::http) reason: Reason,
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) headers: HeaderMap,
    pub(in crate::http) body: Bytes,
}

impl Answer {
    fn new(reason: Reason, status: StatusCode) -> Self {
        Self { reason, status, headers: HeaderMap::with_capacity(8), body: Bytes::new() }
    }
}

/// Applies filters to a request. One of them may answer it.
pub(in crate::http) async fn request(
    exchange: &Rc<Exchange>,
    filters: &Filters,
    draft: &mut Draft,
) -> Result<Option<Answer>, Refusal> {
    for filter in filters.iter() {
        match filter {
            CompiledFilter::RequestHeaders(edits) => edits.apply(&mut draft.headers),
            CompiledFilter::ResponseHeaders(_) => {}
            CompiledFilter::Rewrite(rewrite) => rewrite.apply(draft)?,
            CompiledFilter::Mirror(mirror) => draft.mirrors.extend(mirror.next()),
            CompiledFilter::Redirect(redirect) => return redirect.answer(exchange, draft).map(Some),
            CompiledFilter::Cors(_) => {
                let cross_origin = || Box::new(CrossOrigin::of(&draft.method, &draft.headers));
                if exchange.cross_origin.get_or_init(cross_origin).preflight {
                    return Ok(Some(Answer::new(Reason::CorsPreflight, StatusCode::OK)));
                }
            }
            CompiledFilter::Auth(server) => {
                // Boxed, so that its state is kept out of the state of every request.
                if let Some(denial) = Box::pin(server.ask(exchange, draft)).await? {
                    let reason = Reason::AuthDenied;
                    let (status, headers, body) = (denial.status, denial.headers, denial.body);
                    return Ok(Some(Answer { reason, status, headers, body }));
                }
            }
        }
    }
    Ok(None)
}

/// Applies the filters of the rule and backend to the headers of a response, also of one that Portway
/// makes: the nearest to the backend first.
pub(in crate::http) fn response(exchange: &Exchange, headers: &mut HeaderMap) {
    exchange.response_changes.borrow().iter().for_each(|change| change.apply(headers));
    let backend = exchange.compiled_backend().map(|backend| &backend.filters);
    let rule = exchange.compiled_rule().map(|rule| &rule.filters);
    for filters in [backend, rule].into_iter().flatten().filter(|filters| filters.on_response) {
        for filter in filters.iter() {
            match filter {
                CompiledFilter::ResponseHeaders(edits) => edits.apply(headers),
                CompiledFilter::Cors(policy) => {
                    if let Some(cross_origin) = exchange.cross_origin.get() {
                        policy.apply(cross_origin, headers);
                    }
                }
                _ => {}
            }
        }
    }
}

impl RedirectTo {
    fn answer(&self, exchange: &Exchange, draft: &Draft) -> Result<Answer, Refusal> {
        let requested = Requested {
            scheme: Scheme::of(exchange.connection.info.tls.is_some()),
            host: draft.authority.host(),
            listener_port: exchange.connection.info.listener_port,
            path: draft.target.path(),
            query: draft.target.query(),
            prefix_len: draft.prefix_len,
        };
        let none = Refusal::new(Reason::BadRequest, "no redirect can be written");
        let mut answer = Answer::new(Reason::Redirect, self.status);
        answer.headers.insert(header::LOCATION, self.location(&requested).ok_or(none)?);
        Ok(answer)
    }
}

impl RewriteTo {
    fn apply(&self, draft: &mut Draft) -> Result<(), Refusal> {
        if let Some(host) = &self.host {
            draft.headers.insert(header::HOST, host.clone());
        }
        if let Some(edit) = &self.path {
            let path = edit
                .apply(draft.target.path(), draft.prefix_len)
                .map_err(|_| Refusal::new(Reason::BadPath, "the path cannot be rewritten safely"))?;
            draft.target.set_path(path);
        }
        Ok(())
    }
}
