//! Which of two objects wins where the Gateway API says "the older, then by name".

use std::cmp::Ordering;

use portway_api::core::ObjectMeta;
use portway_api::resource::DEFAULT_NAMESPACE;

/// Rank of an object among others of its kind: `Ord` puts the winner first.
///
/// The order is that of `creationTimestamp`, then the alphabetical one of `{namespace}/{name}`. An
/// object without a timestamp (a manifest that never saw an API server) is the youngest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precedence<'a> {
    created: Option<i64>,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Precedence<'a> {
    /// That of the object with this metadata.
    pub(crate) fn of(metadata: &'a ObjectMeta) -> Self {
        Self {
            created: created(metadata),
            namespace: metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE),
            name: metadata.name.as_deref().unwrap_or_default(),
        }
    }

    /// The criterion by which this one wins over `other`, in words.
    pub(crate) fn criterion(&self, other: &Self) -> &'static str {
        if self.created == other.created {
            "both are equally old, and its namespace and name come first in the alphabet"
        } else {
            "it is older"
        }
    }

    /// The text `{namespace}/{name}`, byte by byte: `a-b/c` comes before `a/b`, as `-` comes before `/`.
    fn joined(&self) -> impl Iterator<Item = u8> {
        self.namespace.bytes().chain([b'/']).chain(self.name.bytes())
    }
}

/// `creationTimestamp` in seconds since 1970, which is as exact as the API server writes it.
pub(crate) fn created(metadata: &ObjectMeta) -> Option<i64> {
    metadata.creation_timestamp.as_ref().map(|time| time.0.as_second())
}

impl Ord for Precedence<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let age = |it: &Self| (it.created.is_none(), it.created);
        age(self).cmp(&age(other)).then_with(|| self.joined().cmp(other.joined()))
    }
}

impl PartialOrd for Precedence<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(created: Option<i64>, namespace: &'static str, name: &'static str) -> Precedence<'static> {
        Precedence { created, namespace, name }
    }

    #[test]
    fn the_older_wins_then_the_alphabet_decides() {
        let order = [
            ranked(Some(1), "z", "z"),
            ranked(Some(2), "a-b", "c"),
            ranked(Some(2), "a", "b"),
            ranked(None, "a", "a"),
        ];
        for pair in order.windows(2) {
            assert!(pair[0] < pair[1], "{:?} before {:?}", pair[0], pair[1]);
        }
    }
}
