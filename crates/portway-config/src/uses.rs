//! Which backends rules and filters name.

use crate::filter::Filter;
use crate::key::BackendKey;
use crate::route::{BackendTarget, HttpRule, L4Rule, Rules, WeightedBackend};

impl Rules {
    /// Calls `each` with every backend that the rules name, those of filters included; as often as they do.
    pub fn each_backend(&self, each: &mut impl FnMut(&BackendKey)) {
        match self {
            Self::Http(rules) => rules.iter().for_each(|rule| rule.each_backend(each)),
            Self::L4(rules) => rules.iter().for_each(|rule| rule.each_backend(each)),
        }
    }
}

impl HttpRule {
    /// The same, of one rule.
    pub fn each_backend(&self, each: &mut impl FnMut(&BackendKey)) {
        of_filters(&self.filters, each);
        of_backends(&self.backends, each);
    }
}

impl L4Rule {
    /// The same, of one rule.
    pub fn each_backend(&self, each: &mut impl FnMut(&BackendKey)) {
        of_backends(&self.backends, each);
    }
}

/// Calls `each` with every backend that filters name.
pub fn of_filters(filters: &[Filter], each: &mut impl FnMut(&BackendKey)) {
    for filter in filters {
        match filter {
            Filter::Mirror(mirror) => of_target(&mirror.target, each),
            Filter::ExternalAuth(auth) => of_target(&auth.target, each),
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Redirect(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_) => {}
        }
    }
}

fn of_backends(backends: &[WeightedBackend], each: &mut impl FnMut(&BackendKey)) {
    for backend in backends {
        of_target(&backend.target, each);
        of_filters(&backend.filters, each);
    }
}

fn of_target(target: &BackendTarget, each: &mut impl FnMut(&BackendKey)) {
    if let BackendTarget::Backend(key) = target {
        each(key);
    }
}
