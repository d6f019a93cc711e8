//! GRPCRoute.

use super::{
    check::{Check, Validate},
    http_route::header_match,
    reference::BackendFilters,
    route, syntax,
};
use crate::{
    filter::GrpcRouteFilter,
    grpc_route::{GrpcMethodMatch, GrpcRouteMatch, GrpcRouteRule, GrpcRouteSpec},
    http_route::ValueMatchType,
};

/// How many headers a match may name.
const MAX_HEADERS: usize = 16;

impl Validate for GrpcRouteSpec {
    fn validate(&self, check: &mut Check<'_>) {
        route::parents_and_hostnames(self, check);
        check.list("rules", &self.rules, 0..=route::MAX_RULES);
        route::rule_names(&self.rules, |rule| rule.name.as_ref(), check);
        route::match_total(self.rules.iter().map(|rule| rule.matches.len()), check);
    }
}

impl Validate for GrpcRouteRule {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("name", self.name.as_ref(), &syntax::DNS_NAME);
        check.list("matches", &self.matches, 0..=route::MAX_MATCHES);
        GrpcRouteFilter::validate_list(&self.filters, check);
        check.list("backendRefs", &self.backend_refs, 0..=route::MAX_BACKENDS);
        check.optional("sessionPersistence", self.session_persistence.as_ref());
    }
}

impl Validate for GrpcRouteMatch {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional("method", self.method.as_ref());
        let form = syntax::some_text(4096);
        check.items("headers", &self.headers, 0..=MAX_HEADERS, |check, it| header_match(it, &form, check));
        check.unique("headers", "header", &self.headers, |header| header.name.clone());
    }
}

impl Validate for GrpcMethodMatch {
    fn validate(&self, check: &mut Check<'_>) {
        if self.service.is_none() && self.method.is_none() {
            check.refuse("a match on a method names a service, a method or both");
        }
        let (service, method) = match self.kind {
            ValueMatchType::Exact => (syntax::GRPC_SERVICE, syntax::GRPC_METHOD),
            ValueMatchType::RegularExpression => (syntax::any_text(1024), syntax::any_text(1024)),
        };
        check.optional_text("service", self.service.as_ref(), &service);
        check.optional_text("method", self.method.as_ref(), &method);
    }
}
