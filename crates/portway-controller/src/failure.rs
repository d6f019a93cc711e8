//! What the API server refuses, in words that help at night.

use kube::runtime::watcher;

use crate::watch::Kind;

/// What is watched, and by which permission.
pub(crate) struct Subject {
    what: String,
    permission: String,
}

impl Subject {
    /// All objects of a kind.
    pub(crate) fn of_kind(kind: &str, plural: &str, group: &str) -> Self {
        let group = if group.is_empty() { "core" } else { group };
        let permission = format!("list, watch on {plural} in API group {group}");
        Self { what: format!("watch of {kind}"), permission }
    }
}

impl From<&Kind> for Subject {
    fn from(kind: &Kind) -> Self {
        Self::of_kind(kind.kind, kind.plural, kind.group)
    }
}

/// Whether the API server does not permit a watch.
pub(crate) fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 403,
        _ => false,
    }
}

/// Logs that a watch is not permitted.
pub(crate) fn log_forbidden(Subject { what, permission }: &Subject) {
    tracing::error!("{what} is refused: the controller's ServiceAccount lacks the permission `{permission}`");
}

/// Logs what else ended a watch; it is begun again by itself. What was told already is for those who look closer.
pub(crate) fn log_end(Subject { what, .. }: &Subject, error: &watcher::Error, is_told: bool) {
    match error {
        _ if is_told => tracing::debug!("{what}: {error}"),
        // The API server compacts its history; the list that follows brings all.
        watcher::Error::WatchError(status) if status.code == 410 => {
            tracing::debug!("{what} is too far behind; listing again");
        }
        error => tracing::warn!("{what} has ended and is begun again: {error}"),
    }
}
