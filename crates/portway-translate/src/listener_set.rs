//! ListenerSets: which Gateway they belong to, whether it lets them in, and what becomes of them (GEP-1713).

use std::collections::BTreeMap;

use portway_api::listener::From;
use portway_api::object::ObjectRef;
use portway_api::resource::GATEWAY_GROUP;
use portway_api::{Gateway, ListenerSet, ObjectKey};

use crate::condition::Conditions;
use crate::context::{Context, Output};
use crate::finding::{Finding, FindingCode, Severity, kind_of_group};
use crate::listener::{AllowedNamespaces, GatewayView, ListenerView, Owner, finish};
use crate::precedence::Precedence;
use crate::reason::{ConditionType, Reason};

/// A ListenerSet whose parent is one of our Gateways.
#[derive(Debug)]
pub(crate) struct ListenerSetView<'a> {
    /// The object.
    pub(crate) set: &'a ListenerSet,
    /// Whether the Gateway lets it in. Where it does not, the set has no listeners in the [`GatewayView`].
    pub(crate) allowed: bool,
    /// Conditions of the set itself.
    pub(crate) conditions: Conditions,
}

/// The ListenerSets of each Gateway, in order of precedence.
pub(crate) fn by_gateway<'a>(
    context: &Context<'a>,
    out: &mut Output,
) -> BTreeMap<ObjectKey, Vec<&'a ListenerSet>> {
    let mut sets: BTreeMap<_, Vec<&ListenerSet>> = BTreeMap::new();
    for set in context.snapshot.listener_sets.values() {
        let parent = &set.spec.parent_ref;
        if (parent.group(), parent.kind()) != (GATEWAY_GROUP, "Gateway") {
            let message =
                format!("{} has no listeners to add to", kind_of_group(parent.kind(), parent.group()));
            out.find(error(set, FindingCode::InvalidKind, message).with_help("refer to a Gateway"));
            continue;
        }
        let key = Owner::ListenerSet(set).gateway();
        if context.snapshot.gateways.contains_key(&key) {
            sets.entry(key).or_default().push(set);
        } else {
            let message = format!("Gateway {key} does not exist");
            out.find(
                error(set, FindingCode::ReferenceNotFound, message).with_help("create it, or name another"),
            );
        }
    }
    for sets in sets.values_mut() {
        sets.sort_by(|a, b| Precedence::of(&a.metadata).cmp(&Precedence::of(&b.metadata)));
    }
    sets
}

/// Whether the Gateway lets the ListenerSet in.
pub(crate) fn admit<'a>(
    context: &Context<'a>,
    gateway: &'a Gateway,
    set: &'a ListenerSet,
    out: &mut Output,
) -> ListenerSetView<'a> {
    let choice = gateway.spec.allowed_listeners.as_ref().and_then(|it| it.namespaces.as_ref());
    let allowed = AllowedNamespaces::new(choice, From::None, gateway.namespace()).contain(
        set.namespace(),
        context.snapshot,
        context.options,
    );
    let mut conditions = context.conditions(set.generation());
    if !allowed {
        let message =
            format!("Gateway {} takes no ListenerSets of namespace {}", gateway.key(), set.namespace());
        let error = error(set, FindingCode::ReferenceNotPermitted, message)
            .with_help("have its owner set `spec.allowedListeners.namespaces` so that it does");
        conditions.set(ConditionType::Accepted, false, Reason::NotAllowed, error.sentence());
        conditions.set(ConditionType::Programmed, false, Reason::NotAllowed, error.sentence());
        out.find(error);
    }
    ListenerSetView { set, allowed, conditions }
}

fn error(set: &ListenerSet, code: FindingCode, message: String) -> Finding {
    Finding::new(Severity::Error, code, ObjectRef::of(set), "spec.parentRef", message)
}

/// Writes the statuses of a Gateway's ListenerSets, and returns how many are attached.
pub(crate) fn finish(gateway: &mut GatewayView<'_>, programmed: bool, out: &mut Output) -> usize {
    let sets = std::mem::take(&mut gateway.listener_sets);
    let listeners = by_set(gateway);
    let mut attached = 0;
    for mut view in sets {
        let key = (view.set.namespace(), view.set.name());
        let listeners = listeners.get(&key).map(Vec::as_slice).unwrap_or_default();
        if view.allowed {
            summarize(&mut view.conditions, gateway, listeners, programmed);
        }
        if view.conditions.is_true(ConditionType::Accepted) {
            attached += 1;
        }
        let previous = view.set.status.as_ref();
        let status = out.statuses.listener_sets.entry(view.set.key()).or_default();
        status.listeners = finish::statuses(listeners, previous.map(|it| it.listeners.as_slice()));
        let previous = previous.map(|it| it.conditions.as_slice()).unwrap_or_default();
        status.conditions = view.conditions.finish(previous);
    }
    attached
}

/// The listeners of each ListenerSet, by its namespace and name. A Gateway may have thousands of sets.
fn by_set<'v, 'a>(gateway: &'v GatewayView<'a>) -> BTreeMap<(&'a str, &'a str), Vec<&'v ListenerView<'a>>> {
    let mut sets: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for listener in &gateway.listeners {
        if let Owner::ListenerSet(set) = listener.owner {
            sets.entry((set.namespace(), set.name())).or_default().push(listener);
        }
    }
    sets
}

fn summarize(
    conditions: &mut Conditions,
    gateway: &GatewayView<'_>,
    listeners: &[&ListenerView<'_>],
    programmed: bool,
) {
    use ConditionType::{Accepted, Programmed};

    if !gateway.accepted {
        let message = format!("Gateway {} is not accepted; see its status.", gateway.key);
        conditions.set(Accepted, false, Reason::ParentNotAccepted, message.clone());
        conditions.set(Programmed, false, Reason::ParentNotAccepted, message);
        return;
    }
    let summary = finish::Summary::of(listeners);
    if summary.all_valid {
        conditions.set(Accepted, true, Reason::Accepted, "The ListenerSet is valid.");
    } else {
        // A set of which nothing can be served is not accepted, though its listeners may be: the conformance suite asks for
        // it where the one certificate may not be referred to (ListenerSetReferenceGrant).
        conditions.set(Accepted, summary.any_served, Reason::ListenersNotValid, summary.message());
    }
    if !summary.any_accepted {
        conditions.set(Programmed, false, Reason::ListenersNotValid, summary.message());
    } else if !programmed {
        let message = format!("Gateway {} is not programmed; see its status.", gateway.key);
        conditions.set(Programmed, false, Reason::ParentNotProgrammed, message);
    } else if summary.any_served {
        conditions.set(Programmed, true, Reason::Programmed, summary.message());
    } else {
        conditions.set(Programmed, false, Reason::ListenersNotValid, summary.message());
    }
}
