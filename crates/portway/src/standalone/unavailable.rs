//! Status of what cannot be listened on. Translation cannot know of it, and the status must not claim otherwise.

use std::net::IpAddr;

use jiff::Timestamp;
use portway_api::core::{Condition, Time};
use portway_api::listener::ListenerStatus;
use portway_config::{Configuration, Listener, ListenerParent};
use portway_translate::Statuses;
use portway_translate::reason::{ConditionType, Reason};

use super::bindings::{Unavailable, transport};
use crate::object_name;

/// Takes back what the statuses say of listeners for which no socket is open.
pub(crate) fn tell(
    statuses: &mut Statuses,
    configuration: &Configuration,
    addresses: &[IpAddr],
    unavailable: &[Unavailable],
    now: Timestamp,
) {
    let ours: Vec<_> = unavailable.iter().filter(|it| it.gateway == configuration.gateway).collect();
    if ours.is_empty() {
        return;
    }
    let lacks_all = |listener: &&std::sync::Arc<Listener>| {
        let lacks = |address: &IpAddr| ours.iter().any(|it| is_for(it, listener, *address));
        addresses.iter().all(lacks)
    };
    let (lost, served): (Vec<_>, Vec<_>) = configuration.listeners.values().partition(lacks_all);
    for listener in &lost {
        let message = message(listener, &ours);
        if let Some(status) = listener_status(statuses, listener) {
            set(&mut status.conditions, ConditionType::Accepted, Reason::PortUnavailable, &message, now);
            set(&mut status.conditions, ConditionType::Programmed, Reason::Invalid, &message, now);
        }
    }
    tell_owners(statuses, configuration, &lost, &served, now);
    let gateway = object_name::key(&configuration.gateway);
    if let Some(status) = statuses.gateways.get_mut(&gateway) {
        // An address on which nothing can be opened is not one that the Gateway has.
        let is_lost = |address: &IpAddr| {
            configuration
                .listeners
                .values()
                .all(|listener| ours.iter().any(|it| is_for(it, listener, *address)))
        };
        status.addresses.retain(|it| it.value.parse().map_or(true, |address| !is_lost(&address)));
    }
}

fn is_for(unavailable: &Unavailable, listener: &Listener, address: IpAddr) -> bool {
    unavailable.address == address
        && unavailable.listener_port == listener.port
        && unavailable.transport == transport(&listener.protocol)
}

fn message(listener: &Listener, unavailable: &[&Unavailable]) -> String {
    let of_listener = unavailable.iter().filter(|it| is_for(it, listener, it.address));
    let reasons: Vec<_> = of_listener
        .map(|it| {
            let help = it.help().map(|help| format!(": {help}")).unwrap_or_default();
            format!("{it}{help}.")
        })
        .collect();
    capitalised(&reasons.join(" "))
}

fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn listener_status<'a>(statuses: &'a mut Statuses, listener: &Listener) -> Option<&'a mut ListenerStatus> {
    let listeners = match &listener.key.parent {
        ListenerParent::Gateway(name) => &mut statuses.gateways.get_mut(&object_name::key(name))?.listeners,
        ListenerParent::ListenerSet(name) => {
            &mut statuses.listener_sets.get_mut(&object_name::key(name))?.listeners
        }
    };
    listeners.iter_mut().find(|it| *it.name == *listener.key.name)
}

/// Takes back what Gateway and ListenerSets say as a whole.
fn tell_owners(
    statuses: &mut Statuses,
    configuration: &Configuration,
    lost: &[&std::sync::Arc<Listener>],
    served: &[&std::sync::Arc<Listener>],
    now: Timestamp,
) {
    let names = |of: &dyn Fn(&Listener) -> bool| {
        let names: Vec<_> = lost.iter().filter(|it| of(it)).map(|it| format!("`{}`", it.key.name)).collect();
        names.join(", ")
    };
    let gateway = object_name::key(&configuration.gateway);
    if let Some(status) = statuses.gateways.get_mut(&gateway) {
        let message =
            format!("No socket is open for {}; see the conditions of the listener.", names(&|_| true));
        if served.is_empty() {
            set(&mut status.conditions, ConditionType::Programmed, Reason::AddressNotUsable, &message, now);
        }
        keep_status(&mut status.conditions, ConditionType::Accepted, Reason::ListenersNotValid, &message);
    }
    for (key, status) in &mut statuses.listener_sets {
        let is_of = |listener: &Listener| match &listener.key.parent {
            ListenerParent::ListenerSet(name) => object_name::key(name) == *key,
            ListenerParent::Gateway(_) => false,
        };
        if !lost.iter().any(|it| is_of(it)) {
            continue;
        }
        let message = format!("No socket is open for {}; see the conditions of the listener.", names(&is_of));
        if !served.iter().any(|it| is_of(it)) {
            set(&mut status.conditions, ConditionType::Programmed, Reason::Invalid, &message, now);
        }
        keep_status(&mut status.conditions, ConditionType::Accepted, Reason::ListenersNotValid, &message);
    }
}

/// Sets a condition to false.
fn set(conditions: &mut [Condition], kind: ConditionType, reason: Reason, message: &str, now: Timestamp) {
    let condition = conditions.iter_mut().find(|it| it.type_ == kind.as_str());
    let Some(condition) = condition else { return };
    if condition.status != "False" {
        condition.last_transition_time = Time(now);
    }
    condition.status = "False".to_owned();
    condition.reason = reason.as_str().to_owned();
    condition.message = message.to_owned();
}

/// Gives a condition that stays as it is another reason.
fn keep_status(conditions: &mut [Condition], kind: ConditionType, reason: Reason, message: &str) {
    if let Some(condition) = conditions.iter_mut().find(|it| it.type_ == kind.as_str() && it.status == "True")
    {
        condition.reason = reason.as_str().to_owned();
        condition.message = message.to_owned();
    }
}
