//! The filters of HTTPRoutes and GRPCRoutes, seen as what they are: one choice among several.
//!
//! The API writes the choice as `type` beside one field for each type, of which the right one must be
//! there and no other.

use portway_api::filter::{
    GrpcRouteFilter, GrpcRouteFilterType, HttpCorsFilter, HttpExternalAuthFilter, HttpHeaderFilter,
    HttpRequestMirrorFilter, HttpRequestRedirectFilter, HttpRouteFilter, HttpRouteFilterType,
    HttpUrlRewriteFilter,
};
use portway_api::reference::LocalObjectReference;

/// One filter.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each variant is named for its filter")]
pub(crate) enum Choice<'a> {
    RequestHeaders(&'a HttpHeaderFilter),
    ResponseHeaders(&'a HttpHeaderFilter),
    Redirect(&'a HttpRequestRedirectFilter),
    Rewrite(&'a HttpUrlRewriteFilter),
    Mirror(&'a HttpRequestMirrorFilter),
    Cors(&'a HttpCorsFilter),
    ExternalAuth(&'a HttpExternalAuthFilter),
    Extension(&'a LocalObjectReference),
}

impl Choice<'_> {
    /// Type of the filter.
    pub(crate) fn kind(&self) -> FilterType {
        match self {
            Self::RequestHeaders(_) => FilterType::RequestHeaderModifier,
            Self::ResponseHeaders(_) => FilterType::ResponseHeaderModifier,
            Self::Redirect(_) => FilterType::RequestRedirect,
            Self::Rewrite(_) => FilterType::UrlRewrite,
            Self::Mirror(_) => FilterType::RequestMirror,
            Self::Cors(_) => FilterType::Cors,
            Self::ExternalAuth(_) => FilterType::ExternalAuth,
            Self::Extension(_) => FilterType::ExtensionRef,
        }
    }
}

/// Types of filters: those of HTTPRoutes, which those of GRPCRoutes are a part of.
pub(crate) type FilterType = HttpRouteFilterType;

/// A type and its field, as the API writes them.
pub(crate) fn names(kind: FilterType) -> (&'static str, &'static str) {
    match kind {
        FilterType::RequestHeaderModifier => ("RequestHeaderModifier", "requestHeaderModifier"),
        FilterType::ResponseHeaderModifier => ("ResponseHeaderModifier", "responseHeaderModifier"),
        FilterType::RequestRedirect => ("RequestRedirect", "requestRedirect"),
        FilterType::UrlRewrite => ("URLRewrite", "urlRewrite"),
        FilterType::RequestMirror => ("RequestMirror", "requestMirror"),
        FilterType::Cors => ("CORS", "cors"),
        FilterType::ExternalAuth => ("ExternalAuth", "externalAuth"),
        FilterType::ExtensionRef => ("ExtensionRef", "extensionRef"),
    }
}

/// A filter as the API writes it.
pub(crate) trait Union {
    /// What `type` says.
    fn kind(&self) -> FilterType;

    /// The fields that are present.
    fn present(&self) -> impl Iterator<Item = Choice<'_>>;

    /// The one choice.
    ///
    /// # Errors
    ///
    /// Which field is missing, or must not be there, as a sentence.
    fn choice(&self) -> Result<Choice<'_>, String> {
        let kind = self.kind();
        let (type_name, field) = names(kind);
        if let Some(excess) = self.present().find(|choice| choice.kind() != kind) {
            let (_, other) = names(excess.kind());
            return Err(format!("a filter of type {type_name} must not have the field {other}"));
        }
        self.present().next().ok_or_else(|| format!("a filter of type {type_name} needs the field {field}"))
    }
}

impl Union for HttpRouteFilter {
    fn kind(&self) -> FilterType {
        self.kind
    }

    fn present(&self) -> impl Iterator<Item = Choice<'_>> {
        let choices = [
            self.request_header_modifier.as_ref().map(Choice::RequestHeaders),
            self.response_header_modifier.as_ref().map(Choice::ResponseHeaders),
            self.request_redirect.as_ref().map(Choice::Redirect),
            self.url_rewrite.as_ref().map(Choice::Rewrite),
            self.request_mirror.as_ref().map(Choice::Mirror),
            self.cors.as_ref().map(Choice::Cors),
            self.external_auth.as_ref().map(Choice::ExternalAuth),
            self.extension_ref.as_ref().map(Choice::Extension),
        ];
        choices.into_iter().flatten()
    }
}

impl Union for GrpcRouteFilter {
    fn kind(&self) -> FilterType {
        match self.kind {
            GrpcRouteFilterType::RequestHeaderModifier => FilterType::RequestHeaderModifier,
            GrpcRouteFilterType::ResponseHeaderModifier => FilterType::ResponseHeaderModifier,
            GrpcRouteFilterType::RequestMirror => FilterType::RequestMirror,
            GrpcRouteFilterType::ExtensionRef => FilterType::ExtensionRef,
        }
    }

    fn present(&self) -> impl Iterator<Item = Choice<'_>> {
        let choices = [
            self.request_header_modifier.as_ref().map(Choice::RequestHeaders),
            self.response_header_modifier.as_ref().map(Choice::ResponseHeaders),
            self.request_mirror.as_ref().map(Choice::Mirror),
            self.extension_ref.as_ref().map(Choice::Extension),
        ];
        choices.into_iter().flatten()
    }
}
