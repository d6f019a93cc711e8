//! Which of several controllers writes statuses, provisions, and feeds the proxies: the holder of a Lease.
//!
//! A holder that ends lets go of the Lease, and the others, who watch it, take it at once. One that dies loses it when
//! it has not been renewed for its duration. Time is judged by the observer's own clock, since when it last saw the
//! Lease change, never by the times that are written in it: clocks of machines differ.

mod candidate;
mod claim;
mod leases;
#[cfg(test)]
mod tests;

use kube::Client;
use tokio::sync::watch;

use self::candidate::Candidate;
use self::leases::ClusterLease;

/// Takes part in the election until `stop` turns true, then lets go of the Lease.
pub async fn elect(
    client: Client,
    namespace: String,
    name: String,
    identity: String,
    leads: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
) {
    let lease = ClusterLease::new(client, namespace.clone(), name.clone());
    let candidate =
        Candidate::new(lease, format!("{namespace}/{name}"), identity, leads, jiff::Timestamp::now);
    candidate.run(stop).await;
}
