//! Building conditions.

use jiff::Timestamp;
use portway_api::core::{Condition, Time};

use crate::reason::{ConditionType, Reason};

/// Conditions of one object, or of one listener or parent within its status: at most one of each
/// type, written in the order of [`ConditionType`].
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    generation: i64,
    now: Timestamp,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    kind: ConditionType,
    status: bool,
    reason: Reason,
    message: String,
}

impl Conditions {
    /// None yet. `generation` is that of the object which the conditions speak of.
    pub(crate) fn new(generation: i64, now: Timestamp) -> Self {
        Self { generation, now, entries: Vec::new() }
    }

    /// Sets a condition, in place of the one that it has of this type.
    pub(crate) fn set(
        &mut self,
        kind: ConditionType,
        status: bool,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let entry = Entry { kind, status, reason, message: message.into() };
        match self.entries.iter_mut().find(|it| it.kind == kind) {
            Some(present) => *present = entry,
            None => self.entries.push(entry),
        }
    }

    /// Sets a condition to false. Where it is false already, the first reason stays and the message
    /// is added to: a person wants to see all that is wrong at once.
    pub(crate) fn fail(&mut self, kind: ConditionType, reason: Reason, message: impl Into<String>) {
        let message = message.into();
        match self.entries.iter_mut().find(|it| it.kind == kind && !it.status) {
            Some(present) if present.message.contains(&message) => {}
            Some(present) => {
                present.message.push(' ');
                present.message.push_str(&message);
            }
            None => self.set(kind, false, reason, message),
        }
    }

    /// Sets a condition unless there is one of this type.
    pub(crate) fn set_default(
        &mut self,
        kind: ConditionType,
        status: bool,
        reason: Reason,
        message: impl Into<String>,
    ) {
        if !self.entries.iter().any(|it| it.kind == kind) {
            self.set(kind, status, reason, message);
        }
    }

    /// Whether there is a condition of this type that is true.
    pub(crate) fn is_true(&self, kind: ConditionType) -> bool {
        self.entries.iter().any(|it| it.kind == kind && it.status)
    }

    /// Whether there is a condition of this type that is false.
    pub(crate) fn is_false(&self, kind: ConditionType) -> bool {
        self.entries.iter().any(|it| it.kind == kind && !it.status)
    }

    /// Reason and message of the condition of this type.
    pub(crate) fn get(&self, kind: ConditionType) -> Option<(bool, Reason, &str)> {
        self.entries.iter().find(|it| it.kind == kind).map(|it| (it.status, it.reason, it.message.as_str()))
    }

    /// As the API writes them. `previous` is what stands in the object's status: a condition whose
    /// status stays keeps its `lastTransitionTime`, which is the time of the last *change* of status.
    pub(crate) fn finish(mut self, previous: &[Condition]) -> Vec<Condition> {
        self.entries.sort_by_key(|entry| entry.kind);
        let (generation, now) = (self.generation, self.now);
        self.entries
            .into_iter()
            .map(|entry| {
                let (kind, status) = (entry.kind.as_str(), if entry.status { "True" } else { "False" });
                let unchanged = previous.iter().find(|it| it.type_ == kind && it.status == status);
                Condition {
                    type_: kind.to_owned(),
                    status: status.to_owned(),
                    reason: entry.reason.as_str().to_owned(),
                    message: truncated(entry.message),
                    observed_generation: Some(generation),
                    last_transition_time: unchanged.map_or(Time(now), |it| it.last_transition_time.clone()),
                }
            })
            .collect()
    }
}

/// What the API server takes at most in a condition's message, in bytes (`metav1.Condition`, maxLength).
const MAX_MESSAGE: usize = 32_768;

fn truncated(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let ellipsis = '…';
        let mut end = MAX_MESSAGE - ellipsis.len_utf8();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push(ellipsis);
    }
    message
}

#[cfg(test)]
mod tests;
