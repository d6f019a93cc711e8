//! The state of an election as one candidate sees it: a machine without clock or I/O.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::limits::LEASE_DURATION_MAX;

/// One candidate's view.
#[derive(Debug)]
pub(super) struct Claim {
    identity: String,
    duration: Duration,
    /// The Lease as last seen. None before anything was seen.
    seen: Option<Seen>,
    /// Writes that may have gone through, the newest last: what stands in the Lease as its renewal, and when the write began.
    attempts: Vec<(Timestamp, Instant)>,
}

#[derive(Debug)]
struct Seen {
    lease: Option<Lease>,
    /// Since when it looks like that; where it is ours, when the write of it began.
    since: Instant,
    /// Whether it is by a write of this process. One of the same name may have been here before.
    is_by_us: bool,
}

/// A write that is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    Create(LeaseSpec),
    Replace(Box<Lease>),
}

impl Claim {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self { identity, duration, seen: None, attempts: Vec::new() }
    }

    /// Takes note of the Lease, or of its absence, as the API server has had it at `now` at the latest. A state older than
    /// one that was seen before is passed over: a watch may bring what is past by then.
    pub(super) fn observe(&mut self, lease: Option<Lease>, now: Instant) {
        if let Some(seen) = &self.seen
            && (seen.lease == lease || is_older(lease.as_ref(), seen.lease.as_ref()))
        {
            return;
        }
        // Others may have seen a renewal of ours long before its answer or its event comes here; they count from then at
        // the earliest, so our time begins with the request.
        let renewed = lease.as_ref().filter(|it| self.is_ours(it)).and_then(renewal);
        let begun = renewed.and_then(|at| self.attempts.iter().find(|(time, _)| *time == at)).map(|it| it.1);
        let (since, is_by_us) = (begun.unwrap_or(now), begun.is_some());
        if let Some(begun) = begun {
            self.attempts.retain(|(_, at)| *at >= begun);
        }
        self.seen = Some(Seen { lease, since, is_by_us });
    }

    /// Until when the Lease is ours and holds. Without an answer from the API server nobody else can take it
    /// either, but we could not know; so a Lease that is not renewed in time is lost.
    pub(super) fn held_until(&self) -> Option<Instant> {
        let seen = self.seen.as_ref().filter(|it| it.is_by_us)?;
        Some(seen.since + self.duration)
    }

    /// Whether it is held now.
    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// The write that is due. It counts as tried from now on.
    pub(super) fn next(&mut self, now: Instant, time: Timestamp) -> Option<Move> {
        let seen = self.seen.as_ref()?;
        let time = micros(time);
        let step = match &seen.lease {
            None => Move::Create(self.spec(0, time, time)),
            Some(lease) => {
                let spec = lease.spec.clone().unwrap_or_default();
                let transitions = spec.lease_transitions.unwrap_or_default();
                if self.is_ours(lease) {
                    let acquired = spec.acquire_time.map_or(time, |it| it.0);
                    replace(lease, self.spec(transitions, acquired, time))
                } else if self.is_over(seen, &spec, now) {
                    replace(lease, self.spec(transitions.saturating_add(1), time, time))
                } else {
                    return None;
                }
            }
        };
        // What was tried longer ago would give nothing any more, were it to go through.
        self.attempts.retain(|(_, begun)| now < *begun + self.duration);
        self.attempts.push((time, now));
        Some(step)
    }

    /// Lets go of the Lease, if it is ours.
    pub(super) fn release(&self, time: Timestamp) -> Option<Move> {
        let lease = self.seen.as_ref()?.lease.as_ref().filter(|it| self.is_ours(it))?;
        let transitions = lease.spec.as_ref().and_then(|it| it.lease_transitions).unwrap_or_default();
        let time = micros(time);
        let spec = LeaseSpec { holder_identity: None, ..self.spec(transitions, time, time) };
        Some(replace(lease, spec))
    }

    /// Whether the Lease of another is free. Its times are not looked at: clocks differ.
    fn is_over(&self, seen: &Seen, spec: &LeaseSpec, now: Instant) -> bool {
        let is_free = spec.holder_identity.as_deref().unwrap_or_default().is_empty();
        let asked = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0);
        // Who writes nonsense there must not keep everybody out for ever.
        let holds_for = asked.map_or(self.duration, |it| Duration::from_secs(it).min(LEASE_DURATION_MAX));
        is_free || now >= seen.since + holds_for
    }

    /// Whether another candidate has the Lease, be it over or not.
    pub(super) fn is_of_another(&self) -> bool {
        let lease = self.seen.as_ref().and_then(|it| it.lease.as_ref());
        let holder = lease.and_then(|it| it.spec.as_ref()?.holder_identity.as_deref()).unwrap_or_default();
        !holder.is_empty() && holder != self.identity
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
}

fn replace(lease: &Lease, spec: LeaseSpec) -> Move {
    Move::Replace(Box::new(Lease { metadata: lease.metadata.clone(), spec: Some(spec) }))
}

fn renewal(lease: &Lease) -> Option<Timestamp> {
    lease.spec.as_ref()?.renew_time.as_ref().map(|it| it.0)
}

/// As exactly as the API server keeps times (`metav1.MicroTime`), so that what was written is known again.
fn micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// Whether `lease` is a state before `than`. Resource versions grow and can be compared (KEP-5504).
fn is_older(lease: Option<&Lease>, than: Option<&Lease>) -> bool {
    let number = |it: &Lease| it.metadata.resource_version.as_ref()?.parse::<u128>().ok();
    match (lease.and_then(number), than.and_then(number)) {
        (Some(lease), Some(than)) => lease < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
