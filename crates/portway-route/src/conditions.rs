//! The conditions of a match apart from its path: method, headers, query parameters.

use std::sync::Arc;

use crate::pattern::Pattern;
use crate::request::Request;
use crate::{header, query};

/// A compiled condition on a value.
#[derive(Clone, Debug)]
pub(crate) enum ValueTest {
    Exact(Arc<str>),
    Regex(Arc<Pattern>),
}

impl ValueTest {
    /// Whether `value` passes.
    pub(crate) fn passes(&self, value: &str) -> bool {
        match self {
            Self::Exact(wanted) => **wanted == *value,
            Self::Regex(pattern) => pattern.matches(value.as_bytes()),
        }
    }
}

/// A compiled condition on a header or query parameter.
#[derive(Clone, Debug)]
pub(crate) struct NamedTest {
    pub(crate) name: Arc<str>,
    pub(crate) test: ValueTest,
}

/// The compiled conditions of a match apart from its path. All must hold.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) method: Option<Arc<str>>,
    pub(crate) headers: Box<[NamedTest]>,
    pub(crate) query_params: Box<[NamedTest]>,
}

/// The first condition that a request does not meet. Indices are those of the match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmet {
    Method,
    Header(usize),
    QueryParam(usize),
}

impl Conditions {
    /// The first condition that `request` does not meet.
    pub(crate) fn unmet<R: Request + ?Sized>(&self, request: &R) -> Option<Unmet> {
        if self.method.as_deref().is_some_and(|method| method != request.method()) {
            return Some(Unmet::Method);
        }
        let fails = |it: &NamedTest| !header::passes(request, &it.name, &it.test);
        if let Some(index) = self.headers.iter().position(fails) {
            return Some(Unmet::Header(index));
        }
        let fails = |it: &NamedTest| !query::passes(request.query(), &it.name, &it.test);
        self.query_params.iter().position(fails).map(Unmet::QueryParam)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.method.is_none() && self.headers.is_empty() && self.query_params.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::get;

    fn named(name: &str, value: &str) -> NamedTest {
        NamedTest { name: name.into(), test: ValueTest::Exact(value.into()) }
    }

    #[test]
    fn the_first_unmet_condition_is_told() {
        let conditions = Conditions {
            method: Some("GET".into()),
            headers: [named("a", "1"), named("b", "2")].into(),
            query_params: [named("q", "3")].into(),
        };
        let request = get("/").header("a", "1");
        assert_eq!(conditions.unmet(&get("/").method("get")), Some(Unmet::Method));
        assert_eq!(conditions.unmet(&request), Some(Unmet::Header(1)));
        assert_eq!(conditions.unmet(&request.clone().header("b", "2")), Some(Unmet::QueryParam(0)));
        assert_eq!(conditions.unmet(&get("/?q=3").header("a", "1").header("b", "2")), None);
        assert_eq!(Conditions::default().unmet(&get("/")), None);
    }
}
