//! Filters of HTTP and gRPC rules and of listeners.

use super::{
    check::{Check, Validate},
    reference::BackendFilters,
    syntax,
};
use crate::filter::{
    ExternalAuthProtocol, Fraction, GrpcRouteFilter, GrpcRouteFilterType, HttpAuthConfig, HttpCorsFilter,
    HttpExternalAuthFilter, HttpHeader, HttpHeaderFilter, HttpPathModifier, HttpPathModifierType,
    HttpRequestMirrorFilter, HttpRequestRedirectFilter, HttpRouteFilter, HttpRouteFilterType,
    HttpUrlRewriteFilter,
};

/// How many filters a rule or a backend may have.
pub(super) const MAX_FILTERS: usize = 16;

/// How many headers a filter may set, add or remove each.
const MAX_HEADERS: usize = 16;

/// How many origins or headers a CORS filter may name, and headers an authorization filter.
const MAX_NAMES: usize = 64;

/// The status codes of redirects.
const REDIRECT_STATUS: &[u16] = &[301, 302, 303, 307, 308];

impl HttpRouteFilterType {
    /// The type as it is written.
    fn as_written(self) -> &'static str {
        match self {
            Self::RequestHeaderModifier => "RequestHeaderModifier",
            Self::ResponseHeaderModifier => "ResponseHeaderModifier",
            Self::RequestRedirect => "RequestRedirect",
            Self::UrlRewrite => "URLRewrite",
            Self::RequestMirror => "RequestMirror",
            Self::Cors => "CORS",
            Self::ExternalAuth => "ExternalAuth",
            Self::ExtensionRef => "ExtensionRef",
        }
    }

    /// Whether a list may hold several filters of this type.
    fn may_repeat(self) -> bool {
        matches!(self, Self::RequestMirror | Self::ExternalAuth | Self::ExtensionRef)
    }
}

impl GrpcRouteFilterType {
    /// The type as it is written.
    fn as_written(self) -> &'static str {
        match self {
            Self::RequestHeaderModifier => "RequestHeaderModifier",
            Self::ResponseHeaderModifier => "ResponseHeaderModifier",
            Self::RequestMirror => "RequestMirror",
            Self::ExtensionRef => "ExtensionRef",
        }
    }

    /// Whether a list may hold several filters of this type.
    fn may_repeat(self) -> bool {
        matches!(self, Self::RequestMirror | Self::ExtensionRef)
    }
}

impl BackendFilters for HttpRouteFilter {
    fn validate_list(filters: &[Self], check: &mut Check<'_>) {
        check.list("filters", filters, 0..=MAX_FILTERS);
        repeated(filters.iter().map(|filter| (filter.kind.as_written(), filter.kind.may_repeat())), check);
        let find = |kind| filters.iter().position(|filter| filter.kind == kind);
        let both = (find(HttpRouteFilterType::RequestRedirect), find(HttpRouteFilterType::UrlRewrite));
        if let (Some(redirect), Some(rewrite)) = both {
            let message = format!("a redirect (item [{redirect}]) and a rewrite exclude each other");
            check.within("filters", |check| {
                check.refuse_field(
                    rewrite,
                    message,
                    "remove one; a redirect has `hostname` and `path` of its own",
                );
            });
        }
    }
}

impl BackendFilters for GrpcRouteFilter {
    fn validate_list(filters: &[Self], check: &mut Check<'_>) {
        check.list("filters", filters, 0..=MAX_FILTERS);
        repeated(filters.iter().map(|filter| (filter.kind.as_written(), filter.kind.may_repeat())), check);
    }
}

