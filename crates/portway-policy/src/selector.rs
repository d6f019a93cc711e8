//! Label selectors, as `metav1.LabelSelector` defines them.

use std::collections::BTreeSet;
use std::sync::Arc;

use portway_config::network_policy::{LabelRequirement, LabelSelector, Labels};

/// A selector that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: Arc<str>,
    is: Is,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Is {
    In(BTreeSet<Arc<str>>),
    NotIn(BTreeSet<Arc<str>>),
    There,
    NotThere,
}

/// Why a selector selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SelectorFault {
    /// There is no such operator.
    #[error("`{operator}` of label `{key}` is not one of In, NotIn, Exists and DoesNotExist")]
    Operator {
        /// The label.
        key: Arc<str>,
        /// What stands there.
        operator: Arc<str>,
    },
    /// In and NotIn need values, and the other operators have none.
    #[error("`{operator}` of label `{key}` has {}values", if *is_empty { "no " } else { "" })]
    Values {
        /// The label.
        key: Arc<str>,
        /// The operator.
        operator: Arc<str>,
        /// Whether it has none.
        is_empty: bool,
    },
    /// Requirements that no object can meet at once.
    #[error("what it asks of label `{key}` contradicts itself")]
    Contradiction {
        /// The label.
        key: Arc<str>,
    },
}

impl Selector {
    /// The selector that was written.
    pub(crate) fn parse(written: &LabelSelector) -> Result<Self, SelectorFault> {
        let labels = written.match_labels.iter();
        let mut requirements: Vec<_> = labels
            .map(|(key, value)| Requirement { key: key.clone(), is: Is::In([value.clone()].into()) })
            .collect();
        for requirement in &written.match_expressions {
            requirements.push(Requirement::parse(requirement)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        let contradiction = requirements.chunk_by(|a, b| a.key == b.key).find(|it| !can_be_met(it));
        match contradiction.and_then(|it| it.first()) {
            Some(Requirement { key, .. }) => Err(SelectorFault::Contradiction { key: key.clone() }),
            None => Ok(Self { requirements }),
        }
    }

    /// Whether an object with these labels is selected.
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|it| it.is.met_by(labels.get(&it.key)))
    }

    /// The labels that it looks at.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.requirements.iter().map(|it| &it.key)
    }
}

impl Requirement {
    fn parse(written: &LabelRequirement) -> Result<Self, SelectorFault> {
        let LabelRequirement { key, operator, values } = written;
        let set = || values.iter().cloned().collect();
        let (is, needs_values) = match &**operator {
            "In" => (Is::In(set()), true),
            "NotIn" => (Is::NotIn(set()), true),
            "Exists" => (Is::There, false),
            "DoesNotExist" => (Is::NotThere, false),
            _ => return Err(SelectorFault::Operator { key: key.clone(), operator: operator.clone() }),
        };
        let is_empty = values.is_empty();
        if is_empty == needs_values {
            return Err(SelectorFault::Values { key: key.clone(), operator: operator.clone(), is_empty });
        }
        Ok(Self { key: key.clone(), is })
    }
}

impl Is {
    fn met_by(&self, value: Option<&Arc<str>>) -> bool {
        match self {
            Self::In(values) => value.is_some_and(|it| values.contains(it)),
            Self::NotIn(values) => value.is_none_or(|it| !values.contains(it)),
            Self::There => value.is_some(),
            Self::NotThere => value.is_none(),
        }
    }
}

/// Whether some value of the one label that these are about, or its absence, meets them all.
fn can_be_met(requirements: &[Requirement]) -> bool {
    let meets = |value: Option<&Arc<str>>| requirements.iter().all(|it| it.is.met_by(value));
    let mut listed = requirements.iter().filter_map(|it| match &it.is {
        Is::In(values) => Some(values),
        _ => None,
    });
    match listed.next() {
        Some(values) => values.iter().any(|value| meets(Some(value))),
        // Without a list of values there is always one more that nobody excludes; it is there, or no label is.
        None => meets(None) || requirements.iter().all(|it| it.is != Is::NotThere),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(labels: &[(&str, &str)], expressions: &[(&str, &str, &[&str])]) -> LabelSelector {
        let expression = |(key, operator, values): &(&str, &str, &[&str])| LabelRequirement {
            key: (*key).into(),
            operator: (*operator).into(),
            values: values.iter().map(|it| (*it).into()).collect(),
        };
        LabelSelector {
            match_labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            match_expressions: expressions.iter().map(expression).collect(),
        }
    }

    fn fault(labels: &[(&str, &str)], expressions: &[(&str, &str, &[&str])]) -> String {
        Selector::parse(&selector(labels, expressions)).unwrap_err().to_string()
    }

    #[test]
    fn requirements_are_joined() {
        let written =
            selector(&[("app", "web")], &[("tier", "NotIn", &["db"]), ("zone", "DoesNotExist", &[])]);
        let parsed = Selector::parse(&written).unwrap();
        let matches = |labels: &[(&str, &str)]| parsed.matches(&selector(labels, &[]).match_labels);
        assert!(matches(&[("app", "web")]), "NotIn takes objects without the label");
        assert!(matches(&[("app", "web"), ("tier", "front")]));
        assert!(!matches(&[("app", "web"), ("tier", "db")]));
        assert!(!matches(&[("app", "web"), ("zone", "a")]));
        assert!(!matches(&[("app", "api")]) && !matches(&[]));
        assert!(
            Selector::parse(&LabelSelector::default()).unwrap().matches(&Labels::new()),
            "empty is everything"
        );
    }

    #[test]
    fn what_selects_nothing_is_told() {
        assert_eq!(
            fault(&[], &[("a", "Is", &["b"])]),
            "`Is` of label `a` is not one of In, NotIn, Exists and DoesNotExist"
        );
        assert_eq!(fault(&[], &[("a", "In", &[])]), "`In` of label `a` has no values");
        assert_eq!(fault(&[], &[("a", "Exists", &["b"])]), "`Exists` of label `a` has values");
        let contradiction = "what it asks of label `a` contradicts itself";
        assert_eq!(fault(&[("a", "1")], &[("a", "NotIn", &["1", "2"])]), contradiction);
        assert_eq!(fault(&[("a", "1")], &[("a", "In", &["2"])]), contradiction);
        assert_eq!(fault(&[], &[("a", "Exists", &[]), ("a", "DoesNotExist", &[])]), contradiction);
        assert_eq!(fault(&[], &[("a", "In", &["1"]), ("a", "DoesNotExist", &[])]), contradiction);
        let possible = selector(&[], &[("a", "Exists", &[]), ("a", "NotIn", &["1"])]);
        assert!(Selector::parse(&possible).is_ok());
    }
}
