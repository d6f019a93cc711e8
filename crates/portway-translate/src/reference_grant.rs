//! Which references may cross namespaces (ReferenceGrant).

use std::collections::BTreeMap;

use portway_api::Snapshot;
use portway_api::reference_grant::ReferenceGrantSpec;

/// All ReferenceGrants, by the namespace that they open.
#[derive(Debug)]
pub(crate) struct Grants<'a> {
    by_namespace: BTreeMap<&'a str, Vec<&'a ReferenceGrantSpec>>,
}

/// Who refers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Referrer<'a> {
    /// API group; empty is core.
    pub(crate) group: &'a str,
    /// Kind.
    pub(crate) kind: &'a str,
    /// Namespace.
    pub(crate) namespace: &'a str,
}

/// What is referred to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Referent<'a> {
    /// API group; empty is core.
    pub(crate) group: &'a str,
    /// Kind.
    pub(crate) kind: &'a str,
    /// Namespace.
    pub(crate) namespace: &'a str,
    /// Name.
    pub(crate) name: &'a str,
}

impl<'a> Grants<'a> {
    /// Those of the snapshot.
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let mut by_namespace: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for grant in snapshot.reference_grants.values() {
            by_namespace.entry(grant.namespace()).or_default().push(&grant.spec);
        }
        Self { by_namespace }
    }

    /// Whether `from` may refer to `to`. Within one namespace it always may.
    pub(crate) fn permits(&self, from: Referrer<'_>, to: Referent<'_>) -> bool {
        from.namespace == to.namespace
            || self.by_namespace.get(to.namespace).is_some_and(|grants| {
                grants.iter().any(|grant| grants_from(grant, from) && grants_to(grant, to))
            })
    }
}

fn grants_from(grant: &ReferenceGrantSpec, from: Referrer<'_>) -> bool {
    grant
        .from
        .iter()
        .any(|it| it.group == from.group && it.kind == from.kind && it.namespace == from.namespace)
}

fn grants_to(grant: &ReferenceGrantSpec, to: Referent<'_>) -> bool {
    grant.to.iter().any(|it| {
        let name = it.name.as_deref().filter(|name| !name.is_empty());
        it.group == to.group && it.kind == to.kind && name.is_none_or(|name| name == to.name)
    })
}

#[cfg(test)]
mod tests;