/// Notes filters of a type that may stand in a list only once; the types come with whether they may repeat.
fn repeated(types: impl Iterator<Item = (&'static str, bool)>, check: &mut Check<'_>) {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for (index, (name, may_repeat)) in types.enumerate() {
        match seen.iter().find(|(first, _)| *first == name) {
            _ if may_repeat => {}
            None => seen.push((name, index)),
            Some((_, first)) => {
                let message = format!("a filter of type {name} stands here twice: see item [{first}]");
                check.within("filters", |check| {
                    check.refuse_field(index, message, "put both into one filter");
                });
            }
        }
    }
}

impl Validate for HttpRouteFilter {
    fn validate(&self, check: &mut Check<'_>) {
        check.union(
            self.kind.as_written(),
            &[
                ("RequestHeaderModifier", "requestHeaderModifier", self.request_header_modifier.is_some()),
                ("ResponseHeaderModifier", "responseHeaderModifier", self.response_header_modifier.is_some()),
                ("RequestMirror", "requestMirror", self.request_mirror.is_some()),
                ("RequestRedirect", "requestRedirect", self.request_redirect.is_some()),
                ("URLRewrite", "urlRewrite", self.url_rewrite.is_some()),
                ("CORS", "cors", self.cors.is_some()),
                ("ExternalAuth", "externalAuth", self.external_auth.is_some()),
                ("ExtensionRef", "extensionRef", self.extension_ref.is_some()),
            ],
        );
        check.optional("requestHeaderModifier", self.request_header_modifier.as_ref());
        check.optional("responseHeaderModifier", self.response_header_modifier.as_ref());
        check.optional("requestMirror", self.request_mirror.as_ref());
        check.optional("requestRedirect", self.request_redirect.as_ref());
        check.optional("urlRewrite", self.url_rewrite.as_ref());
        check.optional("cors", self.cors.as_ref());
        check.optional("externalAuth", self.external_auth.as_ref());
        check.optional("extensionRef", self.extension_ref.as_ref());
    }
}

impl Validate for GrpcRouteFilter {
    fn validate(&self, check: &mut Check<'_>) {
        check.union(
            self.kind.as_written(),
            &[
                ("RequestHeaderModifier", "requestHeaderModifier", self.request_header_modifier.is_some()),
                ("ResponseHeaderModifier", "responseHeaderModifier", self.response_header_modifier.is_some()),
                ("RequestMirror", "requestMirror", self.request_mirror.is_some()),
                ("ExtensionRef", "extensionRef", self.extension_ref.is_some()),
            ],
        );
        check.optional("requestHeaderModifier", self.request_header_modifier.as_ref());
        check.optional("responseHeaderModifier", self.response_header_modifier.as_ref());
        check.optional("requestMirror", self.request_mirror.as_ref());
        check.optional("extensionRef", self.extension_ref.as_ref());
    }
}

impl Validate for HttpHeaderFilter {
    fn validate(&self, check: &mut Check<'_>) {
        for (field, headers) in [("set", &self.set), ("add", &self.add)] {
            check.list(field, headers, 0..=MAX_HEADERS);
            check.unique(field, "header", headers, |header| header.name.clone());
        }
        // The API sets no form for these names; one that is no token removes nothing.
        check.items("remove", &self.remove, 0..=MAX_HEADERS, |_, _| {});
        check.unique("remove", "header", &self.remove, Clone::clone);
    }
}

impl Validate for HttpHeader {
    fn validate(&self, check: &mut Check<'_>) {
        check.text("name", &self.name, &syntax::TOKEN);
        check.text("value", &self.value, &syntax::HEADER_VALUE);
    }
}

impl Validate for HttpRequestMirrorFilter {
    fn validate(&self, check: &mut Check<'_>) {
        check.value("backendRef", &self.backend_ref);
        check.optional("fraction", self.fraction.as_ref());
        if let Some(percent) = self.percent {
            check.number("percent", percent, 0..=100);
        }
        if self.percent.is_some() && self.fraction.is_some() {
            check.refuse_field("fraction", "percent and fraction exclude each other", "remove one of them");
        }
    }
}

impl Validate for Fraction {
    fn validate(&self, check: &mut Check<'_>) {
        check.number("denominator", self.denominator, 1..=i64::MAX);
        check.number("numerator", self.numerator, 0..=i64::MAX);
        if self.numerator > self.denominator {
            let message = format!("{} is more than the denominator, {}", self.numerator, self.denominator);
            check.refuse_field("numerator", message, "a share is at most one");
        }
    }
}

impl Validate for HttpRequestRedirectFilter {
    fn validate(&self, check: &mut Check<'_>) {
        if let Some(scheme) = &self.scheme {
            check.within("scheme", |check| check.one_of(scheme, &["http", "https"]));
        }
        check.optional_text("hostname", self.hostname.as_ref(), &syntax::DNS_NAME);
        check.optional("path", self.path.as_ref());
        check.port("port", self.port);
        if !REDIRECT_STATUS.contains(&self.status_code) {
            let message = format!("{} is not the status of a redirect", self.status_code);
            check.refuse_field("statusCode", message, "allowed are 301, 302, 303, 307 and 308");
        }
    }
}

impl Validate for HttpUrlRewriteFilter {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("hostname", self.hostname.as_ref(), &syntax::DNS_NAME);
        check.optional("path", self.path.as_ref());
    }
}

