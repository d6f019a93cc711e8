//! From a match of the configuration to a compiled one.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_config::HttpRule;
use portway_config::request_match::{NamedMatch, PathMatch, RequestMatch, ValueMatch};

use crate::conditions::{Conditions, NamedTest, ValueTest};
use crate::path::{GrpcTest, PathTest};
use crate::path_table::CompiledMatch;
use crate::pattern::{Pattern, PatternError};
use crate::refused::{Place, RefusedReason};
use crate::router::{RuleId, index};

/// Compiles matches. Routes often share expressions; each is compiled once.
#[derive(Default)]
pub(crate) struct Expressions {
    compiled: BTreeMap<Arc<str>, Arc<Pattern>>,
}

impl Expressions {
    /// Compiles all matches of a rule.
    pub(crate) fn rule(
        &mut self,
        id: RuleId,
        rule: &HttpRule,
    ) -> Result<Arc<[Arc<CompiledMatch>]>, RefusedReason> {
        let compiled = rule.matches.iter().enumerate().map(|(match_index, request_match)| {
            let compiled = self.request_match(id, match_index, request_match);
            compiled.map(Arc::new).map_err(|(place, error)| RefusedReason::Pattern {
                match_index,
                place,
                error,
            })
        });
        compiled.collect()
    }

    fn request_match(
        &mut self,
        rule: RuleId,
        match_index: usize,
        request_match: &RequestMatch,
    ) -> Result<CompiledMatch, (Place, PatternError)> {
        let conditions = Conditions {
            method: request_match.method.clone(),
            headers: self.named(&request_match.headers, Place::Header)?,
            query_params: self.named(&request_match.query_params, Place::QueryParam)?,
        };
        Ok(CompiledMatch {
            rule,
            match_index: index(match_index),
            path: self.path(&request_match.path)?,
            conditions: (!conditions.is_empty()).then(|| Box::new(conditions)),
        })
    }

    fn path(&mut self, path: &PathMatch) -> Result<PathTest, (Place, PatternError)> {
        Ok(match path {
            PathMatch::Exact(path) => PathTest::Exact(Arc::clone(path)),
            PathMatch::Prefix(prefix) => PathTest::Prefix(without_trailing_slash(prefix)),
            PathMatch::Regex(text) => {
                PathTest::Regex(self.pattern(text).map_err(|error| (Place::Path, error))?)
            }
            PathMatch::Grpc { service, method } => {
                let mut value = |value: &Option<ValueMatch>, place: Place| {
                    value.as_ref().map(|it| self.value(it).map_err(|error| (place, error))).transpose()
                };
                let (service, method) =
                    (value(service, Place::GrpcService)?, value(method, Place::GrpcMethod)?);
                PathTest::Grpc(Box::new(GrpcTest { service, method }))
            }
        })
    }

    fn named(
        &mut self,
        tests: &[NamedMatch],
        place: fn(Arc<str>) -> Place,
    ) -> Result<Box<[NamedTest]>, (Place, PatternError)> {
        let compiled = tests.iter().map(|NamedMatch { name, value }| {
            let test = self.value(value).map_err(|error| (place(Arc::clone(name)), error))?;
            Ok(NamedTest { name: Arc::clone(name), test })
        });
        compiled.collect()
    }

    fn value(&mut self, value: &ValueMatch) -> Result<ValueTest, PatternError> {
        match value {
            ValueMatch::Exact(text) => Ok(ValueTest::Exact(Arc::clone(text))),
            ValueMatch::Regex(text) => self.pattern(text).map(ValueTest::Regex),
        }
    }

    fn pattern(&mut self, text: &Arc<str>) -> Result<Arc<Pattern>, PatternError> {
        if let Some(pattern) = self.compiled.get(text) {
            return Ok(Arc::clone(pattern));
        }
        let pattern = Arc::new(Pattern::new(text)?);
        self.compiled.insert(Arc::clone(text), Arc::clone(&pattern));
        Ok(pattern)
    }
}

/// The API ignores a trailing slash of a prefix.
fn without_trailing_slash(prefix: &Arc<str>) -> Arc<str> {
    let trimmed = prefix.trim_end_matches('/');
    if trimmed.len() == prefix.len() { Arc::clone(prefix) } else { trimmed.into() }
}
