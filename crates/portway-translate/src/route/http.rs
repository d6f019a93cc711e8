//! The rules of HTTPRoutes and GRPCRoutes.

use std::collections::BTreeSet;
use std::sync::Arc;

use portway_api::reference::BackendRef;
use portway_api::resource::{GATEWAY_GROUP, Resource};
use portway_api::route::{RouteSpec, SessionPersistence};
use portway_api::{GrpcRoute, HttpRoute};
use portway_config::filter::Filter;
use portway_config::request_match::RequestMatch;
use portway_config::route::{HttpRule, Rules};

use super::rule::{Gatherer, Translated};
use super::{backends, policy, request_match};
use crate::backend::Traffic;
use crate::context::Context;
use crate::field::Field;
use crate::filter::{self, Place, Scope, Union};
use crate::finding::{FindingCode, Severity};
use crate::problem::Problems;
use crate::reference_grant::Referrer;

/// The rules of an HTTPRoute.
pub(crate) fn http_rules(context: &Context<'_>, route: &HttpRoute) -> Translated {
    let mut gatherer = Gatherer::new();
    let mut names = BTreeSet::new();
    for (index, rule) in route.spec.rules.iter().enumerate() {
        let field = Field::SPEC.item("rules", index);
        gatherer.add(rule.name.as_deref(), |problems| {
            check_name(rule.name.as_deref(), &mut names, &field, problems);
            let matches = request_match::of_http(&context.expressions, &rule.matches, &field, problems);
            let (request_timeout, backend_timeout) =
                policy::timeouts(rule.timeouts.as_ref(), &field, problems);
            let retry = policy::retry(rule.retry.as_ref(), &field, problems);
            let session = rule.session_persistence.as_ref();
            let parts = Parts {
                traffic: Traffic::Http,
                index,
                name: rule.name.as_deref(),
                filters: &rule.filters,
                backend_refs: &rule.backend_refs,
                session,
            };
            let rule = parts.translate(context, route, matches, &field, problems)?;
            Some(HttpRule { request_timeout, backend_timeout, retry, ..rule })
        });
    }
    gatherer.finish(Rules::Http)
}

/// The rules of a GRPCRoute.
pub(crate) fn grpc_rules(context: &Context<'_>, route: &GrpcRoute) -> Translated {
    let mut gatherer = Gatherer::new();
    let mut names = BTreeSet::new();
    for (index, rule) in route.spec.rules.iter().enumerate() {
        let field = Field::SPEC.item("rules", index);
        gatherer.add(rule.name.as_deref(), |problems| {
            check_name(rule.name.as_deref(), &mut names, &field, problems);
            let matches = request_match::of_grpc(&context.expressions, &rule.matches, &field, problems);
            let session = rule.session_persistence.as_ref();
            let parts = Parts {
                traffic: Traffic::Grpc,
                index,
                name: rule.name.as_deref(),
                filters: &rule.filters,
                backend_refs: &rule.backend_refs,
                session,
            };
            parts.translate(context, route, matches, &field, problems)
        });
    }
    gatherer.finish(Rules::Http)
}

/// "Rule name must be unique within the route."
fn check_name<'r>(
    name: Option<&'r str>,
    names: &mut BTreeSet<&'r str>,
    field: &Field<'_>,
    problems: &mut Problems,
) {
    if let Some(name) = name.filter(|name| !names.insert(name)) {
        let message = format!("an earlier rule of the route has the name {name} too");
        problems.remark(Severity::Error, FindingCode::InvalidValue, &field.field("name"), message);
    }
}

/// What rules of both kinds have.
struct Parts<'r, F> {
    traffic: Traffic,
    index: usize,
    name: Option<&'r str>,
    filters: &'r [F],
    backend_refs: &'r [BackendRef<F>],
    session: Option<&'r SessionPersistence>,
}

impl<F: Union> Parts<'_, F> {
    /// None where the rule must be dropped: what it matches, or how long it may take, is not known.
    fn translate<S: RouteSpec>(
        &self,
        context: &Context<'_>,
        route: &Resource<S>,
        matches: Vec<RequestMatch>,
        field: &Field<'_>,
        problems: &mut Problems,
    ) -> Option<HttpRule> {
        let identity = format!("{} {} {}", S::KIND, route.key(), self.index);
        let session_persistence = policy::session_persistence(self.session, &identity, field, problems);
        let weights = backends::weights(self.backend_refs, field, problems);
        let is_dropped = !problems.invalid.is_empty();

        let referrer = Referrer { group: GATEWAY_GROUP, kind: S::KIND, namespace: route.namespace() };
        let place = Place::Rule { backends: self.backend_refs.len() };
        let scope = Scope { context, referrer, traffic: self.traffic, matches: &matches, place };
        let translated = filter::filters(&scope, self.filters, field, problems);
        let backend_scope = Scope { place: Place::Backend, ..scope };
        let backend_filters = |reference: &BackendRef<F>, at: &Field<'_>, problems: &mut Problems| {
            filter::filters(&backend_scope, &reference.filters, at, problems)
        };
        let backends =
            backends::backends(&scope, self.backend_refs, weights, backend_filters, field, problems);
        if backends.is_empty() && !translated.filters.iter().any(|it| matches!(it, Filter::Redirect(_))) {
            let message = "the rule has neither a backend nor a redirect: its requests get status 500";
            problems.remark(Severity::Warning, FindingCode::NoEffect, &field.field("backendRefs"), message);
        }
        (!is_dropped).then(|| HttpRule {
            index: self.index,
            name: self.name.map(Arc::from),
            matches,
            filters: translated.filters,
            backends,
            fault: translated.fault.or_else(|| super::rule::fault(&problems.invalid)),
            request_timeout: None,
            backend_timeout: None,
            retry: None,
            session_persistence,
        })
    }
}
