//! What a rule says about time and repetition: timeouts, retries, session persistence.

use std::time::Duration;

use portway_api::http_route::{HttpRouteRetry, HttpRouteTimeouts};
use portway_api::route::{
    CookieLifetimeType, SessionPersistence as ApiSessionPersistence, SessionPersistenceType,
};
use portway_config::route::{Retry, SessionCarrier, SessionPersistence};

use super::duration;
use crate::field::Field;
use crate::filter;
use crate::problem::Problems;

/// Retries where a retry stanza names no number (`apis/v1`, default of `attempts`).
const DEFAULT_ATTEMPTS: u32 = 1;

/// Path attribute of a session cookie that names none (GEP-1619).
const DEFAULT_COOKIE_PATH: &str = "/";

/// The timeouts of a rule (GEP-1742): of the whole request, and of each attempt.
pub(crate) fn timeouts(
    timeouts: Option<&HttpRouteTimeouts>,
    field: &Field<'_>,
    problems: &mut Problems,
) -> (Option<Duration>, Option<Duration>) {
    let Some(timeouts) = timeouts else { return (None, None) };
    let at = field.field("timeouts");
    let request = time(timeouts.request.as_deref(), "request", &at, problems);
    let backend = time(timeouts.backend_request.as_deref(), "backendRequest", &at, problems);
    if let (Some(request), Some(backend)) = (request, backend) {
        // Zero is no timeout, so it is longer than any.
        if !request.is_zero() && backend > request {
            let message = "it must not be longer than the timeout of the whole request";
            problems.invalid(&at.field("backendRequest"), message);
        }
    }
    (request, backend)
}

/// Retries (GEP-1731).
pub(crate) fn retry(
    retry: Option<&HttpRouteRetry>,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Option<Retry> {
    let retry = retry?;
    let at = field.field("retry");
    for (index, code) in retry.codes.iter().enumerate() {
        if !(400..=599).contains(code) {
            problems.invalid(&at.item("codes", index), format!("{code} is not between 400 and 599"));
        }
    }
    let attempts = retry.attempts.map_or(Ok(DEFAULT_ATTEMPTS), u32::try_from).unwrap_or_else(|_| {
        problems.invalid(&at.field("attempts"), "it is negative or too large");
        0
    });
    let backoff = time(retry.backoff.as_deref(), "backoff", &at, problems);
    Some(Retry { codes: retry.codes.clone(), attempts, backoff })
}

/// Session persistence (GEP-1619). `identity` tells the rule from all others, for a cookie that the
/// user gave no name.
pub(crate) fn session_persistence(
    persistence: Option<&ApiSessionPersistence>,
    identity: &str,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Option<SessionPersistence> {
    let persistence = persistence?;
    let at = field.field("sessionPersistence");
    let absolute_timeout = time(persistence.absolute_timeout.as_deref(), "absoluteTimeout", &at, problems);
    let carrier = match persistence.kind {
        SessionPersistenceType::Cookie => {
            if persistence.header.is_some() {
                problems.invalid(&at.field("header"), "it must not be given where the type is Cookie");
            }
            cookie(persistence, identity, &at, problems)
        }
        SessionPersistenceType::Header => {
            if persistence.cookie.is_some() {
                problems.invalid(&at.field("cookie"), "it must not be given where the type is Header");
            }
            header(persistence, &at, problems)?
        }
    };
    Some(SessionPersistence { carrier, absolute_timeout })
}

fn cookie(
    persistence: &ApiSessionPersistence,
    identity: &str,
    field: &Field<'_>,
    problems: &mut Problems,
) -> SessionCarrier {
    let cookie = persistence.cookie.clone().unwrap_or_default();
    let at = field.field("cookie");
    let name = cookie.name.unwrap_or_else(|| format!("portway-session-{:016x}", fnv1a(identity)));
    // A cookie's name has the characters of a header's (RFC 6265, section 4.1.1), but a case.
    if filter::header_name(&name).is_err() {
        let message = format!("`{}` is no name of a cookie", name.escape_default());
        problems.invalid(&at.field("name"), message);
    }
    let path = cookie.path.unwrap_or_else(|| DEFAULT_COOKIE_PATH.to_owned());
    if path.bytes().any(|c| c.is_ascii_control() || !c.is_ascii() || c == b';') {
        problems.invalid(&at.field("path"), "a cookie's path is printable ASCII without ';'");
    }
    let permanent = cookie.lifetime_type == CookieLifetimeType::Permanent;
    if permanent && persistence.absolute_timeout.is_none() {
        let message = "a Permanent cookie needs absoluteTimeout, which says when it ends";
        problems.invalid(&at.field("lifetimeType"), message);
    }
    SessionCarrier::Cookie { name: name.into(), path: path.into(), permanent }
}

fn header(
    persistence: &ApiSessionPersistence,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Option<SessionCarrier> {
    let at = field.field("header");
    let Some(header) = &persistence.header else {
        problems.invalid(&at, "it must be given where the type is Header");
        return None;
    };
    match filter::header_name(&header.name) {
        Ok(name) => Some(SessionCarrier::Header(name)),
        Err(why) => {
            problems.invalid(&at.field("name"), why);
            None
        }
    }
}

fn time(text: Option<&str>, name: &str, field: &Field<'_>, problems: &mut Problems) -> Option<Duration> {
    duration::parse(text?).map_err(|why| problems.invalid(&field.field(name), why)).ok()
}

/// A hash that stays the same from one version of Portway to the next, since cookies outlive it.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
