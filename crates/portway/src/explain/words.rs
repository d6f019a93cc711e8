//! Conditions and filters in words.

use portway_config::filter::{Filter, HeaderModifier, PathModifier, Redirect, Rewrite};
use portway_config::request_match::{NamedMatch, PathMatch, RequestMatch, ValueMatch};
use portway_config::route::{BackendTarget, HttpRule, SessionCarrier};

/// The conditions of a match.
pub(super) fn conditions(it: &RequestMatch) -> String {
    let mut words = vec![path(&it.path)];
    words.extend(it.method.as_ref().map(|method| format!("method {method}")));
    words.extend(it.headers.iter().map(|header| named("header", header)));
    words.extend(it.query_params.iter().map(|param| named("query parameter", param)));
    words.join(", ")
}

fn path(it: &PathMatch) -> String {
    match it {
        PathMatch::Exact(path) => format!("path exactly {path}"),
        PathMatch::Prefix(prefix) if prefix.is_empty() => "any path".to_owned(),
        PathMatch::Prefix(prefix) => format!("path below {prefix}"),
        PathMatch::Regex(pattern) => format!("path like `{pattern}`"),
        PathMatch::Grpc { service, method } => {
            let part = |it: &Option<ValueMatch>| it.as_ref().map_or_else(|| "any".to_owned(), value);
            format!("gRPC service {}, method {}", part(service), part(method))
        }
    }
}

fn named(what: &str, it: &NamedMatch) -> String {
    format!("{what} {} {}", it.name, value(&it.value))
}

fn value(it: &ValueMatch) -> String {
    match it {
        ValueMatch::Exact(value) => format!("exactly `{value}`"),
        ValueMatch::Regex(pattern) => format!("like `{pattern}`"),
    }
}

/// What a filter does.
pub(super) fn filter(it: &Filter) -> String {
    match it {
        Filter::RequestHeaders(it) => format!("request headers: {}", headers(it)),
        Filter::ResponseHeaders(it) => format!("response headers: {}", headers(it)),
        Filter::Redirect(it) => redirect(it),
        Filter::Rewrite(it) => rewrite(it),
        Filter::Mirror(it) => {
            let share = format!("{} of {} requests", it.numerator, it.denominator);
            format!("mirror {share} to {}", target(&it.target))
        }
        Filter::Cors(it) => format!("CORS for {}", listed(&it.allow_origins)),
        Filter::ExternalAuth(it) => format!("ask {} whether the request may pass", target(&it.target)),
    }
}

fn headers(it: &HeaderModifier) -> String {
    let set = it.set.iter().map(|header| format!("set {} to `{}`", header.name, header.value));
    let add = it.add.iter().map(|header| format!("add `{}` to {}", header.value, header.name));
    let remove = it.remove.iter().map(|name| format!("remove {name}"));
    set.chain(add).chain(remove).collect::<Vec<_>>().join(", ")
}

fn redirect(it: &Redirect) -> String {
    let parts = [
        it.scheme.as_ref().map(|scheme| format!("scheme {scheme}")),
        it.hostname.as_ref().map(|host| format!("host {host}")),
        it.port.map(|port| format!("port {port}")),
        it.path.as_ref().map(replaced),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("redirect with status {} to {}", it.status, parts.join(", "))
}

fn rewrite(it: &Rewrite) -> String {
    let host = it.hostname.as_ref().map(|host| format!("host {host}"));
    let parts: Vec<_> = host.into_iter().chain(it.path.as_ref().map(replaced)).collect();
    format!("rewrite to {}", parts.join(", "))
}

fn replaced(it: &PathModifier) -> String {
    match it {
        PathModifier::ReplaceFullPath(path) => format!("path {path}"),
        PathModifier::ReplacePrefixMatch(prefix) => format!("prefix {prefix}"),
    }
}

/// Where requests go.
pub(super) fn target(it: &BackendTarget) -> String {
    match it {
        BackendTarget::Backend(key) => format!("Service {key}"),
        BackendTarget::Invalid(fault) => format!("nowhere ({})", fault.message),
    }
}

/// The settings of a rule beside its filters and backends.
pub(super) fn settings(rule: &HttpRule) -> Vec<String> {
    let request = rule.request_timeout.map(|timeout| format!("request timeout {timeout:?}"));
    let backend = rule.backend_timeout.map(|timeout| format!("timeout for each attempt {timeout:?}"));
    let retry = rule.retry.as_ref().map(|retry| {
        let codes: Vec<_> = retry.codes.iter().map(ToString::to_string).collect();
        let codes = if codes.is_empty() { String::new() } else { format!(", and on {}", codes.join(", ")) };
        format!("up to {} retries on connection errors{codes}", retry.attempts)
    });
    let session = rule.session_persistence.as_ref().map(|it| match &it.carrier {
        SessionCarrier::Cookie { name, .. } => format!("session kept by cookie {name}"),
        SessionCarrier::Header(name) => format!("session kept by header {name}"),
    });
    [request, backend, retry, session].into_iter().flatten().collect()
}

fn listed(items: &[std::sync::Arc<str>]) -> String {
    items.iter().map(|it| &**it).collect::<Vec<_>>().join(", ")
}
