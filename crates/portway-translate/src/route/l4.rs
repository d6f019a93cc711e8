//! The rule of TLSRoutes, TCPRoutes and UDPRoutes.

use std::sync::Arc;

use portway_api::l4_route::L4RouteSpec;
use portway_api::reference::BackendRef;
use portway_api::resource::{GATEWAY_GROUP, Resource};
use portway_config::route::{L4Rule, Rules};

use super::backends;
use super::rule::{Gatherer, Translated};
use crate::backend::Traffic;
use crate::context::Context;
use crate::field::Field;
use crate::filter::{Filters, Place, Scope};
use crate::problem::Problems;
use crate::reference_grant::Referrer;

/// The rules of a route that looks at no more than the connection. There must be exactly one, since
/// nothing could tell which of several is meant.
pub(crate) fn rules<S: L4RouteSpec>(
    context: &Context<'_>,
    route: &Resource<S>,
    traffic: Traffic,
) -> Translated {
    let referrer = Referrer { group: GATEWAY_GROUP, kind: S::KIND, namespace: route.namespace() };
    let scope = Scope { context, referrer, traffic, matches: &[], place: Place::Backend };
    let mut gatherer = Gatherer::new();
    let rules = route.spec.rules();
    for (index, rule) in rules.iter().enumerate() {
        let field = Field::SPEC.item("rules", index);
        gatherer.add(rule.name.as_deref(), |problems| {
            if index > 0 {
                problems.invalid(&field, format!("a {} has one rule", S::KIND));
            }
            if rule.backend_refs.is_empty() {
                problems.invalid(&field.field("backendRefs"), "there must be at least one backend");
            }
            let weights = backends::weights(&rule.backend_refs, &field, problems);
            let no_filters = |_: &BackendRef, _: &Field<'_>, _: &mut Problems| Filters::default();
            let backends =
                backends::backends(&scope, &rule.backend_refs, weights, no_filters, &field, problems);
            let name = rule.name.as_deref().map(Arc::from);
            problems.invalid.is_empty().then_some(L4Rule { index, name, backends })
        });
    }
    if rules.is_empty() {
        gatherer.add(None, |problems| {
            problems.invalid(&Field::SPEC.field("rules"), format!("a {} needs one rule", S::KIND));
            None
        });
    }
    gatherer.finish(Rules::L4)
}
