//! Rules, compiled for requests.

use std::time::Duration;

use portway_config::BackendKey;
use portway_config::route::{BackendTarget, FaultReason, HttpRule, WeightedBackend};
use portway_route::RuleEntry;

use super::filter::Filters;
use super::random;
use super::retry::RetryPolicy;
use super::session::Persistence;
use super::split::Split;
use crate::upstream::{BackendId, Backends};

/// What a rule needs at request time: filters with parsed header names, resolved backends.
#[derive(Debug)]
pub struct CompiledRule {
    /// Every request is refused.
    pub(super) fault: Option<FaultReason>,
    pub(super) filters: Filters,
    pub(super) backends: Vec<CompiledBackend>,
    pub(super) split: Split,
    /// For the whole request; absent is the default, zero is none.
    pub(super) request_timeout: Option<Duration>,
    /// For an attempt.
    pub(super) backend_timeout: Option<Duration>,
    pub(super) retry: Option<RetryPolicy>,
    pub(super) persistence: Option<Persistence>,
}

/// A backend of a rule.
#[derive(Debug)]
pub(super) struct CompiledBackend {
    pub(super) target: Result<BackendId, FaultReason>,
    pub(super) key: Option<BackendKey>,
    pub(super) filters: Filters,
}

/// Compiles a rule. One that cannot be compiled refuses its requests.
pub(crate) fn compile_rule(entry: &RuleEntry, backends: &Backends) -> CompiledRule {
    CompiledRule::compile(entry.rule(), backends).unwrap_or_else(|invalid| {
        tracing::warn!(route = %entry.route.key, rule = entry.rule().index, %invalid, "the rule refuses all requests");
        CompiledRule::refuse(FaultReason::InvalidFilter)
    })
}

impl CompiledRule {
    fn compile(rule: &HttpRule, backends: &Backends) -> Result<Self, super::filter::InvalidFilter> {
        let positive = |timeout: Duration| !timeout.is_zero();
        Ok(Self {
            fault: rule.fault.as_ref().map(|fault| fault.reason),
            filters: Filters::compile(&rule.filters, backends)?,
            split: Split::new(rule.backends.iter().map(|backend| backend.weight), random::next_u64()),
            backends: rule
                .backends
                .iter()
                .map(|backend| CompiledBackend::compile(backend, backends))
                .collect(),
            request_timeout: rule.request_timeout,
            backend_timeout: rule.backend_timeout.filter(|&timeout| positive(timeout)),
            retry: rule.retry.as_ref().and_then(RetryPolicy::compile),
            persistence: rule.session_persistence.as_ref().map(Persistence::compile).transpose()?,
        })
    }

    fn refuse(reason: FaultReason) -> Self {
        Self {
            fault: Some(reason),
            filters: Filters::default(),
            backends: Vec::new(),
            split: Split::new(std::iter::empty(), 0),
            request_timeout: None,
            backend_timeout: None,
            retry: None,
            persistence: None,
        }
    }
}

impl CompiledBackend {
    /// A backend that cannot be compiled refuses its share alone.
    fn compile(backend: &WeightedBackend, backends: &Backends) -> Self {
        let key = match &backend.target {
            BackendTarget::Backend(key) => Some(key.clone()),
            BackendTarget::Invalid(_) => None,
        };
        match Filters::compile(&backend.filters, backends) {
            Ok(filters) => Self { target: resolve(&backend.target, backends), key, filters },
            Err(invalid) => {
                tracing::warn!(backend = backend.index, %invalid, "the backend refuses its share of requests");
                Self { target: Err(FaultReason::InvalidFilter), key, filters: Filters::default() }
            }
        }
    }
}

/// The backend that a reference names.
pub(super) fn resolve(target: &BackendTarget, backends: &Backends) -> Result<BackendId, FaultReason> {
    match target {
        BackendTarget::Backend(key) => backends.id(key).ok_or(FaultReason::BackendNotFound),
        BackendTarget::Invalid(fault) => Err(fault.reason),
    }
}
