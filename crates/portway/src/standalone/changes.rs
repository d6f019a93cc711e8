//! What is different between two configurations of a Gateway, in a line.

use std::fmt;
use std::sync::Arc;

use portway_config::Configuration;
use portway_shared_map::SharedMap;

use crate::wording::counted;

/// How many resources of each kind are different.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(Vec<(&'static str, Change)>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    added: usize,
    changed: usize,
    removed: usize,
}

impl Changes {
    pub(crate) fn between(before: &Configuration, after: &Configuration) -> Self {
        let all = [
            ("listener", change(&before.listeners, &after.listeners)),
            ("route", change(&before.routes, &after.routes)),
            ("backend", change(&before.backends, &after.backends)),
            // Endpoints of one Service port each.
            ("endpoint list", change(&before.endpoints, &after.endpoints)),
            ("certificate", change(&before.certificates, &after.certificates)),
            ("trust bundle", change(&before.trust_bundles, &after.trust_bundles)),
            (
                "setting",
                Change { changed: usize::from(before.settings != after.settings), ..Change::default() },
            ),
        ];
        Self(all.into_iter().filter(|(_, change)| *change != Change::default()).collect())
    }
}

impl Changes {
    /// Resources of all kinds.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|(_, change)| change.added + change.changed + change.removed).sum()
    }
}

fn change<K: Ord, V: Eq>(before: &SharedMap<K, Arc<V>>, after: &SharedMap<K, Arc<V>>) -> Change {
    let mut change = Change::default();
    for it in before.differences(after, |a, b| a == b) {
        match (it.before, it.after) {
            (None, _) => change.added += 1,
            (_, None) => change.removed += 1,
            (Some(_), Some(_)) => change.changed += 1,
        }
    }
    change
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for (kind, change) in &self.0 {
            let counts = [(change.added, "added"), (change.changed, "changed"), (change.removed, "removed")];
            let counts = counts.into_iter().filter(|(count, _)| *count > 0);
            words.extend(counts.map(|(count, what)| format!("{} {what}", counted(count, kind))));
        }
        if words.is_empty() {
            words.push("sockets".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use portway_config::{NamespacedName, Route, RouteKey, RouteKind, Rules};

    use super::*;

    fn gateway(routes: &[(&str, Option<i64>)]) -> Configuration {
        let mut configuration = Configuration::empty(NamespacedName::new("a", "b"));
        for (name, created) in routes {
            let key = RouteKey { kind: RouteKind::Http, name: NamespacedName::new("a", *name) };
            let route = Route {
                key: key.clone(),
                created: *created,
                hostnames: vec![],
                attachments: vec![],
                rules: Rules::Http(vec![]),
            };
            configuration.routes.insert(key, Arc::new(route));
        }
        configuration
    }

    #[test]
    fn changes_are_counted_by_kind() {
        let before = gateway(&[("same", None), ("changed", None), ("gone", None)]);
        let after = gateway(&[("same", None), ("changed", Some(1)), ("new", None), ("newer", None)]);
        let changes = Changes::between(&before, &after);
        assert_eq!(changes.to_string(), "2 routes added, 1 route changed, 1 route removed");
        assert_eq!(Changes::between(&before, &before), Changes::default());
    }
}