impl Validate for HttpPathModifier {
    fn validate(&self, check: &mut Check<'_>) {
        const LONGEST: usize = 1024;
        let chosen = match self.kind {
            HttpPathModifierType::ReplaceFullPath => "ReplaceFullPath",
            HttpPathModifierType::ReplacePrefixMatch => "ReplacePrefixMatch",
        };
        check.union(
            chosen,
            &[
                ("ReplaceFullPath", "replaceFullPath", self.replace_full_path.is_some()),
                ("ReplacePrefixMatch", "replacePrefixMatch", self.replace_prefix_match.is_some()),
            ],
        );
        check.optional_text("replaceFullPath", self.replace_full_path.as_ref(), &syntax::any_text(LONGEST));
        check.optional_text(
            "replacePrefixMatch",
            self.replace_prefix_match.as_ref(),
            &syntax::any_text(LONGEST),
        );
    }
}

impl Validate for HttpCorsFilter {
    fn validate(&self, check: &mut Check<'_>) {
        const METHODS: &[&str] =
            &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];
        check.texts("allowOrigins", &self.allow_origins, 0..=MAX_NAMES, &syntax::ORIGIN);
        check
            .items("allowMethods", &self.allow_methods, 0..=9, |check, method| check.one_of(method, METHODS));
        check.texts("allowHeaders", &self.allow_headers, 0..=MAX_NAMES, &syntax::TOKEN);
        check.texts("exposeHeaders", &self.expose_headers, 0..=MAX_NAMES, &syntax::TOKEN);
        for (field, list) in [
            ("allowOrigins", &self.allow_origins),
            ("allowMethods", &self.allow_methods),
            ("allowHeaders", &self.allow_headers),
            ("exposeHeaders", &self.expose_headers),
        ] {
            check.unique(field, "value", list, Clone::clone);
            // The API lets `*` stand beside others in exposeHeaders only.
            if field != "exposeHeaders" && list.len() > 1 && list.iter().any(|value| value == "*") {
                check.refuse_field(
                    field,
                    "`*` stands for all, so nothing can stand beside it",
                    "keep `*` alone, or remove it",
                );
            }
        }
        check.number("maxAge", self.max_age, 1..=i64::MAX);
    }
}

impl Validate for HttpExternalAuthFilter {
    fn validate(&self, check: &mut Check<'_>) {
        let chosen = match self.protocol {
            ExternalAuthProtocol::Http => "HTTP",
            ExternalAuthProtocol::Grpc => "GRPC",
        };
        check.union(chosen, &[("HTTP", "http", self.http.is_some()), ("GRPC", "grpc", self.grpc.is_some())]);
        check.value("backendRef", &self.backend_ref);
        check.optional("http", self.http.as_ref());
        if let Some(grpc) = &self.grpc {
            check.within("grpc", |check| names("allowedHeaders", &grpc.allowed_headers, check));
        }
        if let Some(body) = self.forward_body {
            check.within("forwardBody", |check| check.number("maxSize", body.max_size, 0..=i64::MAX));
        }
    }
}

impl Validate for HttpAuthConfig {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("path", self.path.as_ref(), &syntax::PATH);
        names("allowedHeaders", &self.allowed_headers, check);
        names("allowedResponseHeaders", &self.allowed_response_headers, check);
    }
}

/// Header names of an authorization filter, for which the API sets no form.
fn names(field: &'static str, names: &[String], check: &mut Check<'_>) {
    check.items(field, names, 0..=MAX_NAMES, |_, _| {});
    check.unique(field, "header", names, Clone::clone);
}
