//! What the API server refuses, in words that help at night.

use kube::runtime::watcher;

use crate::watch::Kind;

/// Logs what ended a watch. It is begun again by itself, with growing pauses.
pub(crate) fn log_watch(kind: &Kind, error: &watcher::Error) {
    let group = if kind.group.is_empty() { "core" } else { kind.group };
    log(
        &format!("watch of {}", kind.kind),
        &format!("list, watch on {} in API group {group}", kind.plural),
        error,
    );
}

/// The same for CRDs.
pub(crate) fn log_crd_watch(error: &watcher::Error) {
    log("watch of CRDs", "list, watch on customresourcedefinitions in API group apiextensions.k8s.io", error);
}

fn log(what: &str, permission: &str, error: &watcher::Error) {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if status.code == 403 =>
        {
            tracing::error!(
                "{what} is refused: the controller's ServiceAccount lacks the permission `{permission}`"
            );
        }
        // The API server compacts its history; the list that follows brings all.
        watcher::Error::WatchError(status) if status.code == 410 => {
            tracing::debug!("{what} is too far behind; listing again");
        }
        error => tracing::warn!("{what} has ended and is begun again: {error}"),
    }
}
