//! The addresses of nodes, while something needs them: most clusters have no Gateway that does, and Nodes are large.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher as watch_objects;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use super::events::Events;
use super::store::Store;
use crate::address::{NodeAddresses, Nodes};
use crate::failure::Subject;
use crate::limits::WATCH_TIMEOUT_SECONDS;
use crate::metrics::Metrics;

/// The label of nodes that take no traffic from outside (`k8s.io/cloud-provider`, service controller).
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Follows the nodes whenever they are needed, for ever; has everything translated again when they change.
pub(crate) async fn follow(
    client: Client,
    mut are_needed: watch::Receiver<bool>,
    nodes: watch::Sender<Nodes>,
    store: Arc<Store>,
    metrics: Metrics,
) {
    while are_needed.wait_for(|it| *it).await.is_ok() {
        tokio::select! {
            () = follow_now(client.clone(), &nodes, &store, &metrics) => {}
            _ = are_needed.wait_for(|it| !*it) => {}
        }
        nodes.send_replace(Nodes::default());
    }
}

async fn follow_now(client: Client, nodes: &watch::Sender<Nodes>, store: &Store, metrics: &Metrics) {
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS);
    let stream = pin!(watch_objects(Api::<Node>::all(client), config));
    let mut events = Events::new(stream, Subject::of_kind("Node", "nodes", ""), metrics.clone());
    let mut reader = Reader::default();
    while let Some(event) = events.next().await {
        if let Some(now) = reader.take(event) {
            let is_news = nodes.send_if_modified(|told| std::mem::replace(told, now.clone()) != now);
            if is_news {
                store.reconsider();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Reader {
    by_name: BTreeMap<String, NodeAddresses>,
    is_complete: bool,
}

impl Reader {
    /// The nodes, once all are known.
    fn take(&mut self, event: Event<Node>) -> Option<Nodes> {
        match event {
            Event::Init => *self = Self::default(),
            Event::InitApply(node) | Event::Apply(node) => {
                let name = node.name_any();
                match addresses(&node) {
                    Some(addresses) => drop(self.by_name.insert(name, addresses)),
                    None => drop(self.by_name.remove(&name)),
                }
            }
            Event::Delete(node) => drop(self.by_name.remove(&node.name_any())),
            Event::InitDone => self.is_complete = true,
        }
        self.is_complete.then(|| Nodes { by_name: self.by_name.clone() })
    }
}

/// The addresses of a node that takes traffic from outside.
fn addresses(node: &Node) -> Option<NodeAddresses> {
    let status = node.status.as_ref()?;
    let is_ready = status.conditions.iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
    let is_excluded = node.labels().contains_key(EXCLUDED) || node.metadata.deletion_timestamp.is_some();
    let of_type = |kind: &str| -> Vec<IpAddr> {
        let all = status.addresses.iter().flatten().filter(|it| it.type_ == kind);
        all.filter_map(|it| it.address.parse().ok()).collect()
    };
    (is_ready && !is_excluded)
        .then(|| NodeAddresses { external: of_type("ExternalIP"), internal: of_type("InternalIP") })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, ready: &str, labels: Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": labels},
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "addresses": [
                    {"type": "InternalIP", "address": "10.0.0.1"}, {"type": "ExternalIP", "address": "203.0.113.1"},
                    {"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "2001:db8::1"},
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn nodes_are_told_once_all_are_known_and_only_those_that_take_traffic() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(Event::Init), None);
        assert_eq!(reader.take(Event::InitApply(node("a", "True", json!({})))), None);
        assert_eq!(reader.take(Event::InitApply(node("b", "Unknown", json!({})))), None);
        assert_eq!(reader.take(Event::InitApply(node("c", "True", json!({EXCLUDED: ""})))), None);
        let nodes = reader.take(Event::InitDone).unwrap();
        assert_eq!(nodes.by_name.keys().collect::<Vec<_>>(), ["a"]);
        let ips = |texts: &[&str]| texts.iter().map(|it| it.parse::<IpAddr>().unwrap()).collect::<Vec<_>>();
        assert_eq!(nodes.by_name["a"].internal, ips(&["10.0.0.1", "2001:db8::1"]));
        assert_eq!(nodes.by_name["a"].external, ips(&["203.0.113.1"]));

        let nodes = reader.take(Event::Apply(node("b", "True", json!({})))).unwrap();
        assert_eq!(nodes.by_name.len(), 2);
        let nodes = reader.take(Event::Apply(node("a", "False", json!({})))).unwrap();
        assert_eq!(nodes.by_name.len(), 1);
        assert_eq!(reader.take(Event::Delete(node("b", "True", json!({})))), Some(Nodes::default()));
        // A list anew tells nothing before its end.
        assert_eq!(reader.take(Event::Init), None);
    }
}
