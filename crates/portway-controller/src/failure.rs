//! What the API server refuses, in words that help at night.

use std::sync::{Mutex, PoisonError};

use kube::runtime::watcher;
use tokio::time::Instant;

use crate::limits::OUTAGE_TOLD;
use crate::watch::Kind;

/// How often in a row something is refused before the log tells of a missing permission: an API server that has just begun
/// does not know permissions yet, and refuses everything for a moment.
pub(crate) const REFUSALS: u32 = 3;

/// How RBAC says no: `User "…" cannot patch resource "…"`. Webhooks, quotas and namespaces that are being deleted answer
/// with the same status, and no permission would help.
pub(crate) const LACKS_PERMISSION: &str = "\" cannot ";

/// Whether it is RBAC that says no.
pub(crate) fn lacks_permission(status: &kube::core::Status) -> bool {
    status.code == 403 && status.message.contains(LACKS_PERMISSION)
}

/// What the log has told of something that is tried again and again: each is told once, not with each attempt.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    is_told: bool,
    /// How often in a row it was not permitted.
    pub(crate) refusals: u32,
}

impl Telling {
    /// It works again.
    pub(crate) fn works(&mut self) {
        *self = Self::default();
    }

    /// It is not permitted. Returns whether that is to be told now.
    pub(crate) fn is_forbidden(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals == REFUSALS
    }

    /// It failed otherwise. Returns whether that is to be told now.
    pub(crate) fn fails(&mut self) -> bool {
        self.refusals = 0;
        !std::mem::replace(&mut self.is_told, true)
    }
}

/// When the log last told that the connection to the API server is lost. There is one API server, and a watch of each
/// kind: what ends one ends all.
static OUTAGE: Mutex<Option<Instant>> = Mutex::new(None);

/// What is watched, and by which permission.
pub(crate) struct Subject {
    kind: String,
    what: String,
    permission: String,
}

impl Subject {
    /// All objects of a kind.
    pub(crate) fn of_kind(kind: &str, plural: &str, group: &str) -> Self {
        let group = if group.is_empty() { "core" } else { group };
        let permission = format!("list, watch on {plural} in API group {group}");
        Self { kind: kind.to_owned(), what: format!("watch of {kind}"), permission }
    }

    pub(crate) fn kind(&self) -> &str {
        &self.kind
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

/// Why a watch has ended, for metrics.
pub(crate) fn reason(error: &watcher::Error) -> &'static str {
    match error {
        _ if is_forbidden(error) => "forbidden",
        watcher::Error::WatchError(status) if status.code == 410 => "expired",
        _ => "failed",
    }
}

/// Logs that a watch is not permitted.
pub(crate) fn log_forbidden(Subject { what, permission, .. }: &Subject) {
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
        error if is_of_connection(error) => {
            tracing::debug!("{what}: {error}");
            if is_news(Instant::now()) {
                tracing::warn!(
                    "the connection to the API server is lost, and is tried until it answers; proxies go on with what \
                     they have: {error}"
                );
            }
        }
        error => tracing::warn!("{what} has ended and is begun again: {error}"),
    }
}

/// Whether it is not about what is watched: nobody answered, or the answer broke off.
fn is_of_connection(error: &watcher::Error) -> bool {
    use kube::Error::{Api, HyperError, ReadEvents, Service};
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            HyperError(_) | Service(_) | ReadEvents(_) => true,
            // It is there, but not in service: it has just begun, or what stands before it has lost it.
            Api(status) => matches!(status.code, 503 | 504),
            _ => false,
        },
        _ => false,
    }
}

/// Whether the log is to tell of an outage, since it has not done so lately.
fn is_news(now: Instant) -> bool {
    // A panic elsewhere leaves a time in place, which is what it is.
    let mut told = OUTAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = told.is_none_or(|at| now.saturating_duration_since(at) >= OUTAGE_TOLD);
    if is_news {
        *told = Some(now);
    }
    is_news
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_api_server_that_has_just_begun_is_no_missing_permission() {
        let mut telling = Telling::default();
        assert!(telling.fails());
        assert!(!telling.fails());
        assert!(!telling.is_forbidden());
        telling.works();
        assert_eq!((0..2 * REFUSALS).filter(|_| telling.is_forbidden()).count(), 1);
        assert!(telling.fails());
    }

    #[test]
    fn one_line_tells_of_an_outage_that_ends_all_watches() {
        let lost = watcher::Error::WatchFailed(kube::Error::Service("nobody answers".into()));
        assert!(is_of_connection(&lost));
        assert!(!is_of_connection(&watcher::Error::NoResourceVersion));
        let began = Instant::now();
        let told = (0..30).filter(|number| is_news(began + Duration::from_millis(*number)));
        assert_eq!(told.count(), 1);
        assert!(is_news(began + OUTAGE_TOLD));
    }
}
