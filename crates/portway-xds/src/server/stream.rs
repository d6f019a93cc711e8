//! The stream of one proxy.
//!
//! One revision is under way at a time: what changes until the proxy has answered is joined into the next, so that
//! a slow proxy is told the newest state and no backlog grows.

use std::collections::{BTreeMap, HashMap, HashSet};

use portway_config::{NamespacedName, Revision};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::admission::Identity;
use super::group::Group;
use crate::limits::Limits;
use crate::message::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use crate::publisher::{Changes, Connection, Publisher};
use crate::refusal::{Refusal, from_status};
use crate::resource::{ResourceKey, ResourceType};

/// What a stream begins with.
pub(super) struct Session {
    pub(super) inbound: Streaming<DeltaDiscoveryRequest>,
    pub(super) outbound: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    pub(super) identity: Identity,
    pub(super) gateway: NamespacedName,
    pub(super) publisher: Publisher,
    pub(super) limits: Limits,
}

/// Serves a proxy until its stream ends.
pub(super) async fn run(session: Session) -> Result<(), Status> {
    let Session { mut inbound, outbound, identity, gateway, publisher, limits } = session;
    let subscription = Subscription::read(&mut inbound, &gateway, &limits);
    let subscription = timeout(limits.admission_timeout, subscription)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("the first requests took too long")));
    publisher.traffic().note_admission(subscription.is_ok());
    let subscription = subscription?;

    let pod = &identity.pod;
    tracing::info!("proxy {pod} of Gateway {gateway} is connected ({})", subscription.agent);
    let mut connection = publisher.connect(&gateway, pod.clone());
    let superseded = std::mem::replace(&mut connection.superseded, tokio::sync::oneshot::channel().1);
    let mut stream = Stream::new(connection, subscription, publisher, limits);
    let ended = tokio::select! {
        ended = stream.serve(&mut inbound, &outbound) => ended,
        _ = superseded => Err(Status::aborted("the pod has begun another stream")),
    };
    match &ended {
        Ok(()) => tracing::info!("proxy {pod} of Gateway {gateway} is disconnected"),
        Err(status) => {
            tracing::info!("proxy {pod} of Gateway {gateway} is disconnected: {}", status.message());
        }
    }
    ended
}

/// What a proxy says in its first requests.
struct Subscription {
    types: HashSet<ResourceType>,
    /// What it has, by type and name.
    has: HashMap<(&'static str, String), String>,
    refused: BTreeMap<ResourceType, Vec<Refusal>>,
    /// What it is at.
    revision: Revision,
    /// Program and version.
    agent: String,
}

impl Subscription {
    async fn read(
        inbound: &mut Streaming<DeltaDiscoveryRequest>,
        gateway: &NamespacedName,
        limits: &Limits,
    ) -> Result<Self, Status> {
        let mut subscription = Self {
            revision: Revision::default(),
            types: HashSet::new(),
            has: HashMap::new(),
            refused: BTreeMap::new(),
            agent: String::new(),
        };
        loop {
            let request = inbound.message().await?;
            let request = request.ok_or_else(|| Status::cancelled("the stream ended before it began"))?;
            if let Some(node) = &request.node {
                check_gateway(&node.cluster, gateway)?;
                subscription.revision = Revision(request.revision);
                subscription.agent = format!("{} {}", node.user_agent_name, node.user_agent_version);
            } else if subscription.agent.is_empty() {
                return Err(Status::invalid_argument("the first request has no node"));
            }
            let more = request.more;
            subscription.note(request, limits);
            if !more {
                return Ok(subscription);
            }
        }
    }

