//! Which of several controllers writes statuses, provisions, and feeds the proxies: the holder of a Lease.
//!
//! A holder that ends lets go of the Lease, and the others, who watch it, take it at once. One that dies loses it when
//! it has not been renewed for its duration. Time is judged by the observer's own clock, since when it last saw the
//! Lease change, never by the times that are written in it: clocks of machines differ.

mod claim;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Client, Error};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::claim::{Claim, Move};
use crate::limits::{LEASE_DURATION, LEASE_RENEWAL, LEASE_REQUEST};
use crate::watch::Pauses;

/// Takes part in the election until `stop` turns true, then lets go of the Lease.
pub async fn elect(
    client: Client,
    namespace: String,
    name: String,
    identity: String,
    leads: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let api: Api<Lease> = Api::namespaced(client, &namespace);
    let mut seen = pin!(watch_object(api.clone(), &name).backoff(Pauses::new()));
    let mut ticks = interval(LEASE_RENEWAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let election = Election { api, namespace, name, is_told: AtomicBool::new(false) };
    let mut claim = Claim::new(identity, LEASE_DURATION);
    loop {
        // Each write comes back as an event of the watch: what is held is renewed when its time has come alone.
        let mut is_time = false;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(event) = seen.next() => match event {
                Ok(lease) => claim.observe(lease, Instant::now().into_std()),
                Err(error) => { tracing::debug!("watch of the Lease: {error}"); continue }
            },
            _ = ticks.tick() => is_time = true,
        }
        let now = Instant::now().into_std();
        if (is_time || !claim.is_held(now))
            && let Some(step) = claim.next(now, jiff::Timestamp::now())
        {
            election.carry_out(step, &mut claim).await;
        }
        let now = claim.is_held(Instant::now().into_std());
        leads.send_if_modified(|leads| std::mem::replace(leads, now) != now);
    }
    leads.send_replace(false);
    if let Some(release) = claim.release(jiff::Timestamp::now()) {
        election.carry_out(release, &mut claim).await;
    }
}

struct Election {
    api: Api<Lease>,
    namespace: String,
    name: String,
    /// Whether it was told that the Lease cannot be written.
    is_told: AtomicBool,
}

impl Election {
    async fn carry_out(&self, step: Move, claim: &mut Claim) {
        let request = async {
            match step {
                Move::Create(spec) => {
                    let metadata = ObjectMeta {
                        name: Some(self.name.clone()),
                        namespace: Some(self.namespace.clone()),
                        ..ObjectMeta::default()
                    };
                    let lease = Lease { metadata, spec: Some(spec) };
                    self.api.create(&PostParams::default(), &lease).await
                }
                // The resource version in it makes the API server refuse all but the first.
                Move::Replace(lease) => self.api.replace(&self.name, &PostParams::default(), &lease).await,
            }
        };
        // Others may see the renewal before its answer is here; so our time begins with the request.
        let begun = Instant::now().into_std();
        match timeout(LEASE_REQUEST, request).await {
            Ok(Ok(lease)) => {
                self.is_told.store(false, Ordering::Relaxed);
                claim.observe(Some(lease), begun);
            }
            // Somebody was faster. What there is now must not wait for the watch, which may hang: whoever sees an old state
            // would be refused with each attempt.
            Ok(Err(Error::Api(status))) if matches!(status.code, 404 | 409) => {
                let begun = Instant::now().into_std();
                if let Ok(Ok(lease)) = timeout(LEASE_REQUEST, self.api.get_opt(&self.name)).await {
                    claim.observe(lease, begun);
                }
            }
            Ok(Err(Error::Api(status))) if status.code == 403 => {
                if !self.is_told.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "no election is possible: the controller's ServiceAccount lacks the permission `create, get, \
                         update, watch` on leases in API group coordination.k8s.io: {}",
                        status.message
                    );
                }
            }
            Ok(Err(error)) => self.tell(&error.to_string()),
            Err(_) => self.tell("it does not answer"),
        }
    }

    /// An absence of the API server is told once, not with each attempt.
    fn tell(&self, error: &str) {
        let Self { namespace, name, .. } = self;
        if self.is_told.swap(true, Ordering::Relaxed) {
            tracing::debug!("the Lease {namespace}/{name} cannot be written: {error}");
        } else {
            tracing::warn!(
                "the Lease {namespace}/{name} cannot be written, so nobody leads for long: {error}"
            );
        }
    }
}
