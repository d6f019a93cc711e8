//! What all kinds of routes have in common.

use std::ops::RangeInclusive;

use super::{
    check::{Check, Validate},
    reference, syntax,
};
use crate::route::{
    CookieConfig, CookieLifetimeType, HeaderConfig, RouteSpec, SessionPersistence, SessionPersistenceType,
};

/// How many hostnames an HTTPRoute or GRPCRoute may have.
const HOSTNAMES: RangeInclusive<usize> = 0..=16;

/// How many rules a route may have.
pub(super) const MAX_RULES: usize = 16;

/// How many matches a rule may have.
pub(super) const MAX_MATCHES: usize = 64;

/// How many matches the rules of a route may have together.
const MAX_MATCHES_TOTAL: usize = 128;

/// How many backends a rule may have.
pub(super) const MAX_BACKENDS: usize = 16;

/// The parents and hostnames of an HTTPRoute or GRPCRoute.
pub(super) fn parents_and_hostnames(route: &impl RouteSpec, check: &mut Check<'_>) {
    reference::parents(route.parent_refs(), check);
    check.texts("hostnames", route.hostnames(), HOSTNAMES, &syntax::HOSTNAME);
}

/// That no two rules have the same name.
pub(super) fn rule_names<R>(rules: &[R], name: impl Fn(&R) -> Option<&String>, check: &mut Check<'_>) {
    for (index, rule) in rules.iter().enumerate().take(MAX_RULES) {
        let Some(own) = name(rule) else { continue };
        if let Some(first) = rules[..index].iter().position(|other| name(other) == Some(own)) {
            let message = format!("the name {own} stands here twice: see item [{first}]");
            check.within("rules", |check| {
                check.within(index, |check| check.within("name", |check| check.refuse(message)));
            });
        }
    }
}

/// That the rules have not too many matches together.
pub(super) fn match_total(matches: impl Iterator<Item = usize>, check: &mut Check<'_>) {
    let total: usize = matches.sum();
    if total > MAX_MATCHES_TOTAL {
        let message =
            format!("the rules have {total} matches together: at most {MAX_MATCHES_TOTAL} are allowed");
        check.refuse_field("rules", message, "split the route");
    }
}

impl Validate for SessionPersistence {
    fn validate(&self, check: &mut Check<'_>) {
        let chosen = match self.kind {
            SessionPersistenceType::Cookie => "Cookie",
            SessionPersistenceType::Header => "Header",
        };
        check.union(
            chosen,
            &[("Cookie", "cookie", self.cookie.is_some()), ("Header", "header", self.header.is_some())],
        );
        check.optional_text("absoluteTimeout", self.absolute_timeout.as_ref(), &syntax::DURATION);
        check.optional("cookie", self.cookie.as_ref());
        check.optional("header", self.header.as_ref());
        let is_permanent =
            self.cookie.as_ref().is_some_and(|cookie| cookie.lifetime_type == CookieLifetimeType::Permanent);
        if is_permanent && self.absolute_timeout.is_none() {
            check.require("absoluteTimeout", "a permanent cookie needs to know when it ends");
        }
    }
}

impl Validate for CookieConfig {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("name", self.name.as_ref(), &syntax::TOKEN);
        check.optional_text("path", self.path.as_ref(), &syntax::any_text(1024));
    }
}

impl Validate for HeaderConfig {
    fn validate(&self, check: &mut Check<'_>) {
        check.text("name", &self.name, &syntax::TOKEN);
    }
}
