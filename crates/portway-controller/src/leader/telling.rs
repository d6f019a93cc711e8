//! What the log says of a Lease that cannot be written.

use super::leases::WriteError;
use crate::failure::REFUSALS;

/// Tells why a Lease cannot be written: once, not with each attempt.
#[derive(Debug, Default)]
pub(super) struct Telling {
    is_told: bool,
    /// How often in a row it was not permitted.
    refusals: u32,
}

impl Telling {
    /// It can be written again.
    pub(super) fn it_works(&mut self) {
        *self = Self::default();
    }

    /// It cannot. Returns whether the log has told that now.
    pub(super) fn tell(&mut self, name: &str, error: &WriteError) -> bool {
        if let WriteError::Forbidden(message) = error {
            self.refusals = self.refusals.saturating_add(1);
            if self.refusals == REFUSALS {
                tracing::error!(
                    "no election is possible: the controller's ServiceAccount lacks the permission `create, get, \
                     update, watch` on leases in API group coordination.k8s.io: {message}"
                );
                return true;
            }
        } else {
            self.refusals = 0;
            if !std::mem::replace(&mut self.is_told, true) {
                tracing::warn!("the Lease {name} cannot be written, so nobody leads for long: {error}");
                return true;
            }
        }
        tracing::debug!("the Lease {name} cannot be written: {error}");
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_that_has_just_begun_is_no_missing_permission() {
        let (forbidden, away) =
            (|| WriteError::Forbidden("no".into()), || WriteError::Unavailable("no".into()));
        let mut telling = Telling::default();
        assert!(telling.tell("lease", &away()));
        assert!(!telling.tell("lease", &away()));
        assert!(!telling.tell("lease", &forbidden()));
        telling.it_works();
        let told = (0..2 * REFUSALS).filter(|_| telling.tell("lease", &forbidden()));
        assert_eq!(told.count(), 1);
        assert!(telling.tell("lease", &away()));
    }
}
