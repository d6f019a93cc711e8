//! Our entries among those of others.
//!
//! `parents` of routes and `ancestors` of policies are atomic lists for the API server: whoever applies one entry
//! applies the list. So the entries of other controllers are written back as they are, on the condition that the
//! object has not changed in between (`metadata.resourceVersion`).

use portway_api::backend_tls_policy::PolicyAncestorStatus;
use portway_api::core::Condition;
use portway_api::reference::ParentReference;
use portway_api::route::RouteParentStatus;

/// The most entries in `parents` (`apis/v1`, RouteStatus).
const MAX_PARENTS: usize = 32;
/// The most entries in `ancestors` (`apis/v1`, PolicyStatus).
const MAX_ANCESTORS: usize = 16;

/// An entry that one controller writes.
pub(super) trait Entry: Clone + PartialEq {
    /// The most entries in a list.
    const MAX: usize;
    /// Who wrote it.
    fn controller(&self) -> &str;
    /// What it is about.
    fn subject(&self) -> &ParentReference;
    /// What it says.
    fn conditions(&self) -> &[Condition];
    /// The same, to be changed.
    fn conditions_mut(&mut self) -> &mut [Condition];
}

impl Entry for RouteParentStatus {
    const MAX: usize = MAX_PARENTS;
    fn controller(&self) -> &str {
        &self.controller_name
    }
    fn subject(&self) -> &ParentReference {
        &self.parent_ref
    }
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn conditions_mut(&mut self) -> &mut [Condition] {
        &mut self.conditions
    }
}

impl Entry for PolicyAncestorStatus {
    const MAX: usize = MAX_ANCESTORS;
    fn controller(&self) -> &str {
        &self.controller_name
    }
    fn subject(&self) -> &ParentReference {
        &self.ancestor_ref
    }
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn conditions_mut(&mut self) -> &mut [Condition] {
        &mut self.conditions
    }
}

/// The whole list, where it differs from what is there.
pub(super) fn merge<E: Entry>(current: &[E], ours: &[E], is_ours: impl Fn(&str) -> bool) -> Option<Vec<E>> {
    let (mine, others): (Vec<&E>, Vec<&E>) = current.iter().partition(|it| is_ours(it.controller()));
    let room = E::MAX.saturating_sub(others.len());
    let ours = &ours[..ours.len().min(room)];
    let is_same = |ours: &[E]| mine.len() == ours.len() && ours.iter().all(|it| mine.contains(&it));
    if is_same(ours) {
        return None;
    }
    // What was translated before our last write came back knows nothing of the times in it.
    let mut ours = ours.to_vec();
    for entry in &mut ours {
        let before =
            mine.iter().find(|it| it.controller() == entry.controller() && it.subject() == entry.subject());
        if let Some(before) = before {
            carry(before.conditions(), entry.conditions_mut());
        }
    }
    (!is_same(&ours)).then(|| others.into_iter().cloned().chain(ours).collect())
}

/// Takes the times of conditions from what was said before, where the status is the same: it has not changed now.
pub(crate) fn carry(before: &[Condition], now: &mut [Condition]) {
    for condition in now {
        let same = before.iter().find(|it| it.type_ == condition.type_ && it.status == condition.status);
        if let Some(same) = same {
            condition.last_transition_time = same.last_transition_time.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(controller: &str, parent: &str) -> RouteParentStatus {
        serde_json::from_value(serde_json::json!({
            "parentRef": {"name": parent}, "controllerName": controller, "conditions": [],
        }))
        .unwrap()
    }

    fn merged(current: &[(&str, &str)], ours: &[&str]) -> Option<Vec<(String, String)>> {
        let current: Vec<_> = current.iter().map(|(controller, parent)| entry(controller, parent)).collect();
        let ours: Vec<_> = ours.iter().map(|parent| entry("us", parent)).collect();
        let merged = merge(&current, &ours, |name| name == "us")?;
        Some(merged.into_iter().map(|it| (it.controller_name, it.parent_ref.name)).collect())
    }

    fn pair(controller: &str, parent: &str) -> (String, String) {
        (controller.to_owned(), parent.to_owned())
    }

    #[test]
    fn others_stay() {
        assert_eq!(
            merged(&[("them", "a"), ("us", "old")], &["b"]),
            Some(vec![pair("them", "a"), pair("us", "b")])
        );
    }

    #[test]
    fn the_same_is_not_written_whatever_the_order() {
        assert_eq!(merged(&[("us", "b"), ("them", "a"), ("us", "c")], &["c", "b"]), None);
        assert_eq!(merged(&[("them", "a")], &[]), None);
    }

    #[test]
    fn what_is_no_longer_ours_goes() {
        assert_eq!(merged(&[("us", "b"), ("them", "a")], &[]), Some(vec![pair("them", "a")]));
    }

    #[test]
    fn a_list_is_never_longer_than_the_api_takes() {
        let theirs: Vec<_> = (0..31).map(|_| ("them", "x")).collect();
        assert_eq!(merged(&theirs, &["a", "b"]).unwrap().len(), 32);
    }

    #[test]
    fn a_condition_that_stands_there_is_not_written_again_for_its_time() {
        let entry = |status: &str, time: &str| {
            let mut entry = entry("us", "web");
            let condition = serde_json::json!({
                "type": "Accepted", "status": status, "reason": "R", "message": "", "lastTransitionTime": time,
            });
            entry.conditions = vec![serde_json::from_value(condition).unwrap()];
            entry
        };
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z");
        let merged = |now: RouteParentStatus| merge(&[entry("True", early)], &[now], |name| name == "us");
        assert_eq!(merged(entry("True", late)), None);
        assert_eq!(merged(entry("False", late)), Some(vec![entry("False", late)]));
    }
}
