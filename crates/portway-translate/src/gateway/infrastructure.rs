//! `spec.infrastructure`: labels, annotations and parameters of what is provisioned (GEP-1867, GEP-1762).

use crate::context::{Context, Output};
use crate::finding::FindingCode;
use crate::listener::GatewayView;
use crate::parameters;
use crate::reason::Reason;

/// Most labels of a Gateway's infrastructure (CRD).
const MAX_LABELS: usize = 8;
/// Most annotations of a Gateway's infrastructure (CRD).
const MAX_ANNOTATIONS: usize = 16;
/// Longest label value, and longest name part of a label's or annotation's key.
const MAX_NAME: usize = 63;
/// Longest prefix of a key.
const MAX_PREFIX: usize = 253;
/// Longest annotation value (CRD).
const MAX_ANNOTATION: usize = 4096;

/// Checks the section. A label that no object can carry does not stop the traffic.
pub(super) fn check(context: &Context<'_>, view: &mut GatewayView<'_>, out: &mut Output) {
    let Some(infrastructure) = &view.gateway.spec.infrastructure else { return };
    let mut report = |field: &str, message: String| {
        let field = format!("spec.infrastructure.{field}");
        out.find(super::error(view.gateway, FindingCode::InvalidValue, field, message));
    };
    for (what, map, max) in [
        ("labels", &infrastructure.labels, MAX_LABELS),
        ("annotations", &infrastructure.annotations, MAX_ANNOTATIONS),
    ] {
        if map.len() > max {
            report(what, format!("there are {}, but {max} are allowed", map.len()));
        }
        for key in map.keys().filter(|key| !is_key(key)) {
            report(what, format!("`{key}` is not a valid key"));
        }
    }
    for (key, value) in infrastructure.labels.iter().filter(|(_, value)| !value.is_empty() && !is_name(value))
    {
        report("labels", format!("`{value}` is not a valid value for {key}"));
    }
    for key in
        infrastructure.annotations.iter().filter(|(_, it)| it.len() > MAX_ANNOTATION).map(|(key, _)| key)
    {
        report("annotations", format!("the value of {key} is longer than {MAX_ANNOTATION} characters"));
    }
    if let Err(fault) = parameters::of_gateway(context.snapshot, view.gateway) {
        let field = format!("spec.infrastructure.parametersRef{}", fault.field);
        let error = super::error(view.gateway, fault.code, field, fault.message).with_help(fault.help);
        view.refuse(Reason::InvalidParameters, error.sentence());
        out.find(error);
    }
}

/// A label's or annotation's key: a name, perhaps with a DNS name and a slash in front.
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => {
            let is_dns =
                crate::hostname::parse(prefix).is_ok() && !prefix.is_empty() && !prefix.contains('*');
            is_dns && prefix.len() <= MAX_PREFIX && is_name(name)
        }
        None => is_name(key),
    }
}

fn is_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    name.len() <= MAX_NAME
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}
