//! Redirects.

use http::{HeaderValue, StatusCode};
use portway_config::filter::Redirect;

use super::InvalidFilter;
use super::path_edit::PathEdit;

/// A redirect.
#[derive(Clone, Debug)]
pub(crate) struct RedirectTo {
    scheme: Option<Scheme>,
    hostname: Option<Box<str>>,
    path: Option<PathEdit>,
    port: Option<u16>,
    pub(crate) status: StatusCode,
}

/// The schemes that a redirect may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn of(tls: bool) -> Self {
        if tls { Self::Https } else { Self::Http }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The URL that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requested<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: &'a str,
    /// The port that the listener names.
    pub(crate) listener_port: u16,
    /// Canonical.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) prefix_len: Option<u32>,
}

impl RedirectTo {
    pub(crate) fn compile(redirect: &Redirect) -> Result<Self, InvalidFilter> {
        let scheme = match redirect.scheme.as_deref() {
            None => None,
            Some("http") => Some(Scheme::Http),
            Some("https") => Some(Scheme::Https),
            Some(other) => return Err(InvalidFilter::new(format_args!("redirect to scheme {other:?}"))),
        };
        let status = StatusCode::from_u16(redirect.status).ok().filter(StatusCode::is_redirection);
        Ok(Self {
            scheme,
            hostname: redirect.hostname.as_deref().map(Into::into),
            path: redirect.path.as_ref().map(PathEdit::compile).transpose()?,
            port: redirect.port,
            status: status.ok_or_else(|| {
                InvalidFilter::new(format_args!("redirect with status {}", redirect.status))
            })?,
        })
    }

    /// The value of `Location`; absent when none can be written.
    pub(crate) fn location(&self, requested: &Requested<'_>) -> Option<HeaderValue> {
        let scheme = self.scheme.unwrap_or(requested.scheme);
        // The rules stand in the comment of `HTTPRequestRedirectFilter.port`.
        let port = match (self.port, self.scheme) {
            (Some(port), _) => port,
            (None, Some(scheme)) => scheme.port(),
            (None, None) => requested.listener_port,
        };
        let host = self.hostname.as_deref().unwrap_or(requested.host);
        let path = match &self.path {
            Some(edit) => edit.apply(requested.path, requested.prefix_len).ok()?,
            None => requested.path.to_owned(),
        };
        let mut location = String::with_capacity(16 + host.len() + path.len());
        if !host.is_empty() {
            location.push_str(scheme.as_str());
            location.push_str("://");
            location.push_str(host);
            if port != scheme.port() {
                location.push_str(&format!(":{port}"));
            }
        }
        // A canonical path never begins with two slashes, so it cannot be read as another host.
        location.push_str(&path);
        if let Some(query) = requested.query {
            location.push('?');
            location.push_str(query);
        }
        HeaderValue::from_str(&location).ok()
    }
}

#[cfg(test)]
mod tests;
