//! From which namespaces routes and ListenerSets may attach.

use std::collections::BTreeMap;

use portway_api::Snapshot;
use portway_api::core::LabelSelector;
use portway_api::listener::{From, FromNamespaces};
use portway_config::RouteKind;

use crate::options::Options;

/// Which routes may attach to a listener.
#[derive(Clone, Debug)]
pub(crate) struct AllowedRoutes<'a> {
    /// The kinds that both the protocol and `allowedRoutes.kinds` allow, in the order of the API.
    pub(crate) kinds: Vec<RouteKind>,
    /// From which namespaces.
    pub(crate) namespaces: AllowedNamespaces<'a>,
}

/// A choice of namespaces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AllowedNamespaces<'a> {
    /// All.
    All,
    /// This one.
    Same(&'a str),
    /// Those with fitting labels.
    Selector(&'a LabelSelector),
    /// None.
    None,
}

impl<'a> AllowedNamespaces<'a> {
    /// The choice that an object in namespace `own` makes; `default` is what an absent `from` means.
    pub(crate) fn new(choice: Option<&'a FromNamespaces>, default: From, own: &'a str) -> Self {
        let from = choice.and_then(|it| it.from).unwrap_or(default);
        match (from, choice.and_then(|it| it.selector.as_ref())) {
            (From::All, _) => Self::All,
            (From::Same, _) => Self::Same(own),
            (From::Selector, Some(selector)) => Self::Selector(selector),
            // "Selector must be specified when From is set to Selector": without one, nothing is chosen.
            (From::Selector, None) | (From::None, _) => Self::None,
        }
    }

    /// Whether `namespace` is chosen.
    pub(crate) fn contain(self, namespace: &str, snapshot: &Snapshot, options: &Options) -> bool {
        match self {
            Self::All => true,
            Self::Same(own) => own == namespace,
            Self::None => false,
            Self::Selector(selector) => match snapshot.namespaces.get(namespace) {
                Some(it) => selects(selector, namespace, it.metadata.labels.as_ref()),
                // A namespace that is only implied has the one label that each namespace has.
                None => options.implied_namespaces && selects(selector, namespace, None),
            },
        }
    }
}

/// The label that the API server gives to each namespace: its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn selects(selector: &LabelSelector, namespace: &str, labels: Option<&BTreeMap<String, String>>) -> bool {
    let label = |key: &str| {
        if key == NAME_LABEL {
            Some(namespace)
        } else {
            labels.and_then(|it| it.get(key)).map(String::as_str)
        }
    };
    let by_labels = selector.match_labels.iter().flatten().all(|(key, value)| label(key) == Some(value));
    let by_expressions = selector.match_expressions.iter().flatten().all(|requirement| {
        let value = label(&requirement.key);
        let listed = value.is_some_and(|value| requirement.values.iter().flatten().any(|it| it == value));
        match requirement.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            // An operator that does not exist selects nothing; the API server refuses it.
            _ => false,
        }
    });
    by_labels && by_expressions
}
