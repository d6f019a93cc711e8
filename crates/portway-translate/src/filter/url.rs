//! Hosts and paths in redirects and rewrites.

use std::sync::Arc;

use portway_api::filter::{
    HttpPathModifier, HttpPathModifierType, HttpRequestRedirectFilter, HttpUrlRewriteFilter,
};
use portway_config::filter::{PathModifier, Redirect, Rewrite};
use portway_config::request_match::{PathMatch, RequestMatch};

use crate::field::Field;
use crate::hostname;
use crate::problem::Problems;

/// Status codes of a redirect.
const REDIRECT_STATUS: [u16; 5] = [301, 302, 303, 307, 308];

/// A redirect. `matches` are those of the rule.
pub(crate) fn redirect(
    filter: &HttpRequestRedirectFilter,
    matches: &[RequestMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Redirect {
    let scheme = filter.scheme.as_deref().filter(|scheme| !scheme.is_empty());
    if let Some(scheme) = scheme.filter(|scheme| !matches!(*scheme, "http" | "https")) {
        problems.invalid(&field.field("scheme"), format!("`{scheme}` is neither http nor https"));
    }
    let port = filter.port.and_then(|port| {
        let number = u16::try_from(port).ok().filter(|number| *number > 0);
        if number.is_none() {
            problems.invalid(&field.field("port"), format!("{port} is no port; ports are 1 to 65535"));
        }
        number
    });
    if !REDIRECT_STATUS.contains(&filter.status_code) {
        let message = format!("{} is none of 301, 302, 303, 307 and 308", filter.status_code);
        problems.invalid(&field.field("statusCode"), message);
    }
    Redirect {
        scheme: scheme.map(Arc::from),
        hostname: host(filter.hostname.as_deref(), field, problems),
        path: path(filter.path.as_ref(), matches, field, problems),
        port,
        status: filter.status_code,
    }
}

/// A rewrite. `matches` are those of the rule.
pub(crate) fn rewrite(
    filter: &HttpUrlRewriteFilter,
    matches: &[RequestMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Rewrite {
    Rewrite {
        hostname: host(filter.hostname.as_deref(), field, problems),
        path: path(filter.path.as_ref(), matches, field, problems),
    }
}

fn host(text: Option<&str>, field: &Field<'_>, problems: &mut Problems) -> Option<Arc<str>> {
    let text = text.filter(|text| !text.is_empty())?;
    match hostname::precise(text) {
        Ok(name) => Some(name),
        Err(fault) => {
            problems.invalid(&field.field("hostname"), format!("`{text}` {fault}"));
            None
        }
    }
}

fn path(
    modifier: Option<&HttpPathModifier>,
    matches: &[RequestMatch],
    field: &Field<'_>,
    problems: &mut Problems,
) -> Option<PathModifier> {
    let modifier = modifier?;
    let field = field.field("path");
    let (full, prefix) = (modifier.replace_full_path.as_deref(), modifier.replace_prefix_match.as_deref());
    let (wanted, value, excess) = match modifier.kind {
        HttpPathModifierType::ReplaceFullPath => ("replaceFullPath", full, prefix),
        HttpPathModifierType::ReplacePrefixMatch => ("replacePrefixMatch", prefix, full),
    };
    let Some(value) = value.filter(|_| excess.is_none()) else {
        problems.invalid(&field, format!("its type asks for the field {wanted} and no other"));
        return None;
    };
    if let Err(why) = check_path(value) {
        problems.invalid(&field.field(wanted), why);
        return None;
    }
    Some(match modifier.kind {
        HttpPathModifierType::ReplaceFullPath => PathModifier::ReplaceFullPath(absolute(value)),
        HttpPathModifierType::ReplacePrefixMatch => {
            if !matches!(matches, [RequestMatch { path: PathMatch::Prefix(_), .. }]) {
                let message = "the rule must have exactly one match, and that of type PathPrefix";
                problems.invalid(&field.field(wanted), message);
            }
            PathModifier::ReplacePrefixMatch(value.into())
        }
    })
}

/// A path begins with a slash, whether it is written or not.
pub(super) fn absolute(path: &str) -> Arc<str> {
    if path.starts_with('/') { path.into() } else { format!("/{path}").into() }
}

/// A path of RFC 3986: slashes, the characters of `pchar`, and `%` with two digits.
///
/// # Errors
///
/// Why it is none, as a sentence.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if path.contains(['?', '#']) {
        return Err("a path has neither query nor fragment; the request's query stays".to_owned());
    }
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&c);
    let is_escape = |text: &str| text.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("a path has no segments . and ..".to_owned());
    }
    if path.bytes().all(is_plain) && path.split('%').skip(1).all(is_escape) {
        return Ok(());
    }
    Err(format!("`{}` has characters that a path must not have", path.escape_default()))
}

#[cfg(test)]
mod tests;
