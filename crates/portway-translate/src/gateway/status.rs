//! The last step: listeners into the configurations, conditions into the statuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::ObjectKey;

use super::address;
use crate::context::{Context, Output};
use crate::listener::GatewayView;
use crate::listener::finish::{self, Summary};
use crate::listener_set;
use crate::reason::{ConditionType, Reason};

/// Writes listeners into the configurations and conditions into the statuses.
pub(crate) fn finish(
    context: &Context<'_>,
    gateways: BTreeMap<ObjectKey, GatewayView<'_>>,
    out: &mut Output,
) {
    for mut view in gateways.into_values() {
        let refusal = refusal(&view);
        for listener in &mut view.listeners {
            finish::conclude(listener, refusal);
        }
        if let Some(configuration) = out.configurations.get_mut(&view.key) {
            let served = view.listeners.iter().filter_map(|it| it.config.clone());
            configuration.listeners.extend(served.map(|it| (it.key.clone(), Arc::new(it))));
        }
        summarize(&mut view);
        write(view, out);
    }
    crate::namespace::note_implied(context, out);
}

/// Why no listener of the Gateway is served, where that is not the listeners' fault.
fn refusal(view: &GatewayView<'_>) -> Option<&'static str> {
    if !view.accepted {
        Some("The Gateway is not accepted; see its status.")
    } else if !view.addresses.may_serve() {
        Some("The Gateway has none of the addresses that it asks for; see its status.")
    } else {
        None
    }
}

/// Completes the conditions of the Gateway from those of its own listeners.
fn summarize(view: &mut GatewayView<'_>) {
    use ConditionType::{Accepted, Programmed, ResolvedRefs};

    let own: Vec<_> = view.own_listeners().collect();
    let summary = Summary::of(&own);
    let any_served = view.listeners.iter().any(|it| it.config.is_some());
    let conditions = &mut view.conditions;
    if !summary.unresolved.is_empty() {
        let message =
            format!("References of listeners lead to nothing usable: {}.", summary.unresolved.join(", "));
        conditions.fail(ResolvedRefs, Reason::ListenersNotResolved, message);
    }
    conditions.set_default(
        ResolvedRefs,
        true,
        Reason::ResolvedRefs,
        "All references lead to something usable.",
    );
    if !view.accepted {
        conditions.set(Programmed, false, Reason::Invalid, "The Gateway is not accepted.");
        return;
    }
    let (reason, message) = if summary.all_valid {
        (Reason::Accepted, "The Gateway is valid.".to_owned())
    } else {
        (Reason::ListenersNotValid, summary.message())
    };
    conditions.set(Accepted, true, reason, message);
    address::tell(&view.addresses, conditions);
    if !any_served && !view.listeners.is_empty() {
        conditions.set_default(Programmed, false, Reason::Invalid, summary.message());
    }
    conditions.set_default(Programmed, true, Reason::Programmed, summary.message());
}

fn write(mut view: GatewayView<'_>, out: &mut Output) {
    let programmed = view.conditions.is_true(ConditionType::Programmed);
    let attached = listener_set::finish(&mut view, programmed, out);
    let previous = view.gateway.status.as_ref();
    let own: Vec<_> = view.own_listeners().collect();
    let status = out.statuses.gateways.entry(view.key.clone()).or_default();
    status.listeners = finish::statuses(&own, previous.map(|it| it.listeners.as_slice()));
    status.addresses = if view.accepted { view.addresses.assigned().cloned().collect() } else { Vec::new() };
    status.attached_listener_sets = Some(i32::try_from(attached).unwrap_or(i32::MAX));
    let previous = previous.map(|it| it.conditions.as_slice()).unwrap_or_default();
    status.conditions = view.conditions.finish(previous);
}
