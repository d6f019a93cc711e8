//! Whether a node should have addresses.

use std::pin::pin;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client};
use tokio::sync::watch;

use crate::watch::Pauses;

/// Tells whether a node is ready and not being drained, whenever that changes; for ever. While the API server is away, what was
/// last known holds.
pub async fn follow_node(client: Client, name: String, is_eligible: watch::Sender<bool>) {
    let mut seen = pin!(watch_object(Api::<Node>::all(client), &name).backoff(Pauses::new()));
    while let Some(event) = seen.next().await {
        match event {
            Ok(node) => {
                let now = node.as_ref().is_some_and(is_eligible_now);
                is_eligible.send_if_modified(|told| std::mem::replace(told, now) != now);
            }
            Err(error) => tracing::debug!("watch of the node {name}: {error}"),
        }
    }
}

fn is_eligible_now(node: &Node) -> bool {
    let is_unschedulable = node.spec.as_ref().and_then(|it| it.unschedulable) == Some(true);
    let conditions = node.status.iter().flat_map(|it| it.conditions.iter().flatten());
    let is_ready = conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True");
    is_ready && !is_unschedulable && node.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_that_is_drained_or_not_ready_should_have_none() {
        let node = |unschedulable: bool, ready: &str| -> Node {
            serde_json::from_value(json!({
                "spec": {"unschedulable": unschedulable},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            }))
            .unwrap()
        };
        assert!(is_eligible_now(&node(false, "True")));
        assert!(!is_eligible_now(&node(true, "True")));
        assert!(!is_eligible_now(&node(false, "Unknown")));
        assert!(!is_eligible_now(&Node::default()));
    }
}
