//! The times in conditions: one that has the status that it had has not changed now.
//!
//! Translation sees to this for what it says. What the proxies make of it is brought in later, and the same holds there.

use portway_api::Snapshot;
use portway_api::listener::ListenerStatus;
use portway_translate::Statuses;

use crate::status::carry;

/// Takes the times of conditions from what the objects carry, where the status is the same.
pub(super) fn carry_over(snapshot: &Snapshot, statuses: &mut Statuses) {
    for (key, status) in &mut statuses.gateways {
        let Some(before) = snapshot.gateways.get(key).and_then(|it| it.status.as_ref()) else { continue };
        carry(&before.conditions, &mut status.conditions);
        carry_listeners(&before.listeners, &mut status.listeners);
    }
    for (key, status) in &mut statuses.listener_sets {
        let Some(before) = snapshot.listener_sets.get(key).and_then(|it| it.status.as_ref()) else {
            continue;
        };
        carry(&before.conditions, &mut status.conditions);
        carry_listeners(&before.listeners, &mut status.listeners);
    }
}

fn carry_listeners(before: &[ListenerStatus], now: &mut [ListenerStatus]) {
    for listener in now {
        if let Some(before) = before.iter().find(|it| it.name == listener.name) {
            carry(&before.conditions, &mut listener.conditions);
        }
    }
}

#[cfg(test)]
mod tests {
    use portway_api::core::Condition;
    use serde_json::json;

    use super::*;

    fn condition(status: &str, time: &str) -> Condition {
        serde_json::from_value(json!({
            "type": "Programmed", "status": status, "reason": "R", "message": "", "lastTransitionTime": time,
        }))
        .unwrap()
    }

    #[test]
    fn the_time_is_that_of_the_last_change_of_status() {
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z");
        let mut now = [condition("False", late)];
        carry(&[condition("False", early)], &mut now);
        assert_eq!(now, [condition("False", early)]);
        let mut now = [condition("True", late)];
        carry(&[condition("False", early)], &mut now);
        assert_eq!(now, [condition("True", late)]);
    }
}
