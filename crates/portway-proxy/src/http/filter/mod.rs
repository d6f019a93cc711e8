//! Filters, compiled: names parsed once, backends resolved.

pub(super) mod apply;
mod auth;
pub(super) mod cors;
pub(super) mod header_change;
pub(super) mod header_edits;
pub(super) mod listener;
pub(super) mod mirror;
pub(super) mod path_edit;
pub(super) mod redirect;

use std::fmt;

use http::HeaderValue;
use portway_config::filter::{Filter, Rewrite};

use auth::AuthServer;
use cors::CorsPolicy;
use header_edits::HeaderEdits;
use mirror::CompiledMirror;
use path_edit::PathEdit;
use redirect::RedirectTo;

use crate::upstream::Backends;

/// A filter cannot be compiled; a rule with it refuses its requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid filter: {0}")]
pub(super) struct InvalidFilter(String);

impl InvalidFilter {
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

/// One filter.
#[derive(Debug)]
pub(super) enum CompiledFilter {
    RequestHeaders(HeaderEdits),
    ResponseHeaders(HeaderEdits),
    Redirect(RedirectTo),
    Rewrite(RewriteTo),
    Mirror(CompiledMirror),
    Cors(CorsPolicy),
    Auth(AuthServer),
}

/// A change of host or path on the way to the backend.
#[derive(Clone, Debug)]
pub(super) struct RewriteTo {
    pub(super) host: Option<HeaderValue>,
    pub(super) path: Option<PathEdit>,
}

impl RewriteTo {
    fn compile(rewrite: &Rewrite) -> Result<Self, InvalidFilter> {
        let host = rewrite.hostname.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self {
            host: host.map_err(|_| InvalidFilter::new("rewrite to a host that is no header value"))?,
            path: rewrite.path.as_ref().map(PathEdit::compile).transpose()?,
        })
    }
}

/// The filters of a rule or of one of its backends, in their order.
#[derive(Debug, Default)]
pub(super) struct Filters {
    list: Vec<CompiledFilter>,
    /// Some act on the response.
    pub(super) on_response: bool,
}

impl Filters {
    pub(super) fn compile(filters: &[Filter], backends: &Backends) -> Result<Self, InvalidFilter> {
        let list: Vec<_> = filters
            .iter()
            .map(|filter| CompiledFilter::compile(filter, backends))
            .collect::<Result<_, _>>()?;
        let on_response =
            list.iter().any(|it| matches!(it, CompiledFilter::ResponseHeaders(_) | CompiledFilter::Cors(_)));
        Ok(Self { list, on_response })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, CompiledFilter> {
        self.list.iter()
    }
}

impl CompiledFilter {
    fn compile(filter: &Filter, backends: &Backends) -> Result<Self, InvalidFilter> {
        Ok(match filter {
            Filter::RequestHeaders(modifier) => Self::RequestHeaders(HeaderEdits::compile(modifier)?),
            Filter::ResponseHeaders(modifier) => Self::ResponseHeaders(HeaderEdits::compile(modifier)?),
            Filter::Redirect(redirect) => Self::Redirect(RedirectTo::compile(redirect)?),
            Filter::Rewrite(rewrite) => Self::Rewrite(RewriteTo::compile(rewrite)?),
            Filter::Cors(cors) => Self::Cors(CorsPolicy::compile(cors)?),
            Filter::Mirror(mirror) => Self::Mirror(CompiledMirror::compile(mirror, backends)),
            Filter::ExternalAuth(auth) => Self::Auth(AuthServer::compile(auth, backends)?),
        })
    }
}