    fn note(&mut self, request: DeltaDiscoveryRequest, limits: &Limits) {
        // A type that only a newer proxy knows has no resources here.
        let Some(kind) = ResourceType::of_url(&request.type_url) else { return };
        self.types.insert(kind);
        let versions = request.initial_resource_versions.into_iter();
        self.has.extend(versions.map(|(name, version)| ((kind.url(), name), version)));
        if let Some(status) = &request.error_detail {
            self.refused.insert(kind, from_status(status, limits));
        }
    }
}

fn check_gateway(asked: &str, gateway: &NamespacedName) -> Result<(), Status> {
    match serde_json::from_str::<NamespacedName>(asked) {
        Ok(asked) if asked == *gateway => Ok(()),
        Ok(asked) => Err(Status::permission_denied(format!(
            "Gateway {asked} is asked for with the token of a proxy of Gateway {gateway}"
        ))),
        Err(error) => Err(Status::invalid_argument(format!("node.cluster is not a Gateway: {error}"))),
    }
}

struct Stream {
    connection: Connection,
    publisher: Publisher,
    types: HashSet<ResourceType>,
    /// What the proxy said that it has; taken with the first revision.
    has: Option<HashMap<(&'static str, String), String>>,
    sent: Option<Revision>,
    /// Nonces that are not answered yet.
    unanswered: HashSet<String>,
    next_nonce: u64,
    refused: BTreeMap<ResourceType, Vec<Refusal>>,
    /// Resources of types that the proxy has not subscribed to, as it does not know them.
    unknown: BTreeMap<ResourceKey, String>,
    agent: String,
    limits: Limits,
}

impl Stream {
    fn new(connection: Connection, subscription: Subscription, publisher: Publisher, limits: Limits) -> Self {
        let Subscription { types, has, refused, revision, agent } = subscription;
        connection.go_on_from(revision, limits.revision_lead);
        Self {
            connection,
            publisher,
            types,
            has: Some(has),
            sent: None,
            unanswered: HashSet::new(),
            next_nonce: 1,
            refused,
            unknown: BTreeMap::new(),
            agent,
            limits,
        }
    }

    async fn serve(
        &mut self,
        inbound: &mut Streaming<DeltaDiscoveryRequest>,
        outbound: &mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    ) -> Result<(), Status> {
        self.connection.answered(None, self.all_refused());
        // What is published already is news to this stream.
        self.connection.revision.mark_changed();
        loop {
            tokio::select! {
                request = inbound.message() => match request? {
                    Some(request) => self.answered(&request),
                    None => return Ok(()),
                },
                () = outbound.closed() => return Ok(()),
                changed = self.connection.revision.changed(), if self.unanswered.is_empty() => {
                    if changed.is_err() {
                        return Err(Status::unavailable("the Gateway is gone"));
                    }
                    if let Some(changes) = self.changes()
                        && !self.send(changes, outbound).await
                    {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What the proxy must be told now.
    fn changes(&mut self) -> Option<Changes> {
        // Not published yet: `has` is needed later.
        (*self.connection.revision.borrow())?;
        let mut changes = match self.sent {
            None => self.connection.beyond(self.has.take().unwrap_or_default())?,
            Some(revision) => self.connection.since(revision)?,
        };
        self.sent = Some(changes.revision);
        let (types, unknown) = (&self.types, &mut self.unknown);
        changes.changed.retain(|(_, resource)| {
            let key = resource.key();
            let is_known = types.contains(&key.resource_type());
            if !is_known {
                unknown.insert(key, format!("{} does not know resources of this type", self.agent));
            }
            is_known
        });
        unknown.retain(|key, _| {
            let name = (key.resource_type().url(), key.name());
            !changes.removed.contains(&name)
        });
        changes.removed.retain(|(url, _)| types.iter().any(|kind| kind.url() == *url));
        Some(changes)
    }

    /// Returns whether there still is somebody to send to.
    async fn send(
        &mut self,
        changes: Changes,
        outbound: &mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    ) -> bool {
        for mut response in Group::new(changes, self.limits.response_bytes) {
            response.nonce = self.next_nonce.to_string();
            self.next_nonce += 1;
            self.unanswered.insert(response.nonce.clone());
            self.publisher.traffic().note_response(&response);
            if outbound.send(Ok(response)).await.is_err() {
                return false;
            }
        }
        true
    }

    fn answered(&mut self, request: &DeltaDiscoveryRequest) {
        self.publisher.traffic().note_answer(request);
        if let Some(kind) = ResourceType::of_url(&request.type_url) {
            let refused = request.error_detail.as_ref().map(|status| from_status(status, &self.limits));
            self.refused.insert(kind, refused.unwrap_or_default());
        }
        if request.response_nonce.is_empty() {
            self.connection.answered(None, self.all_refused());
        } else if self.unanswered.remove(&request.response_nonce) && self.unanswered.is_empty() {
            self.connection.answered(self.sent, self.all_refused());
        }
    }

    fn all_refused(&self) -> Vec<Refusal> {
        let unknown = self.unknown.iter().map(|(key, message)| Refusal::new(key.clone(), message));
        self.refused.values().flatten().cloned().chain(unknown).collect()
    }
}
