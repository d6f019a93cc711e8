//! Our entries among those of others.
//!
//! `parents` of routes and `ancestors` of policies are atomic lists for the API server: whoever applies one entry
//! applies the list. So the entries of other controllers are written back as they are, on the condition that the
//! object has not changed in between (`metadata.resourceVersion`).

use portway_api::backend_tls_policy::PolicyAncestorStatus;
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
}

impl Entry for RouteParentStatus {
    const MAX: usize = MAX_PARENTS;
    fn controller(&self) -> &str {
        &self.controller_name
    }
}

impl Entry for PolicyAncestorStatus {
    const MAX: usize = MAX_ANCESTORS;
    fn controller(&self) -> &str {
        &self.controller_name
    }
}

/// The whole list, where it differs from what is there.
pub(super) fn merge<E: Entry>(current: &[E], ours: &[E], is_ours: impl Fn(&str) -> bool) -> Option<Vec<E>> {
    let (mine, others): (Vec<&E>, Vec<&E>) = current.iter().partition(|it| is_ours(it.controller()));
    let room = E::MAX.saturating_sub(others.len());
    let ours = &ours[..ours.len().min(room)];
    let is_same = mine.len() == ours.len() && ours.iter().all(|it| mine.contains(&it));
    (!is_same).then(|| others.into_iter().chain(ours).cloned().collect())
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
}
