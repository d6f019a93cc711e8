//! Conditions on requests: the matches of HTTPRoutes and GRPCRoutes.

use std::sync::Arc;

use portway_api::grpc_route::{GrpcMethodMatch, GrpcRouteMatch};
use portway_api::http_route::{HeaderMatch, HttpPathMatch, HttpRouteMatch, PathMatchType, ValueMatchType};
use portway_config::request_match::{NamedMatch, PathMatch, RequestMatch, ValueMatch};

use crate::expressions::Expressions;
use crate::field::Field;
use crate::filter;
use crate::finding::{FindingCode, Severity};
use crate::problem::Problems;

/// The matches of a rule of an HTTPRoute; where it has none, one that matches every request.
pub(crate) fn of_http(
    expressions: &Expressions,
    matches: &[HttpRouteMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<RequestMatch> {
    if matches.is_empty() {
        return vec![everything(PathMatch::Prefix("".into()))];
    }
    let matches = matches.iter().enumerate().filter_map(|(index, it)| {
        let at = field.item("matches", index);
        let headers = headers(expressions, &it.headers, &at, problems);
        let query_params = query_params(expressions, &it.query_params, &at, problems);
        let path = path(expressions, &it.path, &at.field("path"), problems)?;
        let method = it.method.map(|method| method.as_str().into());
        Some(RequestMatch { path, method, headers, query_params })
    });
    let mut matches: Vec<_> = matches.collect();
    // A list that grows has room for four at once, and most rules have one match.
    matches.shrink_to_fit();
    matches
}

/// The matches of a rule of a GRPCRoute; where it has none, one that matches every call.
pub(crate) fn of_grpc(
    expressions: &Expressions,
    matches: &[GrpcRouteMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<RequestMatch> {
    if matches.is_empty() {
        return vec![everything(PathMatch::Grpc { service: None, method: None })];
    }
    let matches = matches.iter().enumerate().map(|(index, it)| {
        let at = field.item("matches", index);
        let path = match &it.method {
            Some(method) => grpc_method(expressions, method, &at.field("method"), problems),
            None => PathMatch::Grpc { service: None, method: None },
        };
        RequestMatch { headers: headers(expressions, &it.headers, &at, problems), ..everything(path) }
    });
    matches.collect()
}

fn everything(path: PathMatch) -> RequestMatch {
    RequestMatch { path, method: None, headers: Vec::new(), query_params: Vec::new() }
}

fn path(
    expressions: &Expressions,
    path: &HttpPathMatch,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Option<PathMatch> {
    let at = field.field("value");
    let value = path.value.as_str();
    let checked = match path.kind {
        PathMatchType::RegularExpression => expressions.check(value).map_err(|error| error.to_string()),
        PathMatchType::Exact | PathMatchType::PathPrefix => check_path(value),
    };
    checked.map_err(|why| problems.invalid(&at, why)).ok()?;
    Some(match path.kind {
        PathMatchType::Exact => PathMatch::Exact(value.into()),
        // "When specified, a trailing `/` is ignored."
        PathMatchType::PathPrefix => PathMatch::Prefix(value.strip_suffix('/').unwrap_or(value).into()),
        PathMatchType::RegularExpression => PathMatch::Regex(value.into()),
    })
}

/// What the CRD's validation asks of a path.
fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("`{}` does not begin with /", path.escape_default()));
    }
    if path.contains("//") {
        return Err("a path must not have // in it; requests are matched after // became /".to_owned());
    }
    if path.to_ascii_lowercase().contains("%2f") {
        return Err("a path must not have %2F in it".to_owned());
    }
    filter::check_path(path)
}

fn headers(
    expressions: &Expressions,
    matches: &[HeaderMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<NamedMatch> {
    named(expressions, matches, "headers", filter::header_name, field, problems)
}

fn query_params(
    expressions: &Expressions,
    matches: &[HeaderMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<NamedMatch> {
    let name = |text: &str| {
        if text.is_empty() { Err("a query parameter needs a name".to_owned()) } else { Ok(text.into()) }
    };
    named(expressions, matches, "queryParams", name, field, problems)
}

/// Matches by name. "Only the first entry with an equivalent name MUST be considered."
fn named(
    expressions: &Expressions,
    matches: &[HeaderMatch],
    list: &str,
    name: impl Fn(&str) -> Result<Arc<str>, String>,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<NamedMatch> {
    let mut named: Vec<NamedMatch> = Vec::with_capacity(matches.len());
    for (index, it) in matches.iter().enumerate() {
        let at = field.item(list, index);
        let name = name(&it.name).map_err(|why| problems.invalid(&at.field("name"), why));
        let value = value(expressions, it.kind, &it.value, &at.field("value"), problems);
        let (Ok(name), Some(value)) = (name, value) else { continue };
        if named.iter().any(|earlier| earlier.name == name) {
            let message = format!("an earlier entry for {name} counts, this one is ignored");
            problems.remark(Severity::Warning, FindingCode::NoEffect, &at, message);
        } else {
            named.push(NamedMatch { name, value });
        }
    }
    named
}

fn value(
    expressions: &Expressions,
    kind: ValueMatchType,
    text: &str,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Option<ValueMatch> {
    match kind {
        ValueMatchType::Exact if text.is_empty() => {
            problems.invalid(field, "a value must not be empty");
            None
        }
        ValueMatchType::Exact => Some(ValueMatch::Exact(text.into())),
        ValueMatchType::RegularExpression => {
            expressions.check(text).map_err(|error| problems.invalid(field, error.to_string())).ok()?;
            Some(ValueMatch::Regex(text.into()))
        }
    }
}

fn grpc_method(
    expressions: &Expressions,
    method: &GrpcMethodMatch,
    field: &Field<'_>,
    problems: &mut Problems,
) -> PathMatch {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (service, name) = (given(&method.service), given(&method.method));
    if service.is_none() && name.is_none() {
        problems.invalid(field, "one of service and method, or both, must be given");
    }
    let mut part = |text: Option<String>, name: &str| {
        let text = text?;
        let at = field.field(name);
        if method.kind == ValueMatchType::Exact && !is_protobuf_name(&text) {
            problems.invalid(&at, format!("`{}` is no name of a gRPC {name}", text.escape_default()));
        }
        value(expressions, method.kind, &text, &at, problems)
    };
    PathMatch::Grpc { service: part(service, "service"), method: part(name, "method") }
}

/// Identifiers joined by dots, as in `package.Service`.
fn is_protobuf_name(text: &str) -> bool {
    let is_identifier = |part: &str| {
        part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
            && part.bytes().next().is_some_and(|c| !c.is_ascii_digit())
    };
    text.strip_prefix('.').unwrap_or(text).split('.').all(is_identifier)
}

#[cfg(test)]
mod tests;
