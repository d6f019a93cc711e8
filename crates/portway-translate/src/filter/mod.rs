//! Filters: what is done to requests and responses on the way.

mod cors;
mod external_auth;
mod header;
mod mirror;
mod union;
mod url;

use std::sync::Arc;

use portway_api::reference::LocalObjectReference;
use portway_config::filter::Filter;
use portway_config::request_match::RequestMatch;
use portway_config::route::{Fault, FaultReason};

pub(crate) use self::external_auth::external_auth;
use self::header::Direction;
pub(crate) use self::header::name as header_name;
pub(crate) use self::union::Union;
use self::union::{Choice, FilterType, names};
pub(crate) use self::url::check_path;
use crate::backend::Traffic;
use crate::context::Context;
use crate::field::Field;
use crate::problem::{Problem, Problems};
use crate::reason::Reason;
use crate::reference_grant::Referrer;

/// Where filters stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// What translation reads.
    pub(crate) context: &'a Context<'a>,
    /// The route.
    pub(crate) referrer: Referrer<'a>,
    /// What mirrors get.
    pub(crate) traffic: Traffic,
    /// The matches of the rule.
    pub(crate) matches: &'a [RequestMatch],
    /// Whether they stand in a rule, or in one of its `backendRefs`.
    pub(crate) place: Place,
}

/// Where filters stand within a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a rule, which has this many `backendRefs`.
    Rule {
        /// Number of `backendRefs`.
        backends: usize,
    },
    /// In a `backendRef`.
    Backend,
}

/// Filters, translated.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// Those that can be run, in the order of the route.
    pub(crate) filters: Vec<Filter>,
    /// Set when one of them cannot be run, so that requests must be refused.
    pub(crate) fault: Option<Fault>,
}

/// Translates the list `filters` of the object at `field`.
pub(crate) fn filters<F: Union>(
    scope: &Scope<'_>,
    list: &[F],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Filters {
    let already_invalid = problems.invalid.len();
    let mut translated = Filters::default();
    let mut choices = Vec::with_capacity(list.len());
    for (index, filter) in list.iter().enumerate() {
        let at = field.item("filters", index);
        match filter.choice() {
            Ok(choice) => {
                choices.push((index, choice));
                one(scope, choice, &at, &mut translated, problems);
            }
            Err(why) => problems.invalid(&at, why),
        }
    }
    check_combination(scope.place, &choices, field, problems);
    if let Some(problem) = problems.invalid.get(already_invalid) {
        translated
            .fault
            .get_or_insert_with(|| invalid_filter(&format!("{}: {}", problem.field, problem.message)));
    }
    translated
}

fn one(scope: &Scope<'_>, choice: Choice<'_>, at: &Field<'_>, into: &mut Filters, problems: &mut Problems) {
    let field = at.field(names(choice.kind()).1);
    let filter = match choice {
        Choice::RequestHeaders(it) => {
            Filter::RequestHeaders(header::modifier(it, Direction::Request, &field, problems))
        }
        Choice::ResponseHeaders(it) => {
            Filter::ResponseHeaders(header::modifier(it, Direction::Response, &field, problems))
        }
        Choice::Redirect(it) => Filter::Redirect(url::redirect(it, scope.matches, &field, problems)),
        Choice::Rewrite(it) => Filter::Rewrite(url::rewrite(it, scope.matches, &field, problems)),
        Choice::Mirror(it) => Filter::Mirror(mirror::mirror(scope, it, &field, problems)),
        Choice::Cors(it) => Filter::Cors(cors::cors(it, &field, problems)),
        Choice::ExternalAuth(it) => {
            Filter::ExternalAuth(external_auth(scope.context, scope.referrer, it, &field, problems))
        }
        Choice::Extension(it) => {
            into.fault.get_or_insert(extension(it, &field, problems));
            return;
        }
    };
    into.filters.push(filter);
}

/// No filter of our own can be referred to yet. "If a reference to a custom filter type cannot be
/// resolved, the filter MUST NOT be skipped": the requests get an error.
fn extension(reference: &LocalObjectReference, field: &Field<'_>, problems: &mut Problems) -> Fault {
    let LocalObjectReference { group, kind, name } = reference;
    let message = format!(
        "{kind} {name} of API group `{group}` is not a kind of filter that is supported; \
         requests that it should filter get status 500"
    );
    problems.unresolved.push(Problem::new(Reason::InvalidKind, &field.field("kind"), message.as_str()));
    invalid_filter(&message)
}

fn invalid_filter(message: &str) -> Fault {
    Fault { reason: FaultReason::InvalidFilter, message: Arc::from(message) }
}

fn check_combination(
    place: Place,
    choices: &[(usize, Choice<'_>)],
    field: &Field<'_>,
    problems: &mut Problems,
) {
    let has = |kind: FilterType| choices.iter().find(|(_, choice)| choice.kind() == kind);
    for (position, (index, choice)) in choices.iter().enumerate() {
        let kind = choice.kind();
        let is_repeated = choices.iter().take(position).any(|(_, earlier)| earlier.kind() == kind);
        if is_repeated && !is_repeatable(kind) {
            let message = format!("a filter of type {} may stand there only once", names(kind).0);
            problems.refuse(Reason::IncompatibleFilters, &field.item("filters", *index), message);
        }
    }
    if let (Some((index, _)), Some(_)) = (has(FilterType::RequestRedirect), has(FilterType::UrlRewrite)) {
        let message = "RequestRedirect and URLRewrite may not be combined";
        problems.refuse(Reason::IncompatibleFilters, &field.item("filters", *index), message);
    }
    if let (Some((index, _)), Place::Rule { backends: 1.. }) = (has(FilterType::RequestRedirect), place) {
        let message = "RequestRedirect answers every request, so the rule must not have backendRefs";
        problems.refuse(Reason::IncompatibleFilters, &field.item("filters", *index), message);
    }
    if let (Some((index, _)), Place::Backend) = (has(FilterType::ExternalAuth), place) {
        // The API supports it in rules alone: authorization comes before the choice of a backend.
        problems.invalid(
            &field.item("filters", *index),
            "ExternalAuth is a filter for rules, not for backendRefs",
        );
    }
}

/// "Specifying the same filter multiple times is not supported unless explicitly indicated in the
/// filter", which these two do.
fn is_repeatable(kind: FilterType) -> bool {
    matches!(kind, FilterType::RequestMirror | FilterType::ExtensionRef)
}
