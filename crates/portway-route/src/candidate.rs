//! The name of a match.

use std::fmt;
use std::sync::Arc;

use portway_config::{HttpRule, L4Rule, Route, RouteKey};
use serde::Serialize;

/// A rule of a route, or one match of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Candidate {
    /// The route.
    pub route: RouteKey,
    /// Index of the rule in the route's spec.
    pub rule: usize,
    /// The rule's name, where it has one.
    pub rule_name: Option<Arc<str>>,
    /// Index of the match in the rule; none where the rule as a whole is meant.
    pub match_index: Option<usize>,
}

impl Candidate {
    pub(crate) fn of_http(route: &Route, rule: &HttpRule, match_index: Option<usize>) -> Self {
        Self { route: route.key.clone(), rule: rule.index, rule_name: rule.name.clone(), match_index }
    }

    pub(crate) fn of_stream(route: &Route, rule: &L4Rule) -> Self {
        Self { route: route.key.clone(), rule: rule.index, rule_name: rule.name.clone(), match_index: None }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, rule {}", self.route, self.rule)?;
        if let Some(name) = &self.rule_name {
            write!(f, " ({name})")?;
        }
        if let Some(index) = self.match_index {
            write!(f, ", match {index}")?;
        }
        Ok(())
    }
}
