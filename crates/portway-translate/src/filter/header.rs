//! Header names and values, and the filters that change headers.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use portway_api::filter::{HttpHeader, HttpHeaderFilter};
use portway_config::filter::{Header, HeaderModifier};

use crate::field::Field;
use crate::finding::{FindingCode, Severity};
use crate::problem::Problems;

/// Headers that belong to the connection or frame the message (RFC 9110, section 7.6.1; RFC 9112,
/// section 6). The proxy writes them itself: a filter that changed them could split a request in two.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which headers a filter changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Those of the request.
    Request,
    /// Those of the response.
    Response,
}

/// A header name in lower case.
///
/// # Errors
///
/// Why it is none, as a sentence.
pub(crate) fn name(text: &str) -> Result<Arc<str>, String> {
    match HeaderName::try_from(text) {
        Ok(name) => Ok(name.as_str().into()),
        Err(_) => Err(format!("`{text}` is no header name")),
    }
}

/// Header names in lower case; those that are none are reported.
pub(crate) fn names(
    texts: &[String],
    list: &str,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<Arc<str>> {
    let mut names = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match name(text) {
            Ok(name) => names.push(name),
            Err(why) => problems.invalid(&field.item(list, index), why),
        }
    }
    names
}

/// A filter that changes headers.
pub(crate) fn modifier(
    filter: &HttpHeaderFilter,
    direction: Direction,
    field: &Field<'_>,
    problems: &mut Problems,
) -> HeaderModifier {
    let mut touched = BTreeSet::new();
    let set = headers(&filter.set, "set", direction, &mut touched, field, problems);
    let add = headers(&filter.add, "add", direction, &mut touched, field, problems);
    let mut remove = Vec::with_capacity(filter.remove.len());
    let mut seen = BTreeSet::new();
    for (index, text) in filter.remove.iter().enumerate() {
        let at = field.item("remove", index);
        let Some(name) = changeable(text, direction, &at, problems) else { continue };
        if touched.contains(&name) {
            problems.invalid(&at, one_action(&name));
        } else if seen.insert(Arc::clone(&name)) {
            remove.push(name);
        }
    }
    HeaderModifier { set, add, remove }
}

fn headers(
    headers: &[HttpHeader],
    list: &str,
    direction: Direction,
    touched: &mut BTreeSet<Arc<str>>,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<Header> {
    let mut changes = Vec::with_capacity(headers.len());
    let mut seen = BTreeSet::new();
    for (index, header) in headers.iter().enumerate() {
        let at = field.item(list, index);
        let name = changeable(&header.name, direction, &at.field("name"), problems);
        let value = value(&header.value, &at.field("value"), problems);
        let (Some(name), Some(value)) = (name, value) else { continue };
        if touched.contains(&name) {
            problems.invalid(&at.field("name"), one_action(&name));
        } else if seen.insert(Arc::clone(&name)) {
            changes.push(Header { name, value });
        } else {
            // "If multiple entries specify equivalent header names, the first entry counts."
            problems.remark(
                Severity::Warning,
                FindingCode::NoEffect,
                &at.field("name"),
                format!("an earlier entry for the header {name} counts, this one is ignored"),
            );
        }
    }
    touched.append(&mut seen);
    changes
}

fn one_action(name: &str) -> String {
    format!("the filter already changes the header {name}; only one action for a header is permitted")
}

fn changeable(text: &str, direction: Direction, at: &Field<'_>, problems: &mut Problems) -> Option<Arc<str>> {
    let name = name(text).map_err(|why| problems.invalid(at, why)).ok()?;
    if FRAMING.contains(&&*name) {
        problems
            .invalid(at, format!("the header {name} is written by the proxy itself and cannot be changed"));
        return None;
    }
    if &*name == "host" && direction == Direction::Request {
        problems.invalid(at, "the Host of a request is changed by a URLRewrite filter (hostname)");
        return None;
    }
    Some(name)
}

fn value(text: &str, at: &Field<'_>, problems: &mut Problems) -> Option<Arc<str>> {
    let is_trimmed = text.trim_matches([' ', '\t']).len() == text.len();
    if text.is_empty() || !text.is_ascii() || !is_trimmed || HeaderValue::from_str(text).is_err() {
        let message = "a header's value is printable ASCII, not empty, without blanks at its ends";
        problems.invalid(at, message);
        return None;
    }
    Some(text.into())
}

#[cfg(test)]
mod tests;
