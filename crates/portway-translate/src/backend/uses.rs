//! Which backends a configuration uses.

use portway_config::Rules;
use portway_config::filter::Filter;
use portway_config::key::BackendKey;
use portway_config::route::{BackendTarget, WeightedBackend};

/// Calls `each` with every backend that the rules of a route name, those of filters included.
pub(crate) fn of_rules(rules: &Rules, each: &mut impl FnMut(&BackendKey)) {
    match rules {
        Rules::Http(rules) => {
            for rule in rules {
                of_filters(&rule.filters, each);
                of_backends(&rule.backends, each);
            }
        }
        Rules::L4(rules) => rules.iter().for_each(|rule| of_backends(&rule.backends, each)),
    }
}

/// Calls `each` with every backend that filters name.
pub(crate) fn of_filters(filters: &[Filter], each: &mut impl FnMut(&BackendKey)) {
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
