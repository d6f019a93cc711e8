//! The statuses of listeners, and what their owner says of them all.

use portway_api::listener::ListenerStatus;

use super::kinds;
use super::view::ListenerView;
use crate::reason::{ConditionType, Reason};

/// Completes the conditions of a listener: what is not false by now is true.
pub(crate) fn conclude(listener: &mut ListenerView<'_>, gateway_refusal: Option<&str>) {
    use ConditionType::{Accepted, Programmed, ResolvedRefs};

    let conditions = &mut listener.conditions;
    conditions.set_default(Accepted, true, Reason::Accepted, "The listener is valid.");
    conditions.set_default(
        ResolvedRefs,
        true,
        Reason::ResolvedRefs,
        "All references lead to something usable.",
    );
    match (&listener.config, gateway_refusal) {
        (Some(config), _) => {
            let message = format!("The listener is served on port {}.", config.port);
            conditions.set(Programmed, true, Reason::Programmed, message);
        }
        // Who refused the listener said so in this condition too.
        (None, _) if !listener.accepted => {}
        (None, Some(refusal)) => conditions.fail(Programmed, Reason::Pending, refusal),
        (None, None) => {
            let message = "No certificate is left to serve; see ResolvedRefs.";
            conditions.fail(Programmed, Reason::Invalid, message);
        }
    }
}

/// As the API writes the statuses of an owner's listeners: one for each name.
pub(crate) fn statuses(
    listeners: &[&ListenerView<'_>],
    previous: Option<&[ListenerStatus]>,
) -> Vec<ListenerStatus> {
    let mut statuses: Vec<ListenerStatus> = Vec::new();
    for listener in listeners {
        if statuses.iter().any(|it| *it.name == **listener.name()) {
            continue;
        }
        let previous = previous.into_iter().flatten().find(|it| *it.name == **listener.name());
        let previous = previous.map(|it| it.conditions.as_slice()).unwrap_or_default();
        statuses.push(ListenerStatus {
            name: listener.name().to_string(),
            supported_kinds: kinds::supported(&listener.allowed.kinds),
            attached_routes: i32::try_from(listener.attached_routes).unwrap_or(i32::MAX),
            conditions: listener.conditions.clone().finish(previous),
        });
    }
    statuses
}

/// What the owner of listeners says of them.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Whether one of them is accepted.
    pub(crate) any_accepted: bool,
    /// Whether one of them is served.
    pub(crate) any_served: bool,
    /// Whether nothing is wrong with any of them; what the Gateway does not serve for reasons of its
    /// own may be valid.
    pub(crate) all_valid: bool,
    /// Names of those with references that lead nowhere.
    pub(crate) unresolved: Vec<String>,
    served: Vec<String>,
    refused: Vec<String>,
}

impl Summary {
    /// Of these listeners, which are concluded.
    pub(crate) fn of(listeners: &[&ListenerView<'_>]) -> Self {
        let quoted = |it: &ListenerView<'_>| format!("`{}`", it.name());
        let names = |pick: &dyn Fn(&ListenerView<'_>) -> bool| {
            listeners.iter().filter(|it| pick(it)).map(|it| quoted(it)).collect::<Vec<_>>()
        };
        let with_reason = |it: &&&ListenerView<'_>| {
            let reason =
                it.conditions.get(ConditionType::Programmed).map_or("Pending", |(_, it, _)| it.as_str());
            format!("{} ({reason})", quoted(it))
        };
        Self {
            any_accepted: listeners.iter().any(|it| it.accepted),
            any_served: listeners.iter().any(|it| it.config.is_some()),
            all_valid: listeners.iter().all(|it| is_valid(it)),
            unresolved: names(&|it| it.conditions.is_false(ConditionType::ResolvedRefs)),
            served: names(&|it| it.config.is_some()),
            refused: listeners.iter().filter(|it| it.config.is_none()).map(|it| with_reason(&it)).collect(),
        }
    }

    /// Who is served, and who is not and why.
    pub(crate) fn message(&self) -> String {
        match (self.served.is_empty(), self.refused.is_empty()) {
            (_, true) => "All listeners are served.".to_owned(),
            (true, false) => format!("No listener is served: {}.", self.refused.join(", ")),
            (false, false) => {
                format!("Not served: {}. Served: {}.", self.refused.join(", "), self.served.join(", "))
            }
        }
    }
}

fn is_valid(listener: &ListenerView<'_>) -> bool {
    let programmed = listener.conditions.get(ConditionType::Programmed);
    programmed.is_some_and(|(served, reason, _)| served || reason == Reason::Pending)
}
