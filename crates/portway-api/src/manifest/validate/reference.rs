//! References between objects.

use super::{
    check::{Check, Validate},
    syntax,
};
use crate::reference::{
    BackendObjectReference, BackendRef, LocalObjectReference, NoFilter, ObjectReference, ParametersReference,
    ParentReference, SecretObjectReference,
};

/// How many parents a route may have.
pub(super) const MAX_PARENTS: usize = 32;

/// The largest weight of a backend.
const MAX_WEIGHT: i64 = 1_000_000;

/// The group of experimental kinds.
const EXPERIMENTAL_GROUP: &str = "gateway.networking.x-k8s.io";

/// What nearly every reference has.
struct Target<'r> {
    group: Option<&'r String>,
    kind: Option<&'r String>,
    name: &'r str,
    namespace: Option<&'r String>,
}

impl Validate for Target<'_> {
    fn validate(&self, check: &mut Check<'_>) {
        check.optional_text("group", self.group, &syntax::GROUP);
        check.optional_text("kind", self.kind, &syntax::KIND);
        check.text("name", self.name, &syntax::OBJECT_NAME);
        check.optional_text("namespace", self.namespace, &syntax::DNS_LABEL);
    }
}

impl Validate for LocalObjectReference {
    fn validate(&self, check: &mut Check<'_>) {
        let Self { group, kind, name } = self;
        Target { group: Some(group), kind: Some(kind), name, namespace: None }.validate(check);
    }
}

impl Validate for ObjectReference {
    fn validate(&self, check: &mut Check<'_>) {
        let Self { group, kind, name, namespace } = self;
        Target { group: Some(group), kind: Some(kind), name, namespace: namespace.as_ref() }.validate(check);
    }
}

impl Validate for SecretObjectReference {
    fn validate(&self, check: &mut Check<'_>) {
        let Self { group, kind, name, namespace } = self;
        Target { group: group.as_ref(), kind: kind.as_ref(), name, namespace: namespace.as_ref() }
            .validate(check);
    }
}

impl Validate for ParametersReference {
    fn validate(&self, check: &mut Check<'_>) {
        let Self { group, kind, name, namespace } = self;
        Target { group: Some(group), kind: Some(kind), name, namespace: namespace.as_ref() }.validate(check);
    }
}

impl Validate for BackendObjectReference {
    fn validate(&self, check: &mut Check<'_>) {
        let Self { group, kind, name, namespace, port } = self;
        Target { group: group.as_ref(), kind: kind.as_ref(), name, namespace: namespace.as_ref() }
            .validate(check);
        check.port("port", *port);
        match (self.group(), self.kind(), port) {
            ("", "Service", None) => check.require("port", "a reference to a Service must name a port"),
            (EXPERIMENTAL_GROUP, "XBackend", Some(_)) => {
                check.refuse_field("port", "a reference to an XBackend must not name a port", "remove it");
            }
            _ => {}
        }
    }
}

/// A type of filters of a backend.
pub(super) trait BackendFilters: Sized {
    /// Checks the list of filters.
    fn validate_list(filters: &[Self], check: &mut Check<'_>);
}

impl BackendFilters for NoFilter {
    fn validate_list(_: &[Self], _: &mut Check<'_>) {}
}

impl<F: BackendFilters> Validate for BackendRef<F> {
    fn validate(&self, check: &mut Check<'_>) {
        self.object().validate(check);
        check.number("weight", self.weight, 0..=MAX_WEIGHT);
        F::validate_list(&self.filters, check);
    }
}

impl Validate for ParentReference {
    fn validate(&self, check: &mut Check<'_>) {
        let Self { group, kind, namespace, name, section_name, port } = self;
        Target { group: group.as_ref(), kind: kind.as_ref(), name, namespace: namespace.as_ref() }
            .validate(check);
        check.optional_text("sectionName", section_name.as_ref(), &syntax::DNS_NAME);
        check.port("port", *port);
    }
}

/// Checks the parents of a route, alone and beside each other.
pub(super) fn parents(parents: &[ParentReference], check: &mut Check<'_>) {
    check.list("parentRefs", parents, 0..=MAX_PARENTS);
    for (index, parent) in parents.iter().enumerate().take(MAX_PARENTS) {
        let Some((first, conflict)) = parents[..index]
            .iter()
            .enumerate()
            .find_map(|(first, other)| Some((first, conflict(other, parent)?)))
        else {
            continue;
        };
        let message = format!("{conflict}: see item [{first}]");
        check.within("parentRefs", |check| {
            check.refuse_field(index, message, "tell the two apart by sectionName or port, or keep one");
        });
    }
}

/// Why two references of one route cannot stand beside each other.
fn conflict(a: &ParentReference, b: &ParentReference) -> Option<&'static str> {
    let same_parent = a.group() == b.group()
        && a.kind() == b.kind()
        && a.name == b.name
        && a.namespace.as_deref().unwrap_or_default() == b.namespace.as_deref().unwrap_or_default();
    let section = |parent: &ParentReference| parent.section_name.clone().filter(|name| !name.is_empty());
    let port = |parent: &ParentReference| parent.port.filter(|port| *port != 0);
    if !same_parent {
        None
    } else if section(a).is_some() != section(b).is_some() || port(a).is_some() != port(b).is_some() {
        Some("this parent stands here twice, once with and once without a sectionName or port")
    } else if section(a) == section(b) && port(a) == port(b) {
        Some("this parent stands here twice")
    } else {
        None
    }
}
