//! The state of an election as one candidate sees it: a machine without clock or I/O.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// One candidate's view.
#[derive(Debug)]
pub(super) struct Claim {
    identity: String,
    duration: Duration,
    /// The Lease as last seen, and since when it looks like that. None before anything was seen.
    seen: Option<(Option<Lease>, Instant)>,
}

/// A write that is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    Create(LeaseSpec),
    Replace(Box<Lease>),
}

impl Claim {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self { identity, duration, seen: None }
    }

    /// Takes note of the Lease, or of its absence.
    pub(super) fn observe(&mut self, lease: Option<Lease>, now: Instant) {
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != lease) {
            self.seen = Some((lease, now));
        }
    }

    /// Whether the Lease is ours and still holds. Without an answer from the API server nobody else can take it
    /// either, but we could not know; so a Lease that is not renewed in time is lost.
    pub(super) fn is_held(&self, now: Instant) -> bool {
        match &self.seen {
            Some((Some(lease), since)) => self.is_ours(lease) && now < *since + self.duration,
            _ => false,
        }
    }

    /// The write that is due.
    pub(super) fn next(&self, now: Instant, time: Timestamp) -> Option<Move> {
        let (lease, since) = self.seen.as_ref()?;
        let Some(lease) = lease else { return Some(Move::Create(self.spec(0, time, time))) };
        let spec = lease.spec.clone().unwrap_or_default();
        let transitions = spec.lease_transitions.unwrap_or_default();
        if self.is_ours(lease) {
            let acquired = spec.acquire_time.map_or(time, |it| it.0);
            return Some(self.replace(lease, self.spec(transitions, acquired, time)));
        }
        let is_free = spec.holder_identity.as_deref().unwrap_or_default().is_empty();
        let holds_for = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok());
        let holds_for = holds_for.map_or(self.duration, Duration::from_secs);
        (is_free || now >= *since + holds_for)
            .then(|| self.replace(lease, self.spec(transitions.saturating_add(1), time, time)))
    }

    /// Lets go of the Lease, if it is ours.
    pub(super) fn release(&self, time: Timestamp) -> Option<Move> {
        let (lease, _) = self.seen.as_ref()?;
        let lease = lease.as_ref().filter(|it| self.is_ours(it))?;
        let transitions = lease.spec.as_ref().and_then(|it| it.lease_transitions).unwrap_or_default();
        let spec = LeaseSpec { holder_identity: None, ..self.spec(transitions, time, time) };
        Some(self.replace(lease, spec))
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|it| it.holder_identity.as_deref()) == Some(&self.identity)
    }

    fn spec(&self, transitions: i32, acquired: Timestamp, renewed: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            lease_transitions: Some(transitions),
            acquire_time: Some(MicroTime(acquired)),
            renew_time: Some(MicroTime(renewed)),
            ..LeaseSpec::default()
        }
    }

    fn replace(&self, lease: &Lease, spec: LeaseSpec) -> Move {
        Move::Replace(Box::new(Lease { metadata: lease.metadata.clone(), spec: Some(spec) }))
    }
}

#[cfg(test)]
mod tests;
