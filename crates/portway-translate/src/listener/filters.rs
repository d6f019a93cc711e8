//! Filters that run for each request of a listener, before a route is chosen (GEP-5224).

use portway_api::filter::HttpExternalAuthFilter;
use portway_api::listener::{ListenerFilter, ListenerFilterType};
use portway_config::filter::Filter;

use super::view::ListenerView;
use crate::context::{Context, Output};
use crate::field::Field;
use crate::filter::external_auth;
use crate::finding::FindingCode;
use crate::problem::Problems;
use crate::reason::Reason;

/// The filters in their order. One that cannot be run refuses the listener: to leave it out would
/// open what it protects. One whose server cannot be resolved stays and denies every request.
pub(crate) fn translate(
    context: &Context<'_>,
    listener: &mut ListenerView<'_>,
    out: &mut Output,
) -> Vec<Filter> {
    let requests = listener.spec.filters.iter().flat_map(|it| &it.requests);
    let mut filters = Vec::new();
    for (index, filter) in requests.enumerate() {
        match choice(filter) {
            Ok(filter) => filters.push(external(context, listener, index, filter, out)),
            Err((reason, code, message, help)) => {
                let field = format!("filters.requests[{index}]");
                let error = listener.error(code, &field, message).with_help(help);
                listener.refuse(reason, error, out);
            }
        }
    }
    filters
}

type Refusal = (Reason, FindingCode, &'static str, &'static str);

/// The one filter that a list entry stands for: there is one type that can be served.
fn choice(filter: &ListenerFilter) -> Result<&HttpExternalAuthFilter, Refusal> {
    let invalid =
        |message| (Reason::InvalidListenerFilter, FindingCode::InvalidValue, message, "mend the filter");
    match (filter.kind, &filter.external_auth, &filter.extension_ref) {
        (ListenerFilterType::ExternalAuth, Some(filter), None) => Ok(filter),
        (ListenerFilterType::ExternalAuth, None, _) => {
            Err(invalid("the type is ExternalAuth, but `externalAuth` is missing"))
        }
        (ListenerFilterType::ExternalAuth, Some(_), Some(_)) => {
            Err(invalid("the type is ExternalAuth, so `extensionRef` must not be given"))
        }
        (ListenerFilterType::ExtensionRef, ..) => Err((
            Reason::UnsupportedValue,
            FindingCode::UnsupportedValue,
            "filters of type ExtensionRef are not supported",
            "remove the filter, or use ExternalAuth",
        )),
    }
}

fn external(
    context: &Context<'_>,
    listener: &mut ListenerView<'_>,
    index: usize,
    filter: &HttpExternalAuthFilter,
    out: &mut Output,
) -> Filter {
    let at = Field::SPEC.item("listeners", listener.index);
    let (filters, mut problems) = (at.field("filters"), Problems::default());
    let request = filters.item("requests", index);
    let field = request.field("externalAuth");
    let auth = external_auth(context, listener.owner.referrer(), filter, &field, &mut problems);
    let object = listener.owner.object_ref();
    for problem in &problems.invalid {
        listener.refuse(Reason::InvalidListenerFilter, problem.finding(&object), out);
    }
    for problem in &problems.unresolved {
        let reason = match problem.reason {
            Reason::RefNotPermitted => Reason::RefNotPermitted,
            _ => Reason::InvalidListenerFilterRef,
        };
        listener.unresolved(reason, problem.finding(&object), out);
    }
    out.findings.extend(problems.findings(&object));
    Filter::ExternalAuth(auth)
}
