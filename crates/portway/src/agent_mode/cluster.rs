//! What the agent has to do with the API server: Leases that tell who announces what, and whether its node is to have
//! addresses. Nothing waits for it.

use portway_controller::holders::{self, Holdings};
use tokio::sync::watch;

use super::announce::{Announcing, Seen};

/// Keeps Leases and eligibility up to date, for ever.
pub(super) async fn follow(
    namespace: Option<String>,
    node: String,
    mut seen: watch::Receiver<Seen>,
    announcing: &Announcing,
) {
    let Some(namespace) = namespace else { return std::future::pending().await };
    let client = match holders::connect().await {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(
                "no Leases tell who announces addresses, since there is no way to the API server: {error}"
            );
            return std::future::pending().await;
        }
    };
    let (tell, holdings) = watch::channel(Holdings::default());
    let (eligible, mut is_eligible) = watch::channel(true);
    let pass_on = async {
        loop {
            tokio::select! {
                Ok(()) = seen.changed() => {
                    let now = holdings_of(&seen.borrow_and_update());
                    tell.send_if_modified(|told| *told != now && { *told = now; true });
                }
                Ok(()) = is_eligible.changed() => announcing.set_eligible(*is_eligible.borrow_and_update()),
                else => std::future::pending().await,
            }
        }
    };
    let leases = holders::record(client.clone(), namespace, node.clone(), holdings);
    tokio::join!(pass_on, leases, holders::follow_node(client, node, eligible));
}

fn holdings_of(seen: &Seen) -> Holdings {
    let own = seen.addresses.iter().filter(|it| it.is_here);
    Holdings {
        known: seen.addresses.iter().map(|it| it.address).collect(),
        own: own.map(|it| (it.address, it.transitions)).collect(),
    }
}
