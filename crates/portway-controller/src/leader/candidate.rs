//! One candidate: watches the Lease, writes it when that is due, and says whether it leads.

use std::pin::{Pin, pin};

use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::claim::{Claim, Move};
use super::leases::{Leases, WriteError};
use crate::failure::Telling;
use crate::limits::{LEASE_DURATION, LEASE_RENEWAL, LEASE_REQUEST, LEASE_YIELD};

/// One candidate.
pub(super) struct Candidate<L, C> {
    lease: L,
    /// For messages: namespace and name.
    name: String,
    claim: Claim,
    leads: watch::Sender<bool>,
    clock: C,
    telling: Telling,
}

/// What became of a write.
enum Outcome {
    /// The Lease as it is now, and when it was at the earliest asked for.
    Seen(Box<Option<Lease>>, Instant),
    Failed(WriteError),
}

/// What has happened.
enum Event {
    Stop,
    Seen(Box<Option<Lease>>),
    /// It is time to renew.
    Tick,
    /// The Lease that is held is over.
    Lapse,
    Done(Outcome),
}

impl<L: Leases, C: Fn() -> Timestamp> Candidate<L, C> {
    pub(super) fn new(
        lease: L,
        name: String,
        identity: String,
        leads: watch::Sender<bool>,
        clock: C,
    ) -> Self {
        let claim = Claim::new(identity, LEASE_DURATION);
        Self { lease, name, claim, leads, clock, telling: Telling::default() }
    }

    /// Takes part until `stop` turns true, then lets go of the Lease.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { lease, name, mut claim, leads, clock, mut telling } = self;
        let mut seen = pin!(lease.watch());
        let mut ticks = interval(LEASE_RENEWAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A write goes on beside everything else: whoever waits for its answer must notice that its Lease is over.
        let mut write: Option<Pin<Box<dyn Future<Output = Outcome> + Send + '_>>> = None;
        // Of writes that others were faster than, one is repeated at once; the others at the next tick.
        let mut may_repeat = true;
        // After an absence of the API server, the one that led comes first: proxies and kube-proxy know its address.
        let (mut was_away, mut yields_until) = (false, None::<Instant>);
        loop {
            let event = next_event(&mut stop, seen.as_mut(), &mut ticks, &mut write, &claim).await;
            let mut is_due = false;
            match event {
                Event::Stop => break,
                Event::Seen(lease) => {
                    claim.observe(*lease, Instant::now().into_std());
                    // Each write comes back as an event; what is held is renewed when its time has come alone.
                    is_due = !claim.is_held(Instant::now().into_std());
                }
                Event::Tick => (is_due, may_repeat) = (true, true),
                Event::Lapse => {}
                Event::Done(Outcome::Seen(lease, begun)) => {
                    telling.works();
                    if std::mem::take(&mut was_away) {
                        yields_until = Some(Instant::now() + LEASE_YIELD);
                    }
                    claim.observe(*lease, begun.into_std());
                    is_due = !claim.is_held(Instant::now().into_std()) && std::mem::take(&mut may_repeat);
                }
                Event::Done(Outcome::Failed(error)) => {
                    tell(&name, &error, &mut telling);
                    was_away = true;
                }
            }
            let now = Instant::now().into_std();
            let yields = claim.is_of_another() && yields_until.is_some_and(|until| Instant::now() < until);
            if is_due
                && !yields
                && write.is_none()
                && let Some(step) = claim.next(now, clock())
            {
                // Whether the API server is there again is found out without taking anything.
                let only_looks = was_away && claim.is_of_another();
                write =
                    Some(if only_looks { Box::pin(look(&lease)) } else { Box::pin(carry_out(&lease, step)) });
            }
            let is_held = claim.is_held(now);
            leads.send_if_modified(|leads| std::mem::replace(leads, is_held) != is_held);
        }
        leads.send_replace(false);
        // One that is still under way is given up; where it goes through all the same, the release finds it.
        drop(write);
        release(&lease, &name, &mut claim, clock).await;
    }
}

async fn next_event(
    stop: &mut watch::Receiver<bool>,
    mut seen: Pin<&mut impl Stream<Item = Option<Lease>>>,
    ticks: &mut tokio::time::Interval,
    write: &mut Option<Pin<Box<dyn Future<Output = Outcome> + Send + '_>>>,
    claim: &Claim,
) -> Event {
    // One that is over is not waited for once more.
    let lapse = claim.held_until().map(Instant::from_std).filter(|it| *it > Instant::now());
    let lapsed = async {
        match lapse {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    let written = async {
        match write {
            Some(write) => write.await,
            None => std::future::pending().await,
        }
    };
    let event = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => Event::Stop,
        () = lapsed => Event::Lapse,
        outcome = written => Event::Done(outcome),
        Some(lease) = seen.next() => Event::Seen(Box::new(lease)),
        _ = ticks.tick() => Event::Tick,
    };
    if matches!(event, Event::Done(_)) {
        *write = None;
    }
    event
}

/// Writes; where somebody was faster, reads what there is now. This must not wait for the watch, which may hang: whoever
/// sees an old state would be refused with each attempt.
async fn carry_out(lease: &impl Leases, step: Move) -> Outcome {
    let begun = Instant::now();
    match timeout(LEASE_REQUEST, lease.write(step)).await {
        Ok(Ok(lease)) => return Outcome::Seen(Box::new(Some(lease)), begun),
        Ok(Err(WriteError::Overtaken)) => {}
        Ok(Err(error)) => return Outcome::Failed(error),
        Err(_) => return Outcome::Failed(no_answer()),
    }
    look(lease).await
}

async fn look(lease: &impl Leases) -> Outcome {
    let begun = Instant::now();
    match timeout(LEASE_REQUEST, lease.read()).await {
        Ok(Ok(lease)) => Outcome::Seen(Box::new(lease), begun),
        Ok(Err(error)) => Outcome::Failed(error),
        Err(_) => Outcome::Failed(no_answer()),
    }
}

async fn release(lease: &impl Leases, name: &str, claim: &mut Claim, clock: impl Fn() -> Timestamp) {
    // Twice: the first may find that a renewal had gone through.
    for _ in 0..2 {
        let Some(step) = claim.release(clock()) else { return };
        match carry_out(lease, step).await {
            Outcome::Seen(lease, begun) => claim.observe(*lease, begun.into_std()),
            Outcome::Failed(error) => {
                tracing::warn!("the Lease {name} is not let go of, so others wait for its end: {error}");
                return;
            }
        }
    }
}

fn no_answer() -> WriteError {
    WriteError::Unavailable("it does not answer".to_owned())
}

/// Tells why the Lease cannot be written: once, not with each attempt.
fn tell(name: &str, error: &WriteError, telling: &mut Telling) {
    match error {
        WriteError::Forbidden(message) if telling.is_forbidden() => tracing::error!(
            "no election is possible: the controller's ServiceAccount lacks the permission `create, get, update, watch` \
             on leases in API group coordination.k8s.io: {message}"
        ),
        WriteError::Forbidden(_) => tracing::debug!("the Lease {name} cannot be written: {error}"),
        error if telling.fails() => {
            tracing::warn!("the Lease {name} cannot be written, so nobody leads for long: {error}");
        }
        error => tracing::debug!("the Lease {name} cannot be written: {error}"),
    }
}
