//! What is known of one route while it is translated.

use std::collections::BTreeMap;

use portway_api::ObjectKey;
use portway_api::reference::ParentReference;
use portway_config::{HostnamePattern, RouteKind};

use super::attachment::{Attached, attach};
use super::parent::{Parent, Parents};
use super::refusal::Refusal;
use super::rule::Translated;
use super::view::RouteView;
use crate::context::Context;
use crate::listener::GatewayView;
use crate::problem::Problems;

/// A route that names at least one parent of ours.
#[derive(Debug)]
pub(crate) struct Work<'a, 'p> {
    /// The route.
    pub(crate) view: RouteView<'a>,
    /// The hostnames that it names.
    pub(crate) hostnames: Vec<HostnamePattern>,
    /// What is wrong with the route as a whole.
    pub(crate) problems: Problems,
    /// Its rules.
    pub(crate) translated: Translated,
    /// Its parents that are ours.
    pub(crate) parents: Vec<ParentWork<'a, 'p>>,
}

/// What is known of a route towards one parent.
#[derive(Debug)]
pub(crate) struct ParentWork<'a, 'p> {
    /// The reference, as the route writes it.
    pub(crate) reference: ParentReference,
    /// Index in the route's `parentRefs`; absent for a default Gateway.
    pub(crate) index: Option<usize>,
    /// The parent.
    pub(crate) parent: &'p Parent<'a>,
    /// Where the route is attached.
    pub(crate) attached: Result<Vec<Attached>, Refusal>,
    /// Where it is not attached because a route of the other HTTP kind is there: index of the listener, and the route.
    pub(crate) displaced: Vec<(usize, String)>,
}

impl<'a, 'p> Work<'a, 'p> {
    /// Looks at a route; none where no parent of it is ours.
    pub(crate) fn new(
        context: &Context<'_>,
        parents: &'p Parents<'a>,
        gateways: &BTreeMap<ObjectKey, GatewayView<'a>>,
        view: RouteView<'a>,
    ) -> Option<Self> {
        let references = references(parents, &view);
        let named: Vec<_> = references
            .into_iter()
            .filter_map(|(index, reference)| {
                let parent = parents.get(&reference, view.namespace())?;
                Some((index, reference, parent))
            })
            .collect();
        if named.is_empty() {
            return None;
        }
        let mut problems = Problems::default();
        let hostnames = view.hostnames(&mut problems);
        // Of thousands of routes, each with one: a vector that grows by itself begins with room for four.
        let mut works = Vec::with_capacity(named.len());
        works.extend(named.into_iter().filter_map(|(index, reference, parent)| {
            let gateway = gateways.get(&parent.gateway)?;
            let attached = attach(context, &view, &hostnames, &reference, parent, gateway);
            Some(ParentWork { reference, index, parent, attached, displaced: Vec::new() })
        }));
        let translated = view.rules(context);
        Some(Self { view, hostnames, problems, translated, parents: works })
    }

    /// Whether no part of the route can be served, wherever it is attached.
    pub(crate) fn is_invalid(&self) -> bool {
        !self.problems.invalid.is_empty() || self.translated.is_wholly_invalid()
    }

    /// Whether it carries HTTP requests.
    pub(crate) fn is_http(&self) -> bool {
        matches!(self.view.kind, RouteKind::Http | RouteKind::Grpc)
    }
}

impl ParentWork<'_, '_> {
    /// Where the route is attached; nowhere where it was refused.
    pub(crate) fn attached(&self) -> &[Attached] {
        self.attached.as_deref().unwrap_or_default()
    }
}

/// The references of a route, each with its index, then those to default Gateways.
fn references(parents: &Parents<'_>, view: &RouteView<'_>) -> Vec<(Option<usize>, ParentReference)> {
    let named = view.parent_refs.iter().cloned().enumerate().map(|(index, it)| (Some(index), it));
    let mut references: Vec<_> = named.collect();
    if view.wants_default_gateways() {
        let defaults = parents.defaults(view.parent_refs, view.namespace());
        references.extend(defaults.into_iter().map(|it| (None, it)));
    }
    references
}
