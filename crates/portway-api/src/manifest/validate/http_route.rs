//! HTTPRoute.

use super::{
    check::{Check, Validate},
    filter::MAX_FILTERS,
    reference::BackendFilters,
    route, syntax,
};
use crate::{
    filter::{HttpPathModifier, HttpPathModifierType, HttpRouteFilter},
    http_route::{
        HeaderMatch, HttpPathMatch, HttpRouteMatch, HttpRouteRetry, HttpRouteRule, HttpRouteSpec,
        HttpRouteTimeouts, PathMatchType,
    },
};

/// How many headers or query parameters a match may name.
const MAX_CONDITIONS: usize = 16;

impl Validate for HttpRouteSpec {
    fn validate(&self, check: &mut Check<'_>) {
        route::parents_and_hostnames(self, check);
        check.list("rules", &self.rules, 1..=route::MAX_RULES);
        route::rule_names(&self.rules, |rule| rule.name.as_ref(), check);
        route::match_total(self.rules.iter().map(|rule| rule.matches.len()), check);
    }
}

impl Validate for HttpRouteRule {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("name", self.name.as_ref(), &syntax::DNS_NAME);
        check.list("matches", &self.matches, 0..=route::MAX_MATCHES);
        HttpRouteFilter::validate_list(&self.filters, check);
        check.list("backendRefs", &self.backend_refs, 0..=route::MAX_BACKENDS);
        check.optional("timeouts", self.timeouts.as_ref());
        check.optional("retry", self.retry.as_ref());
        check.optional("sessionPersistence", self.session_persistence.as_ref());
        self.redirect_excludes_backends(check);
        self.prefix_needs_prefix_match(&self.filters, check);
        check.within("backendRefs", |check| {
            for (index, backend) in self.backend_refs.iter().enumerate().take(route::MAX_BACKENDS) {
                check.within(index, |check| self.prefix_needs_prefix_match(&backend.filters, check));
            }
        });
    }
}

impl HttpRouteRule {
    fn redirect_excludes_backends(&self, check: &mut Check<'_>) {
        let redirect = self.filters.iter().position(|filter| filter.request_redirect.is_some());
        if let (Some(index), false) = (redirect, self.backend_refs.is_empty()) {
            let message = "a rule that redirects sends nothing to backends";
            let help = "remove the backendRefs or the redirect";
            check.within("filters", |check| check.refuse_field(index, message, help));
        }
    }

    /// A prefix can be replaced only where the rule has one match, and that matches a prefix.
    fn prefix_needs_prefix_match(&self, filters: &[HttpRouteFilter], check: &mut Check<'_>) {
        let is_prefix = |it: &HttpRouteMatch| it.path.kind == PathMatchType::PathPrefix;
        if matches!(self.matches.as_slice(), [only] if is_prefix(only)) {
            return;
        }
        let message =
            "a prefix can be replaced only where the rule has exactly one match, of type PathPrefix";
        let help = "use ReplaceFullPath, or give each prefix a rule of its own";
        for (index, filter) in filters.iter().enumerate().take(MAX_FILTERS) {
            let redirect = filter.request_redirect.as_ref().and_then(|redirect| redirect.path.as_ref());
            let rewrite = filter.url_rewrite.as_ref().and_then(|rewrite| rewrite.path.as_ref());
            for (field, path) in [("requestRedirect", redirect), ("urlRewrite", rewrite)] {
                if path.is_some_and(replaces_prefix) {
                    check.within("filters", |check| {
                        check.within(index, |check| {
                            check.within(field, |check| check.refuse_field("path", message, help));
                        });
                    });
                }
            }
        }
    }
}

fn replaces_prefix(path: &HttpPathModifier) -> bool {
    path.kind == HttpPathModifierType::ReplacePrefixMatch && path.replace_prefix_match.is_some()
}

impl Validate for HttpRouteMatch {
    fn validate(&self, check: &mut Check<'_>) {
        check.value("path", &self.path);
        for (field, name, form, conditions) in [
            ("headers", "header", syntax::HEADER_VALUE, &self.headers),
            ("queryParams", "query parameter", syntax::some_text(1024), &self.query_params),
        ] {
            check.items(field, conditions, 0..=MAX_CONDITIONS, |check, it| header_match(it, &form, check));
            check.unique(field, name, conditions, |condition| condition.name.clone());
        }
    }
}

/// A match on a header or query parameter, whose value has this form.
pub(super) fn header_match(condition: &HeaderMatch, form: &syntax::Form, check: &mut Check<'_>) {
    check.text("name", &condition.name, &syntax::TOKEN);
    check.text("value", &condition.value, form);
}

impl Validate for HttpPathMatch {
    fn validate(&self, check: &mut Check<'_>) {
        const LONGEST: usize = 1024;
        let path = self.value.as_str();
        if self.kind == PathMatchType::RegularExpression {
            return check.text("value", path, &syntax::any_text(LONGEST));
        }
        if !path.starts_with('/') {
            return check.refuse_field("value", "a path starts with `/`", format!("write \"/{path}\""));
        }
        check.text("value", path, &syntax::PATH);
        for (part, why) in [
            ("//", "an empty segment"),
            ("/./", "a `.` segment"),
            ("/../", "a `..` segment"),
            ("%2f", "an encoded slash"),
            ("%2F", "an encoded slash"),
        ] {
            if path.contains(part) {
                check.within("value", |check| check.refuse(format!("a path cannot match {why} (`{part}`)")));
            }
        }
        for (end, why) in [("/.", "a `.` segment"), ("/..", "a `..` segment")] {
            if path.ends_with(end) {
                check.within("value", |check| check.refuse(format!("a path cannot end in {why} (`{end}`)")));
            }
        }
    }
}

impl Validate for HttpRouteTimeouts {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("request", self.request.as_ref(), &syntax::DURATION);
        check.optional_text("backendRequest", self.backend_request.as_ref(), &syntax::DURATION);
        let length = |text: &Option<String>| text.as_deref().and_then(syntax::milliseconds);
        match (length(&self.request), length(&self.backend_request)) {
            // A request timeout of zero is none.
            (Some(request), Some(backend)) if request != 0 && backend > request => check.refuse_field(
                "backendRequest",
                "one attempt may take longer than the whole request",
                "make it no longer than `request`, which covers all attempts",
            ),
            _ => {}
        }
    }
}

impl Validate for HttpRouteRetry {
    fn validate(&self, check: &mut Check<'_>) {
        check.within("codes", |check| {
            for (index, code) in self.codes.iter().enumerate() {
                if !(400..=599).contains(code) {
                    check.within(index, |check| {
                        check.refuse(format!("{code} is out of range: from 400 to 599"));
                    });
                }
            }
        });
        check.unique("codes", "status code", &self.codes, |code| *code);
        if let Some(attempts) = self.attempts {
            check.number("attempts", attempts, 0..=i64::MAX);
        }
        check.optional_text("backoff", self.backoff.as_ref(), &syntax::DURATION);
    }
}
