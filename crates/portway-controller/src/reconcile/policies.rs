//! What of network policies does not do what it seems to, told in the log where there are node agents that follow them.

use std::collections::BTreeSet;
use std::sync::Arc;

use portway_policy::{Warning, warnings};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::agents::policy_facts;
use crate::limits::{POLICY_CHECK, POLICY_WARNINGS_AT_ONCE};
use crate::watch::Store;
use crate::watch::policy::PolicyObjects;

/// Tells of each once, while this controller leads, for ever.
pub(crate) async fn warn(
    store: Arc<Store>,
    mut objects: watch::Receiver<PolicyObjects>,
    mut leads: watch::Receiver<bool>,
) {
    let mut told = BTreeSet::new();
    while leads.wait_for(|leads| *leads).await.is_ok() {
        if objects.changed().await.is_err() {
            return;
        }
        // Pods come and go all the time, and half of what is wrong while many do is right a moment later.
        sleep(POLICY_CHECK).await;
        let now = objects.borrow_and_update().clone();
        let snapshot = store.snapshot();
        let found = spawn_blocking(move || {
            let all = now.all()?;
            Some(warnings(&policy_facts(&snapshot, std::iter::empty(), all)))
        });
        // A panic is a defect of ours, which the runtime has logged.
        let Ok(Some(found)) = found.await else { continue };
        tell(&told, &found);
        told = found;
    }
}

fn tell(told: &BTreeSet<Warning>, found: &BTreeSet<Warning>) {
    let mut new = found.difference(told);
    for warning in new.by_ref().take(POLICY_WARNINGS_AT_ONCE) {
        tracing::warn!("{warning}");
    }
    let more = new.count();
    if more > 0 {
        tracing::warn!("{more} more parts of network policies do not do what they seem to");
    }
}
